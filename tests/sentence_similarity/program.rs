//! The program, with a model of two layers made here.

use std::{fs, process::Output};

use ndarray::Array1;
use ndarray_npy::WriteNpyExt;

use crate::support::{
    files::{Folder, file, header, le_bytes},
    programs::{self, assert_contains, failed, succeeded},
};

const WORDS: usize = 600;
const HIDDEN: usize = 16;
const CONFIG: &str = r#"{"model_type": "bert", "hidden_act": "gelu", "hidden_size": 16, "intermediate_size": 32,
    "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 12, "type_vocab_size": 2,
    "layer_norm_eps": 1e-12, "vocab_size": 600}"#;
const PAIRS: &str = "sentence1,sentence2,score\n\
    w1 w2 w3,W1 W2 W3,5.0\n\
    \"w4 w5\nw6\",w4 w5,4\n\
    w7 w8,\"w9, w10 \"\"w11\"\"\",1.5\n\
    w12,w13 w14 w15 w16 w17 w18 w19 w20 w21 w22 w23 w24 w25 w26,0\n";

/// The names of all tensors, and their shapes.
fn tensors() -> Vec<(String, Vec<usize>)> {
    let mut tensors = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![WORDS, HIDDEN]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![12, HIDDEN]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, HIDDEN]),
    ];
    let mut with_bias = |name: String, shape: &[usize]| {
        tensors.push((format!("{name}.weight"), shape.to_vec()));
        tensors.push((format!("{name}.bias"), shape[..1].to_vec()));
    };
    with_bias("embeddings.LayerNorm".to_owned(), &[HIDDEN]);
    for layer in 0..2 {
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            with_bias(format!("encoder.layer.{layer}.attention.{part}"), &[HIDDEN, HIDDEN]);
        }
        with_bias(format!("encoder.layer.{layer}.attention.output.LayerNorm"), &[HIDDEN]);
        with_bias(format!("encoder.layer.{layer}.intermediate.dense"), &[32, HIDDEN]);
        with_bias(format!("encoder.layer.{layer}.output.dense"), &[HIDDEN, 32]);
        with_bias(format!("encoder.layer.{layer}.output.LayerNorm"), &[HIDDEN]);
    }
    tensors
}

/// A folder with a model in `model`, counts and pairs.
fn folder() -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.path("model")).expect("a writable folder");
    let tensors = tensors();
    let entries: Vec<_> = tensors.iter().map(|(name, shape)| (name.as_str(), "F32", 4, shape.as_slice())).collect();
    let (text, size) = header(None, &entries);
    let numbers: Vec<f32> = (0..size / 4).map(|i| (i as f32 * 0.37).sin() * 0.5).collect();
    folder.write("model/model.safetensors", &file(&text, &le_bytes(&numbers)));
    folder.write("model/config.json", CONFIG.as_bytes());
    let words: Vec<String> = (1..WORDS).map(|i| format!(r#""w{i}":{i}"#)).collect();
    let tokenizer = format!(
        r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":{{"type":"Lowercase"}},
        "pre_tokenizer":{{"type":"Whitespace"}},"post_processor":null,"decoder":null,
        "model":{{"type":"WordLevel","vocab":{{"[UNK]":0,{}}},"unk_token":"[UNK]"}}}}"#,
        words.join(",")
    );
    folder.write("model/tokenizer.json", tokenizer.as_bytes());
    let mut counts = Vec::new();
    Array1::from_iter((0..WORDS as u64).rev()).write_npy(&mut counts).expect("memory");
    folder.write("counts.npy", &counts);
    folder.write("sts.csv", PAIRS.as_bytes());
    folder
}

fn run(folder: &Folder, arguments: &[&str]) -> Output {
    programs::run("sentence_similarity", &folder.path("."), arguments)
}

fn benchmark(folder: &Folder, more: &[&str]) -> Output {
    let arguments = ["model", "--data", "sts.csv", "--frequencies", "counts.npy", "--tables", "svd,weighted-svd"];
    run(folder, &[&arguments[..], more].concat())
}

#[test]
fn without_arguments_it_says_how_to_get_a_model() {
    let folder = Folder::new();
    let text = succeeded(&run(&folder, &[]));
    assert_contains(&text, &["python3 scripts/minilm.py target/minilm", "--data stsb-en-dev.csv", "not shipped"]);
    assert!(folder.names().is_empty());
}

#[test]
fn tables_are_compared_on_scored_pairs() {
    let folder = folder();
    let text = succeeded(&benchmark(&folder, &[]));
    // One sentence occurs in capitals, which the tokenizer makes small: another sentence, but the same vector.
    assert_contains(&text, &["BERT, 2 layers", "600 × 16", "sts.csv: 4 pairs, 8 sentences, "]);
    let cells = |title: &str| -> Vec<Vec<String>> {
        let rows = text.lines().filter(|line| line.starts_with(title) && line.contains(','));
        rows.map(|line| line[title.len()..].split_whitespace().map(str::to_owned).collect()).collect()
    };
    assert_eq!(cells("dense")[0][..2], ["38,400", "1.00"]);
    assert_eq!(cells("dense")[0][3], "0.0000");
    assert_eq!(cells("SVD").len(), 2);
    assert_eq!(cells("weighted SVD").len(), 2);
    for row in cells("weighted SVD") {
        // Bytes, ratio, Spearman, loss, two times, Spearman at each of three exponents.
        assert_eq!(row.len(), 9, "{row:?}");
        let number = |cell: usize| row[cell].parse::<f64>().expect("a number");
        assert!(number(1) >= 4.0, "{row:?}");
        assert!((number(2) - (number(6) + number(7) + number(8)) / 3.0).abs() < 2e-4, "{row:?}");
    }
    let text = succeeded(&benchmark(&folder, &["--exponents", "1"]));
    assert!(
        text.lines().filter(|line| line.starts_with("weighted SVD")).all(|line| line.split_whitespace().count() == 8)
    );
}

#[test]
fn tokens_around_every_sentence_weigh_as_much_as_the_most_frequent_one() {
    let folder = folder();
    let word = |i: usize| i * 37 % (WORDS - 2) + 1;
    let pair = |i: usize| format!("w{} w{},w{},{}\n", word(3 * i), word(3 * i + 1), word(3 * i + 2), i % 7);
    folder.write("sts.csv", (0..60).map(pair).collect::<String>().as_bytes());
    let counted: Array1<u64> = (0..WORDS as u64).map(|i| if i == 599 { 599 } else { 599 - i }).collect();
    let mut bytes = Vec::new();
    counted.write_npy(&mut bytes).expect("memory");
    folder.write("counted.npy", &bytes);
    let correlations = |counts: &str| -> Vec<String> {
        let arguments = ["model", "--data", "sts.csv", "--exponents", "1", "--tables", "weighted-svd", "--frequencies"];
        let text = succeeded(&run(&folder, &[&arguments[..], &[counts]].concat()));
        let rows = text.lines().filter_map(|line| line.strip_prefix("weighted SVD"));
        rows.map(|row| row.split_whitespace().nth(2).expect("a correlation").to_owned()).collect()
    };
    assert_ne!(correlations("counts.npy"), correlations("counted.npy"), "w599 is a token as any other");
    let tokenizer = fs::read_to_string(folder.path("model/tokenizer.json")).expect("a file");
    let around = r#"{"type":"BertProcessing","sep":["w599",599],"cls":["w599",599]}"#;
    let tokenizer = tokenizer.replace(r#""post_processor":null"#, &format!(r#""post_processor":{around}"#));
    folder.write("model/tokenizer.json", tokenizer.as_bytes());
    assert_eq!(correlations("counts.npy"), correlations("counted.npy"));
}

#[test]
fn the_same_sentence_is_alike_in_every_table() {
    let folder = folder();
    let pair = ["model", "w1 w2", "W1 w2", "--frequencies", "counts.npy"];
    // Codes of so small a table do not fit into a 64th of its bytes.
    assert_contains(&failed(&run(&folder, &pair)), &["bytes"]);
    folder.write("pair.csv", b"w1 w2,W1 w2,1\nw1,w2,0\n");
    let tables = ["--frequencies", "counts.npy", "--tables", "svd"];
    let text = succeeded(&run(&folder, &[&["model", "--data", "pair.csv"], &tables[..]].concat()));
    assert_eq!(text.lines().filter(|line| line.contains(" 1.0000 ")).count(), 3, "{text}");
}

#[test]
fn files_that_are_no_pairs_with_scores_are_refused() {
    let folder = folder();
    for (text, refusal) in [
        ("a b c\n", "sts.csv, line 1 has 1 fields, expected 3: two sentences and a score"),
        ("a,b,1\nc,d,2,e\n", "sts.csv, line 2 has 4 fields"),
        ("a,b,1\nc,d,high\n", r#"sts.csv, line 2 has the score "high", expected a number"#),
        ("a,b,1\nc,d,nan\n", "expected a number"),
        ("a,b,1\n\"c,d,2\n", "sts.csv is not a valid CSV file: line 2: a quote is not closed"),
        ("a,b,1\nc,d,1\n", "no two different scores"),
        ("", "no two different scores"),
    ] {
        folder.write("sts.csv", text.as_bytes());
        assert_contains(&failed(&benchmark(&folder, &[])), &[refusal]);
    }
    fs::remove_file(folder.path("sts.csv")).expect("the file");
    assert_contains(&failed(&benchmark(&folder, &[])), &["cannot read sts.csv"]);
}

#[test]
fn models_that_are_no_such_encoder_are_refused() {
    let folder = folder();
    for (before, after, refusal) in [
        (r#""bert""#, r#""gpt2""#, r#"has model_type "gpt2", expected "bert""#),
        (r#""gelu""#, r#""swish""#, r#"has hidden_act "swish""#),
        (r#""num_attention_heads": 4"#, r#""num_attention_heads": 3"#, "which 3 attention heads do not divide"),
        (r#""num_hidden_layers": 2,"#, "", "does not say num_hidden_layers"),
        (r#""intermediate_size": 32"#, r#""intermediate_size": 33"#, "expected [33, 16] by config.json"),
        (r#""num_hidden_layers": 2"#, r#""num_hidden_layers": 3"#, "encoder.layer.2"),
        (r#""vocab_size": 600"#, r#""vocab_size": 601"#, "601"),
        ("{", "", "is not valid JSON"),
    ] {
        folder.write("model/config.json", CONFIG.replacen(before, after, 1).as_bytes());
        assert_contains(&failed(&benchmark(&folder, &[])), &[refusal]);
    }
    folder.write("model/config.json", CONFIG.as_bytes());
    fs::create_dir(folder.path("model/1_Pooling")).expect("a writable folder");
    let pooling = br#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#;
    folder.write("model/1_Pooling/config.json", pooling);
    assert_contains(&failed(&benchmark(&folder, &[])), &["pooling_mode_cls_token, expected pooling_mode_mean_tokens"]);
    fs::remove_dir_all(folder.path("model/1_Pooling")).expect("the folder");
    folder.write("model/modules.json", br#"[{"type": "sentence_transformers.models.Dense"}]"#);
    assert_contains(&failed(&benchmark(&folder, &[])), &[r#"a module "Dense""#]);
    fs::remove_file(folder.path("model/modules.json")).expect("the file");
    fs::remove_file(folder.path("model/tokenizer.json")).expect("the file");
    assert_contains(&failed(&benchmark(&folder, &[])), &["tokenizer.json"]);
}

#[test]
fn what_the_command_line_lacks_is_said() {
    let folder = folder();
    assert_contains(&failed(&run(&folder, &["missing", "a", "b"])), &["missing is not a folder"]);
    assert_contains(&failed(&run(&folder, &["model", "a"])), &["2 values required"]);
    assert_contains(&failed(&run(&folder, &["--data", "sts.csv"])), &["MODEL_DIR"]);
    assert_contains(&failed(&benchmark(&folder, &["--exponents", "-1"])), &["exponent"]);
    let refusal = "the counts that are shipped are of another vocabulary";
    assert_contains(&failed(&run(&folder, &["model", "w1", "w2"])), &[refusal, "--frequencies FILE"]);
    let help = succeeded(&run(&folder, &["--help"]));
    assert_contains(&help, &["MODEL_DIR", "--data", "--frequencies", "weighted-svd", "trellis"]);
}
