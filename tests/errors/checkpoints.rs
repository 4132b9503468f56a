//! Checkpoints of models.

use factorized_embedding::{
    Error,
    io::hugging_face::{Checkpoint, Replacement},
};

use crate::{
    assert_refused, factors,
    support::files::{Folder, file, header},
};

/// A folder with a checkpoint of these matrices of `f32`.
fn checkpoint(matrices: &[(&str, [usize; 2])]) -> (Folder, Checkpoint) {
    let folder = Folder::new();
    let tensors: Vec<(&str, &str, usize, &[usize])> =
        matrices.iter().map(|(name, shape)| (*name, "F32", 4, shape.as_slice())).collect();
    let (text, size) = header(None, &tensors);
    folder.write("model.safetensors", &file(&text, &vec![0; size]));
    folder.write("config.json", br#"{"vocab_size": 3}"#);
    let checkpoint = Checkpoint::open(folder.path("")).expect("a valid checkpoint");
    (folder, checkpoint)
}

#[test]
fn token_table_not_found() {
    let kind = |error: &Error| matches!(error, Error::TokenTableNotFound { .. });
    let names: Vec<String> = (0..12).map(|i| format!("m{i}")).collect();
    let matrices: Vec<(&str, [usize; 2])> = names.iter().zip(1..).map(|(name, i)| (name.as_str(), [i, 2])).collect();
    let start = |folder: &Folder| {
        let path = folder.path("").display().to_string();
        format!("{path} has no token table under a known name; its matrices, the largest first, are ")
    };
    let (folder, few) = checkpoint(&matrices[..2]);
    assert_refused(few.token_table(), kind, &format!("{}\"m1\" [2, 2], \"m0\" [1, 2]", start(&folder)));
    let (folder, none) = checkpoint(&[]);
    assert_refused(none.token_table(), kind, &format!("{}none", start(&folder)));
    let (folder, many) = checkpoint(&matrices);
    let shown: Vec<String> = (2..12).rev().map(|i| format!("\"m{i}\" [{}, 2]", i + 1)).collect();
    assert_refused(many.token_table(), kind, &format!("{}{}, 2 more", start(&folder), shown.join(", ")));
}

#[test]
fn ambiguous_token_table() {
    let kind = |error: &Error| matches!(error, Error::AmbiguousTokenTable { .. });
    let (folder, checkpoint) = checkpoint(&[("wte.weight", [3, 2]), ("shared.weight", [3, 2])]);
    let path = folder.path("").display().to_string();
    let message = format!(r#"{path} has several token tables, "shared.weight", "wte.weight": choose one by its name"#);
    assert_refused(checkpoint.token_table(), kind, &message);
}

#[test]
fn config_mismatch() {
    let kind = |error: &Error| matches!(error, Error::ConfigMismatch { setting: "vocab_size", .. });
    let (folder, checkpoint) = checkpoint(&[("wte.weight", [5, 2])]);
    let path = folder.path("config.json").display().to_string();
    let message = format!(r#"{path} says vocab_size 3, but tensor "wte.weight" has 5 rows"#);
    assert_refused(checkpoint.token_table(), kind, &message);
}

#[test]
fn compressed_table() {
    let kind = |error: &Error| matches!(error, Error::CompressedTable { .. });
    let (_folder, checkpoint) = checkpoint(&[("wte.weight", [3, 2])]);
    let other = Folder::new();
    let (out, replacement) = (other.path("small"), Replacement::factors("made up", factors()));
    checkpoint.save_with("wte.weight", &replacement, &out, |_, _| Ok(())).expect("a writable folder");
    let compressed = Checkpoint::open(&out).expect("what was just written");
    let message = format!(
        r#"the table "wte.weight" of {} is compressed: the tensor itself comes back when it is restored"#,
        out.display()
    );
    assert_refused(compressed.table("wte.weight"), kind, &message);
}
