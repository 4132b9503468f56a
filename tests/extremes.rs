//! Values and sizes at the edges of what a layer can be given.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

use approx::assert_abs_diff_eq;
use factorized_embedding::{
    Bags, BlockFactors, BlockwiseEmbedding, DenseEmbedding, Dtype, Embedding, EmbeddingExt, Error, FactorizedEmbedding,
    Factors, IteratorRows, Pooling, TokenId, evaluate::Evaluator,
};
use ndarray::{Array1, Array2, array};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

#[test]
fn cosines_stay_within_1_for_rows_that_a_bias_all_but_cancels() {
    for seed in 0..50 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut normal =
            |shape| -> Array2<f32> { Array2::from_shape_simple_fn(shape, || StandardNormal.sample(&mut rng)) };
        let (u, v) = (normal((20, 4)), normal((4, 24)));
        let bias: Array1<f32> = -u.row(5).dot(&v);
        let layer =
            FactorizedEmbedding::new(Factors::new(u, v).and_then(|f| f.with_bias(bias)).expect("valid factors"));
        let queries = normal((3, 24));
        let nearest = layer.nearest(queries.view(), 20).expect("queries of the width of the table");
        for (query, (ids, cosines)) in
            queries.rows().into_iter().zip(nearest.ids.rows().into_iter().zip(nearest.scores.rows()))
        {
            for (&id, &actual) in ids.iter().zip(cosines) {
                let row = layer.lookup(&[id]).expect("an id of the table");
                let dot =
                    |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
                let (row, query) = (row.row(0).to_vec(), query.to_vec());
                let expected = dot(&row, &query) / (dot(&row, &row) * dot(&query, &query)).sqrt();
                assert_abs_diff_eq!(f64::from(actual), expected, epsilon = 1e-6);
            }
            assert!(cosines.windows(2).into_iter().all(|pair| pair[0] >= pair[1]));
        }
    }
}

#[test]
fn cosines_of_the_smallest_and_the_largest_rows_are_cosines() {
    let layer =
        DenseEmbedding::new(array![[1e-40, 0.0], [0.0, 1e-40], [3e38, 3e38], [0.0, 0.0]]).expect("finite numbers");
    let nearest = layer.nearest(array![[1.0, 0.0]].view(), 4).expect("a query of two numbers");
    assert_eq!(nearest.ids, array![[0, 2, 1, 3]]);
    assert_abs_diff_eq!(nearest.scores, array![[1.0, 0.5_f32.sqrt(), 0.0, 0.0]], epsilon = 1e-6);
}

#[test]
fn sums_of_very_long_bags_do_not_swallow_rows() {
    // 2²⁵ ones and twos in turn: added to one `f32` after the other, they stop at 2²⁴ or so.
    let len = 1 << 25;
    let ids: Vec<TokenId> = (0..len).map(|i| i % 2).collect();
    let table = array![[1.0_f32], [2.0]];
    let block = |row: f32| Some(Factors::new(array![[row]], array![[1.0]]).expect("valid factors"));
    let blocks = BlockFactors::new(vec![0, 1], vec![block(1.0), block(2.0)], 1).expect("a row for each group");
    let layers: [Box<dyn Embedding>; 4] = [
        Box::new(BlockwiseEmbedding::new(blocks)),
        Box::new(DenseEmbedding::new(table.clone()).expect("finite")),
        Box::new(DenseEmbedding::from_bytes([0x00, 0x3c, 0x00, 0x40], Dtype::F16, [2, 1]).expect("four bytes")),
        Box::new(FactorizedEmbedding::new(Factors::new(table, array![[1.0]]).expect("valid factors"))),
    ];
    for layer in layers {
        let pooled = |pooling| layer.bag(&Bags::new(&ids, &[0], pooling).expect("one bag")).expect("known ids")[[0, 0]];
        assert_abs_diff_eq!(pooled(Pooling::Mean), 1.5, epsilon = 1e-3);
        assert_abs_diff_eq!(pooled(Pooling::Sum), 1.5 * len as f32, epsilon = 1e-3 * len as f32);
    }
}

#[test]
fn a_maximum_over_nan_is_nan() {
    let bytes: Vec<u8> = [f32::NAN, 1.0, 2.0, 3.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let layer = DenseEmbedding::from_bytes(bytes, Dtype::F32, [2, 2]).expect("sixteen bytes");
    for ids in [[0, 1], [1, 0]] {
        let pooled = layer.bag(&Bags::new(&ids, &[0], Pooling::Max).expect("one bag")).expect("known ids");
        assert!(pooled[[0, 0]].is_nan());
        assert_eq!(pooled[[0, 1]], 3.0);
    }
}

#[test]
fn the_padding_row_has_no_part_in_random_rows() {
    let u = array![[2.0], [2.0], [1e6], [2.0]];
    let factors = Factors::new(u, array![[1.0]]).expect("valid factors");
    let mut layer = FactorizedEmbedding::new(factors).with_padding_id(2).expect("a row of the table");
    layer.append_random_rows(3, &mut ChaCha8Rng::seed_from_u64(1)).expect("three more rows");
    assert_eq!(layer.lookup(&[4, 5, 6]).expect("the new rows"), array![[2.0], [2.0], [2.0]]);
}

#[test]
fn more_rows_than_ids_can_name_are_refused_before_they_are_drawn() {
    let mut layer = FactorizedEmbedding::new(Factors::new(array![[1.0]], array![[1.0]]).expect("valid factors"));
    for count in [u32::MAX as usize, usize::MAX] {
        let result = layer.append_random_rows(count, &mut ChaCha8Rng::seed_from_u64(1));
        assert!(matches!(result, Err(Error::VocabularyTooLarge { .. })), "{result:?}");
        assert_eq!(layer.vocab_size(), 1);
    }
}

#[test]
fn zero_rows_have_no_neighbours_to_recall() {
    let table = |first: [f32; 2]| {
        let rest = Array2::from_shape_fn((30, 2), |(i, j)| if j == 0 { (i as f32).cos() } else { (i as f32).sin() });
        let first = Array2::from_shape_fn((1, 2), |(_, j)| first[j]);
        DenseEmbedding::new(ndarray::concatenate![ndarray::Axis(0), first, rest]).expect("finite")
    };
    let (reference, candidate) = (table([0.0, 0.0]), table([0.0, 0.0]));
    let comparison = Evaluator::new(&reference).compare(&candidate).expect("the same shape");
    assert_eq!(comparison.neighbour_recall, 1.0);
    // With one sample it is the zero row: nothing is asked, so nothing is missed.
    let comparison = Evaluator::new(&reference).with_samples(1).compare(&table([1.0, 5.0])).expect("the same shape");
    assert_eq!(comparison.neighbour_recall, 1.0);
}

#[cfg(unix)]
#[test]
fn saving_keeps_permissions_and_links_and_spares_devices() {
    use std::{fs, os::unix::fs::PermissionsExt};

    use factorized_embedding::io::safetensors::{load_factors, save_factors};

    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    let factors = Factors::new(array![[1.0]], array![[1.0]]).expect("valid factors");
    fs::write(&file, "private").expect("a writable folder");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("our own file");
    std::os::unix::fs::symlink(&file, &link).expect("a writable folder");
    save_factors(&link, &factors).expect("a regular file behind the link");
    assert!(fs::symlink_metadata(&link).expect("still there").is_symlink());
    assert_eq!(fs::metadata(&file).expect("still there").permissions().mode() & 0o777, 0o600);
    assert_eq!(load_factors(&file).expect("what was saved"), factors);

    // A link to what is to be written yet, by way of another one.
    fs::create_dir(folder.path().join("run")).expect("a writable folder");
    let (latest, written) = (folder.path().join("latest"), folder.path().join("run/factors"));
    std::os::unix::fs::symlink("run/last", &latest).expect("a writable folder");
    std::os::unix::fs::symlink("factors", folder.path().join("run/last")).expect("a writable folder");
    save_factors(&latest, &factors).expect("a folder behind the link");
    assert!(fs::symlink_metadata(&latest).expect("still there").is_symlink());
    assert!(fs::symlink_metadata(&written).expect("the file").is_file());
    assert_eq!(load_factors(&latest).expect("what was saved"), factors);
    std::os::unix::fs::symlink("circle", folder.path().join("circle")).expect("a writable folder");
    save_factors(folder.path().join("circle"), &factors).expect("a circle is replaced");

    let error = save_factors("/dev/null", &factors).expect_err("a device is no file");
    assert_eq!(error.to_string(), "cannot replace /dev/null: it is not a regular file");
}

/// To open one would wait for somebody who writes into it.
#[cfg(unix)]
#[test]
fn named_pipes_are_refused() {
    use factorized_embedding::io::{hugging_face::Checkpoint, safetensors::load_factors};

    let folder = tempfile::tempdir().expect("a temporary folder");
    let pipe = |name: &str| {
        let path = folder.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
        assert!(made.success());
        path
    };
    let error = load_factors(pipe("pipe")).expect_err("no file");
    assert!(error.to_string().ends_with("it is not a regular file"), "{error}");
    pipe("model.safetensors.index.json");
    let error = Checkpoint::open(folder.path()).expect_err("no index");
    assert!(error.to_string().ends_with("it is not a regular file"), "{error}");
}

/// Tables of zeros, whose columns take no memory until they are looked up.
#[test]
fn results_that_cannot_be_addressed_are_refused() {
    let factors = BlockFactors::new(vec![0], vec![None], 1 << 60).expect("a table of zeros");
    let layer = BlockwiseEmbedding::new(factors);
    assert!(matches!(layer.lookup(&[0; 8]), Err(Error::TableTooLarge { vocab_size: 8, .. })));
    assert!(matches!(layer.lookup_array(&array![[0, 0], [0, 0]]), Err(Error::TableTooLarge { vocab_size: 4, .. })));
    let _ = IteratorRows::new(1, usize::MAX, || [Ok(Array2::zeros((1, 1)))].into_iter());
}
