//! The `compress_checkpoint` example as its users meet it: the program is run, and its files and messages are looked at.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

mod support;

use std::{fs, process::Output};

use factorized_embedding::io::hugging_face::Checkpoint;
use ndarray::{Array1, Axis};
use support::{
    files::{Folder, file, header, le_bytes},
    programs::{self, assert_contains, failed, succeeded},
};

const TABLE: &str = "transformer.wte.weight";
const HEAD: &str = "lm_head.weight";
const CONFIG: &str = "{\n  \"model_type\": \"gpt2\",\n  \"n_embd\": 16,\n  \"vocab_size\": 400\n}\n";

fn number(i: usize) -> f32 {
    (i as f32 * 0.37).sin() + ((i / 16) * (i % 16) % 11) as f32 * 0.1
}

/// A folder with a model in `model`.
fn files() -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.path("model")).expect("a writable folder");
    let (text, size) = header(Some(r#"{"format":"pt"}"#), &[(TABLE, "F32", 4, &[400, 16]), ("x", "F32", 4, &[3])]);
    let numbers: Vec<f32> = (0..size / 4).map(number).collect();
    folder.write("model/model.safetensors", &file(&text, &le_bytes(&numbers)));
    folder.write("model/config.json", CONFIG.as_bytes());
    folder.write("model/vocab.txt", b"words");
    folder
}

fn run(folder: &Folder, arguments: &[&str]) -> Output {
    programs::run("compress_checkpoint", &folder.path(""), arguments)
}

#[track_caller]
fn printed(text: &str, name: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("  "));
    value.unwrap_or_else(|| panic!("{name:?} is not in {text}")).trim().to_owned()
}

#[test]
fn there_and_back() {
    for (method, size, is_smaller) in [
        ("svd", ["--rank", "4"], 3.0),
        ("svd", ["--bytes", "30%"], 3.0),
        ("svd", ["--ratio", "4"], 4.0),
        ("svd", ["--bits", "10"], 3.0),
        ("quantized", ["--ratio", "8"], 8.0),
        ("quantized", ["--bits", "3"], 10.0),
        ("quantized", ["--bytes", "3000"], 8.0),
    ] {
        let folder = files();
        let text = succeeded(&run(&folder, &[&["model", "--out", "small", "--method", method], &size[..]].concat()));
        assert_eq!(printed(&text, "table"), format!("{TABLE} (Gpt2), output head Tied"));
        assert_eq!(printed(&text, "method"), method);
        assert_contains(&text, &["bytes before", "all files of tensors", "time", "400 × 16, f32"]);
        let small = Checkpoint::open(folder.path("small")).expect("a compressed checkpoint");
        let bytes = small.embedding(TABLE).expect("factors or codes").size_in_bytes();
        assert!(bytes as f64 * is_smaller <= 4.0 * 400.0 * 16.0, "{bytes} bytes for {method} {size:?}");
        let config: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.path("small/config.json")).expect("a file")).expect("JSON");
        let error = config["factorized_embedding"]["relative_error"].as_f64().expect("a number");
        assert_eq!(printed(&text, "relative error"), format!("{error:.6}"));

        let text = succeeded(&run(&folder, &["small", "--restore", "--out", "whole"]));
        assert_contains(&text, &[TABLE, "restored  whole", "25,600"]);
        assert_eq!(fs::read(folder.path("whole/config.json")).expect("a file"), CONFIG.as_bytes());
        assert_eq!(fs::read(folder.path("whole/vocab.txt")).expect("a file"), b"words");
        let whole = Checkpoint::open(folder.path("whole")).expect("a restored checkpoint");
        let before = Checkpoint::open(folder.path("model")).expect("the model");
        assert!(before.tensors().eq(whole.tensors()));
        assert_eq!(before.array("x").expect("numbers"), whole.array("x").expect("numbers"));
        let [before, after] = [before, whole].map(|checkpoint| checkpoint.array(TABLE).expect("numbers"));
        let squares = |array: &ndarray::ArrayD<f32>| array.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        let actual = (squares(&(&before - &after)) / squares(&before)).sqrt();
        assert!((actual - error).abs() <= 1e-6 * error, "{actual}, {error} was reported");
        assert_eq!(folder.names(), ["model", "small", "whole"], "nothing else is left");
    }
}

#[test]
fn frequencies_lower_the_error_of_frequent_rows() {
    let folder = files();
    let counts: Array1<u64> = (0..400).map(|i| 10_000 / (i + 1)).collect();
    ndarray_npy::write_npy(folder.path("counts.npy"), &counts).expect("a writable folder");
    for (method, size) in [("svd", ["--rank", "3"]), ("quantized", ["--ratio", "16"])] {
        let errors = |out: &str, more: &[&str]| -> [f64; 2] {
            let frequencies = ["--frequencies", "counts.npy", "--smoothing", "1"];
            let arguments = [&["model", "--out", out, "--method", method], &size[..], &frequencies[..], more].concat();
            let text = succeeded(&run(&folder, &arguments));
            let error = |name| printed(&text, name).parse().expect("a number");
            [error("relative error"), error("weighted relative error")]
        };
        let [plain, weighted] = errors(&format!("{method}-1"), &["--exponent", "1"]);
        let [plain_of_equal, weighted_of_equal] = errors(&format!("{method}-0"), &["--exponent", "0"]);
        assert_eq!(plain_of_equal, weighted_of_equal, "all rows weigh the same");
        assert!(weighted < plain && plain > plain_of_equal, "{method}: {weighted}, {plain}, {plain_of_equal}");
    }
}

#[test]
fn tokens_that_stand_everywhere_are_kept_best() {
    let folder = files();
    let counts: Array1<u64> = (0..400).map(|i| 1000 / (i + 1)).collect();
    ndarray_npy::write_npy(folder.path("counts.npy"), &counts).expect("a writable folder");
    let table = |name: &str| Checkpoint::open(folder.path(name)).expect("a checkpoint").array(TABLE).expect("numbers");
    let errors = |out: &str, more: &[&str]| -> [f32; 2] {
        let arguments = ["model", "--out", out, "--rank", "3", "--frequencies", "counts.npy"];
        succeeded(&run(&folder, &[&arguments[..], more].concat()));
        let whole = format!("{out}-whole");
        succeeded(&run(&folder, &[out, "--restore", "--out", &whole]));
        let difference = table("model") - table(&whole);
        [390, 399].map(|row| difference.index_axis(Axis(0), row).iter().map(|x| x * x).sum())
    };
    let [before, after] = [errors("plain", &[]), errors("listed", &["--everywhere", "399,390"])];
    assert!(after[0] < 0.5 * before[0] && after[1] < 0.5 * before[1], "{before:?}, then {after:?}");
    let arguments = ["model", "--out", "none", "--rank", "3", "--frequencies", "counts.npy", "--everywhere", "3,777"];
    assert_contains(
        &failed(&run(&folder, &arguments)),
        &["id 777 at position 1 is out of range for a vocabulary of 400"],
    );
}

#[test]
fn tables_of_other_names_are_named_by_the_user() {
    let folder = files();
    let (text, size) = header(None, &[("my.table", "F32", 4, &[400, 16]), ("other", "F32", 4, &[20, 16])]);
    let numbers: Vec<f32> = (0..size / 4).map(number).collect();
    folder.write("model/model.safetensors", &file(&text, &le_bytes(&numbers)));
    let message = failed(&run(&folder, &["model", "--rank", "2", "--out", "small"]));
    assert_contains(&message, &["\"my.table\" [400, 16], \"other\" [20, 16]", "--tensor NAME"]);
    succeeded(&run(&folder, &["model", "--rank", "2", "--tensor", "my.table", "--out", "small"]));
    succeeded(&run(&folder, &["small", "--restore", "--out", "whole"]));
    assert_eq!(Checkpoint::open(folder.path("whole")).expect("a checkpoint").tensors().count(), 2);

    let (text, size) = header(None, &[(TABLE, "F32", 4, &[400, 16]), (HEAD, "F32", 4, &[400, 16])]);
    folder.write("model/model.safetensors", &file(&text, &vec![0; size]));
    let text = succeeded(&run(&folder, &["model", "--rank", "2", "--out", "zeros"]));
    assert_contains(&text, &["output head Separate(\"lm_head.weight\")", "relative error      0.000000"]);
}

#[test]
fn what_is_wrong_is_said_before_anything_is_written() {
    let folder = files();
    let refused = |arguments: &[&str]| {
        let message = failed(&run(&folder, arguments));
        assert_eq!(folder.names(), ["model"]);
        message
    };
    let out = ["model", "--out", "small"];
    let more = |more: &[&str]| refused(&[&out[..], more].concat());
    assert_contains(&more(&[]), &["--rank, --bytes, --ratio, --bits, or --restore"]);
    assert_contains(&refused(&["model", "--rank", "3"]), &["--out"]);
    assert_contains(&refused(&["--out", "small", "--rank", "3"]), &["MODEL_DIR"]);
    assert_contains(&more(&["--rank", "3", "--ratio", "8"]), &["cannot be used with"]);
    assert_contains(&more(&["--rank", "3", "--restore"]), &["cannot be used with"]);
    assert_contains(&more(&["--restore"]), &["0 of its tables are kept as factors or codes"]);
    assert_contains(&more(&["--rank", "17"]), &["rank 17 is out of range 1..=16"]);
    assert_contains(&more(&["--rank", "3", "--method", "quantized"]), &["--rank is for --method svd"]);
    assert_contains(&more(&["--rank", "3", "--level", "trellis"]), &["--level is for --method quantized"]);
    assert_contains(&more(&["--ratio", "0"]), &["a ratio is a number above 0"]);
    assert_contains(&more(&["--bits", "many"]), &["bits are a number above 0"]);
    assert_contains(&more(&["--ratio", "1000"]), &["--ratio leaves 25 bytes, but the smallest file of factors"]);
    assert_contains(&more(&["--ratio", "9999", "--method", "quantized"]), &["bytes"]);
    assert_contains(&more(&["--rank", "3", "--tensor", "none"]), &["no tensor \"none\"; it has", TABLE]);
    assert_contains(&more(&["--rank", "3", "--frequencies", "none.npy"]), &["cannot read none.npy"]);
    assert_contains(&more(&["--rank", "3", "--smoothing", "1"]), &["--frequencies"]);
    assert_contains(&more(&["--rank", "3", "--everywhere", "1"]), &["--frequencies"]);
    assert_contains(&refused(&["--frequencies", "counts.npy"]), &["MODEL_DIR"]);
    for option in ["--everywhere", "--smoothing", "--exponent"] {
        assert_contains(&more(&["--restore", option, "1"]), &["cannot be used with", option]);
    }
    assert_contains(&refused(&["none", "--out", "small", "--rank", "3"]), &["cannot open none"]);
    assert_contains(&refused(&["model", "--out", "model", "--rank", "3"]), &["model is there already"]);
    // Before the long work, which would find that there is no such rank.
    for out in ["model/small", "model/../model/small"] {
        let message = refused(&["model", "--out", out, "--rank", "17"]);
        assert_contains(&message, &["is within the folder that is read, model"]);
    }
    assert_contains(&refused(&["model", "--out", "none/small", "--rank", "3"]), &["there is no folder none"]);
    folder.write("model/config.json", br#"{"vocab_size": 401}"#);
    assert_contains(&more(&["--rank", "3"]), &["says vocab_size 401, but tensor", "has 400 rows"]);
}

#[test]
fn without_arguments_it_goes_all_the_way_on_shipped_data() {
    let folder = Folder::new();
    let text = succeeded(&run(&folder, &[]));
    assert_contains(
        &text,
        &[
            "== svd",
            "== quantized",
            "\"factorized_embedding\": {",
            "10,000 × 50, f16",
            "3 other tensors, config.json and vocab.txt as they were",
        ],
    );
    assert_eq!(folder.names(), [""; 0]);
    let reported: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("relative error  ")).map(str::trim).collect();
    let measured: Vec<&str> =
        text.lines().filter_map(|line| line.split_once("f16, relative error ")).map(|(_, error)| error).collect();
    assert_eq!((reported.len(), measured.len()), (2, 2), "{text}");
    assert_eq!(reported, measured, "the error that was reported is that of the table that came back");
}
