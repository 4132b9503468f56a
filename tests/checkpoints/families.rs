//! Token tables by their names, and the output heads.

use factorized_embedding::{
    Error,
    io::hugging_face::{Checkpoint, Family, OutputHead},
};

use crate::model::{Tensor, f32s, message, model, open, sharded, tensor};

/// Finds the table of a model of this table and another matrix, in one file and in two.
#[track_caller]
fn assert_found(name: &str, family: Family) {
    let tensors = [f32s(name, &[7, 4]), f32s("layer.weight", &[4, 4])];
    for folder in [model("", &tensors), sharded("{}", &tensors)] {
        let table = open(&folder).token_table().expect("a known name");
        assert_eq!((table.name.as_str(), table.family, table.shape), (name, family, [7, 4]));
        assert_eq!(table.dtype.to_string(), "f32");
    }
}

#[test]
fn every_family_is_known_by_its_names() {
    for (name, family) in [
        ("albert.embeddings.word_embeddings.weight", Family::Albert),
        ("bert.embeddings.word_embeddings.weight", Family::Bert),
        ("embeddings.word_embeddings.weight", Family::Bert),
        ("roberta.embeddings.word_embeddings.weight", Family::Bert),
        ("distilbert.embeddings.word_embeddings.weight", Family::Bert),
        ("0.auto_model.embeddings.word_embeddings.weight", Family::Bert),
        ("0.auto_model.shared.weight", Family::T5),
        ("wte.weight", Family::Gpt2),
        ("transformer.wte.weight", Family::Gpt2),
        ("shared.weight", Family::T5),
        ("model.embed_tokens.weight", Family::Llama),
        ("embed_tokens.weight", Family::Llama),
        ("embeddings", Family::Model2Vec),
    ] {
        assert_found(name, family);
    }
}

#[test]
fn a_mapping_beside_the_table_makes_it_albert() {
    for prefix in ["", "0.auto_model."] {
        let name = format!("{prefix}embeddings.word_embeddings.weight");
        let mapping = format!("{prefix}encoder.embedding_hidden_mapping_in.weight");
        let folder = model("", &[f32s(&name, &[7, 4]), f32s(&mapping, &[9, 4])]);
        assert_eq!(open(&folder).token_table().expect("a known name").family, Family::Albert);
    }
}

#[test]
fn without_a_known_name_the_matrices_are_listed_by_size() {
    let folder = model(
        "",
        &[
            f32s("small", &[2, 3]),
            f32s("vector", &[50]),
            tensor("ids", "I64", &[40, 40]),
            tensor("large.weight", "F16", &[9, 4]),
            f32s("middle.weight", &[5, 4]),
            f32s("blocks", &[5, 4, 9]),
        ],
    );
    let checkpoint = open(&folder);
    let expected = "FOLDER/ has no token table under a known name; its matrices, the largest first, are \
                    \"large.weight\" [9, 4], \"middle.weight\" [5, 4], \"small\" [2, 3]";
    assert_eq!(message(&folder, checkpoint.token_table()), expected);
    match checkpoint.token_table() {
        Err(Error::TokenTableNotFound { candidates, .. }) => {
            assert_eq!(candidates[0], ("large.weight".to_owned(), [9, 4]));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(checkpoint.table("large.weight").expect("by its name").dtype().to_string(), "f16");
}

#[test]
fn two_tables_that_fit_are_named() {
    let folder = model("", &[f32s("wte.weight", &[7, 4]), f32s("shared.weight", &[7, 4])]);
    let expected = "FOLDER/ has several token tables, \"shared.weight\", \"wte.weight\": choose one by its name";
    assert_eq!(message(&folder, open(&folder).token_table()), expected);
}

#[test]
fn a_table_of_another_kind_is_refused() {
    for wrong in [tensor("wte.weight", "I64", &[7, 4]), f32s("wte.weight", &[28]), f32s("wte.weight", &[7, 2, 2])] {
        let folder = model("", &[wrong]);
        let error = open(&folder).token_table().expect_err("no table");
        assert!(matches!(error, Error::UnsuitableTensor { .. }), "{error:?}");
    }
}

fn head(config: &str, tensors: &[Tensor]) -> factorized_embedding::Result<OutputHead> {
    Ok(open(&model(config, tensors)).token_table()?.output_head)
}

#[test]
fn the_output_head_is_told() {
    let with_head = |name: &str| [f32s(name, &[7, 4]), f32s("lm_head.weight", &[7, 4])];
    let separate = OutputHead::Separate("lm_head.weight".to_owned());
    let llama = "model.embed_tokens.weight";
    for (config, tensors, expected) in [
        ("", &[f32s("wte.weight", &[7, 4])][..], OutputHead::Tied),
        (r#"{"tie_word_embeddings": true}"#, &[f32s(llama, &[7, 4])], OutputHead::Tied),
        (r#"{"tie_word_embeddings": false}"#, &[f32s("wte.weight", &[7, 4])], OutputHead::Absent),
        ("", &[f32s(llama, &[7, 4])], OutputHead::Absent),
        (r#"{"tie_word_embeddings": null}"#, &[f32s(llama, &[7, 4])], OutputHead::Absent),
        (r#"{"tie_word_embeddings": false}"#, &with_head(llama), separate.clone()),
        ("", &with_head("shared.weight"), separate.clone()),
        (r#"{"tie_word_embeddings": true}"#, &with_head(llama), separate),
    ] {
        assert_eq!(head(config, tensors).expect("a valid checkpoint"), expected, "{config}");
    }
}

#[test]
fn a_tied_head_of_another_shape_is_refused() {
    let tensors = [f32s("wte.weight", &[7, 4]), f32s("lm_head.weight", &[8, 4])];
    let folder = model(r#"{"tie_word_embeddings": true}"#, &tensors);
    let expected = "FOLDER/config.json says tie_word_embeddings true, but tensor \"lm_head.weight\" is [8, 4], \
                    and the table [7, 4]";
    assert_eq!(message(&folder, open(&folder).token_table()), expected);
    head(r#"{"tie_word_embeddings": false}"#, &tensors).expect("a head of its own");
}

#[test]
fn a_file_and_an_index_are_checkpoints_too() {
    let tensors = [f32s("wte.weight", &[7, 4]), f32s("layer.weight", &[4, 4])];
    let folder = sharded(r#"{"n_embd": 4}"#, &tensors);
    let by_index = Checkpoint::open(folder.path("model.safetensors.index.json")).expect("an index");
    assert_eq!(by_index.tensors().collect::<Vec<_>>(), [("layer.weight", &[4, 4][..]), ("wte.weight", &[7, 4])]);
    let by_file = Checkpoint::open(folder.path("model-00001-of-00002.safetensors")).expect("a file");
    assert_eq!(by_file.tensors().collect::<Vec<_>>(), [("wte.weight", &[7, 4][..])]);
    assert_eq!(by_file.config().hidden_size, Some(4), "the configuration beside it");
    let printed = format!("Checkpoint({}, 2 tensors in 2 files)", by_index.path().display());
    assert_eq!(format!("{by_index:?}"), printed);
}
