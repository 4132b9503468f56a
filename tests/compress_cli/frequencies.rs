//! Weights from files.

use std::{fs, path::PathBuf};

use ndarray::array;
use ndarray_npy::write_npy;

use crate::{
    files::{Files, printed, printed_number},
    support::programs::{assert_contains, failed, succeeded},
};

#[test]
fn frequencies_of_every_type_give_the_same_file() {
    let files = Files::new();
    // The first rows are used far more than the others.
    let counts = |i: usize| if i < 4 { 100_u8 } else { 1 };
    let mut results = Vec::new();
    let mut compress = |path: PathBuf| {
        let path = path.to_string_lossy().into_owned();
        let text = succeeded(&files.compress(&["--rank", "4", "--frequencies", &path, "--out", "out.safetensors"]));
        let weighted: f64 = printed(&text, "weighted relative error").parse().expect("a number");
        assert!(weighted < printed(&text, "relative error").parse().expect("a number"), "{text}");
        results.push(fs::read(files.path("out.safetensors")).expect("the file is there"));
    };
    compress(files.write_frequencies(|i| u64::from(counts(i))));
    compress(files.write_frequencies(|i| i64::from(counts(i))));
    compress(files.write_frequencies(|i| u32::from(counts(i))));
    compress(files.write_frequencies(|i| i32::from(counts(i))));
    compress(files.write_frequencies(|i| u16::from(counts(i))));
    compress(files.write_frequencies(|i| i16::from(counts(i))));
    compress(files.write_frequencies(counts));
    compress(files.write_frequencies(|i| f32::from(counts(i))));
    compress(files.write_frequencies(|i| f64::from(counts(i))));
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn tokens_that_stand_everywhere_count_as_the_most_frequent_one() {
    let files = Files::new();
    let compressed = |more: &[&str]| {
        let arguments = ["--rank", "4", "--frequencies", "frequencies.npy", "--out", "out.safetensors"];
        succeeded(&files.compress(&[&arguments[..], more].concat()));
        fs::read(files.path("out.safetensors")).expect("the file is there")
    };
    files.write_frequencies(|i| if i < 4 { 100_u32 } else { 1 });
    let [without, with] = [compressed(&[]), compressed(&["--everywhere", "150,7"])];
    files.write_frequencies(|i| if i < 4 || i == 7 || i == 150 { 100_u32 } else { 1 });
    assert!(with != without && with == compressed(&[]));
}

#[test]
fn frequencies_that_do_not_fit_are_refused() {
    let files = Files::new();
    let message = |more: &[&str]| {
        let arguments = ["--rank", "2", "--out", "out.safetensors", "--frequencies", "frequencies.npy"];
        failed(&files.compress(&[arguments.as_slice(), more].concat()))
    };
    assert_contains(&message(&[]), &["cannot read frequencies.npy"]);
    fs::write(files.path("frequencies.npy"), "not numbers").expect("a file");
    assert_contains(&message(&[]), &["frequencies.npy is not a valid npy file"]);
    write_npy(files.path("frequencies.npy"), &array![1_u64, 2]).expect("a file");
    assert_contains(&message(&[]), &["frequencies.npy has 2 numbers, but the table has 200 rows"]);
    write_npy(files.path("frequencies.npy"), &array![[1_u64, 2], [3, 4]]).expect("a file");
    assert_contains(&message(&[]), &["frequencies.npy has 2 dimensions, expected 1"]);
    files.write_frequencies(|i| i > 3);
    assert_contains(&message(&[]), &["frequencies.npy holds neither integers"]);
    files.write_frequencies(|i| if i == 7 { f64::NAN } else { 1.0 });
    assert_contains(&message(&[]), &["frequencies.npy", "the weight of row 7 is NaN"]);
    files.write_frequencies(|i| if i == 9 { -1_i32 } else { 1 });
    assert_contains(&message(&[]), &["frequencies.npy", "the weight of row 9 is -1"]);
    files.write_frequencies(|_| 0_u32);
    assert_contains(&message(&[]), &["all numbers of frequencies.npy are zero"]);
    assert_contains(&message(&["--smoothing", "-1"]), &["smoothing is -1"]);
    files.write_frequencies(|i| if i == 9 { f64::NAN } else { 1.0 });
    assert_contains(&message(&["--everywhere", "9"]), &["the weight of row 9 is NaN"]);
    files.write_frequencies(|_| 1_u32);
    assert_contains(
        &message(&["--everywhere", "9,200"]),
        &["id 200 at position 1 is out of range for a vocabulary of 200"],
    );
    assert!(!files.path("out.safetensors").exists());
}

#[test]
fn the_exponent_stands_between_weights_and_none() {
    let files = Files::new();
    files.write_frequencies(|i| if i < 20 { 100_u32 } else { 1 });
    let errors = |exponent: &str| {
        let weights = ["--frequencies", "frequencies.npy", "--exponent", exponent];
        let text = succeeded(&files.compress(&[&["--rank", "4", "--out", "out"], weights.as_slice()].concat()));
        (printed_number(&text, "relative error"), files.read("out"))
    };
    let plain = succeeded(&files.compress(&["--rank", "4", "--out", "plain"]));
    let (zero, zero_file) = errors("0");
    assert_eq!(zero, printed_number(&plain, "relative error"));
    assert_eq!(zero_file, files.read("plain"));
    let ((half, _), (one, _)) = (errors("0.5"), errors("1"));
    assert!(zero < half && half < one, "{zero} {half} {one}");

    let refused = ["--rank", "4", "--out", "no", "--frequencies", "frequencies.npy", "--exponent", "-1"];
    assert_contains(&failed(&files.compress(&refused)), &["exponent is -1"]);
    assert_contains(&failed(&files.compress(&["--rank", "4", "--out", "no", "--exponent", "1"])), &["--frequencies"]);
    assert!(!files.path("no").exists());
}
