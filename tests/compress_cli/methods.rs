//! Every method, end to end, on a real table.

use factorized_embedding::{
    Rank, Shape,
    io::safetensors::{load_block_factors, load_factors, max_block_header_bytes},
};

use crate::{
    files::{DIM, Files, printed, printed_number},
    support::programs::succeeded,
};

/// GloVe at rank 10 by a method; the weighted error.
fn weighted_error(files: &Files, method: &str, more: &[&str]) -> f64 {
    let arguments = ["--method", method, "--rank", "10", "--out", "out"];
    let text = succeeded(&files.compress_glove(&[arguments.as_slice(), more].concat()));
    assert_eq!(printed(&text, "method").split(',').next(), Some(method), "{text}");
    printed_number(&text, "weighted relative error")
}

#[test]
fn methods_agree_about_the_best_factors() {
    let files = Files::new();
    let best = weighted_error(&files, "svd", &[]);
    assert_eq!(load_factors(files.path("out")).expect("a valid file").rank(), 10);
    // Four digits are printed.
    for method in ["qr", "gram", "gram-f32"] {
        assert_eq!(weighted_error(&files, method, &[]), best, "{method}");
    }
    for (method, more) in [
        ("randomized", &["--power-iterations", "2", "--oversampling", "8", "--seed", "3"][..]),
        ("als", &["--iterations", "60", "--seed", "3"]),
    ] {
        let error = weighted_error(&files, method, more);
        assert!(best <= error && error <= 1.01 * best, "{method}: {error}, best {best}");
        assert_eq!(load_factors(files.path("out")).expect("a valid file").rank(), 10);
    }
}

#[test]
fn a_ridge_term_keeps_factors_small() {
    let files = Files::new();
    let run = |ridge: &str| {
        let text = succeeded(&files.compress(&["--method", "als", "--rank", "3", "--ridge", ridge, "--out", "out"]));
        let factors = load_factors(files.path("out")).expect("a valid file");
        let largest = factors.diagonal().expect("singular values")[0];
        (largest, text)
    };
    let ((free, without), (shrunk, with)) = (run("0"), run("10"));
    assert!(shrunk < free, "{shrunk} {free}");
    assert!(without.contains("energy kept") && !with.contains("energy kept"), "a shrunk table is no projection");
}

#[test]
fn groups_of_rows_have_ranks_of_their_own_under_the_same_bytes() {
    let files = Files::new();
    let best = weighted_error(&files, "svd", &[]);
    let arguments = ["--method", "blockwise", "--row-groups", "4", "--rank", "10", "--out", "blocks"];
    let text = succeeded(&files.compress_glove(&arguments));
    let factors = load_block_factors(files.path("blocks")).expect("a valid file");
    assert!(factors.size_in_bytes() <= Rank::bytes(Shape { vocab_size: 10_000, rank: 10, dim: 50 }));
    let ranks = factors.ranks().iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ");
    assert_eq!(printed(&text, "rank"), format!("{ranks} of 50"));
    assert_eq!(printed(&text, "rows of each group").split(" + ").count(), 4);
    assert!(printed_number(&text, "weighted relative error") < best, "{text}");

    let more = ["--iterations", "3", "--mean", "if-better"];
    let refined = succeeded(&files.compress_glove(&[arguments.as_slice(), &more].concat()));
    assert!(printed(&refined, "method").ends_with("iterations"), "{refined}");
    let errors = [&refined, &text].map(|text| printed_number(text, "weighted relative error"));
    assert!(errors[0] <= errors[1], "{errors:?}");
}

#[test]
fn a_file_of_groups_is_no_larger_than_its_budget() {
    let files = Files::new();
    files.write_frequencies(|i| (1000 / (i + 1)) as u64);
    for size in [3000, 5000] {
        let bytes = size.to_string();
        let arguments = ["--method", "blockwise", "--row-groups", "2", "--bytes", &bytes, "--out", "out"];
        succeeded(&files.compress(&[arguments.as_slice(), &["--frequencies", "frequencies.npy"]].concat()));
        let file = files.read("out").len();
        assert!(file <= size && size - file < max_block_header_bytes(2) + 4 * (200 + DIM), "{file} of {size}");
    }
}

#[test]
fn the_mean_becomes_a_bias() {
    let files = Files::with_table(|i, j| 5.0 + ((3 * i + 7 * j) as f32 * 0.37).sin());
    for (method, mean, expected) in [
        ("svd", "never", false),
        ("svd", "always", true),
        ("gram", "if-better", true),
        ("qr", "always", true),
        ("randomized", "always", true),
    ] {
        succeeded(&files.compress(&["--method", method, "--mean", mean, "--rank", "1", "--out", "out"]));
        let factors = load_factors(files.path("out")).expect("a valid file");
        assert_eq!(factors.bias().is_some(), expected, "{method}, {mean}");
    }
}
