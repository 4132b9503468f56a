//! What is refused, and how that is said.

use std::fs;

use crate::{
    files::Files,
    support::programs::{assert_contains, failed, succeeded},
};

#[test]
fn what_the_command_line_lacks_is_said() {
    let files = Files::new();
    let message = failed(&files.run(&["input.safetensors", "--tensor", "words", "--out", "out.safetensors"]));
    assert_contains(&message, &["--rank", "--energy", "--relative-error", "--bytes", "--ratio", "--bits", "required"]);
    let message = failed(&files.compress(&["--rank", "3", "--energy", "0.9", "--out", "out.safetensors"]));
    assert_contains(&message, &["--rank", "cannot be used with", "--energy"]);
    assert_contains(&failed(&files.run(&["--rank", "3"])), &["INPUT"]);
    assert_contains(&failed(&files.run(&["--frequencies", "frequencies.npy"])), &["INPUT"]);
    assert_contains(&failed(&files.compress(&["--rank", "3"])), &["--out"]);
    for budget in ["0%", "-5", "101%", "nan%", "%", "0", "many", "12 parsecs", "inf"] {
        let message = failed(&files.compress(&["--bytes", budget, "--out", "out.safetensors"]));
        assert_contains(&message, &["--bytes", budget, if budget.contains('p') { "is no unit" } else { "such as" }]);
    }
    for (option, what) in [("--ratio", "a ratio is"), ("--bits", "bits are")] {
        for value in ["0", "-5", "nan", "inf", "many"] {
            let message = failed(&files.compress(&[option, value, "--out", "out.safetensors"]));
            assert_contains(&message, &[option, value, what, "such as"]);
        }
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
fn help_shows_examples() {
    let help = succeeded(&Files::new().run(&["--help"]));
    assert_contains(&help, &["Examples", "--bytes 25%", "--frequencies", "safetensors"]);
}

#[test]
fn options_of_other_methods_are_refused_by_name() {
    let files = Files::new();
    files.write_frequencies(|i| i as u64);
    let out = ["--out", "out", "--frequencies", "frequencies.npy"];
    for (method, option, value, takers) in [
        ("als", "--block-rows", "10", "svd, qr, gram, gram-f32, randomized, quantized"),
        ("blockwise", "--block-rows", "10", "svd, qr, gram, gram-f32, randomized, quantized"),
        ("als", "--mean", "always", "svd, qr, gram, gram-f32, randomized, blockwise"),
        ("svd", "--power-iterations", "2", "randomized"),
        ("gram", "--oversampling", "2", "randomized"),
        ("qr", "--seed", "2", "randomized, als, quantized"),
        ("randomized", "--ridge", "2", "als"),
        ("svd", "--iterations", "2", "als, blockwise"),
        ("gram-f32", "--row-groups", "2", "blockwise, quantized"),
        ("svd", "--level", "trellis", "quantized"),
        ("als", "--row-scale", "never", "quantized"),
        ("blockwise", "--rotation", "svd", "quantized"),
        ("quantized", "--mean", "always", "svd, qr, gram, gram-f32, randomized, blockwise"),
        ("quantized", "--plot", "a.svg", "svd, qr, gram, gram-f32, randomized, als, blockwise"),
        ("quantized", "--iterations", "2", "als, blockwise"),
    ] {
        let size = if method == "quantized" { ["--ratio", "8"] } else { ["--rank", "3"] };
        let method = ["--method", method, size[0], size[1], option, value];
        let message = failed(&files.compress(&[method.as_slice(), &out].concat()));
        let expected = format!("{option} is not for --method {}: it is for {takers}", method[1]);
        assert_contains(&message, &[&expected]);
    }
    for method in ["als", "blockwise"] {
        for (option, value) in [("--energy", "0.9"), ("--relative-error", "0.1")] {
            let message = failed(&files.compress(&[["--method", method, option, value], out].concat()));
            assert_contains(&message, &[&format!("{option} is not for --method {method}")]);
        }
    }
    for (option, value) in [("--rank", "3"), ("--energy", "0.9")] {
        let message = failed(&files.compress(&[&["--method", "quantized", option, value], &out[..]].concat()));
        assert_contains(&message, &[&format!("{option} is not for --method quantized")]);
    }
    for method in ["svd", "qr", "randomized"] {
        let state = ["--block-rows", "10", "--state", "sums"];
        let message = failed(&files.compress(&[&["--method", method, "--rank", "3"], &state, &out[..]].concat()));
        assert_contains(&message, &[&format!("--state is not for --method {method}: it is for gram, gram-f32")]);
    }
    let fails = |arguments: &[&str]| failed(&files.compress(&[&["--rank", "3", "--out", "out"], arguments].concat()));
    assert_contains(&fails(&["--method", "gram", "--state", "sums"]), &["--block-rows"]);
    assert_contains(&fails(&["--method", "blockwise"]), &["--frequencies"]);
    assert_contains(&fails(&["--method", "randomized", "--mean", "if-better"]), &["needs all singular values"]);
    assert_contains(&fails(&["--method", "pca"]), &["pca", "blockwise"]);
    for rows in ["0", "-1", "many"] {
        assert_contains(&fails(&["--block-rows", rows]), &["--block-rows", "1 or more"]);
    }
    assert!(!files.path("out").exists());
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let files = Files::new();
    files.write_frequencies(|i| i as u64);
    let fails = |arguments: &[&str]| {
        failed(&files.compress(&[&["--out", "out", "--frequencies", "frequencies.npy"], arguments].concat()))
    };
    assert_contains(&fails(&["--method", "als", "--rank", "3", "--ridge", "-1"]), &["ridge is -1"]);
    assert_contains(&fails(&["--method", "als", "--rank", "3", "--iterations", "0"]), &["at least 1"]);
    assert_contains(&fails(&["--method", "als", "--rank", "13"]), &["rank 13 is out of range 1..=12"]);
    assert_contains(&fails(&["--method", "blockwise", "--rank", "3", "--row-groups", "257"]), &["1 to 256 groups"]);
    assert_contains(&fails(&["--method", "blockwise", "--rank", "0"]), &["--rank leaves 0 bytes", "take"]);
    let message = fails(&["--method", "blockwise", "--row-groups", "2", "--bytes", "500"]);
    assert_contains(&message, &["--bytes leaves 500 bytes", "smallest file of such groups"]);
    assert!(!files.path("out").exists());
}
