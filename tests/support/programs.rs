//! The programs among the examples, run as their users run them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Runs an example in a folder.
pub(crate) fn run(example: &str, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(program(example)).args(arguments).current_dir(folder).output().expect("the program starts")
}

/// `cargo test` builds the examples beside the folder of the tests.
fn program(example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let profile = test.parent().and_then(Path::parent).expect("tests lie in a folder of the profile's");
    let program = profile.join("examples").join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.is_file(),
        "no {}: `cargo build --example {example}` makes it, as `cargo test` does",
        program.display()
    );
    program
}

/// What a run that has to succeed has printed.
pub(crate) fn succeeded(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "failed: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The message of a run that has to fail.
pub(crate) fn failed(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "did not fail");
    assert!(output.status.code().is_some(), "ended by a signal");
    assert!(stderr.starts_with("error: "), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(output.stdout.is_empty(), "wrote results before it failed");
    stderr
}

#[track_caller]
pub(crate) fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}
