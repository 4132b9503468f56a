//! Logits of n hidden states.

use std::{hint::black_box, ops::Range};

use burn::tensor::Tensor as Burn;
use candle_core::Tensor as Candle;
use factorized_embedding::{DenseEmbedding, Embedding, FactorizedEmbedding, Shape, TokenId};
use ndarray::{Array2, ArrayView2, Axis};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

use crate::{
    agreement::Expected,
    frameworks, name,
    products::{Library, Matrix},
    random,
    rounds::{Contender, Contenders, Rounds},
};

const SHAPE: Shape = Shape { vocab_size: 50_257, rank: 128, dim: 768 };
const STATES: [usize; 3] = [1, 16, 64];
/// Rows of the table whose logits are checked, spread over it.
const CHECKED: usize = 500;

pub(crate) fn run(rounds: &mut Rounds) {
    let workload = |n: usize| format!("logits/{}/n{n}", name(SHAPE));
    let wanted: Vec<usize> = STATES.into_iter().filter(|&n| rounds.wants(&workload(n))).collect();
    if wanted.is_empty() {
        return;
    }
    let layer = random(SHAPE);
    let (dense, projection) = (layer.to_dense().expect("finite numbers"), layer.factors().projection());
    let u = layer.factors().u();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let checked: Vec<usize> = (0..CHECKED).map(|i| i * (SHAPE.vocab_size - 1) / (CHECKED - 1)).collect();
    let ids: Vec<TokenId> = checked.iter().map(|&id| id as TokenId).collect();
    for n in wanted {
        let hidden = Array2::from_shape_simple_fn((n, SHAPE.dim), || StandardNormal.sample(&mut rng));
        let inputs = Inputs { layer: &layer, u: u.view(), dense: &dense, projection: &projection, hidden: &hidden };
        let expected = Expected::logits(layer.factors(), hidden.view(), &ids);
        rounds.run(&workload(n), contenders(inputs, rounds.threads), |answer| {
            assert_eq!(answer.dim(), (n, SHAPE.vocab_size));
            expected.assert_agrees(answer.select(Axis(1), &checked).view());
        });
    }
}

#[derive(Clone, Copy)]
struct Inputs<'a> {
    layer: &'a FactorizedEmbedding,
    u: ArrayView2<'a, f32>,
    dense: &'a DenseEmbedding<'static>,
    projection: &'a Array2<f32>,
    hidden: &'a Array2<f32>,
}

fn contenders<'a>(inputs: Inputs<'a>, threads: usize) -> Contenders<'a> {
    let Inputs { layer, u, dense, projection, hidden } = inputs;
    let n = hidden.nrows();
    let new = || Array2::from_elem((n, SHAPE.vocab_size), f32::NAN);
    let table = dense.to_array().into_owned();
    let mut contenders: Contenders<'a> = vec![
        ("ours", Box::new(Into { make: move |out: &mut Array2<f32>| logits(layer, hidden, out), out: new() })),
        ("dense", Box::new(Into { make: move |out: &mut Array2<f32>| logits(dense, hidden, out), out: new() })),
    ];
    let ndarray = move |out: &mut Array2<f32>| {
        *out = match n {
            1 => u.dot(&projection.dot(&hidden.row(0))).insert_axis(Axis(0)),
            _ => hidden.dot(&projection.t()).dot(&u.t()),
        };
    };
    contenders.push(("ndarray", Box::new(Into { make: ndarray, out: new() })));
    for (name, library) in Library::ALL {
        let mut coordinates = vec![0.0; n * SHAPE.rank];
        let make = move |out: &mut Array2<f32>| {
            let hidden = Matrix::new(hidden.as_slice().expect("row-major"), n, SHAPE.dim);
            let projection = Matrix::new(projection.as_slice().expect("row-major"), SHAPE.rank, SHAPE.dim);
            library.product(hidden, projection.t(), &mut coordinates, threads);
            let u = Matrix::new(u.to_slice().expect("row-major"), SHAPE.vocab_size, SHAPE.rank);
            let coordinates = Matrix::new(&coordinates, n, SHAPE.rank);
            library.product(coordinates, u.t(), out.as_slice_mut().expect("row-major"), threads);
        };
        contenders.push((name, Box::new(Into { make, out: new() })));
    }
    let dense_gemm = move |out: &mut Array2<f32>| {
        let hidden = Matrix::new(hidden.as_slice().expect("row-major"), n, SHAPE.dim);
        let table = Matrix::new(table.as_slice().expect("row-major"), SHAPE.vocab_size, SHAPE.dim);
        Library::Gemm.product(hidden, table.t(), out.as_slice_mut().expect("row-major"), threads);
    };
    contenders.push(("dense gemm", Box::new(Into { make: dense_gemm, out: new() })));
    let [queries, w, candle_u] = [hidden.view(), projection.view(), u].map(frameworks::candle);
    let transposed = |tensor: &Candle| tensor.t().expect("two dimensions");
    let (w, candle_u) = (transposed(&w), transposed(&candle_u));
    let candle =
        move || queries.matmul(&w).and_then(|coordinates| coordinates.matmul(&candle_u)).expect("shapes that fit");
    contenders.push(("candle", Box::new(New { make: candle, array: frameworks::from_candle, out: None })));
    let [queries, w, u] = [hidden.view(), projection.view(), u].map(frameworks::burn);
    let burn = move || queries.clone().matmul(w.clone().transpose()).matmul(u.clone().transpose());
    let array: fn(&Burn<2>) -> Array2<f32> = frameworks::from_burn;
    contenders.push(("burn", Box::new(New { make: burn, array, out: None })));
    contenders
}

fn logits(layer: &dyn Embedding, hidden: &Array2<f32>, out: &mut Array2<f32>) {
    layer.logits_into(hidden.view(), out.view_mut()).expect("shapes that fit");
}

/// What is written into an array that is kept.
struct Into<F> {
    make: F,
    out: Array2<f32>,
}

impl<F: FnMut(&mut Array2<f32>)> Contender for Into<F> {
    fn run(&mut self, calls: Range<usize>) {
        for _ in calls {
            (self.make)(&mut self.out);
            black_box(&self.out);
        }
    }

    fn answer(&self) -> Array2<f32> {
        self.out.clone()
    }
}

/// A framework's tensor, new each time.
struct New<T, F> {
    make: F,
    array: fn(&T) -> Array2<f32>,
    out: Option<T>,
}

impl<T, F: FnMut() -> T> Contender for New<T, F> {
    fn run(&mut self, calls: Range<usize>) {
        for _ in calls {
            self.out = black_box(Some((self.make)()));
        }
    }

    fn answer(&self) -> Array2<f32> {
        (self.array)(self.out.as_ref().expect("a product"))
    }
}
