//! A hostile file for each kind of error that a file can be the cause of.

use std::{collections::BTreeSet, fs::OpenOptions};

use factorized_embedding::{
    Error, Factors, GramAccumulator, Result,
    io::{
        hugging_face::{Checkpoint, Replacement},
        safetensors::{load_factors, load_table},
        word_vectors::{WordVectorFormat, load_word_vectors},
    },
};
use ndarray::{Array2, array};

use crate::{
    kinds,
    support::files::{Folder, METADATA, file, header, le_bytes},
};

/// Those that have other causes: arguments, settings, arrays. What files hold of such is refused as an `InvalidFile` or an
/// `InvalidRecord`, whose reason it is.
const OF_NO_FILE: [&str; 26] = [
    "AllWeightsZero",
    "BudgetTooSmall",
    "ColumnOutOfRange",
    "DuplicateEntry",
    "DuplicateWord",
    "GroupOutOfRange",
    "GroupShapeMismatch",
    "IdOutOfRange",
    "InvalidEntryWeight",
    "InvalidOffset",
    "InvalidOptimizerState",
    "InvalidSetting",
    "InvalidWeight",
    "MissingGradient",
    "NeedsAllSingularValues",
    "NoConvergence",
    "NoKnownEntries",
    "NotATokenId",
    "NotTrainable",
    "Overflow",
    "TableTooLarge",
    "UnknownWord",
    "UnsortedIds",
    "UnsuitableWord",
    "UnusableBias",
    "WeightsNeedSum",
];

type Tensors<'a> = &'a [(&'a str, &'a str, usize, &'a [usize])];

/// A folder with a model of these tensors, whose numbers are all the same.
fn model(tensors: Tensors<'_>, number: f32) -> Folder {
    let folder = Folder::new();
    let (text, size) = header(None, tensors);
    folder.write("model.safetensors", &file(&text, &le_bytes(&vec![number; size.div_ceil(4)])[..size]));
    folder
}

fn open(folder: &Folder) -> Checkpoint {
    Checkpoint::open(folder.path("")).expect("a checkpoint")
}

/// ALBERT's table of 3 rows and its mapping to two numbers.
fn albert(table: [usize; 2], mapping: [usize; 2], number: f32) -> Result<Factors> {
    let tensors: Tensors<'_> = &[
        ("albert.embeddings.word_embeddings.weight", "F32", 4, &table),
        ("albert.encoder.embedding_hidden_mapping_in.weight", "F32", 4, &mapping),
        ("albert.encoder.embedding_hidden_mapping_in.bias", "F32", 4, &[2]),
    ];
    open(&model(tensors, number)).albert_factors()
}

fn compressed_table() -> Error {
    let folder = model(&[("wte.weight", "F32", 4, &[3, 2])], 1.0);
    let factors = Factors::new(Array2::ones((3, 1)), array![[1.0, 1.0]]).expect("shapes that multiply");
    let (replacement, other) = (Replacement::factors("made up", factors), Folder::new());
    let small = other.path("small");
    open(&folder).save_with("wte.weight", &replacement, &small, |_, _| Ok(())).expect("a writable folder");
    let compressed = Checkpoint::open(&small).expect("what was just written");
    compressed.table("wte.weight").expect_err("a table in factors")
}

/// A table of 2³² rows of a byte, of which the disk holds nothing but the header.
fn vocabulary_too_large() -> Error {
    let rows = 1 << 32;
    let folder = Folder::new();
    let (text, size) = header(None, &[("a", "I8", 1, &[rows, 1])]);
    let path = folder.write("sparse", &file(&text, &[]));
    let sparse = OpenOptions::new().write(true).open(&path).expect("the file");
    sparse.set_len((8 + text.len() + size) as u64).expect("a file system with sparse files");
    load_table(&path, "a").expect_err("more rows than there are ids")
}

#[test]
fn every_kind_that_a_file_can_cause_has_one() {
    let folder = Folder::new();
    let safetensors = |metadata, tensors: Tensors<'_>| {
        let (text, size) = header(metadata, tensors);
        folder.write("file", &file(&text, &vec![0; size]))
    };
    let words = |bytes: &[u8]| load_word_vectors(folder.write("words", bytes), WordVectorFormat::GloveText);
    let config = |tensors: Tensors<'_>, text: &[u8]| {
        let folder = model(tensors, 1.0);
        folder.write("config.json", text);
        open(&folder).token_table()
    };
    let (wte, shared): ((_, _, _, &[usize]), (_, _, _, &[usize])) =
        (("wte.weight", "F32", 4, &[3, 2]), ("shared.weight", "F32", 4, &[3, 2]));
    let later = METADATA.replace('1', "2");

    let mut errors = vec![
        load_table(folder.path("missing"), "a").expect_err("no file"),
        load_table(folder.write("file", b"1234567"), "a").expect_err("a file of seven bytes"),
        load_table(safetensors(None, &[]), "a").expect_err("no tensors"),
        load_table(safetensors(None, &[("a", "U8", 1, &[2, 2])]), "a").expect_err("a table of bytes"),
        load_table(safetensors(None, &[("a", "F32", 4, &[0, 2])]), "a").expect_err("a table of no rows"),
        vocabulary_too_large(),
        load_factors(safetensors(Some(later.as_str()), &[])).expect_err("a later version"),
        words(b"a 1 2\nb 1\n").expect_err("a line of one number"),
        config(&[("x", "F32", 4, &[3, 2])], b"{}").expect_err("a matrix of another name"),
        config(&[wte, shared], b"{}").expect_err("two tables"),
        config(&[wte], br#"{"vocab_size": 4}"#).expect_err("three rows"),
        compressed_table(),
        albert([3, 2], [2, 1], 1.0).expect_err("a mapping of fewer columns than the table has"),
        albert([9, 3], [2, 3], 1.0).expect_err("three directions of two numbers"),
        albert([3, 2], [2, 2], f32::NAN).expect_err("numbers that are none"),
        GramAccumulator::from_bytes(b"abc").expect_err("three bytes"),
    ];
    #[cfg(not(feature = "gzip"))]
    errors.push(words(&[0x1f, 0x8b, 8]).expect_err("a compressed file"));
    #[cfg(feature = "gzip")]
    errors.push(Error::MissingFeature { path: "words".into(), found: "a file of gzip", feature: "gzip" });

    let name = |error: &Error| format!("{error:?}").split([' ', '{']).next().unwrap_or_default().to_owned();
    let of_files: Vec<String> = errors.iter().map(name).collect();
    let found: BTreeSet<&str> = of_files.iter().map(String::as_str).collect();
    assert_eq!(found.len(), errors.len(), "each kind once: {of_files:?}");
    let others = BTreeSet::from(OF_NO_FILE);
    assert!(found.is_disjoint(&others), "{found:?}");
    let all: BTreeSet<&str> = kinds().into_iter().collect();
    let known: BTreeSet<&str> = found.union(&others).copied().collect();
    assert_eq!(known, all, "every kind of error is one of files or not");
}
