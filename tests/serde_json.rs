//! Settings and reports in JSON.
#![cfg(all(feature = "decompose", feature = "serde", feature = "word-vectors"))]

use factorized_embedding::{
    AlternatingLeastSquares, BlockwiseSvd, ColumnCovariance, Decompose, DenseEmbedding, Dtype, FactorizedEmbedding,
    MeanRemoval, OutOfVocabulary, Pooling, Products, RandomizedSvd, Rank, RepeatedIds, RowGroups, RowWeights, Shape,
    SvdRoute, TokenCounts, TruncatedSvd,
    evaluate::Evaluator,
    io::word_vectors::{DuplicateWords, WordVectorFormat, WordVectorReader},
    quantize::{Budget, Level, Quantizer, RotationChoice, RowScale},
    train::{Momentum, Optimizer, PartRates, Schedule, Trainable},
};
use ndarray::{Array2, array};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// A setting is written as this and comes back.
#[track_caller]
fn assert_stored<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, expected: Value) {
    assert_eq!(serde_json::to_value(value).expect("JSON"), expected);
    let text = serde_json::to_string(value).expect("JSON");
    assert_eq!(&serde_json::from_str::<T>(&text).expect("what was written"), value);
    assert_eq!(&serde_json::from_value::<T>(expected).expect("what was written"), value);
}

#[track_caller]
fn assert_read<T: DeserializeOwned + PartialEq + std::fmt::Debug>(text: &str, expected: &T) {
    assert_eq!(&serde_json::from_str::<T>(text).expect("valid"), expected);
}

#[track_caller]
fn assert_refused<T: DeserializeOwned + std::fmt::Debug>(text: &str, reason: &str) {
    let error = serde_json::from_str::<T>(text).expect_err("this is refused").to_string();
    assert!(error.contains(reason), "{error}, expected {reason}");
}

#[test]
fn choices_are_their_names() {
    assert_stored(&Rank::Fixed(96), json!({"fixed": 96}));
    assert_stored(&Rank::Energy(0.9), json!({"energy": 0.9}));
    assert_stored(&Rank::RelativeError(0.1), json!({"relative_error": 0.1}));
    assert_stored(&Rank::HardThreshold, json!("hard_threshold"));
    assert_stored(&Shape { vocab_size: 3, rank: 1, dim: 2 }, json!({"vocab_size": 3, "rank": 1, "dim": 2}));
    assert_stored(&[Dtype::F32, Dtype::F16, Dtype::Bf16, Dtype::Int8], json!(["f32", "f16", "bf16", "int8"]));
    assert_stored(&[Pooling::Sum, Pooling::Mean, Pooling::Max], json!(["sum", "mean", "max"]));
    assert_stored(&[RepeatedIds::Automatic, RepeatedIds::Copy], json!(["automatic", "copy"]));
    assert_stored(&[OutOfVocabulary::Refuse, OutOfVocabulary::Id(7)], json!(["refuse", {"id": 7}]));
    assert_stored(&[Products::F32, Products::F64], json!(["f32", "f64"]));
    assert_stored(&[SvdRoute::Automatic, SvdRoute::GramF32], json!(["automatic", "gram_f32"]));
    assert_stored(&[MeanRemoval::Never, MeanRemoval::IfBetter], json!(["never", "if_better"]));
    assert_stored(&[Budget::Bytes(9), Budget::Ratio(8.0)], json!([{"bytes": 9}, {"ratio": 8.0}]));
    assert_stored(&[Level::Scalar, Level::Trellis], json!(["scalar", "trellis"]));
    assert_stored(&[RowScale::Automatic, RowScale::Never], json!(["automatic", "never"]));
    assert_stored(&[RotationChoice::Svd, RotationChoice::Hadamard], json!(["svd", "hadamard"]));
    let formats = [WordVectorFormat::GloveText, WordVectorFormat::Word2VecText, WordVectorFormat::Word2VecBinary];
    assert_stored(&formats, json!(["glove_text", "word2vec_text", "word2vec_binary"]));
    assert_stored(&DuplicateWords::KeepFirst, json!("keep_first"));
}

#[test]
fn settings_come_back() {
    assert_stored(&Optimizer::adam(), json!({"adam": {"betas": [0.9, 0.999], "epsilon": 1e-8}}));
    assert_stored(&Optimizer::sgd(), json!({"sgd": {"momentum": "none"}}));
    assert_stored(
        &Optimizer::Sgd { momentum: Momentum::Nesterov(0.9) },
        json!({"sgd": {"momentum": {"nesterov": 0.9}}}),
    );
    let trainable = Trainable { v: false, ..Trainable::default() };
    assert_stored(&trainable, json!({"u": true, "diagonal": true, "v": false, "bias": true}));
    let rates = PartRates { v: 0.1, ..PartRates::default() };
    assert_stored(&rates, json!({"u": 1.0, "diagonal": 1.0, "v": 0.1, "bias": 1.0}));

    let schedule = Schedule::constant(0.1).expect("a rate").with_warm_up(4);
    assert_stored(&schedule, json!({"learning_rate": 0.1, "warm_up": 4, "decay": "none"}));
    let decaying = schedule.with_cosine_decay(104, 0.01).expect("a rate");
    let decay = json!({"cosine": {"end": 104, "last": 0.01}});
    assert_stored(&decaying, json!({"learning_rate": 0.1, "warm_up": 4, "decay": decay}));
    assert_stored(
        &schedule.with_linear_decay(9, 0.0).expect("a rate"),
        json!({
            "learning_rate": 0.1, "warm_up": 4, "decay": {"linear": {"end": 9, "last": 0.0}}
        }),
    );
    assert_read(r#"{"learning_rate": 0.5}"#, &Schedule::constant(0.5).expect("a rate"));

    let weights = RowWeights::new([3.0, 0.0]).and_then(|weights| weights.with_smoothing(1.0)).expect("counts");
    assert_stored(&weights, json!({"counts": [3.0, 0.0], "smoothing": 1.0, "exponent": 1.0}));
    assert_read(r#"{"counts": [3, 0]}"#, &RowWeights::new([3.0, 0.0]).expect("counts"));

    let quantizer = Quantizer::balanced().with_row_weights(weights).with_level(Level::Trellis).with_seed(7);
    let quantizer = quantizer.with_groups(4).expect("a number of groups");
    assert_stored(
        &quantizer,
        json!({
            "budget": {"ratio": 8.0},
            "row_weights": {"counts": [3.0, 0.0], "smoothing": 1.0, "exponent": 1.0},
            "level": "trellis",
            "num_groups": 4,
            "row_scale": "automatic",
            "rotation": "automatic",
            "seed": 7
        }),
    );
    assert_read(r#"{"budget": {"ratio": 8}}"#, &Quantizer::balanced());

    let reader = WordVectorReader::new(WordVectorFormat::GloveText).with_max_rows(10);
    assert_stored(&reader, json!({"format": "glove_text", "max_rows": 10, "dim": null, "duplicates": "refuse"}));
    assert_read(r#"{"format": "glove_text", "max_rows": 10}"#, &reader);
}

#[test]
fn decompositions_come_back() {
    let weights = RowWeights::new([3.0, 0.0]).expect("counts");
    let stored_weights = json!({"counts": [3.0, 0.0], "smoothing": 0.0, "exponent": 1.0});
    let covariance = ColumnCovariance::new(array![[2.0, 1.0], [1.0, 3.0]]).expect("a symmetric matrix");
    let stored_covariance = json!({"matrix": [[2.0, 1.0], [1.0, 3.0]], "products": "f64"});
    assert_stored(&covariance, stored_covariance.clone());

    let svd = TruncatedSvd::new(Rank::Energy(0.5)).with_route(SvdRoute::Qr).with_row_weights(weights.clone());
    assert_stored(
        &svd.with_column_covariance(covariance.clone()).with_mean_removal(MeanRemoval::Always),
        json!({
            "rank": {"energy": 0.5}, "route": "qr", "row_weights": stored_weights.clone(),
            "column_covariance": stored_covariance.clone(), "mean_removal": "always"
        }),
    );
    assert_read(r#"{"rank": {"fixed": 3}}"#, &TruncatedSvd::new(Rank::Fixed(3)));

    let svd = RandomizedSvd::new(Rank::Bytes(900)).with_oversampling(4).with_power_iterations(3).with_block(16);
    assert_stored(
        &svd.with_products(Products::F32).with_seed(7).with_column_covariance(covariance),
        json!({
            "rank": {"bytes": 900}, "oversampling": 4, "power_iterations": 3, "block": 16, "products": "f32", "seed": 7,
            "row_weights": null, "column_covariance": stored_covariance, "mean_removal": "never"
        }),
    );
    assert_read(r#"{"rank": {"fixed": 3}}"#, &RandomizedSvd::new(Rank::Fixed(3)));
    assert_read(r#"{"rank": {"fixed": 3}, "block": 0}"#, &RandomizedSvd::new(Rank::Fixed(3)).with_block(0));

    let groups = RowGroups::by_frequency(&RowWeights::new([1.0, 9.0, 2.0]).expect("counts"), 2).expect("groups");
    let stored_groups = json!({"group_of": [1, 0, 1], "num_groups": 2});
    assert_stored(&groups, stored_groups.clone());
    // The last group may be empty.
    let read = serde_json::from_str::<RowGroups>(r#"{"group_of": [0, 0], "num_groups": 3}"#).expect("valid");
    assert_eq!((read.sizes(), read.group_of()), (vec![2, 0, 0], [0, 0].as_slice()));
    assert_read(r#"{"group_of": [0, 1]}"#, &RowGroups::from_group_of([0, 1]).expect("two rows"));
    let svd = BlockwiseSvd::new(groups.clone(), 900).with_row_weights(weights.clone()).with_refinement(5);
    assert_stored(
        &svd.with_mean_removal(MeanRemoval::IfBetter),
        json!({
            "groups": stored_groups, "byte_budget": 900, "row_weights": stored_weights.clone(), "max_rounds": 5,
            "mean_removal": "if_better"
        }),
    );
    let text = r#"{"groups": {"group_of": [1, 0, 1]}, "byte_budget": 900}"#;
    assert_read(text, &BlockwiseSvd::new(groups, 900));

    let als = AlternatingLeastSquares::new(4).with_ridge(0.5).with_max_iterations(9).with_tolerance(0.25).with_seed(7);
    assert_stored(
        &als.with_row_weights(weights),
        json!({
            "rank": 4, "ridge": 0.5, "max_iterations": 9, "tolerance": 0.25, "seed": 7, "row_weights": stored_weights
        }),
    );
    assert_read(r#"{"rank": 4}"#, &AlternatingLeastSquares::new(4));

    let mut counts = TokenCounts::new(3).expect("a vocabulary");
    counts.add(&[0, 2, 0]).expect("ids of the vocabulary");
    assert_stored(&counts, json!({"counts": [2, 0, 1]}));
}

#[test]
fn a_warm_start_is_not_written() {
    let factors = TruncatedSvd::new(Rank::Fixed(1)).decompose(array![[1.0, 2.0]].view()).expect("a table").factors;
    let method = AlternatingLeastSquares::new(1).with_warm_start(factors);
    let error = serde_json::to_string(&method).expect_err("factors are no setting").to_string();
    assert_eq!(error, "a warm start is not written among settings: it belongs in a file of factors");
}

#[test]
fn decompositions_that_cannot_be_made_are_refused() {
    for (rank, reason) in [
        (r#"{"energy": 1.5}"#, "energy is 1.5"),
        (r#"{"relative_error": 1}"#, "relative error is 1"),
        (r#"{"noise_level": -1}"#, "noise level is -1"),
    ] {
        assert_refused::<TruncatedSvd>(&format!(r#"{{"rank": {rank}}}"#), reason);
        assert_refused::<RandomizedSvd>(&format!(r#"{{"rank": {rank}}}"#), reason);
    }
    let with = |matrix: &str| format!(r#"{{"rank": {{"fixed": 1}}, "column_covariance": {{"matrix": {matrix}}}}}"#);
    for (matrix, reason) in [
        ("[]", "column covariance [dim, dim] is empty"),
        ("[[1, 0], [0]]", "column covariance [dim, dim] has shape [2, 1], expected [2, 2]"),
        ("[[1, 0], [0.5, 1]]", "asymmetry"),
        ("[[1, 0], [0, -1]]", "an eigenvalue of the column covariance is -1"),
    ] {
        assert_refused::<TruncatedSvd>(&with(matrix), reason);
        assert_refused::<RandomizedSvd>(&with(matrix), reason);
    }
    assert_refused::<RowGroups>(r#"{"group_of": []}"#, "row groups [vocab_size] is empty");
    assert_refused::<RowGroups>(r#"{"group_of": [0, 2], "num_groups": 2}"#, "row 1 is in group 2, expected one of 2");
    assert_refused::<RowGroups>(r#"{"group_of": [0], "num_groups": 257}"#, "number of groups is 257");
    let groups = r#"{"groups": {"group_of": []}, "byte_budget": 900}"#;
    assert_refused::<BlockwiseSvd>(groups, "row groups [vocab_size] is empty");
    for (setting, reason) in [
        (r#""ridge": -1"#, "ridge is -1"),
        (r#""tolerance": 1"#, "tolerance is 1"),
        (r#""max_iterations": 0"#, "the number of iterations is 0"),
        (r#""row_weights": {"counts": [-1]}"#, "the weight of row 0 is -1"),
    ] {
        assert_refused::<AlternatingLeastSquares>(&format!(r#"{{"rank": 1, {setting}}}"#), reason);
    }
    assert_refused::<TokenCounts>(r#"{"counts": []}"#, "token counts [vocab_size] is empty");
    assert_refused::<TokenCounts>(r#"{"counts": [-1]}"#, "-1");

    let rank = r#""rank": {"fixed": 1}"#;
    let unknown = "`weights`";
    assert_refused::<TruncatedSvd>(&format!(r#"{{{rank}, "weights": 1}}"#), unknown);
    assert_refused::<RandomizedSvd>(&format!(r#"{{{rank}, "weights": 1}}"#), unknown);
    assert_refused::<AlternatingLeastSquares>(r#"{"rank": 1, "weights": 1}"#, unknown);
    assert_refused::<BlockwiseSvd>(r#"{"groups": {"group_of": [0]}, "byte_budget": 900, "weights": 1}"#, unknown);
    assert_refused::<RowGroups>(r#"{"group_of": [0], "weights": 1}"#, unknown);
    assert_refused::<TokenCounts>(r#"{"counts": [1], "weights": 1}"#, unknown);
}

#[test]
fn what_constructors_refuse_is_refused() {
    assert_refused::<RowWeights>(r#"{"counts": []}"#, "row weights [vocab_size] is empty");
    assert_refused::<RowWeights>(r#"{"counts": [1, -1]}"#, "the weight of row 1 is -1");
    assert_refused::<RowWeights>(r#"{"counts": [1], "smoothing": -1}"#, "smoothing is -1");
    assert_refused::<RowWeights>(r#"{"counts": [1e308], "smoothing": 1.7e308}"#, "expected a finite sum");
    assert_refused::<RowWeights>(r#"{"counts": [1], "exponent": -0.5}"#, "exponent is -0.5");
    assert_refused::<RowWeights>(r#"{"counts": [1e999]}"#, "out of range");
    assert_refused::<RowWeights>(r#"{"counts": [null]}"#, "null");

    assert_refused::<Schedule>(r#"{"learning_rate": -1}"#, "learning_rate is -1");
    let decay = |decay: &str| format!(r#"{{"learning_rate": 1, "decay": {decay}}}"#);
    assert_refused::<Schedule>(&decay(r#"{"linear": {"end": 1, "last": -2}}"#), "last learning rate is -2");
    assert_refused::<Schedule>(&decay(r#"{"cosine": {"end": 1, "last": -2}}"#), "last learning rate is -2");
    assert_refused::<Schedule>(&decay(r#"{"cosine": {"end": -1, "last": 2}}"#), "-1");
    assert_refused::<Schedule>(&decay(r#""exponential""#), "exponential");

    for (text, reason) in [
        (r#"{"budget": {"ratio": 0}}"#, "ratio is 0"),
        (r#"{"budget": {"bits_per_weight": -4}}"#, "bits per weight is -4"),
        (r#"{"budget": {"relative_error": 1}}"#, "relative error is 1"),
        (r#"{"budget": {"bytes": -1}}"#, "-1"),
        (r#"{"budget": {"ratio": 8}, "num_groups": 0}"#, "number of groups is 0"),
        (r#"{"budget": {"ratio": 8}, "num_groups": 17}"#, "number of groups is 17"),
        (r#"{"budget": {"ratio": 8}, "row_weights": {"counts": [-1]}}"#, "the weight of row 0 is -1"),
        (r#"{"budget": {"ratio": 8}, "level": "lattice"}"#, "lattice"),
        (r#"{}"#, "budget"),
    ] {
        assert_refused::<Quantizer>(text, reason);
    }
}

#[test]
fn names_that_nobody_knows_are_refused() {
    // What serde says beside the name is its own affair.
    let unknown = |field: &str| format!("`{field}`");
    assert_refused::<Shape>(r#"{"vocab_size": 3, "rank": 1, "dim": 2, "bias": true}"#, &unknown("bias"));
    assert_refused::<Trainable>(r#"{"u": true, "diagonal": true, "v": true, "bias": true, "w": true}"#, &unknown("w"));
    assert_refused::<PartRates>(r#"{"u": 1, "diagonal": 1, "v": 1, "bias": 1, "w": 1}"#, &unknown("w"));
    assert_refused::<RowWeights>(r#"{"counts": [1], "smooting": 1}"#, &unknown("smooting"));
    assert_refused::<Schedule>(r#"{"learning_rate": 1, "warmup": 4}"#, &unknown("warmup"));
    assert_refused::<Quantizer>(r#"{"budget": {"ratio": 8}, "groups": 4}"#, &unknown("groups"));
    assert_refused::<WordVectorReader>(r#"{"format": "glove_text", "limit": 1}"#, &unknown("limit"));
    assert_refused::<Optimizer>(r#"{"sgd": {"momentum": "none", "epsilon": 1}}"#, &unknown("epsilon"));
    assert_refused::<Rank>(r#"{"fixed": 1.5}"#, "1.5");
    assert_refused::<Rank>(r#"{"best": 1}"#, "best");
    assert_refused::<OutOfVocabulary>(r#"{"id": 4294967296}"#, "4294967296");
    assert_refused::<Dtype>(r#""f64""#, "f64");
}

#[test]
fn reports_are_written() {
    let table = Array2::from_shape_fn((2000, 8), |(i, j)| ((7 * i + j * j) as f32 * 0.31).sin());
    let decomposition = TruncatedSvd::new(Rank::Fixed(3)).decompose(table.view()).expect("a finite table");
    let spectrum = serde_json::to_value(&decomposition.spectrum).expect("JSON");
    assert_eq!(spectrum["shape"], json!([2000, 8]));
    assert_eq!(spectrum["singular_values"].as_array().map(Vec::len), Some(8));
    assert_eq!(spectrum["error_curve"][3].as_f64(), Some(decomposition.spectrum.error_at(3)));
    assert_eq!(spectrum["energy_curve"][8].as_f64(), Some(1.0));
    assert_eq!(spectrum["bytes"][3], json!(decomposition.spectrum.bytes_at(3)));

    let (dense, layer) =
        (DenseEmbedding::new(&table).expect("finite"), FactorizedEmbedding::new(decomposition.factors));
    let comparison = Evaluator::new(&dense).compare(&layer).expect("the same shape");
    let value = serde_json::to_value(&comparison).expect("JSON");
    assert_eq!(value["relative_error"].as_f64(), Some(comparison.relative_error));
    assert_eq!(value["weighted_relative_error"], Value::Null);
    assert_eq!(value["candidate"]["size_in_bytes"], json!(comparison.candidate.size_in_bytes));
    assert_eq!(value.as_object().map(serde_json::Map::len), Some(8));

    let report = Quantizer::balanced().quantize(table.view()).expect("a budget for something").report;
    let value = serde_json::to_value(&report).expect("JSON");
    assert_eq!(value["shape"], json!([2000, 8]));
    assert_eq!(value["ratio"].as_f64(), Some(report.ratio));
    assert_eq!(value["part_bytes"]["codes"], json!(report.part_bytes.codes));
    assert_eq!(value["groups"].as_array().map(Vec::len), Some(report.groups.len()));
    assert_eq!(value["groups"][0]["directions"].as_array().map(Vec::len), Some(9));
}
