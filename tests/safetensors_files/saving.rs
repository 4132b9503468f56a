//! A file is there whole or not at all.

use factorized_embedding::{
    Embedding, Error, Factors, Shape,
    io::safetensors::{load_factors, load_table, save_factors},
};

use crate::support::{factor_parts::FactorParts, files::Folder};

fn factors(seed: u64) -> Factors {
    FactorParts::normal(Shape { vocab_size: 9, rank: 2, dim: 4 }, seed).factors()
}

#[track_caller]
fn assert_refused(result: factorized_embedding::Result<()>, tried: &str) {
    match result {
        Err(Error::Io { action, .. }) => assert_eq!(action, tried),
        other => panic!("{other:?} where the system cannot {tried}"),
    }
}

#[test]
fn saving_leaves_the_file_and_nothing_else() {
    let folder = Folder::new();
    for seed in [1, 2] {
        save_factors(folder.path("factors.safetensors"), &factors(seed)).expect("a writable folder");
        assert_eq!(folder.names(), ["factors.safetensors"]);
    }
    assert_eq!(load_factors(folder.path("factors.safetensors")).expect("a valid file"), factors(2));
}

#[test]
fn a_missing_folder_is_not_made() {
    let folder = Folder::new();
    assert_refused(save_factors(folder.path("missing/factors.safetensors"), &factors(1)), "find the folder");
    assert!(folder.names().is_empty());
}

#[test]
fn a_file_is_no_folder() {
    let folder = Folder::new();
    let file = folder.write("file", b"text");
    let result = save_factors(file.join("factors.safetensors"), &factors(1));
    assert!(matches!(result, Err(Error::Io { .. })), "{result:?}");
    assert_eq!(std::fs::read(file).expect("the file"), b"text");
}

#[test]
fn a_folder_is_not_replaced() {
    let folder = Folder::new();
    let path = folder.path("folder");
    std::fs::create_dir(&path).expect("a writable folder");
    assert_refused(save_factors(&path, &factors(1)), "replace");
    assert!(path.is_dir());
    assert_eq!(folder.names(), ["folder"], "no temporary file is left");
}

#[test]
fn a_map_keeps_the_file_that_it_was_made_of() {
    let folder = Folder::new();
    let path = folder.path("factors.safetensors");
    save_factors(&path, &factors(1)).expect("a writable folder");
    let old = load_table(&path, "u").expect("u is a table too");
    let other = FactorParts::normal(Shape { vocab_size: 30, rank: 2, dim: 3 }, 2).factors();
    save_factors(&path, &other).expect("a writable folder");
    let new = load_table(&path, "u").expect("u is a table too");
    assert_eq!(old.to_array(), factors(1).u());
    assert_eq!(old.lookup(&[8]).expect("nine rows").row(0), factors(1).u().row(8));
    assert_eq!(new.to_array(), other.u());
}

#[cfg(unix)]
#[test]
fn a_saved_file_has_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let ordinary = folder.write("ordinary", b"");
    let saved = folder.path("factors.safetensors");
    save_factors(&saved, &factors(1)).expect("a writable folder");
    let mode = |path| std::fs::metadata(path).expect("the file").permissions().mode();
    assert_eq!(mode(saved), mode(ordinary));
}
