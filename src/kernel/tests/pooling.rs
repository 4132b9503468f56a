//! Sums and means of bags against the naive sums in `f64`.

use ndarray::{Array2, s};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

use super::{
    super::{PooledRows, pool, pool_and_project},
    Case, DTYPES, Isa, poisoned,
};
use crate::{Bags, Pooling, TokenId};

/// Bags around groups of 4 rows, sums of 64 and chunks of 96 bags, empty ones among them.
fn offsets() -> Vec<usize> {
    let lengths = [0, 1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 67, 68, 127, 128, 129, 130, 0, 200, 3];
    let lengths = lengths.into_iter().chain((0..110).map(|i| i % 3));
    let mut offsets = vec![0];
    offsets.extend(lengths.scan(0, |end, len| {
        *end += len;
        Some(*end)
    }));
    offsets
}

const PADDING: TokenId = 5;

struct Bagged {
    ids: Vec<TokenId>,
    weights: Vec<f32>,
    offsets: Vec<usize>,
    padding_id: Option<TokenId>,
}

impl Bagged {
    /// Without padding bags are as long as their offsets say, with it some are shorter.
    fn new(padding_id: Option<TokenId>) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let offsets = offsets();
        let len = offsets.last().map_or(0, |end| end + 6);
        let ids = (0..len).map(|_| rng.random_range(0..31)).collect();
        let weights = (0..len).map(|_| rng.random_range(-1.0..1.0)).collect();
        Self { ids, weights, offsets, padding_id }
    }

    fn bags(&self, pooling: Pooling, weighted: bool) -> Bags<'_> {
        let bags = Bags::new(&self.ids, &self.offsets, pooling).expect("rising offsets");
        if weighted { bags.with_weights(&self.weights).expect("a weight for each id of a sum") } else { bags }
    }

    /// Row by row the sum of the bag, Σ|terms|, the number of terms, and the weight of a constant.
    fn expected(&self, bags: &Bags<'_>, rows: &Array2<f32>, column: usize) -> Vec<(f64, f64, usize, f64)> {
        let sums = bags.ranges().map(|range| {
            let (mut sum, mut magnitude, mut len, mut weights) = (0.0, 0.0, 0, 0.0);
            for i in range.filter(|&i| Some(self.ids[i]) != self.padding_id) {
                let weight = bags.weights().map_or(1.0, |weights| f64::from(weights[i]));
                let term = weight * f64::from(rows[[self.ids[i] as usize, column]]);
                (sum, magnitude, len, weights) = (sum + term, magnitude + term.abs(), len + 1, weights + weight);
            }
            match bags.pooling() {
                Pooling::Mean if len > 0 => (sum / len as f64, magnitude / len as f64, len + 1, 1.0),
                _ => (sum, magnitude, len, weights),
            }
        });
        sums.collect()
    }
}

#[test]
fn pooled_rows_are_the_naive_sums() {
    for (isa, padding_id) in Isa::supported().flat_map(|isa| [(isa, Some(PADDING)), (isa, None)]) {
        let bagged = Bagged::new(padding_id);
        for (width, dtype) in (1..=33).chain([47, 48, 49, 64, 127, 128, 130]).zip(DTYPES.into_iter().cycle()) {
            for (pooling, weighted) in [(Pooling::Sum, false), (Pooling::Sum, true), (Pooling::Mean, false)] {
                let case = Case::new(0, width, 1, false, 8).stored_as(dtype);
                let bags = bagged.bags(pooling, weighted);
                let pooled = PooledRows { rows: case.stored.numbers().into(), bags: &bags, padding_id };
                let mut out = poisoned((bags.len(), width));
                pool(isa, pooled, &mut out.view_mut());
                for column in 0..width {
                    for (bag, expected) in bagged.expected(&bags, &case.rows, column).into_iter().enumerate() {
                        let (sum, magnitude, terms, _) = expected;
                        let tolerance = 2.0 * terms as f64 * 0.5 * f64::from(f32::EPSILON) * magnitude;
                        let value = f64::from(out[[bag, column]]);
                        let error = (value - sum).abs();
                        assert!(error <= tolerance, "{isa} {dtype} {pooling} of bag {bag}: {value}, expected {sum}");
                    }
                }
                let mut wide = poisoned((bags.len(), 2 * width));
                pool(isa, pooled, &mut wide.slice_mut(s![.., ..;2]));
                assert_eq!(wide.slice(s![.., ..;2]), out, "{isa} {dtype} {pooling} strided");
            }
        }
    }
}

#[test]
fn projected_bags_are_the_naive_sums_of_projected_rows() {
    let bagged = Bagged::new(Some(PADDING));
    for isa in Isa::supported() {
        for (dtype, (rank, dim)) in DTYPES.into_iter().cycle().zip([(1, 1), (3, 17), (16, 5), (17, 64), (33, 40)]) {
            for (pooling, weighted) in [(Pooling::Sum, false), (Pooling::Sum, true), (Pooling::Mean, false)] {
                let case = Case::new(0, rank, dim, true, 9).stored_as(dtype);
                let bags = bagged.bags(pooling, weighted);
                let pooled = PooledRows { rows: case.stored.numbers().into(), bags: &bags, padding_id: Some(PADDING) };
                let mut out = poisoned((bags.len(), dim));
                pool_and_project(isa, pooled, &case.packed(), &mut out.view_mut());
                let sums: Vec<_> = (0..rank).map(|k| bagged.expected(&bags, &case.rows, k)).collect();
                for ((bag, j), &value) in out.indexed_iter() {
                    let (_, _, terms, weight) = sums[0][bag];
                    let bias = case.bias.as_ref().map_or(0.0, |bias| f64::from(bias[j])) * weight;
                    // The weights of the bias are summed, too: at most one each.
                    let (mut expected, mut magnitude) = (bias, bias.abs().max(terms as f64));
                    for (k, sums) in sums.iter().enumerate() {
                        let factor = f64::from(case.projection[[k, j]]);
                        expected += sums[bag].0 * factor;
                        magnitude += sums[bag].1 * factor.abs();
                    }
                    let roundings = 2 * (terms + rank + 1);
                    let tolerance = roundings as f64 * 0.5 * f64::from(f32::EPSILON) * magnitude;
                    let error = (f64::from(value) - expected).abs();
                    assert!(error <= tolerance, "{isa} {dtype} {pooling} of bag {bag}: {value}, expected {expected}");
                }
            }
        }
    }
}
