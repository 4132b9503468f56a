//! Runs that are interrupted and go on from saved sums.

use std::fs;

use crate::{
    files::{DIM, Files, VOCAB_SIZE},
    support::{
        files::{file, header, le_bytes},
        programs::{assert_contains, failed, succeeded},
    },
};

const GRAM: [&str; 8] = ["--method", "gram", "--rank", "4", "--block-rows", "40", "--out", "out"];
const STATE: [&str; 2] = ["--state", "sums"];

fn number(i: usize, j: usize) -> f32 {
    ((3 * i + 7 * j) as f32 * 0.37).sin()
}

/// The table with a row that cannot be read; the file of a run over it is that of an interrupted one.
fn broken() -> Files {
    Files::with_table(|i, j| if i == 150 { f32::INFINITY } else { number(i, j) })
}

#[test]
fn an_interrupted_run_goes_on_where_it_was() {
    for method in ["gram", "gram-f32"] {
        let files = broken();
        let mut arguments = GRAM.to_vec();
        arguments[1] = method;
        let with_state = [arguments.as_slice(), &STATE].concat();
        assert_contains(&failed(&files.compress(&with_state)), &["inf at [150, 0]"]);
        assert!(!files.path("out").exists());

        let whole = Files::with_table(number);
        fs::copy(files.path("sums"), whole.path("sums")).expect("the sums are there");
        let text = succeeded(&whole.compress(&with_state));
        assert_contains(&text, &["state  sums, went on after 120 rows"]);
        let resumed = whole.read("out");
        succeeded(&whole.compress(&arguments));
        assert_eq!(resumed, whole.read("out"), "{method}");
    }
}

#[cfg(unix)]
#[test]
fn a_state_stays_where_its_link_leads_with_its_permissions() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let with_state = [GRAM.as_slice(), &STATE].concat();
    let files = broken();
    failed(&files.compress(&with_state));
    let whole = Files::with_table(number);
    let kept = whole.path("kept");
    fs::copy(files.path("sums"), &kept).expect("the sums are there");
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o640)).expect("our file");
    symlink("kept", whole.path("sums")).expect("a link");
    let before = whole.read("kept");
    succeeded(&whole.compress(&with_state));
    assert_ne!(before, whole.read("kept"), "the sums of more rows");
    assert!(whole.path("sums").is_symlink());
    assert_eq!(fs::metadata(&kept).expect("the sums").permissions().mode() & 0o777, 0o640);
}

#[test]
fn sums_of_all_rows_serve_for_other_ranks() {
    let files = Files::with_table(number);
    let with_state = |rank| {
        let mut arguments = [GRAM.as_slice(), &STATE].concat();
        arguments[3] = rank;
        succeeded(&files.compress(&arguments))
    };
    assert_contains(&with_state("4"), &["went on after 0 rows"]);
    assert_contains(&with_state("7"), &["went on after 200 rows"]);
    let resumed = files.read("out");
    let mut arguments = GRAM;
    arguments[3] = "7";
    succeeded(&files.compress(&arguments));
    assert_eq!(resumed, files.read("out"));
}

#[test]
fn sums_that_do_not_fit_are_refused() {
    let files = Files::with_table(number);
    let with_state = [GRAM.as_slice(), &STATE].concat();
    succeeded(&files.compress(&with_state));
    fs::remove_file(files.path("out")).expect("a file");
    let sums = files.read("sums");

    // Of another method, of other weights.
    files.write_frequencies(|i| i as u64);
    let mut other_method = with_state.clone();
    other_method[1] = "gram-f32";
    let weighted = [with_state.as_slice(), &["--frequencies", "frequencies.npy"]].concat();
    for arguments in [&other_method, &weighted] {
        let message = failed(&files.compress(arguments));
        assert_contains(&message, &["sums has the sums of another table, other frequencies", "delete it"]);
    }
    // Of another width.
    let narrow = narrow_table();
    fs::write(narrow.path("sums"), &sums).expect("a file");
    let message = failed(&narrow.run(&[&["narrow.safetensors", "--tensor", "words"], with_state.as_slice()].concat()));
    assert_contains(&message, &["sums has the sums of 12 columns, the table has 6"]);
    // Damaged.
    for damaged in [&sums[..5], &sums[..100], b"no sums of any kind at all"] {
        fs::write(files.path("sums"), damaged).expect("a file");
        assert_contains(&failed(&files.compress(&with_state)), &["sums: ", "Gram accumulator", "delete it"]);
    }
    // An output, and no input.
    let input = [GRAM.as_slice(), &["--state", "input.safetensors"]].concat();
    assert_contains(&failed(&files.compress(&input)), &["also an input"]);
    let output = [GRAM.as_slice(), &["--state", "out"]].concat();
    assert_contains(&failed(&files.compress(&output)), &["another output"]);
    let nowhere = [GRAM.as_slice(), &["--state", "nowhere/sums"]].concat();
    assert_contains(&failed(&files.compress(&nowhere)), &["no folder nowhere"]);
    assert!(!files.path("out").exists() && !narrow.path("out").exists());
}

/// A table of half as many columns.
fn narrow_table() -> Files {
    let files = Files::new();
    let (header, _) = header(None, &[("words", "F32", 4, &[VOCAB_SIZE, DIM / 2])]);
    let numbers: Vec<f32> = (0..VOCAB_SIZE * DIM / 2).map(|k| number(k / DIM, k % DIM)).collect();
    let bytes = file(&header, &le_bytes(&numbers));
    fs::write(files.path("narrow.safetensors"), bytes).expect("a file");
    files
}
