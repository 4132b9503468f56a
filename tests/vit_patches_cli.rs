//! The `vit_patches` example as its users meet it: the program is run, and its tables and messages are looked at.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

mod support;

use std::process::Output;

use support::{
    files::{Folder, file, header, le_bytes},
    programs::{self, assert_contains, failed, succeeded},
};

const PATCHES: &str = "vit.embeddings.patch_embeddings.projection.weight";
const POSITIONS: &str = "vit.embeddings.position_embeddings";

fn run(folder: &Folder, arguments: &[&str]) -> Output {
    programs::run("vit_patches", &folder.path("."), arguments)
}

/// A checkpoint of two tables.
fn model(patches: &[usize], positions: &[usize]) -> Folder {
    let folder = Folder::new();
    let (text, size) = header(None, &[(PATCHES, "F32", 4, patches), (POSITIONS, "F32", 4, positions)]);
    let numbers: Vec<f32> = (0..size / 4).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
    folder.write("model.safetensors", &file(&text, &le_bytes(&numbers)));
    folder
}

/// The cells behind a title, of the line that begins with it in a section.
fn row(text: &str, section: &str, title: &str) -> Vec<String> {
    let (_, text) = text.split_once(section).unwrap_or_else(|| panic!("no {section:?} in {text}"));
    let line = text.lines().find(|line| line.starts_with(title)).unwrap_or_else(|| panic!("no {title:?} in {text}"));
    line[title.len()..].split("  ").map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect()
}

fn number(cell: &str) -> f64 {
    cell.replace(',', "").parse().unwrap_or_else(|_| panic!("{cell:?} is no number"))
}

#[test]
fn without_a_model_weights_are_made_and_called_synthetic() {
    let folder = Folder::new();
    let text = succeeded(&run(&folder, &[]));
    assert_contains(&text, &["synthetic weights, not trained ones", "224 × 224 pixels", "to rounding"]);
    let dense = row(&text, "\npatch projection", "dense, soft lookup");
    assert_eq!(dense[..3], ["1,179,648", "2,359,296", "1.00"]);
    let full = row(&text, "\npatch projection", "factorized, rank 768");
    assert_eq!(full[..3], ["2,359,296", "4,721,664", "0.50"], "factors of full rank take twice as much, and D");
    assert!(number(&full[5]) < 1e-4, "{full:?}");
    let quarter = row(&text, "\npatch projection", "factorized, rank 192");
    assert_eq!(quarter[..3], ["589,824", "1,180,416", "2.00"]);
    let (table, outputs) = (number(&quarter[4]), number(&quarter[5]));
    assert!(0.0 < outputs && outputs < table && table < 1.0, "{quarter:?}");
    assert_eq!(row(&text, "\nposition table", "dense")[..2], ["605,184", "1.00"]);
    assert!(number(&row(&text, "\nposition table", "factorized, rank 49")[2]) < 1.0);
    let sum = row(&text, "patches + positions", "factorized, rank 192");
    assert_eq!((sum[0].as_str(), sum.len()), ("factorized, rank 49", 4));
    assert!(folder.names().is_empty());
}

#[test]
fn tables_of_a_checkpoint_are_used() {
    for extra in [1, 2] {
        let folder = model(&[20, 3, 4, 4], &[1, 25 + extra, 20]);
        let text = succeeded(&run(&folder, &["."]));
        assert_contains(&text, &["20 × 20 pixels, 5 × 5 patches of 4 × 4", &format!("of {extra} before the patches")]);
        assert_contains(&text, &["48 pixels of a patch × 20", "factorized, rank 20", "factorized, rank 1 "]);
    }
}

#[test]
fn what_is_no_such_model_is_refused() {
    for (patches, positions, refusal) in [
        (vec![20, 1, 4, 4], vec![1, 26, 20], "a patch has 16 pixels, expected square patches of red, green and blue"),
        (vec![20, 3, 4, 2], vec![1, 26, 20], "expected square patches"),
        (vec![20, 3, 4, 4], vec![1, 24, 20], "there are 24 positions, expected one or two tokens and a square"),
        (vec![20, 3, 4, 4], vec![1, 1, 20], "there are 1 positions"),
        (vec![20, 3, 4, 4], vec![1, 26, 10], "patches have 20 hidden numbers, positions 10"),
    ] {
        assert_contains(&failed(&run(&model(&patches, &positions), &["."])), &[refusal]);
    }
    assert_contains(&failed(&run(&Folder::new(), &["missing"])), &["missing"]);
    assert_contains(&succeeded(&run(&Folder::new(), &["--help"])), &["MODEL_DIR", "synthetic"]);
}
