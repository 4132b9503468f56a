//! Tables that are read in blocks of rows.

use crate::{
    files::{Files, printed},
    support::programs::{assert_contains, failed, succeeded},
};

#[test]
fn one_block_gives_the_file_of_the_whole_table() {
    let files = Files::new();
    files.write_frequencies(|i| (i % 7) as u64);
    let weighted = ["--frequencies", "frequencies.npy", "--smoothing", "1"];
    for method in ["svd", "qr", "gram", "gram-f32", "randomized"] {
        let arguments = ["--method", method, "--rank", "4", "--mean", "always", "--out"];
        let run = |more: &[&str]| succeeded(&files.compress(&[arguments.as_slice(), more, &weighted].concat()));
        let whole = run(&["whole"]);
        let blocks = run(&["blocks", "--block-rows", "200"]);
        assert_eq!(files.read("whole"), files.read("blocks"), "{method}");
        for name in ["rank", "file", "relative error", "weighted relative error", "energy kept"] {
            assert_eq!(printed(&whole, name), printed(&blocks, name), "{method}: {name}");
        }
        assert_contains(&whole, &["Measured on the saved file, read back", "recall of 10 neighbours"]);
        assert_contains(&blocks, &["Measured on the factors as they were written"]);
    }
}

#[test]
fn blocks_of_any_size_lose_the_same() {
    let files = Files::new();
    for method in ["svd", "qr", "gram", "randomized"] {
        let arguments = ["--method", method, "--relative-error", "0.3", "--out", "out"];
        let whole = succeeded(&files.compress(&arguments));
        for rows in ["1", "7", "199", "201"] {
            let blocks = succeeded(&files.compress(&[arguments.as_slice(), &["--block-rows", rows]].concat()));
            for name in ["rank", "file", "relative error"] {
                assert_eq!(printed(&whole, name), printed(&blocks, name), "{method}, {rows} rows: {name}");
            }
        }
    }
}

#[test]
fn a_broken_row_is_told_by_its_number() {
    let files = Files::with_table(|i, j| if (i, j) == (150, 3) { f32::NAN } else { 1.0 });
    for method in ["svd", "qr", "gram", "randomized"] {
        let arguments = ["--method", method, "--rank", "2", "--block-rows", "40", "--out", "out"];
        assert_contains(&failed(&files.compress(&arguments)), &["NaN at [150, 3]"]);
    }
    assert!(!files.path("out").exists());
}
