//! Valid safetensors files that hold no state of an optimizer: each is refused with its reason.

use factorized_embedding::io::safetensors::{load_factors, load_optimizer};

use crate::support::files::{Folder, file, header, le_bytes};

type Tensors<'a> = &'a [(&'a str, &'a str, usize, &'a [usize])];

const SUM: (&str, &str, usize, &[usize]) = ("u.sum", "F32", 4, &[3, 2]);

fn metadata(rest: &str) -> String {
    format!(r#"{{"format":"factorized-embedding-optimizer","version":"1",{rest}}}"#)
}

fn adagrad(rest: &str) -> String {
    metadata(&format!(r#""rule":"adagrad","epsilon":"0.1","initial_accumulator":"0"{rest}"#))
}

fn load(metadata: &str, tensors: Tensors<'_>, number: f32) -> Result<(), String> {
    let (text, size) = header(Some(metadata), tensors);
    let folder = Folder::new();
    let path = folder.write("hostile", &file(&text, &le_bytes(&vec![number; size.div_ceil(4)])[..size]));
    match load_optimizer(&path) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string().replace(&path.display().to_string(), "PATH")),
    }
}

#[track_caller]
fn assert_refused(metadata: &str, tensors: Tensors<'_>, reason: &str) {
    let message = format!("PATH is not a valid factorized-embedding-optimizer file: {reason}");
    assert_eq!(load(metadata, tensors, 1.0), Err(message));
}

const STEPS: &str = r#","steps.u":"3""#;

#[test]
fn the_file_that_the_others_differ_from_is_valid() {
    assert_eq!(load(&adagrad(STEPS), &[SUM], 1.0), Ok(()));
}

#[test]
fn other_formats_are_refused() {
    let other = r#"{"format":"factorized-embedding","version":"1"}"#;
    assert_refused(other, &[SUM], r#"its metadata say format "factorized-embedding", which load_factors reads"#);
    assert_refused("{}", &[SUM], "its metadata name no format");
    let later = adagrad(STEPS).replace(r#""version":"1""#, r#""version":"2""#);
    let message = r#"PATH has format version "2", this crate reads version 1"#;
    assert_eq!(load(&later, &[SUM], 1.0), Err(message.to_owned()));

    let folder = Folder::new();
    let (text, size) = header(Some(&adagrad(STEPS)), &[SUM]);
    let path = folder.write("optimizer", &file(&text, &vec![0; size]));
    let message = load_factors(path).expect_err("no factors").to_string();
    assert!(message.ends_with(r#"format "factorized-embedding-optimizer", which load_optimizer reads"#), "{message}");
}

#[test]
fn other_rules_and_settings_are_refused() {
    assert_refused(&metadata(r#""steps.u":"3""#), &[SUM], "its metadata name no rule");
    let unknown = metadata(r#""rule":"lion","steps.u":"3""#);
    assert_refused(&unknown, &[SUM], r#"its metadata say rule "lion", which is unknown"#);
    let missing = metadata(r#""rule":"adagrad","initial_accumulator":"0","steps.u":"3""#);
    assert_refused(&missing, &[SUM], "its metadata name no epsilon");
    for value in ["-1", "NaN", "inf", "1e-8", "0.10", "", "a"] {
        let other = adagrad(STEPS).replace(r#""epsilon":"0.1""#, &format!(r#""epsilon":"{value}""#));
        let range = format!("0 to {}", f64::from(f32::MAX));
        assert_refused(&other, &[SUM], &format!("its metadata say epsilon {value:?}, expected {range}"));
    }
    let large = adagrad(STEPS).replace(r#""epsilon":"0.1""#, r#""epsilon":"2""#);
    assert_refused(&large, &[SUM], "epsilon is 2, expected a number from 1e-30 to 1");
    let beta = metadata(r#""rule":"adam","beta1":"1","beta2":"0.9","epsilon":"0.1""#);
    assert_refused(&beta, &[], "beta1 is 1, expected a number from 0 to below 1");
}

#[test]
fn steps_that_cannot_be_are_refused() {
    for value in ["0", "-1", "1.5", "", "18446744073709551616", "+3", "03"] {
        let other = adagrad(&format!(r#","steps.u":"{value}""#));
        let reason = format!("its metadata say steps.u {value:?}, expected 1 to {}", u64::MAX);
        assert_refused(&other, &[SUM], &reason);
    }
    let most = adagrad(&format!(r#","steps.u":"{}""#, u64::MAX));
    assert_eq!(load(&most, &[SUM], 1.0), Ok(()));
}

#[test]
fn tensors_of_something_else_are_refused() {
    let no_state = "this is not the state of such an optimizer:";
    assert_refused(&adagrad(STEPS), &[], &format!(r#"{no_state} there is no tensor "u.sum""#));
    let unknown = |name| format!("{no_state} the tensor {name:?} is of no array that has made steps by this rule");
    assert_refused(&adagrad(""), &[SUM], &unknown("u.sum"));
    assert_refused(&adagrad(STEPS), &[SUM, ("u", "F32", 4, &[1])], &unknown("u"));
    assert_refused(&adagrad(STEPS), &[SUM, ("u.momentum", "F32", 4, &[3, 2])], &unknown("u.momentum"));
    let narrow = load(&adagrad(STEPS), &[("u.sum", "F16", 2, &[3, 2])], 1.0);
    assert_eq!(narrow, Err(r#"tensor "u.sum" of PATH is F16 [3, 2], expected F32"#.to_owned()));
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let reason = |reason: &str| Err(format!("PATH is not a valid factorized-embedding-optimizer file: {reason}"));
    let not_finite = "optimizer state holds NaN at [0, 0]: only finite numbers can be used";
    assert_eq!(load(&adagrad(STEPS), &[SUM], f32::NAN), reason(not_finite));
    let negative =
        r#"this is not the state of such an optimizer: "u.sum" holds -1, which is no sum or mean of squares"#;
    assert_eq!(load(&adagrad(STEPS), &[SUM], -1.0), reason(negative));
}

#[test]
fn empty_tensors_of_huge_shapes_are_refused_or_empty() {
    for other in [1 << 31, 1 << 62, usize::MAX] {
        // Whichever: nothing is allocated, and nothing panics.
        let _ = load(&adagrad(STEPS), &[("u.sum", "F32", 4, &[0, other])], 1.0);
        let _ = load(&adagrad(STEPS), &[("u.sum", "F32", 4, &[other, 0])], 1.0);
    }
}
