//! Every operation on coded rows, with every instruction set, against the decoded table in `f64`.

use ndarray::{Array2, ArrayView2, Axis, s};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

use super::QuantizedEmbedding;
use crate::{
    Bags, Embedding, Isa, Pooling, QuantizedFactors, RepeatedIds, TokenId,
    factors::{Level, made_up::MadeUp},
};

/// The table, and for each number of it the sum of the magnitudes of what it is added up from.
struct Reference {
    table: Array2<f64>,
    magnitudes: Array2<f64>,
    /// How often a number of the table is rounded.
    roundings: usize,
}

impl Reference {
    fn new(factors: &QuantizedFactors) -> Self {
        let mut u = Array2::zeros((factors.vocab_size(), factors.rank()));
        for (row, out) in u.rows_mut().into_iter().enumerate() {
            factors.decode(row, out);
        }
        let (u, v) = (u.mapv(f64::from), factors.directions().mapv(f64::from));
        let (mut table, mut magnitudes) = (u.dot(&v), u.abs().dot(&v.abs()));
        if let Some(bias) = factors.bias() {
            let bias = bias.mapv(f64::from);
            table += &bias;
            magnitudes += &bias.abs();
        }
        // The products with σ and the scale of the row, those with the directions, their sum and the mean.
        Self { table, magnitudes, roundings: 2 * factors.rank() + 6 }
    }

    fn padded(mut self, id: TokenId) -> Self {
        self.table.row_mut(id as usize).fill(0.0);
        self.magnitudes.row_mut(id as usize).fill(0.0);
        self
    }

    /// left · table, or left · tableᵀ with the table on the left, where `left` is exact and one sum more is rounded.
    fn check_product(&self, what: &str, left: ArrayView2<'_, f64>, transposed: bool, out: ArrayView2<'_, f32>) {
        let multiply = |left: &Array2<f64>, table: &Array2<f64>| {
            if transposed { left.dot(&table.t()) } else { left.dot(table) }
        };
        let left = left.to_owned();
        let (expected, magnitudes) = (multiply(&left, &self.table), multiply(&left.abs(), &self.magnitudes));
        let roundings = self.roundings + 2 * left.ncols() + 2;
        assert_eq!(out.dim(), expected.dim(), "{what}");
        for ((index, &out), magnitude) in out.indexed_iter().zip(&magnitudes) {
            let tolerance = roundings as f64 * f64::from(f32::EPSILON) * magnitude;
            let error = (f64::from(out) - expected[index]).abs();
            assert!(error <= tolerance, "{what}: {index:?} is {out}, expected {} ± {tolerance:e}", expected[index]);
        }
    }
}

fn layers(rng: &mut ChaCha8Rng, mut check: impl FnMut(&str, QuantizedEmbedding)) {
    for level in [Level::Scalar, Level::Trellis] {
        for (i, (vocab_size, rank, dim)) in
            [(1, 1, 1), (2, 1, 3), (70, 5, 16), (300, 17, 17), (600, 40, 50), (90, 70, 130)].into_iter().enumerate()
        {
            let num_groups = [8, 1, 3, 16][i % 4];
            let row_scale_bits = [Some(6), None, Some(8)][i % 3];
            for (ranges, max_width) in [(false, 8), (true, 4), (false, 1), (true, 0)] {
                let made_up = MadeUp { level, vocab_size, rank, dim, num_groups, ranges, row_scale_bits, max_width };
                let layer = QuantizedEmbedding::new(made_up.factors(rng));
                for isa in Isa::supported() {
                    let layer = layer.clone().with_isa(isa);
                    check(&format!("{isa} {made_up:?}"), layer);
                }
            }
        }
    }
}

fn one_hot(ids: &[TokenId], vocab_size: usize) -> Array2<f64> {
    let mut weights = Array2::zeros((ids.len(), vocab_size));
    ids.iter().enumerate().for_each(|(i, &id)| weights[[i, id as usize]] = 1.0);
    weights
}

fn bits(rows: ArrayView2<'_, f32>) -> Vec<u32> {
    rows.iter().map(|number| number.to_bits()).collect()
}

#[test]
fn lookups_are_rows_of_the_table() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    layers(&mut ChaCha8Rng::seed_from_u64(2), |name, layer| {
        let vocab_size = layer.vocab_size();
        let padding = rng.random_range(0..vocab_size) as TokenId;
        let layer = layer.with_padding_id(padding).expect("an id of the vocabulary");
        let reference = Reference::new(layer.factors()).padded(padding);
        let all = layer.clone().with_repeated_ids(RepeatedIds::Compute);
        for n in [0, 1, 2, 23, 25, 500] {
            let ids: Vec<TokenId> = (0..n).map(|_| rng.random_range(0..vocab_size) as TokenId).collect();
            let out = all.lookup(&ids).expect("ids of the vocabulary");
            if n < 100 {
                reference.check_product(name, one_hot(&ids, vocab_size).view(), false, out.view());
            }
            // The same bits, whatever else is looked up, and wherever the row goes.
            for (i, &id) in ids.iter().enumerate().step_by(7) {
                let alone = all.lookup(&[id]).expect("ids of the vocabulary");
                assert_eq!(bits(alone.view()), bits(out.slice(s![i..=i, ..])), "{name}: id {id} of {n}");
            }
            let most_used: Vec<TokenId> = ids.iter().copied().take(9).collect();
            let hot = layer.clone().with_hot_rows(&most_used, 1 << 16).expect("ids of the vocabulary");
            let hot = hot.with_repeated_ids(RepeatedIds::Copy);
            let mut wide = Array2::from_elem((n, 2 * layer.dim()), f32::NAN);
            hot.lookup_into(&ids, wide.slice_mut(s![.., ..;2])).expect("shapes that fit");
            assert_eq!(bits(wide.slice(s![.., ..;2])), bits(out.view()), "{name}: hot, repeated, strided {n}");
            assert!(wide.slice(s![.., 1..;2]).iter().all(|number| number.is_nan()));
        }
        let dense = layer.to_dense().expect("finite products");
        let ids: Vec<TokenId> = (0..vocab_size as TokenId).collect();
        let looked_up = layer.lookup(&ids).expect("ids of the vocabulary");
        assert_eq!(dense.lookup(&ids).expect("ids of the vocabulary"), looked_up, "{name}: dense");
    });
}

#[test]
fn bags_are_sums_of_rows() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    layers(&mut ChaCha8Rng::seed_from_u64(4), |name, layer| {
        let vocab_size = layer.vocab_size();
        let padding = rng.random_range(0..vocab_size) as TokenId;
        let layer = layer.with_padding_id(padding).expect("an id of the vocabulary");
        let reference = Reference::new(layer.factors()).padded(padding);
        // No ids, one, a few, as many as are summed up together, and more.
        let lens = [0, 1, 3, 0, 63, 64, 65, 130, 300, 2, 1];
        let offsets: Vec<usize> = lens.iter().scan(0, |end, len| Some(std::mem::replace(end, *end + len))).collect();
        let n = lens.iter().sum();
        let ids: Vec<TokenId> = (0..n).map(|_| rng.random_range(0..vocab_size) as TokenId).collect();
        let given: Vec<f32> = (0..n).map(|_| rng.random_range(-1.0..1.0)).collect();
        for pooling in [Pooling::Sum, Pooling::Mean] {
            for weights in [None, Some(&given)].into_iter().take(if pooling == Pooling::Sum { 2 } else { 1 }) {
                let mut bags = Bags::new(&ids, &offsets, pooling).expect("rising offsets");
                if let Some(weights) = weights {
                    bags = bags.with_weights(weights).expect("a weight for each id");
                }
                let mut left = Array2::zeros((lens.len(), vocab_size));
                for (range, mut left) in bags.ranges().zip(left.rows_mut()) {
                    let counted = range.clone().filter(|&i| ids[i] != padding).count();
                    for i in range.filter(|&i| ids[i] != padding) {
                        let weight = weights.map_or(1.0, |weights| f64::from(weights[i]));
                        let divisor = if pooling == Pooling::Mean { counted as f64 } else { 1.0 };
                        left[ids[i] as usize] += weight / divisor;
                    }
                }
                // Weights of an id add up, and what cancels is rounded all the same.
                let mut out = Array2::from_elem((lens.len(), layer.dim()), f32::NAN);
                layer.bag_into(&bags, out.view_mut()).expect("shapes that fit");
                if weights.is_none() {
                    reference.check_product(name, left.view(), false, out.view());
                }
                // The same bits, whatever the other bags are.
                for (bag, range) in bags.ranges().enumerate() {
                    let mut alone = Bags::new(&ids[range.clone()], &[0], pooling).expect("one bag");
                    if let Some(weights) = weights {
                        alone = alone.with_weights(&weights[range]).expect("a weight for each id");
                    }
                    let alone = layer.bag(&alone).expect("ids of the vocabulary");
                    assert_eq!(bits(alone.view()), bits(out.slice(s![bag..=bag, ..])), "{name}: bag {bag}");
                }
                if let Some(weights) = weights {
                    // The sum of rows that are looked up.
                    let rows = layer.lookup(&ids).expect("ids of the vocabulary").mapv(f64::from);
                    for (bag, range) in bags.ranges().enumerate() {
                        for j in 0..layer.dim() {
                            let (mut sum, mut magnitude) = (0.0, 0.0);
                            for i in range.clone() {
                                sum += f64::from(weights[i]) * rows[[i, j]];
                                let row = reference.magnitudes[[ids[i] as usize, j]];
                                magnitude += f64::from(weights[i]).abs() * row;
                            }
                            let roundings = 2 * reference.roundings + 2 * range.len() + 4;
                            let tolerance = roundings as f64 * f64::from(f32::EPSILON) * magnitude;
                            let error = (f64::from(out[[bag, j]]) - sum).abs();
                            assert!(error <= tolerance, "{name}: bag {bag}, {error} is more than {tolerance}");
                        }
                    }
                }
            }
        }
        let bags = Bags::new(&ids, &offsets, Pooling::Max).expect("rising offsets");
        let out = layer.bag(&bags).expect("ids of the vocabulary");
        for (bag, range) in bags.ranges().enumerate() {
            let ids: Vec<TokenId> = ids[range].iter().copied().filter(|&id| id != padding).collect();
            let rows = layer.lookup(&ids).expect("ids of the vocabulary");
            for (j, column) in rows.axis_iter(Axis(1)).enumerate() {
                let max = column.iter().copied().reduce(f32::max).unwrap_or(0.0);
                assert_eq!(out[[bag, j]], max, "{name}: maximum {j} of bag {bag}");
            }
        }
    });
}

#[test]
fn products_are_those_of_the_table() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    layers(&mut ChaCha8Rng::seed_from_u64(6), |name, layer| {
        let (vocab_size, dim) = (layer.vocab_size(), layer.dim());
        let padding = rng.random_range(0..vocab_size) as TokenId;
        let layer = layer.with_padding_id(padding).expect("an id of the vocabulary");
        let reference = Reference::new(layer.factors()).padded(padding);
        for n in [0, 1, 2, 5, 8, 9, 20] {
            let hidden = Array2::from_shape_simple_fn((n, dim), || rng.random_range(-1.0..1.0_f32));
            let mut out = Array2::from_elem((n, vocab_size), f32::NAN);
            layer.logits_into(hidden.view(), out.view_mut()).expect("shapes that fit");
            reference.check_product(&format!("{name}: {n} logits"), hidden.mapv(f64::from).view(), true, out.view());
            let mut wide = Array2::from_elem((n, 2 * vocab_size), f32::NAN);
            layer.logits_into(hidden.view(), wide.slice_mut(s![.., ..;2])).expect("shapes that fit");
            assert_eq!(wide.slice(s![.., ..;2]), out, "{name}: {n} strided logits");

            let k = 7.min(vocab_size - 1);
            let best = layer.top_k(hidden.view(), 7).expect("shapes that fit");
            assert_eq!(best.ids.dim(), (n, k), "{name}");
            for ((ids, scores), logits) in best.ids.rows().into_iter().zip(best.scores.rows()).zip(out.rows()) {
                let mut sorted: Vec<f32> =
                    (0..vocab_size).filter(|&id| id != padding as usize).map(|id| logits[id]).collect();
                sorted.sort_by(|a, b| b.total_cmp(a));
                assert!(scores.iter().zip(&sorted).all(|(a, b)| a == b), "{name}: {scores} of {sorted:?}");
                assert!(ids.iter().zip(scores).all(|(&id, &score)| logits[id as usize] == score), "{name}");
            }
            layer.nearest(hidden.view(), 3).expect("shapes that fit");

            let weights = Array2::from_shape_simple_fn((n, vocab_size), || rng.random_range(-1.0..1.0_f32));
            let mut out = Array2::from_elem((n, dim), f32::NAN);
            layer.soft_lookup_into(weights.view(), out.view_mut()).expect("shapes that fit");
            let what = format!("{name}: soft lookup of {n}");
            reference.check_product(&what, weights.mapv(f64::from).view(), false, out.view());
        }
    });
}

#[test]
fn logits_of_many_states_and_directions_are_strided_too() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let made_up = MadeUp {
        level: Level::Scalar,
        vocab_size: 70,
        rank: 200,
        dim: 200,
        num_groups: 3,
        ranges: false,
        row_scale_bits: Some(6),
        max_width: 8,
    };
    // More states than are multiplied at a time, and more directions than are.
    let layer = QuantizedEmbedding::new(made_up.factors(&mut rng));
    let hidden = Array2::from_shape_simple_fn((40, 200), || rng.random_range(-1.0..1.0_f32));
    let mut out = Array2::from_elem((40, 70), f32::NAN);
    layer.logits_into(hidden.view(), out.view_mut()).expect("shapes that fit");
    let mut wide = Array2::from_elem((40, 140), f32::NAN);
    layer.logits_into(hidden.view(), wide.slice_mut(s![.., ..;2])).expect("shapes that fit");
    assert_eq!(wide.slice(s![.., ..;2]), out);
    let reference = Reference::new(layer.factors());
    reference.check_product("40 logits", hidden.mapv(f64::from).view(), true, out.view());
}
