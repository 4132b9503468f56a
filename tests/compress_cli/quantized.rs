//! Tables in codes of few bits.

use factorized_embedding::{Embedding, QuantizedEmbedding, io::safetensors::load_quantized, quantize::Level};

use crate::{
    files::{DIM, FULL_BYTES, Files, VOCAB_SIZE, printed, printed_number},
    support::programs::{assert_contains, failed, succeeded},
};

#[test]
fn no_file_of_codes_is_larger_than_its_budget() {
    let files = Files::new();
    for (option, budget, bytes) in [
        ("--bytes", "50%", FULL_BYTES / 2),
        ("--bytes", "3000", 3000),
        ("--ratio", "3.5", FULL_BYTES * 2 / 7),
        ("--bits", "9.5", VOCAB_SIZE * DIM * 19 / 16),
    ] {
        let text = succeeded(&files.compress(&["--method", "quantized", option, budget, "--out", "out"]));
        let size = files.read("out").len();
        assert!(size <= bytes, "{size} bytes for {option} {budget}");
        assert_eq!(printed(&text, "file").replace(',', ""), format!("{size} bytes"));
        assert_contains(
            &text,
            &["method                   quantized", "Measured on the saved file", "Where the bits went"],
        );
        let layer = QuantizedEmbedding::new(load_quantized(files.path("out")).expect("a valid file"));
        assert_eq!((layer.vocab_size(), layer.dim()), (VOCAB_SIZE, DIM));
    }
    let message = failed(&files.compress(&["--method", "quantized", "--ratio", "1000", "--out", "no"]));
    assert_contains(&message, &["bytes"]);
    assert!(!files.path("no").exists());
}

#[test]
fn an_error_may_be_asked_for() {
    let files = Files::new();
    let sizes = ["0.3", "0.1", "0.03"].map(|error| {
        let arguments = ["--method", "quantized", "--relative-error", error, "--out", "out"];
        let text = succeeded(&files.compress(&arguments));
        assert!(printed_number(&text, "relative error") <= error.parse().expect("a number"), "{text}");
        files.read("out").len()
    });
    assert!(sizes.is_sorted() && sizes[0] < sizes[2], "{sizes:?}");
}

#[test]
fn blocks_of_rows_give_the_file_of_the_whole_table() {
    let files = Files::new();
    files.write_frequencies(|i| (1000 / (i + 1)) as u64);
    let run = |more: &[&str]| {
        let arguments = ["--method", "quantized", "--ratio", "4", "--frequencies", "frequencies.npy"];
        succeeded(&files.compress(&[&arguments, more].concat()))
    };
    let whole = run(&["--out", "whole"]);
    let blocks = run(&["--out", "blocks", "--block-rows", "7"]);
    assert_eq!(files.read("whole"), files.read("blocks"));
    for name in ["rank", "rows of each group", "file", "relative error", "weighted relative error"] {
        assert_eq!(printed(&whole, name), printed(&blocks, name), "{name}");
    }
}

#[test]
fn settings_reach_the_quantizer() {
    let files = Files::new();
    let run = |more: &[&str]| {
        let arguments = ["--method", "quantized", "--ratio", "3", "--out", "out"];
        let text = succeeded(&files.compress(&[&arguments, more].concat()));
        (load_quantized(files.path("out")).expect("a valid file"), files.read("out"), text)
    };
    let (factors, _, text) = run(&["--level", "trellis", "--row-groups", "3"]);
    assert_eq!((factors.level(), factors.num_groups()), (Level::Trellis, 3));
    assert_eq!(printed(&text, "rows of each group").split(" + ").count(), 3);
    let [always, never] = ["always", "never"].map(|when| run(&["--row-scale", when, "--row-groups", "1"]).1);
    assert_ne!(always, never);
    let [svd, hadamard] = ["svd", "hadamard"].map(|rotation| run(&["--rotation", rotation]).1);
    assert_ne!(svd, hadamard);
    let [first, again, other] =
        ["1", "1", "2"].map(|seed| run(&["--rotation", "hadamard", "--row-groups", "1", "--seed", seed]).1);
    assert!(first == again && first != other);

    let refused = ["--method", "quantized", "--ratio", "4", "--out", "no", "--row-groups", "17"];
    assert_contains(&failed(&files.compress(&refused)), &["17", "16"]);
    assert!(!files.path("no").exists());
}
