//! The `compress` example as its users meet it: the program is run, and its files and messages are looked at.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

mod support;

use std::{fs, path::PathBuf, process::Output};

use factorized_embedding::io::safetensors::load_factors;
use ndarray::{Array1, array};
use ndarray_npy::{WritableElement, write_npy};
use support::programs::{self, assert_contains, failed, succeeded};
use tempfile::TempDir;

const VOCAB_SIZE: usize = 200;
const DIM: usize = 12;
const FULL_BYTES: usize = size_of::<f32>() * VOCAB_SIZE * DIM;

/// A folder with a table in `input.safetensors`.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        Self::with_table(|i, j| ((3 * i + 7 * j) as f32 * 0.37).sin() + (i * j % 11) as f32 * 0.1)
    }

    fn with_table(number: impl Fn(usize, usize) -> f32) -> Self {
        let files = Self { folder: tempfile::tempdir().expect("a folder") };
        let bytes = size_of::<f32>() * VOCAB_SIZE * DIM;
        let header =
            format!(r#"{{"words":{{"dtype":"F32","shape":[{VOCAB_SIZE},{DIM}],"data_offsets":[0,{bytes}]}}}}"#);
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.bytes());
        file.extend((0..VOCAB_SIZE * DIM).flat_map(|k| number(k / DIM, k % DIM).to_le_bytes()));
        fs::write(files.path("input.safetensors"), file).expect("a file");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes numbers for `vocab_size` rows.
    fn write_frequencies<T: WritableElement>(&self, number: impl Fn(usize) -> T) -> PathBuf {
        let path = self.path("frequencies.npy");
        write_npy(&path, &(0..VOCAB_SIZE).map(number).collect::<Array1<T>>()).expect("a file");
        path
    }

    /// `compress input.safetensors --tensor words …`, run in the folder.
    fn compress(&self, arguments: &[&str]) -> Output {
        self.run(&[&["input.safetensors", "--tensor", "words"], arguments].concat())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        programs::run("compress", self.folder.path(), arguments)
    }
}

/// The value that is printed beside a name.
fn printed(text: &str, name: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("  "));
    value.unwrap_or_else(|| panic!("{name:?} is not in {text}")).trim().to_owned()
}

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
    for (budget, bytes) in [
        ("25%", FULL_BYTES / 4),
        ("60.5%", FULL_BYTES * 605 / 1000),
        ("3000", 3000),
        ("4.5kB", 4500),
        ("1MiB", 1 << 20),
    ] {
        let text = succeeded(&files.compress(&["--bytes", budget, "--out", "out.safetensors"]));
        let size = fs::metadata(files.path("out.safetensors")).expect("the file is there").len();
        assert!(size <= bytes as u64, "{size} bytes for {budget}");
        assert_eq!(printed(&text, "file").replace(',', ""), format!("{size} bytes"));
    }
    let message = failed(&files.compress(&["--bytes", "1%", "--out", "other.safetensors"]));
    assert_contains(&message, &["--bytes leaves 96 bytes", "rank 1", "1,492"]);
}

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
fn what_the_command_line_lacks_is_said() {
    let files = Files::new();
    let message = failed(&files.run(&["input.safetensors", "--tensor", "words", "--out", "out.safetensors"]));
    assert_contains(&message, &["--rank", "--energy", "--relative-error", "--bytes", "required"]);
    let message = failed(&files.compress(&["--rank", "3", "--energy", "0.9", "--out", "out.safetensors"]));
    assert_contains(&message, &["--rank", "cannot be used with", "--energy"]);
    assert_contains(&failed(&files.run(&["--rank", "3"])), &["INPUT"]);
    assert_contains(&failed(&files.compress(&["--rank", "3"])), &["--out"]);
    for budget in ["0%", "-5", "101%", "nan%", "%", "0", "many", "12 parsecs", "inf"] {
        let message = failed(&files.compress(&["--bytes", budget, "--out", "out.safetensors"]));
        assert_contains(&message, &["--bytes", budget, if budget.contains('p') { "is no unit" } else { "such as" }]);
    }
    for (option, value, expected) in [
        ("--rank", "0", "rank 0 is out of range 1..=12"),
        ("--rank", "13", "rank 13 is out of range 1..=12"),
        ("--energy", "1.5", "energy is 1.5, expected a share above 0 and up to 1"),
        ("--relative-error", "-1", "relative error is -1, expected a number from 0 to below 1"),
    ] {
        assert_contains(&failed(&files.compress(&[option, value, "--out", "out.safetensors"])), &[expected]);
    }
    assert!(!files.path("out.safetensors").exists());
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let files = Files::new();
    let run = |input: &str, tensor: &str, more: &[&str]| {
        failed(&files.run(&[&[input, "--tensor", tensor, "--rank", "2"], more].concat()))
    };
    let out = ["--out", "out.safetensors"];
    assert_contains(&run("missing.safetensors", "words", &out), &["cannot open missing.safetensors"]);
    assert_contains(&run("input.safetensors", "word", &out), &["no tensor \"word\"", "it has \"words\""]);
    assert_contains(&run("input.safetensors", "words", &["--out", "nowhere/out.safetensors"]), &["no folder nowhere"]);
    assert_contains(&run("input.safetensors", "words", &["--out", "./input.safetensors"]), &["also an input"]);
    assert_contains(&run("input.safetensors", "words", &["--out", "."]), &["is a folder"]);
    let plot = |path| run("input.safetensors", "words", &[out.as_slice(), &["--plot", path]].concat());
    assert_contains(&plot("curve.pdf"), &["curve.pdf", ".png or .svg"]);
    assert_contains(&plot("nowhere/curve.png"), &["no folder nowhere"]);
    assert!(!files.path("out.safetensors").exists());

    fs::write(files.path("text"), "not a table").expect("a file");
    assert_contains(&run("text", "words", &out), &["text is not a valid safetensors file"]);
    let broken = Files::with_table(|i, j| if (i, j) == (3, 1) { f32::NAN } else { 1.0 });
    assert_contains(&failed(&broken.compress(&["--rank", "2", "--out", "o"])), &["holds NaN at [3, 1]"]);
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
    assert!(!files.path("out.safetensors").exists());
}

#[test]
fn help_shows_examples() {
    let help = succeeded(&Files::new().run(&["--help"]));
    assert_contains(&help, &["Examples", "--bytes 25%", "--frequencies", "safetensors"]);
}
