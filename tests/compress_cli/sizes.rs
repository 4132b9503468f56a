//! Ranks by number, energy, error and bytes.

use std::fs;

use factorized_embedding::io::safetensors::load_factors;

use crate::{
    files::{DIM, FULL_BYTES, Files, VOCAB_SIZE, printed},
    support::programs::{assert_contains, failed, succeeded},
};

#[test]
fn a_fixed_rank_is_saved_and_measured() {
    let files = Files::new();
    let text = succeeded(&files.compress(&["--rank", "5", "--out", "out.safetensors"]));
    let factors = load_factors(files.path("out.safetensors")).expect("the file is valid");
    assert_eq!((factors.vocab_size(), factors.rank(), factors.dim()), (VOCAB_SIZE, 5, DIM));
    assert_eq!(printed(&text, "rank"), "5 of 12");
    assert_eq!(printed(&text, "table as 32-bit floats"), "9,600 bytes");
    let error: f64 = printed(&text, "relative error").parse().expect("a number");
    assert!((0.0..1.0).contains(&error), "{error}");
    let energy: f64 = printed(&text, "energy kept").trim_end_matches(" %").parse().expect("a number");
    assert!((energy - 100.0 * (1.0 - error * error)).abs() < 0.02, "{energy} {error}");
}

#[test]
fn the_whole_rank_loses_nothing() {
    let files = Files::new();
    let text = succeeded(&files.compress(&["--rank", "12", "--out", "out.safetensors"]));
    assert_eq!(printed(&text, "relative error"), "0.0000");
    assert_eq!(printed(&text, "energy kept"), "100.00 %");
    assert_eq!(printed(&text, "recall of 10 neighbours"), "1.0000");
}

#[test]
fn promises_about_error_and_energy_are_kept() {
    let files = Files::new();
    let text = succeeded(&files.compress(&["--relative-error", "0.25", "--out", "out.safetensors"]));
    assert!(printed(&text, "relative error").parse::<f64>().expect("a number") <= 0.25);
    let text = succeeded(&files.compress(&["--energy", "0.8", "--out", "out.safetensors"]));
    assert!(printed(&text, "energy kept").trim_end_matches(" %").parse::<f64>().expect("a number") >= 80.0);
}

#[test]
fn no_file_is_larger_than_its_budget() {
    let files = Files::new();
    for (option, budget, bytes) in [
        ("--bytes", "25%", FULL_BYTES / 4),
        ("--bytes", "60.5%", FULL_BYTES * 605 / 1000),
        ("--bytes", "3000", 3000),
        ("--bytes", "4.5kB", 4500),
        ("--bytes", "1MiB", 1 << 20),
        ("--ratio", "2.5", FULL_BYTES * 2 / 5),
        ("--bits", "12.5", VOCAB_SIZE * DIM * 25 / 16),
    ] {
        let text = succeeded(&files.compress(&[option, budget, "--out", "out.safetensors"]));
        let size = fs::metadata(files.path("out.safetensors")).expect("the file is there").len();
        assert!(size <= bytes as u64, "{size} bytes for {budget}");
        assert_eq!(printed(&text, "file").replace(',', ""), format!("{size} bytes"));
    }
    for (option, budget, leaves) in [("--bytes", "1%", 96), ("--ratio", "80", 120), ("--bits", "0.5", 150)] {
        let message = failed(&files.compress(&[option, budget, "--out", "other.safetensors"]));
        assert_contains(&message, &[&format!("{option} leaves {leaves} bytes"), "rank 1", "1,492"]);
    }
}
