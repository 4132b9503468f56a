//! The `choose_rank` example as its users meet it: the program is run, and its table, picture and messages are looked at.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

mod support;

use std::{fs, process::Output};

use ndarray::{Array1, Array2};
use ndarray_npy::{WritableElement, write_npy};
use support::{
    files::{Folder, file, header, le_bytes},
    programs::{self, assert_contains, failed, succeeded},
};

const VOCAB_SIZE: usize = 200;
const DIM: usize = 12;
/// `choose_rank input.safetensors --tensor words`.
const INPUT: [&str; 3] = ["input.safetensors", "--tensor", "words"];

fn write_table(folder: &Folder, table: &Array2<f32>) {
    let (header, _) = header(None, &[("words", "F32", 4, table.shape())]);
    folder.write("input.safetensors", &file(&header, &le_bytes(table)));
}

/// A folder with a table in `input.safetensors`, whose column j has the norm 2^-j: these are its singular values.
fn folder() -> Folder {
    let folder = Folder::new();
    let number = |(i, j)| if i == j { 0.5_f32.powi(j as i32) } else { 0.0 };
    write_table(&folder, &Array2::from_shape_fn((VOCAB_SIZE, DIM), number));
    folder
}

fn write_frequencies<T: WritableElement>(folder: &Folder, number: impl Fn(usize) -> T) {
    write_npy(folder.path("frequencies.npy"), &(0..VOCAB_SIZE).map(number).collect::<Array1<T>>()).expect("a file");
}

fn run(folder: &Folder, arguments: &[&str]) -> Output {
    programs::run("choose_rank", &folder.path("."), arguments)
}

/// Runs with the table of the folder.
fn choose(folder: &Folder, arguments: &[&str]) -> Output {
    run(folder, &[INPUT.as_slice(), arguments].concat())
}

/// The cells of the row of a rank.
fn row(text: &str, rank: usize) -> Vec<String> {
    let cells =
        |line: &str| line.split("  ").map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect();
    let rows = text.lines().map(cells);
    let mut rows = rows.filter(|cells: &Vec<String>| cells.first() == Some(&rank.to_string()));
    rows.next().unwrap_or_else(|| panic!("no row of rank {rank} in {text}"))
}

#[test]
fn every_rank_says_what_it_keeps_and_takes() {
    let text = succeeded(&choose(&folder(), &[]));
    assert_contains(&text, &["words of input.safetensors: 200 × 12, 9,600 bytes as 32-bit floats"]);
    // Energies 1, ¼, 1/16, … of 4/3.
    let rank = |rank| row(&text, rank)[..6].to_vec();
    assert_eq!(rank(1), ["1", "1.000", "75.00 %", "0.5000", "852", "11.27"]);
    assert_eq!(rank(2), ["2", "0.5000", "93.75 %", "0.2500", "1,704", "5.63"]);
    assert_eq!(rank(12), ["12", "0.0004883", "100.00 %", "0.0000", "10,224", "0.94"]);
}

#[test]
fn recommended_ranks_are_marked() {
    let text = succeeded(&choose(&folder(), &[]));
    let recommended = |rank| row(&text, rank).get(6).cloned().unwrap_or_default();
    assert_eq!(recommended(1), "50 % of the energy");
    assert_eq!(recommended(2), "80 % of the energy, 90 % of the energy");
    // The effective rank is 4 but for what follows the last value; the slope of ½^rank is −1/12 at rank 3.06.
    assert_eq!(recommended(3), "95 % of the energy, knee");
    assert_eq!(recommended(11), "break-even");
    assert_eq!(recommended(12), "");
    assert_contains(&recommended(4), &["99 % of the energy", "effective rank"]);
    assert_contains(&text, &["hard threshold", "Donoho 2014", "Roy & Vetterli", "where they mislead"]);
}

#[test]
fn without_an_input_the_shipped_table_is_shown() {
    let folder = Folder::new();
    let text = succeeded(&run(&folder, &["--plot", "glove.svg"]));
    assert_contains(&text, &["10,000 × 50", "2,000,000 bytes", "plot  glove.svg"]);
    assert_eq!(row(&text, 20)[3], "0.5246", "as `compress` prints it");
    assert_eq!(folder.names(), ["glove.svg"]);
}

#[test]
fn frequencies_weigh_the_rows() {
    let folder = folder();
    write_frequencies(&folder, |i| if i == 3 { 1_000_000_u32 } else { 0 });
    let weighted = |more: &[&str]| succeeded(&choose(&folder, &[&["--frequencies", "frequencies.npy"], more].concat()));
    let text = weighted(&[]);
    assert_contains(&text, &["weighted energy kept", "weighted relative error", "weighted by their frequencies"]);
    assert_eq!(row(&text, 1)[2], "100.00 %", "one row is all there is");
    // Row 4 has a quarter of the energy of row 3.
    assert_eq!(row(&weighted(&["--everywhere", "4"]), 1)[2], "80.00 %");
    // Row 3 has the energy 1e6 / 64, all others 4/3, until all weigh the same.
    assert_eq!(row(&weighted(&["--smoothing", "1"]), 1)[2], "99.99 %");
    assert_eq!(row(&weighted(&["--smoothing", "1", "--exponent", "0"]), 1)[2], "75.00 %");
}

#[test]
fn pictures_name_the_marked_ranks() {
    let folder = folder();
    succeeded(&choose(&folder, &["--plot", "ranks.png"]));
    assert_eq!(fs::read(folder.path("ranks.png")).expect("the plot is there")[..8], *b"\x89PNG\r\n\x1a\n");
    write_frequencies(&folder, |i| i as f64);
    succeeded(&choose(&folder, &["--plot", "ranks.SVG", "--frequencies", "frequencies.npy"]));
    let svg = fs::read_to_string(folder.path("ranks.SVG")).expect("the plot is there");
    assert_contains(
        &svg,
        &["</svg>", "break-even", "effective rank", "knee", "weighted by frequency", "words of input"],
    );
}

#[test]
fn a_picture_takes_the_place_of_another_whole() {
    let folder = folder();
    for name in ["ranks.png", "ranks.svg"] {
        fs::write(folder.path(name), "old").expect("a file");
        fs::hard_link(folder.path(name), folder.path("old")).expect("a second name");
        succeeded(&choose(&folder, &["--plot", name]));
        assert!(fs::metadata(folder.path(name)).expect("the plot is there").len() > 1000);
        // Written over, it would be new under both names.
        assert_eq!(fs::read_to_string(folder.path("old")).expect("the old file"), "old");
        fs::remove_file(folder.path("old")).expect("it is there");
    }
}

#[test]
fn tables_of_every_shape_are_drawn() {
    let folder = Folder::new();
    let wide = Array2::from_shape_fn((3, 50), |(i, j)| (i * j) as f32);
    for table in [Array2::ones((1, 1)), Array2::zeros((5, 4)), Array2::ones((40, 1)), wide, Array2::eye(70)] {
        write_table(&folder, &table);
        let text = succeeded(&choose(&folder, &["--plot", "ranks.png"]));
        assert_contains(&text, &["effective rank", "plot  ranks.png"]);
        assert!(!text.contains("NaN"), "{text}");
    }
}

#[test]
fn what_the_command_line_lacks_is_said() {
    let folder = folder();
    assert_contains(&failed(&run(&folder, &["input.safetensors"])), &["--tensor"]);
    assert_contains(&failed(&run(&folder, &["--tensor", "words"])), &["INPUT"]);
    assert_contains(&failed(&choose(&folder, &["--smoothing", "1"])), &["--frequencies"]);
    assert_contains(&failed(&choose(&folder, &["--exponent", "1"])), &["--frequencies"]);
    assert_contains(&failed(&choose(&folder, &["--rank", "3"])), &["unexpected argument '--rank'"]);
    assert_contains(&failed(&choose(&folder, &["other.safetensors"])), &["unexpected argument 'other.safetensors'"]);
    write_frequencies(&folder, |i| i as u64);
    let weighted = |more: &[&str]| failed(&choose(&folder, &[&["--frequencies", "frequencies.npy"], more].concat()));
    for (value, message) in [("-1", "is -1"), ("nan", "is NaN"), ("inf", "is inf"), ("many", "invalid value 'many'")] {
        assert_contains(&weighted(&["--smoothing", value]), &["smoothing", message]);
        assert_contains(&weighted(&["--exponent", value]), &["exponent", message]);
    }
    assert_eq!(folder.names(), ["frequencies.npy", "input.safetensors"]);
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let folder = folder();
    let of = |input: &str, tensor: &str| failed(&run(&folder, &[input, "--tensor", tensor]));
    assert_contains(&of("missing.safetensors", "words"), &["cannot open missing.safetensors"]);
    assert_contains(&of("input.safetensors", "word"), &["no tensor \"word\"", "it has \"words\""]);
    folder.write("text", b"not a table");
    assert_contains(&of("text", "words"), &["text is not a valid safetensors file"]);

    let weighted = |path: &str| failed(&choose(&folder, &["--frequencies", path]));
    assert_contains(&weighted("missing.npy"), &["cannot read missing.npy"]);
    assert_contains(&weighted("text"), &["text is not a valid npy file"]);
    write_npy(folder.path("short.npy"), &Array1::<u64>::ones(7)).expect("a file");
    assert_contains(&weighted("short.npy"), &["short.npy has 7 numbers, but the table has 200 rows"]);
    write_frequencies(&folder, |_| 0_u8);
    assert_contains(&weighted("frequencies.npy"), &["all numbers of frequencies.npy are zero"]);

    let plot = |path: &str| failed(&choose(&folder, &["--plot", path]));
    assert_contains(&plot("ranks.pdf"), &["ranks.pdf", ".png or .svg"]);
    assert_contains(&plot("nowhere/ranks.png"), &["no folder nowhere"]);
    fs::copy(folder.path("input.safetensors"), folder.path("table.png")).expect("a file");
    let onto_input = failed(&run(&folder, &["table.png", "--tensor", "words", "--plot", "./table.png"]));
    assert_contains(&onto_input, &["also an input"]);

    write_table(&folder, &Array2::from_elem((4, 3), f32::NAN));
    assert_contains(&failed(&choose(&folder, &[])), &["holds NaN at [0, 0]"]);
}

#[test]
fn help_shows_examples() {
    let help = succeeded(&run(&folder(), &["--help"]));
    assert_contains(&help, &["Examples", "--frequencies", "--exponent", "--plot", "safetensors"]);
}
