//! The `word_vectors` example as its users meet it: the program is run, and its tables and messages are looked at.
#![cfg(all(feature = "decompose", feature = "safetensors", feature = "word-vectors"))]

mod support;

use std::process::Output;

use factorized_embedding::{
    DenseEmbedding, Vocabulary,
    io::word_vectors::{WordVectorFormat, save_word_vectors},
};
use support::{
    files::Folder,
    programs::{self, assert_contains, failed, succeeded},
    random,
};

const VOCAB_SIZE: usize = 600;

/// A folder with the same 600 words and vectors in every format.
fn folder() -> Folder {
    let folder = Folder::new();
    let layer = DenseEmbedding::new(random::normal((VOCAB_SIZE, 24), 1)).expect("finite");
    let words = Vocabulary::new((0..VOCAB_SIZE).map(|i| format!("word{i}"))).expect("different words");
    for (name, format) in [
        ("glove.txt", WordVectorFormat::GloveText),
        ("text.vec", WordVectorFormat::Word2VecText),
        ("vectors.bin", WordVectorFormat::Word2VecBinary),
    ] {
        save_word_vectors(folder.path(name), format, &words, &layer).expect("a writable folder");
    }
    folder
}

fn run(folder: &Folder, arguments: &[&str]) -> Output {
    programs::run("word_vectors", &folder.path("."), arguments)
}

/// The cells of the first row that begins with a title.
fn row(text: &str, title: &str) -> Vec<String> {
    let line = text.lines().find(|line| line.starts_with(title)).unwrap_or_else(|| panic!("no {title:?} in {text}"));
    line.split("  ").map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn without_a_file_the_shipped_table_is_shown() {
    let folder = Folder::new();
    let text = succeeded(&run(&folder, &[]));
    assert_contains(&text, &["GloVe 6B", "10,000 words × 50"]);
    assert_eq!(row(&text, "dense")[..3], ["dense", "2,000,000", "1.00"]);
    // The dense table and one an eighth of its size.
    let [dense, small] = [1, 2].map(|column| row(&text, "river")[column].clone());
    for neighbour in [dense, small] {
        assert!(neighbour.starts_with("rivers "), "{neighbour}");
    }
    assert_contains(&row(&text, "man : king = woman :")[1], &["queen"]);
    assert_eq!(row(&text, "france : paris = italy :")[1..3].len(), 2);
    for layer in ["quantized 8×", "quantized 16×", "SVD 8×"] {
        assert_eq!(row(&text, layer).len(), 5, "{layer}");
    }
    assert!(folder.names().is_empty());
}

#[test]
fn files_of_every_format_give_the_same() {
    let folder = folder();
    let question = ["--word", "word7", "--analogy", "word1", "word2", "word3", "--count", "2"];
    let shown = |file: &[&str]| {
        let text = succeeded(&run(&folder, &[file, &question].concat()));
        let (_, tables) = text.split_once('\n').expect("a line that says what was read");
        tables.to_owned()
    };
    let glove = shown(&["glove.txt"]);
    assert_contains(&glove, &["\nword7 ", "\nword1 : word2 = word3 :"]);
    for (file, format) in [("glove.txt", "glove"), ("text.vec", "word2vec"), ("vectors.bin", "word2vec-binary")] {
        assert_eq!(shown(&[file]), glove, "{file}");
        assert_eq!(shown(&[file, "--format", format]), glove, "{file}");
    }
    // Without a question, the first words and no analogies.
    let text = succeeded(&run(&folder, &["vectors.bin", "--max-rows", "500"]));
    assert_contains(&text, &["word2vec binary, vectors.bin: 500 words × 24", "\nword0 ", "\nword4 "]);
    assert!(!text.contains("Analogies"), "{text}");
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let folder = folder();
    assert_contains(&failed(&run(&folder, &["missing.txt"])), &["cannot open missing.txt"]);
    folder.write("text", b"no vectors\n");
    assert_contains(&failed(&run(&folder, &["text"])), &["text", "word vector"]);
    assert_contains(&failed(&run(&folder, &["glove.txt", "--format", "word2vec"])), &["expected a header"]);
    assert_contains(&failed(&run(&folder, &["glove.txt", "--max-rows", "0"])), &["rows", "0"]);
    assert_contains(&failed(&run(&folder, &["glove.txt", "--word", "dog"])), &[r#"the word "dog" at position 0"#]);

    let mut twice = std::fs::read(folder.path("glove.txt")).expect("the file");
    let first = twice.iter().position(|&byte| byte == b'\n').expect("a line") + 1;
    twice.extend_from_within(..first);
    folder.write("twice.txt", &twice);
    let refusal = r#"line 601 repeats the word "word0" of line 1"#;
    assert_contains(&failed(&run(&folder, &["twice.txt"])), &[refusal]);
    let text = succeeded(&run(&folder, &["twice.txt", "--keep-first"]));
    assert_contains(&text, &["600 words × 24 (1 that stood there before were left out)"]);

    folder.write("small.txt", b"a 1 2\nb 3 4\n");
    assert_contains(&failed(&run(&folder, &["small.txt"])), &["cannot hold any factors"]);
}

#[test]
fn what_the_command_line_lacks_is_said() {
    let folder = folder();
    assert_contains(&failed(&run(&folder, &["--max-rows", "5"])), &["FILE"]);
    assert_contains(&failed(&run(&folder, &["glove.txt", "--analogy", "a", "b"])), &["--analogy"]);
    assert_contains(&failed(&run(&folder, &["glove.txt", "--format", "pdf"])), &["pdf"]);
    let help = succeeded(&run(&folder, &["--help"]));
    assert_contains(&help, &["Examples", "--format", "--max-rows", "--word", "--analogy", "fastText"]);
}
