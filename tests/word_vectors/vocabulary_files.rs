//! Files of words, one a line.

use factorized_embedding::{
    Error, Vocabulary,
    io::vocabulary::{load_vocabulary, save_vocabulary},
};

use super::{message, vocabulary};
use crate::support::files::Folder;

#[test]
fn words_of_all_characters_come_back() {
    let words = ["the", "", "line\nfeed", "\t", "\r", "back\\slash", "\\n", "\u{2028}", "\u{85}", " a b ", "Grüße"];
    let folder = Folder::new();
    let path = folder.path("vocab.txt");
    save_vocabulary(&path, &vocabulary(&words)).expect("a writable folder");
    assert_eq!(folder.names(), ["vocab.txt"]);
    let text = std::fs::read_to_string(&path).expect("the file");
    assert_eq!(text.matches('\n').count(), words.len());
    assert!(text.starts_with("the\n\nline\\nfeed\n\\t\n\\r\nback\\\\slash\n\\\\n\n"), "{text:?}");
    assert_eq!(load_vocabulary(&path).expect("valid"), vocabulary(&words));

    save_vocabulary(&path, &Vocabulary::default()).expect("a writable folder");
    assert_eq!(std::fs::read(&path).expect("the file"), b"");
    assert_eq!(load_vocabulary(&path).expect("valid"), Vocabulary::default());
}

#[test]
fn the_last_line_may_lack_its_end() {
    let folder = Folder::new();
    let load = |bytes: &[u8]| load_vocabulary(folder.write("vocab.txt", bytes)).expect("valid");
    assert_eq!(load(b"a\nb"), vocabulary(&["a", "b"]));
    assert_eq!(load(b"a\nb\n"), vocabulary(&["a", "b"]));
    assert_eq!(load(b"\n"), vocabulary(&[""]));
    assert_eq!(load(b"a\r\nb\r\n"), vocabulary(&["a\r", "b\r"]), "lines end with a line feed and nothing else");
}

#[test]
fn the_shipped_vocabulary_is_read() {
    let words = load_vocabulary("examples/data/glove50-top10k.vocab.txt").expect("valid");
    assert_eq!((words.len(), words.id("the"), words.id("river")), (10_000, Some(0), Some(620)));
}

#[test]
fn malformed_lines_are_refused_with_their_number() {
    let folder = Folder::new();
    let refused = |bytes: &[u8], reason: &str| {
        let path = folder.write("vocab.txt", bytes);
        let error = load_vocabulary(&path).expect_err("this is refused");
        assert!(matches!(error, Error::InvalidRecord { record: "line", .. }), "{error:?}");
        assert_eq!(message(&path, &error), format!("PATH is not a valid vocabulary file: {reason}"));
    };
    refused(b"a\nb\na\n", "line 3 repeats the word of line 1");
    refused(b"a\n\\x\n", r"line 2 has a \ before 'x', expected n, t, r or \");
    refused(b"a\nb\\", r"line 2 has a \ before its end, expected n, t, r or \");
    refused(b"a\n\xff\n", "line 2 is not UTF-8");
    refused(&b"x".repeat((1 << 20) + 1), "line 1 has no end within 1048576 bytes");
    match load_vocabulary(folder.path("missing")) {
        Err(Error::Io { action: "open", .. }) => {}
        other => panic!("{other:?}"),
    }
    #[cfg(not(feature = "gzip"))]
    match load_vocabulary(folder.write("words.gz", b"\x1f\x8b\x08")) {
        Err(Error::MissingFeature { feature: "gzip", .. }) => {}
        other => panic!("{other:?}"),
    }
}
