//! The `guide` example as its users meet it: the program is run on a small table, and its tables, picture and messages are looked at.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

mod support;

use std::{fs, process::Output};

use ndarray::{Array1, Array2};
use ndarray_npy::write_npy;
use support::{
    files::{Folder, file, header, le_bytes},
    programs::{self, assert_contains, failed, succeeded},
};

const VOCAB_SIZE: usize = 1000;
const DIM: usize = 32;
/// `guide input.safetensors --tensor words --frequencies frequencies.npy`.
const INPUT: [&str; 5] = ["input.safetensors", "--tensor", "words", "--frequencies", "frequencies.npy"];

/// A folder with a table in `input.safetensors`, and how often its rows are used in `frequencies.npy`: by Zipf's law.
fn folder() -> Folder {
    let folder = Folder::new();
    let number = |(i, j)| ((i * i + 31 * j * j + 7 * i * j) as f32 * 0.37).sin() / (1 + j) as f32;
    let table = Array2::from_shape_fn((VOCAB_SIZE, DIM), number);
    let (header, _) = header(None, &[("words", "F32", 4, table.shape())]);
    folder.write("input.safetensors", &file(&header, &le_bytes(&table)));
    write_npy(folder.path("frequencies.npy"), &(1..=VOCAB_SIZE).map(|i| 1e5 / i as f64).collect::<Array1<f64>>())
        .expect("a file");
    folder
}

fn run(folder: &Folder, arguments: &[&str]) -> Output {
    programs::run("guide", &folder.path("."), arguments)
}

/// The cells of the first row below a heading that has this name.
fn row(text: &str, heading: &str, name: &str) -> Vec<String> {
    let section = text.split("## ").find(|section| section.starts_with(heading)).expect("a section of this heading");
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut rows = section.lines().map(cells).filter(|cells| cells.get(1).is_some_and(|cell| cell == name));
    let row = rows.next().unwrap_or_else(|| panic!("no row {name} in {section}"));
    row[2..row.len() - 1].to_vec()
}

fn numbers(cell: &str) -> Vec<f64> {
    cell.split(" / ").map(|number| number.parse().expect("a number")).collect()
}

#[test]
fn every_section_measures_the_table() {
    let folder = folder();
    let text = succeeded(&run(&folder, &[INPUT.as_slice(), &["--plot", "guide.svg"]].concat()));
    assert_contains(&text, &["words of input.safetensors: 1,000 × 32, 128,000 bytes", "plot  guide.svg"]);
    assert_contains(&text, &["frequency plus 1; to the power 0.4"]);

    let errors = |name| row(&text, "Methods at equal bytes", name);
    let (plain, weighted) = (numbers(&errors("SVD")[2]), numbers(&errors("weighted SVD")[2]));
    assert!(plain[0] <= weighted[0] && weighted[1] <= plain[1], "{plain:?} {weighted:?}");
    assert!(numbers(&errors("quantized, scalar")[2])[0] < plain[0]);
    assert!(!text.contains("trellis"), "it takes --full");
    // Ranks of so few bytes are none.
    assert_eq!(errors("SVD").last().map(String::as_str), Some("–"));

    let tokens = row(&text, "Frequent and rare tokens", "tokens");
    assert_eq!(tokens, ["10", "90", "400", "500"]);
    assert_eq!(row(&text, "Rules for the rank", "`Energy(0.5)`").len(), 6);
    let bits = row(&text, "Bits", "scalar");
    assert!(bits[1..].is_sorted_by(|a, b| numbers(a)[0] > numbers(b)[0]), "{bits:?}");
    assert_eq!(row(&text, "Groups of rows", "scalar").len(), 6);
    // With exponent 0 all rows weigh the same: the SVD of that many bytes.
    assert_eq!(row(&text, "Exponent and smoothing", "0")[0], "1");

    let svg = fs::read_to_string(folder.path("guide.svg")).expect("the plot is there");
    assert_contains(&svg, &["</svg>", "error weighted by frequency", "words of input.safetensors, 1,000"]);
    assert_eq!(folder.names(), ["frequencies.npy", "guide.svg", "input.safetensors"]);
}

#[test]
fn tokens_that_stand_everywhere_are_among_the_frequent_ones() {
    let share = |more: &[&str]| {
        let text = succeeded(&run(&folder(), &[INPUT.as_slice(), more].concat()));
        numbers(row(&text, "Frequent and rare tokens", "share of the counted text")[3].trim_end_matches(" %"))[0]
    };
    assert!(share(&["--everywhere", "998,999"]) < share(&[]));
}

#[test]
fn trellis_codes_are_measured_when_asked_for() {
    let folder = folder();
    let text =
        succeeded(&run(&folder, &[INPUT.as_slice(), &["--full", "--exponent", "1", "--smoothing", "2"]].concat()));
    assert_contains(&text, &["frequency plus 2; to the power 1"]);
    let at_8 = |name| numbers(&row(&text, "Methods at equal bytes", name)[2])[1];
    assert!(at_8("quantized, trellis") < at_8("SVD"));
    assert_eq!(row(&text, "Bits", "trellis")[5..], ["–", "–"]);
}

#[test]
fn what_does_not_fit_is_refused_before_the_work() {
    let folder = folder();
    assert_contains(&failed(&run(&folder, &["input.safetensors"])), &["--tensor", "--frequencies"]);
    assert_contains(&failed(&run(&folder, &["--frequencies", "frequencies.npy"])), &["INPUT"]);
    let with = |more: &[&str]| failed(&run(&folder, &[INPUT.as_slice(), more].concat()));
    assert_contains(&with(&["--plot", "guide.pdf"]), &["guide.pdf", ".png or .svg"]);
    assert_contains(&with(&["--plot", "nowhere/guide.svg"]), &["no folder nowhere"]);
    assert_contains(&with(&["--smoothing", "-1"]), &["smoothing", "is -1"]);
    assert_contains(&with(&["--exponent", "nan"]), &["exponent", "is NaN"]);
    write_npy(folder.path("frequencies.npy"), &Array1::<u64>::ones(7)).expect("a file");
    assert_contains(&with(&[]), &["frequencies.npy has 7 numbers, but the table has 1,000 rows"]);
    assert_eq!(folder.names(), ["frequencies.npy", "input.safetensors"]);
}

#[test]
fn help_shows_examples() {
    let help = succeeded(&run(&folder(), &["--help"]));
    assert_contains(&help, &["Examples", "--frequencies", "--full", "--plot", "Markdown"]);
}
