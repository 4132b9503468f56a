//! Tables in sharded checkpoints.

use std::fs;

use crate::{
    files::Files,
    support::programs::{assert_contains, failed, succeeded},
};

/// The table of `input.safetensors` in a shard of a folder `model`.
fn checkpoint() -> Files {
    let files = Files::new();
    fs::create_dir(files.path("model")).expect("a folder");
    fs::copy(files.path("input.safetensors"), files.path("model/shard-1.safetensors")).expect("a shard");
    let index = r#"{"metadata":{},"weight_map":{"words":"shard-1.safetensors","other":"shard-2.safetensors"}}"#;
    fs::write(files.path("model/model.safetensors.index.json"), index).expect("an index");
    files
}

#[test]
fn a_folder_and_an_index_are_inputs_as_a_file_is() {
    let files = checkpoint();
    succeeded(&files.compress(&["--rank", "4", "--out", "expected"]));
    for input in ["model", "model/model.safetensors.index.json"] {
        for more in [&[][..], &["--block-rows", "200"]] {
            let arguments = [input, "--tensor", "words", "--rank", "4", "--out", "out"];
            succeeded(&files.run(&[arguments.as_slice(), more].concat()));
            assert_eq!(files.read("out"), files.read("expected"), "{input} {more:?}");
        }
    }
}

#[test]
fn no_file_of_a_checkpoint_is_written_over() {
    let files = checkpoint();
    for input in ["model", "model/model.safetensors.index.json"] {
        for out in ["model/shard-1.safetensors", "model/model.safetensors.index.json"] {
            let before = files.read(out);
            let message = failed(&files.run(&[input, "--tensor", "words", "--rank", "4", "--out", out]));
            assert_contains(&message, &[out, "also an input"]);
            assert_eq!(files.read(out), before);
        }
    }
    let message = failed(&files.run(&["model", "--tensor", "word", "--rank", "4", "--out", "out"]));
    assert_contains(&message, &["no tensor \"word\"", "\"words\""]);
}
