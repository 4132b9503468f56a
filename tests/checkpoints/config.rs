//! What `config.json` says, and when that is not so.

use factorized_embedding::Error;

use crate::model::{Tensor, f32s, message, model, open};

const BERT: &str = "embeddings.word_embeddings.weight";
const ALBERT: &str = "albert.embeddings.word_embeddings.weight";

#[test]
fn sizes_are_read_under_all_their_names() {
    for (config, hidden_size) in [
        (r#"{"hidden_size": 4}"#, Some(4)),
        (r#"{"n_embd": 4}"#, Some(4)),
        (r#"{"d_model": 4}"#, Some(4)),
        (r#"{"hidden_size": 4, "d_model": 5}"#, Some(4)),
        (r#"{"hidden_size": null, "d_model": 4}"#, Some(4)),
        (r#"{"hidden_dim": 4}"#, None),
    ] {
        let folder = model(config, &[f32s(BERT, &[7, 4])]);
        assert_eq!(open(&folder).config().hidden_size, hidden_size, "{config}");
        open(&folder).token_table().expect("sizes that agree");
    }
    let config = r#"{"model_type": "albert", "vocab_size": 7, "embedding_size": 4, "hidden_size": 9,
                     "tie_word_embeddings": true, "text": {"vocab_size": "many"}, "rate": 1e-12}"#;
    let folder = model(config, &[f32s(ALBERT, &[7, 4])]);
    let checkpoint = open(&folder);
    let read = checkpoint.config();
    assert_eq!((read.model_type.as_deref(), read.vocab_size), (Some("albert"), Some(7)));
    assert_eq!((read.embedding_size, read.hidden_size, read.tie_word_embeddings), (Some(4), Some(9), Some(true)));
    checkpoint.token_table().expect("sizes that agree");
}

#[test]
fn sizes_that_disagree_with_the_tensor_are_told() {
    let mismatch = |config: &str, tensor: Tensor| {
        let folder = model(config, &[tensor]);
        let result = open(&folder).token_table();
        assert!(matches!(result, Err(Error::ConfigMismatch { .. })), "{result:?}");
        message(&folder, result)
    };
    let bert = || f32s(BERT, &[7, 4]);
    for (config, said, actual) in [
        (r#"{"vocab_size": 8, "hidden_size": 4}"#, "vocab_size 8", "7 rows"),
        (r#"{"vocab_size": 7, "hidden_size": 5}"#, "hidden_size 5", "4 columns"),
        (r#"{"d_model": 5}"#, "d_model 5", "4 columns"),
        (r#"{"hidden_size": 4, "embedding_size": 2}"#, "embedding_size 2", "4 columns"),
    ] {
        let expected = format!("FOLDER/config.json says {said}, but tensor {BERT:?} has {actual}");
        assert_eq!(mismatch(config, bert()), expected);
    }
    let message = mismatch(r#"{"embedding_size": 9, "hidden_size": 4}"#, f32s(ALBERT, &[7, 4]));
    assert!(message.contains("says embedding_size 9"), "the widths are not confused: {message}");
    let folder = model(r#"{"hidden_size": 9}"#, &[f32s(ALBERT, &[7, 4])]);
    open(&folder).token_table().expect("the width of hidden states is another");
    let folder = model(r#"{"vocab_size": 8}"#, &[bert()]);
    open(&folder).table(BERT).expect("whoever names a table has it");
}

#[test]
fn a_configuration_of_other_types_is_refused() {
    for (config, reason) in [
        ("", ""),
        ("not JSON", "expected ident at line 1 column 2"),
        ("[1, 2]", "invalid type: sequence, expected an object"),
        (r#"{"vocab_size": "many"}"#, r#"vocab_size is "many", expected a whole number"#),
        (r#"{"vocab_size": 7.0}"#, "vocab_size is 7.0, expected a whole number"),
        (r#"{"vocab_size": -7}"#, "vocab_size is -7, expected a whole number"),
        (r#"{"vocab_size": 1e999}"#, "vocab_size is 1e999, expected a whole number"),
        (
            r#"{"vocab_size": 99999999999999999999999999999999999999999999}"#,
            "vocab_size is 9999999999999999999999999999999999999999…, expected a whole number",
        ),
        (r#"{"hidden_size": [4]}"#, "hidden_size is [4], expected a whole number"),
        (r#"{"n_embd": {}}"#, "n_embd is {}, expected a whole number"),
        (r#"{"embedding_size": true}"#, "embedding_size is true, expected a whole number"),
        (r#"{"tie_word_embeddings": 1}"#, "tie_word_embeddings is 1, expected true or false"),
        (r#"{"model_type": 5}"#, "model_type is 5, expected a string"),
        (r#"{"vocab_size": 7, "vocab_size": 8}"#, r#""vocab_size" stands twice at line 1 column 34"#),
        (r#"{"vocab_size": 7"#, "EOF while parsing an object at line 1 column 16"),
        (r#"{} {}"#, "trailing characters at line 1 column 4"),
    ] {
        let folder = model(config, &[f32s(BERT, &[7, 4])]);
        let result = factorized_embedding::io::hugging_face::Checkpoint::open(folder.path(""));
        if config.is_empty() {
            result.expect("no configuration at all");
            continue;
        }
        let message = message(&folder, result);
        let start = "FOLDER/config.json is not a valid model configuration file: ";
        let actual = message.strip_prefix(start).unwrap_or_else(|| panic!("{message}"));
        assert!(actual.starts_with(reason), "{actual:?}, expected {reason:?}");
    }
    let deep = format!(r#"{{"vocab_size": {}"#, "[".repeat(200_000));
    let folder = model(&deep, &[f32s(BERT, &[7, 4])]);
    let message = message(&folder, factorized_embedding::io::hugging_face::Checkpoint::open(folder.path("")));
    assert!(message.contains("EOF"), "{message}");
}
