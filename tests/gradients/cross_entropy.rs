//! The cross-entropy of a tied head: loss and gradients against central differences, and against softmax in f64.

use factorized_embedding::{
    DenseEmbedding, Embedding, Error, Isa, Shape, TokenId,
    train::{Backward, Trainable},
};
use ndarray::{Array2, Axis, array};

use crate::{
    check::{LARGE_SHAPE, SMALL_SHAPES, layer},
    reference::{self, NAMES, Parts},
    support::{
        compare::{Expected, assert_close, widened},
        factor_parts::FactorParts,
        random,
    },
};

/// Everything but the table.
struct Batch {
    hidden: Array2<f32>,
    targets: Vec<TokenId>,
    ignored: Option<TokenId>,
}

impl Batch {
    /// A batch in which one target in so many is ignored.
    fn new(n: usize, shape: Shape, ignored: Option<TokenId>) -> Self {
        let mut targets = random::ids(n, shape.vocab_size, 1);
        if let Some(id) = ignored {
            targets.iter_mut().step_by(3).for_each(|target| *target = id);
        }
        Self { hidden: random::normal((n, shape.dim), 2), targets, ignored }
    }

    fn counted(&self) -> Vec<usize> {
        (0..self.targets.len()).filter(|&i| Some(self.targets[i]) != self.ignored).collect()
    }

    fn loss(&self, hidden: &Array2<f64>, table: &Array2<f64>) -> f64 {
        let logits = hidden.dot(&table.t());
        let of = |i: usize| {
            let row = logits.row(i);
            let max = row.fold(f64::NEG_INFINITY, |max, &logit| max.max(logit));
            let sum: f64 = row.iter().map(|logit| (logit - max).exp()).sum();
            max + sum.ln() - row[self.targets[i] as usize]
        };
        let counted = self.counted();
        counted.iter().map(|&i| of(i)).sum::<f64>() / counted.len().max(1) as f64
    }

    /// ∂L/∂logits, and how large what is rounded in it is: each probability is as exact as its logit, whose magnitude
    /// is that of its terms.
    fn of_logits(&self, table: &Array2<f64>, magnitudes: &Array2<f64>) -> [Array2<f64>; 2] {
        let hidden = widened(self.hidden.view());
        let (logits, of_terms) = (hidden.dot(&table.t()), hidden.abs().dot(&magnitudes.t()));
        let (mut gradient, mut rounded) = (Array2::zeros(logits.dim()), Array2::zeros(logits.dim()));
        let counted = self.counted();
        for &i in &counted {
            let powers = logits.row(i).mapv(f64::exp);
            let probabilities = &powers / powers.sum();
            let largest = of_terms.row(i).fold(1.0_f64, |max, &terms| max.max(terms));
            // Below e⁻⁸⁷ of the largest, a probability is 0.
            rounded.row_mut(i).assign(&(&probabilities * (1.0 + 2.0 * largest) + 1e-30));
            gradient.row_mut(i).assign(&probabilities);
            gradient[[i, self.targets[i] as usize]] -= 1.0;
            rounded[[i, self.targets[i] as usize]] += 1.0;
        }
        [gradient / counted.len().max(1) as f64, rounded / counted.len().max(1) as f64]
    }

    fn check(&self, shape: Shape, seed: u64) {
        for arrays in FactorParts::normal(shape, seed).variants() {
            for padding_id in [None, Some(2)] {
                let has = [arrays.diagonal.is_some(), arrays.bias.is_some()];
                let n = self.targets.len();
                let name = format!("{n} states, {shape:?}, diagonal and bias {has:?}, padding {padding_id:?}");
                self.check_factors(&name, &arrays, padding_id);
                self.check_dense(&name, &arrays, padding_id);
            }
        }
    }

    fn check_factors(&self, name: &str, arrays: &FactorParts, padding_id: Option<TokenId>) {
        let (parts, hidden) = (reference::parts(arrays), widened(self.hidden.view()));
        let of_magnitudes = reference::abs(&parts);
        let table = |parts: &Parts| reference::table(parts, padding_id);
        let [of_logits, rounded] = self.of_logits(&table(&parts), &table(&of_magnitudes));
        let expected = reference::chain(&parts, &of_logits.t().dot(&hidden), padding_id);
        let magnitudes = reference::chain(&of_magnitudes, &rounded.t().dot(&hidden.abs()), padding_id);
        let (of_hidden, hidden_magnitudes) = (of_logits.dot(&table(&parts)), rounded.dot(&table(&of_magnitudes)));
        let loss = self.loss(&hidden, &table(&parts));
        if arrays.u.len() < 100 {
            let differences = reference::differences(&parts, |parts| self.loss(&hidden, &table(parts)));
            for (differences, expected) in differences.iter().zip(&expected) {
                let (Some(differences), Some(expected)) = (differences, expected) else { continue };
                assert_near(name, differences, expected);
            }
            let differences = reference::central_differences(&hidden, |hidden| self.loss(hidden, &table(&parts)));
            assert_near(name, &differences, &of_hidden);
        }
        let terms = arrays.u.nrows() + self.targets.len() + arrays.u.ncols() + arrays.v.ncols();
        for isa in Isa::supported() {
            let layer = layer(arrays, padding_id).with_isa(isa);
            let backward = Backward::new(&layer);
            let result = backward.cross_entropy(self.hidden.view(), &self.targets, self.ignored);
            let result = result.expect("shapes that fit");
            let largest = hidden.abs().dot(&table(&of_magnitudes).t()).fold(1.0_f64, |max, &terms| max.max(terms));
            let tolerance = terms as f64 * f64::from(f32::EPSILON) * largest;
            assert!((result.loss - loss).abs() <= tolerance, "{name}: loss {}, expected {loss}", result.loss);
            let alone = backward.cross_entropy_loss(self.hidden.view(), &self.targets, self.ignored);
            assert_eq!(alone.expect("shapes that fit"), result.loss);
            let expected_hidden = Expected::new(of_hidden.clone(), terms, &hidden_magnitudes);
            assert_close(&format!("{name}: hidden"), result.hidden.view(), &expected_hidden);
            let actual = reference::gradients(&result.gradients, layer.vocab_size());
            for (i, part) in NAMES.iter().enumerate() {
                let (Some(actual), Some(values), Some(magnitudes)) = (&actual[i], &expected[i], &magnitudes[i]) else {
                    assert!(actual[i].is_none() && expected[i].is_none(), "{name}: {part}");
                    continue;
                };
                let expected = Expected::new(values.clone(), terms, magnitudes);
                assert_close(&format!("{name}, {isa}: {part}"), actual.view(), &expected);
            }
        }
    }

    fn check_dense(&self, name: &str, arrays: &FactorParts, padding_id: Option<TokenId>) {
        let dense = arrays.factors().to_dense();
        let unpadded = |table: Array2<f64>| crate::support::reference::unpadded(&table, padding_id);
        let (table, hidden) = (unpadded(widened(dense.view())), widened(self.hidden.view()));
        let [of_logits, rounded] = self.of_logits(&table, &table.abs());
        let terms = arrays.u.nrows() + self.targets.len() + arrays.v.ncols();
        let mut layer = DenseEmbedding::new(&dense).expect("finite numbers");
        if let Some(id) = padding_id {
            layer = layer.with_padding_id(id).expect("an id of the vocabulary");
        }
        let backward = Backward::new(&layer);
        let result = backward.cross_entropy(self.hidden.view(), &self.targets, self.ignored).expect("shapes that fit");
        let alone = backward.cross_entropy_loss(self.hidden.view(), &self.targets, self.ignored);
        assert_eq!(alone.expect("shapes that fit"), result.loss);
        let expected = Expected::new(of_logits.dot(&table), terms, &rounded.dot(&table.abs()));
        assert_close(&format!("{name}: hidden, dense"), result.hidden.view(), &expected);
        let expected = Expected::new(unpadded(of_logits.t().dot(&hidden)), terms, &rounded.t().dot(&hidden.abs()));
        let actual = reference::whole(&result.gradients, layer.vocab_size());
        assert_close(&format!("{name}: table"), actual.view(), &expected);
    }
}

fn assert_near(name: &str, differences: &Array2<f64>, expected: &Array2<f64>) {
    let error = (differences - expected).fold(0.0_f64, |max, error| max.max(error.abs()));
    assert!(error < 1e-7, "{name}: off by {error} from central differences");
}

#[test]
fn agrees_with_differences_and_f64() {
    for shape in SMALL_SHAPES {
        for n in [1, 2, 7] {
            Batch::new(n, shape, None).check(shape, 1);
            Batch::new(n, shape, Some(3)).check(shape, 1);
            // Ignored targets need not be ids.
            Batch::new(n, shape, Some(TokenId::MAX)).check(shape, 1);
        }
    }
}

#[test]
fn agrees_with_f64_in_many_blocks() {
    Batch::new(40, LARGE_SHAPE, Some(7)).check(LARGE_SHAPE, 1);
    let shape = Shape { vocab_size: 300, rank: 3, dim: 5 };
    Batch::new(3000, shape, Some(7)).check(shape, 1);
}

/// With the logits whole and softmax in f64: the same gradients as of `logits`.
#[test]
fn is_what_logits_and_softmax_give() {
    let shape = LARGE_SHAPE;
    let layer = layer(&FactorParts::normal(shape, 1), Some(4));
    let batch = Batch::new(30, shape, None);
    // Logits of moderate size: their rounding is not what is looked at.
    let hidden = &batch.hidden * 0.05;
    let mut of_logits = layer.logits(hidden.view()).expect("shapes that fit").mapv(|logit| f64::from(logit).exp());
    for (mut row, &target) in of_logits.rows_mut().into_iter().zip(&batch.targets) {
        row /= row.sum();
        row[target as usize] -= 1.0;
    }
    let of_logits = (of_logits / 30.0).mapv(|gradient| gradient as f32);
    let backward = Backward::new(&layer);
    let fused = backward.cross_entropy(hidden.view(), &batch.targets, None).expect("shapes that fit");
    let apart = backward.logits(hidden.view(), of_logits.view()).expect("shapes that fit");
    let of_hidden = layer.soft_lookup(of_logits.view()).expect("shapes that fit");
    let near = |what: &str, a: &Array2<f32>, b: &Array2<f32>| {
        let largest = b.fold(0.0_f32, |max, number| max.max(number.abs()));
        let near = (a - b).iter().all(|error| error.abs() <= 1e-5 * largest);
        assert!(near, "{what}: {a}, expected {b}, within 1e-5 of {largest}");
    };
    near("hidden", &fused.hidden, &of_hidden);
    let [fused, apart] = [&fused.gradients, &apart].map(|all| reference::gradients(all, shape.vocab_size));
    // Not that of the bias: the sums of rounded gradients of logits that it comes from cancel.
    for (part, (fused, apart)) in NAMES.iter().zip(fused.into_iter().zip(apart)).take(3) {
        near(part, &fused.expect("a part of the factors"), &apart.expect("a part of the factors"));
    }
}

/// A bias adds the same to all logits of a state: without padding it changes nothing, and no rounding says otherwise.
#[test]
fn a_bias_has_the_gradient_of_padding_alone() {
    let batch = Batch::new(40, LARGE_SHAPE, None);
    let arrays = FactorParts::normal(LARGE_SHAPE, 1);
    for padding_id in [None, Some(3)] {
        let layer = layer(&arrays, padding_id);
        let result = Backward::new(&layer).cross_entropy(batch.hidden.view(), &batch.targets, None);
        let bias = result.expect("shapes that fit").gradients.bias.expect("a bias");
        assert_eq!(bias.iter().all(|&number| number == 0.0), padding_id.is_none());
    }
}

#[test]
fn nothing_counted_gives_zeros() {
    for arrays in FactorParts::normal(SMALL_SHAPES[0], 1).variants() {
        let layer = layer(&arrays, Some(2));
        let dense = layer.to_dense().expect("finite products");
        for n in [0, 3] {
            let (hidden, targets) = (random::normal((n, 5), 1), vec![9; n]);
            let result =
                Backward::new(&layer).cross_entropy(hidden.view(), &targets, Some(9)).expect("shapes that fit");
            assert_eq!((result.loss, &result.hidden), (0.0, &Array2::zeros((n, 5))));
            for part in reference::gradients(&result.gradients, 7).into_iter().flatten() {
                assert!(part.iter().all(|&number| number == 0.0));
            }
            assert_eq!(result.gradients.u.expect("U is trained").ids(), Some(&[][..]));
            let result =
                Backward::new(&dense).cross_entropy(hidden.view(), &targets, Some(9)).expect("shapes that fit");
            assert_eq!((result.loss, result.hidden), (0.0, Array2::zeros((n, 5))));
            assert_eq!(result.gradients.ids(), Some(&[][..]));
        }
    }
}

#[test]
fn frozen_parts_have_no_gradient_and_change_no_other() {
    let shape = LARGE_SHAPE;
    let batch = Batch::new(20, shape, None);
    for arrays in FactorParts::normal(shape, 3).variants() {
        let layer = layer(&arrays, Some(4));
        let of = |trainable| {
            let backward = Backward::new(&layer).with_trainable(trainable);
            backward.cross_entropy(batch.hidden.view(), &batch.targets, None).expect("shapes that fit")
        };
        let all = of(Trainable::default());
        for bits in 0..16 {
            let [u, diagonal, v, bias] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
            let some = of(Trainable { u, diagonal, v, bias });
            assert_eq!((some.loss, &some.hidden), (all.loss, &all.hidden));
            let (some, all) = (some.gradients, &all.gradients);
            assert_eq!(some.u, all.u.clone().filter(|_| u));
            assert_eq!(some.diagonal, all.diagonal.clone().filter(|_| diagonal));
            assert_eq!(some.v, all.v.clone().filter(|_| v));
            assert_eq!(some.bias, all.bias.clone().filter(|_| bias));
        }
    }
}

#[test]
fn bad_input_is_refused() {
    let layer = layer(&FactorParts::normal(SMALL_SHAPES[0], 1), Some(1));
    let dense = layer.to_dense().expect("finite products");
    let refused = |hidden: &Array2<f32>, targets: &[TokenId], message: &str| {
        let (factors, table) = (Backward::new(&layer), Backward::new(&dense));
        let errors = [
            factors.cross_entropy(hidden.view(), targets, Some(9)).err(),
            factors.cross_entropy_loss(hidden.view(), targets, Some(9)).err(),
            table.cross_entropy(hidden.view(), targets, Some(9)).err(),
            table.cross_entropy_loss(hidden.view(), targets, Some(9)).err(),
        ];
        for error in errors {
            assert_eq!(error.as_ref().map(Error::to_string).as_deref(), Some(message));
        }
    };
    let mut hidden = random::normal((3, 5), 1);
    refused(&Array2::zeros((3, 4)), &[0; 3], "hidden [n, dim] has shape [3, 4], expected [3, 5]");
    refused(&hidden, &[0; 2], "targets [n] has shape [2], expected [3]");
    refused(&hidden, &[0, 9, 7], "id 7 at position 2 is out of range for a vocabulary of 7 (ids 0..=6)");
    hidden[[2, 0]] = f32::NAN;
    refused(&hidden, &[0; 3], "hidden [n, dim] holds NaN at [2, 0]: only finite numbers can be used");
    refused(&Array2::from_elem((1, 5), f32::MAX), &[0], "the cross-entropy is beyond the range of f32");
    // The logit of the second row, −∞ or ∞ − ∞, is that of no target.
    for isa in Isa::supported() {
        let dense = DenseEmbedding::new(array![[0.0, 0.0], [-10.0, 10.0]]).expect("finite").with_isa(isa);
        let hidden = array![[1e38, 1e38]];
        let error =
            Backward::new(&dense).cross_entropy_loss(hidden.view(), &[0], None).expect_err("a logit beyond the range");
        assert_eq!(error.to_string(), "the cross-entropy is beyond the range of f32", "{isa}");
    }
    let whole = hidden.index_axis(Axis(0), 0).to_owned().insert_axis(Axis(0));
    assert!(Backward::new(&layer).cross_entropy_loss(whole.view(), &[0], None).is_ok());
}
