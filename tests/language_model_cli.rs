//! The `language_model` example, without its training: how it goes on from a file of results.
#![cfg(all(feature = "candle", feature = "decompose", feature = "tokenizers"))]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::{
    files::Folder,
    programs::{self, assert_contains, failed, succeeded},
};

/// Of a long run.
const STEPS: usize = 3 * 2158;

fn failure(folder: &Folder, arguments: &[&str]) -> String {
    failed(&programs::run("language_model", &folder.path("."), arguments))
}

/// The results of a seed, whose models end at these perplexities.
fn outcome(seed: u64, perplexities: [f64; 4]) -> Value {
    let tables = ["dense", "factorized, rank 64", "factorized, rank 128", "factorized, rank 256"];
    let models = tables.iter().zip(perplexities).map(|(table, perplexity)| {
        let course = json!({
            "losses": vec![5.0; STEPS], "seconds": vec![0.5; STEPS], "tokens_per_step": 512,
            "perplexities": [300.0, 200.0, perplexity],
        });
        json!({
            "table": table, "num_table_parameters": 1000, "num_parameters": 3000, "bytes": [16_000, 48_000], "course": course,
        })
    });
    let recovery = json!({ "steps": STEPS / 10, "weighted_error": 0.5, "before": 150.0 + seed as f64, "after": 120.0 });
    json!({ "seed": seed, "models": models.collect::<Vec<_>>(), "recovery": recovery })
}

#[test]
fn finished_seeds_are_not_trained_again() {
    let folder = Folder::new();
    let path = folder.write("state.json", br#"{ "setup": "another one", "outcomes": [] }"#);
    let error = failure(&folder, &["--long", "--state", "state.json"]);
    assert_contains(
        &error,
        &["the state state.json: it is of another run (another one), expected 1105388 + 112834 tokens"],
    );
    let setup = error.trim_end().split_once("expected ").expect("what is expected").1;
    let setup = setup.strip_suffix(": delete it to begin anew, or name another file").expect("advice");

    let outcomes = [outcome(2, [104.0, 101.0, 108.0, 400.0]), outcome(1, [96.0, 101.0, 100.0, 400.0])];
    let state = serde_json::to_vec(&json!({ "setup": setup, "outcomes": outcomes })).expect("JSON");
    fs::write(&path, &state).expect("a writable folder");
    let arguments = ["--long", "--state", "state.json", "--seeds", "2", "--plot", "curves.svg"];
    let text = succeeded(&programs::run("language_model", &folder.path("."), &arguments));
    let row = |table: &str| text.lines().find(|line| line.starts_with(table)).expect("a row of the table").to_owned();
    assert_contains(
        &row("dense"),
        &["1,000 ", "3,000 ", "16,000 ", "48,000 ", "+0.0 %", "300.00 ± 0.00  200.00 ± 0.00  100.00 ± 5.66"],
    );
    assert_contains(&row("dense"), &[" 1,024 "]);
    assert_contains(&row("factorized, rank 64"), &["+1.0 %", "101.00 ± 0.00"]);
    assert_contains(&row("factorized, rank 128"), &["+4.0 %", "104.00 ± 5.66"]);
    assert_contains(
        &text,
        &["error weighted by frequency 0.500", "perplexity 151.50 ± 0.71, and 120.00 ± 0.00 after 647 more"],
    );
    assert_eq!(fs::read(&path).expect("the state"), state, "nothing was added");
    assert_contains(&fs::read_to_string(folder.path("curves.svg")).expect("a picture"), &["<svg"]);

    let mut others = [(); 5].map(|()| outcome(1, [1.0; 4]));
    others[0]["models"].as_array_mut().expect("models").pop();
    others[1]["models"][2]["course"]["losses"].as_array_mut().expect("losses").pop();
    others[2]["models"][1]["table"] = json!("factorized, rank 65");
    others[3]["models"][3]["course"]["perplexities"][2] = json!(0.0);
    others[4]["recovery"]["steps"] = json!(1);
    for outcome in others {
        let state = json!({ "setup": setup, "outcomes": [outcome] });
        fs::write(&path, state.to_string()).expect("a writable folder");
        let error = failure(&folder, &["--long", "--state", "state.json"]);
        assert_contains(&error, &["cannot read the state state.json: the results of seed 1 are not whole"]);
    }
}

#[test]
fn a_state_that_is_none_is_refused_and_kept() {
    let folder = Folder::new();
    for contents in ["", "{", r#"{ "setup": 3, "outcomes": [] }"#, r#"{ "setup": "" }"#] {
        let path = folder.write("state.json", contents.as_bytes());
        assert_contains(&failure(&folder, &["--state", "state.json"]), &["cannot read the state state.json: "]);
        assert_eq!(fs::read_to_string(path).expect("the same file"), contents);
    }
    assert_contains(&failure(&folder, &["--state", "nowhere/state.json"]), &["there is no folder nowhere"]);
    #[cfg(target_os = "linux")]
    assert_contains(
        &failure(&folder, &["--state", "/proc/state.json"]),
        &["cannot write the state /proc/state.json: "],
    );
    let error = failure(&folder, &["--state", "both.svg", "--plot", "both.svg"]);
    assert_contains(&error, &["both.svg cannot be written: it is also an input or another output"]);
}
