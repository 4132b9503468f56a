//! Looked-up vectors whose norms are bounded.

use factorized_embedding::{
    DenseEmbedding, Embedding, Error, FactorizedEmbedding, Factors, Shape, TokenId, train::Renormalize,
};
use ndarray::{Array2, array};

use crate::support::{factor_parts::FactorParts, random};

const SHAPE: Shape = Shape { vocab_size: 900, rank: 5, dim: 20 };

fn factorized() -> FactorizedEmbedding {
    let parts = FactorParts { bias: None, ..FactorParts::normal(SHAPE, 1) };
    FactorizedEmbedding::new(parts.factors()).with_padding_id(3).expect("an id of the vocabulary")
}

fn norms(layer: &dyn Embedding) -> Vec<f64> {
    let rows = layer.lookup(&(0..layer.vocab_size() as TokenId).collect::<Vec<_>>()).expect("ids of the vocabulary");
    rows.rows().into_iter().map(|row| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()).collect()
}

/// Only the named rows that are too long change: they keep their direction, and end at the bound.
fn check(mut layer: impl Embedding + Renormalize + Clone) {
    let (before, old) = (layer.clone(), norms(&layer));
    let mut sorted = old.clone();
    sorted.sort_by(f64::total_cmp);
    let max_norm = sorted[sorted.len() / 2];
    let ids: Vec<TokenId> = (0..700).rev().chain(100..400).collect();
    let too_long = |id: usize| id < 700 && old[id] > max_norm;
    let scaled = layer.renormalize(&ids, max_norm).expect("ids of the vocabulary");
    assert_eq!(scaled, (0..900).filter(|&id| too_long(id)).count());
    // A row is scaled by a number that was rounded, and looked up with at most so many roundings.
    let tolerance = 2.0 * SHAPE.dim as f64 * f64::from(f32::EPSILON);
    for (id, &norm) in norms(&layer).iter().enumerate() {
        let (new, was) = (layer.lookup(&[id as u32]).expect("an id"), before.lookup(&[id as u32]).expect("an id"));
        if too_long(id) {
            assert!((norm / max_norm - 1.0).abs() <= tolerance, "row {id}: {norm}, expected {max_norm}");
            let cosine = new.row(0).dot(&was.row(0)) / (norm * old[id]) as f32;
            assert!((cosine - 1.0).abs() <= tolerance as f32, "row {id} turned: {cosine}");
        } else {
            assert_eq!(new, was, "row {id}");
        }
    }
    // Nearest neighbours know the new norms: each row is nearest to itself.
    let rows = layer.lookup(&[650, 651]).expect("ids of the vocabulary");
    let nearest = layer.nearest(rows.view(), 1).expect("queries of the dim");
    assert_eq!(nearest.ids, array![[650], [651]]);
    assert_eq!(layer.renormalize(&ids, 1.01 * max_norm).expect("ids of the vocabulary"), 0, "none is too long now");
    assert_eq!(layer.renormalize(&[], max_norm).expect("no ids"), 0);
}

#[test]
fn long_vectors_are_scaled_down() {
    let hot: Vec<TokenId> = (0..900).collect();
    check(factorized());
    check(factorized().with_hot_rows(&hot, usize::MAX).expect("ids of the vocabulary"));
    check(DenseEmbedding::new(random::normal((900, 20), 2)).expect("a finite table"));
}

#[test]
fn what_cannot_be_scaled_is_refused() {
    let mut layer = factorized();
    let factors = layer.factors().clone();
    let error = layer.renormalize(&[1, 900], 0.1).expect_err("900 rows");
    assert!(matches!(error, Error::IdOutOfRange { id: 900, position: 1, .. }), "{error}");
    for max_norm in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = layer.renormalize(&[1], max_norm).expect_err("no norm");
        assert_eq!(error.to_string(), format!("max_norm is {max_norm}, expected a finite positive number"));
    }
    assert_eq!(*layer.factors(), factors);
    let error = layer.to_f16().expect("small numbers").renormalize(&[1], 0.1).expect_err("f16");
    assert!(matches!(error, Error::NotTrainable { .. }), "{error}");

    let large = Factors::new(array![[1e30], [1.0]], array![[1e30, 1.0]]).expect("finite numbers");
    let mut layer = FactorizedEmbedding::new(large);
    let error = layer.renormalize(&[0, 1], 0.1).expect_err("1e60");
    assert_eq!(error.to_string(), "the norm of a row is beyond the range of f32");
    assert_eq!(layer.factors().u(), array![[1e30], [1.0]]);

    let mut biased = FactorizedEmbedding::new(FactorParts::normal(SHAPE, 1).factors());
    assert!(matches!(biased.renormalize(&[1], 0.1), Err(Error::UnusableBias { .. })));
    let table = Array2::ones((2, 2));
    let error = DenseEmbedding::new(&table).expect("a finite table").renormalize(&[1], 0.1).expect_err("borrowed");
    assert!(matches!(error, Error::NotTrainable { .. }), "{error}");
}
