//! Pictures of the choice.

use std::fs;

use crate::{
    files::Files,
    support::programs::{assert_contains, succeeded},
};

#[test]
fn plots_are_drawn_without_the_fonts_of_the_system() {
    let files = Files::new();
    let frequencies = files.write_frequencies(|i| i as u64).to_string_lossy().into_owned();
    let plain = ["--rank", "4", "--out", "out.safetensors", "--plot", "curve.png"];
    succeeded(&files.compress(&plain));
    let png = fs::read(files.path("curve.png")).expect("the plot is there");
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    let weighted = [
        "--rank",
        "4",
        "--out",
        "out.safetensors",
        "--plot",
        "curve.SVG",
        "--frequencies",
        &frequencies,
        "--smoothing",
    ];
    succeeded(&files.compress(&[weighted.as_slice(), &["1"]].concat()));
    let svg = fs::read_to_string(files.path("curve.SVG")).expect("the plot is there");
    assert_contains(&svg, &["</svg>", "weighted relative error", "words of input.safetensors", "chosen rank 4"]);
}

#[test]
fn every_method_has_a_picture() {
    let files = Files::new();
    files.write_frequencies(|i| i as u64);
    for (method, title) in [
        ("qr", "truncated SVD: weighted relative error of every rank"),
        ("gram-f32", "truncated SVD"),
        ("randomized", "randomized SVD"),
        ("als", "alternating least squares"),
        ("blockwise", "Block-wise low rank: weighted relative error against size"),
    ] {
        let weighted = ["--frequencies", "frequencies.npy", "--smoothing", "1"];
        let method = ["--method", method, "--rank", "4", "--out", "out", "--plot", "curve.svg"];
        succeeded(&files.compress(&[method.as_slice(), &weighted].concat()));
        let svg = fs::read_to_string(files.path("curve.svg")).expect("the plot is there");
        assert_contains(&svg, &["</svg>", title, "chosen rank", "size of U, D and V"]);
    }
}
