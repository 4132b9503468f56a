//! Sums of bags of L ids.

use std::{hint::black_box, ops::Range};

use burn::tensor::{Int, Tensor as Burn, module::embedding};
use candle_core::Tensor as Candle;
use factorized_embedding::{Bags, DenseEmbedding, Embedding, FactorizedEmbedding, Pooling, Shape};
use ndarray::{Array2, Axis, s};

use crate::{
    agreement::Expected,
    frameworks,
    ids::{self, Batches},
    name,
    products::{Library, Matrix},
    random,
    rounds::{Contender, Contenders, Rounds},
};

const SHAPES: [Shape; 3] = [
    Shape { vocab_size: 250_000, rank: 64, dim: 384 },
    Shape { vocab_size: 250_000, rank: 128, dim: 768 },
    Shape { vocab_size: 250_000, rank: 128, dim: 1024 },
];
/// Ids a bag, bags a call.
const BAGS: [(usize, usize); 7] = [(2, 1024), (8, 1024), (20, 512), (64, 256), (256, 64), (1024, 16), (10_000, 2)];
/// Bags of an answer that are checked.
const CHECKED: usize = 16;

pub(crate) fn run(rounds: &mut Rounds) {
    for shape in SHAPES {
        let workload = |len: usize| format!("bag/{}/sum/L{len}", name(shape));
        let wanted: Vec<(usize, usize)> = BAGS.into_iter().filter(|&(len, _)| rounds.wants(&workload(len))).collect();
        if wanted.is_empty() {
            continue;
        }
        let tables = Tables::new(shape);
        let stream = ids::uniform(shape.vocab_size);
        for (len, count) in wanted {
            let calls = Calls { batches: Batches::new(&stream, len * count), len, count };
            let checked = count.min(CHECKED);
            let expected =
                Expected::sums(tables.layer.factors(), calls.batches.of_call(0).chunks_exact(len).take(checked));
            rounds.run(&workload(len), contenders(&tables, calls, rounds.threads), |answer| {
                assert_eq!(answer.nrows(), count);
                expected.assert_agrees(answer.slice(s![..checked, ..]));
            });
        }
    }
}

/// The same table for every contender.
struct Tables {
    layer: FactorizedEmbedding,
    projection: Array2<f32>,
    dense: DenseEmbedding<'static>,
    candle: [Candle; 2],
    burn: [Burn<2>; 2],
}

impl Tables {
    fn new(shape: Shape) -> Self {
        let layer = random(shape);
        let projection = layer.factors().projection();
        let (candle, burn) = {
            let u = layer.factors().u();
            let factors = [u.view(), projection.view()];
            (factors.map(frameworks::candle), factors.map(frameworks::burn))
        };
        let dense = layer.to_dense().expect("finite numbers");
        Self { layer, projection, dense, candle, burn }
    }
}

/// Calls of `count` bags of `len` ids.
#[derive(Clone, Copy)]
struct Calls<'a> {
    batches: Batches<'a>,
    len: usize,
    count: usize,
}

fn contenders<'a>(tables: &'a Tables, calls: Calls<'a>, threads: usize) -> Contenders<'a> {
    let new = || Array2::from_elem((calls.count, tables.layer.dim()), f32::NAN);
    let sums = || Array2::from_elem((calls.count, tables.layer.rank()), f32::NAN);
    let mut contenders: Contenders<'a> = vec![
        ("ours", Box::new(Ours::new(&tables.layer, calls))),
        ("dense bag", Box::new(Ours::new(&tables.dense, calls))),
        ("ndarray", Box::new(NdarrayDot { tables, calls, sums: sums(), out: new() })),
        ("candle", Box::new(CandleMatmul::new(tables, calls))),
        ("burn", Box::new(BurnMatmul::new(tables, calls))),
    ];
    for (name, library) in Library::ALL {
        contenders.push((name, Box::new(Summed { tables, calls, library, sums: sums(), out: new(), threads })));
    }
    contenders
}

struct Ours<'a> {
    layer: &'a dyn Embedding,
    calls: Calls<'a>,
    offsets: Vec<usize>,
    out: Array2<f32>,
}

impl<'a> Ours<'a> {
    fn new(layer: &'a dyn Embedding, calls: Calls<'a>) -> Self {
        let offsets = (0..calls.count).map(|bag| bag * calls.len).collect();
        Self { layer, calls, offsets, out: Array2::from_elem((calls.count, layer.dim()), f32::NAN) }
    }
}

impl Contender for Ours<'_> {
    fn run(&mut self, calls: Range<usize>) {
        for call in calls {
            let ids = self.calls.batches.of_call(call);
            let bags = Bags::new(ids, &self.offsets, Pooling::Sum).expect("offsets within the ids");
            self.layer.bag_into(&bags, self.out.view_mut()).expect("ids of the vocabulary");
            black_box(&self.out);
        }
    }

    fn answer(&self) -> Array2<f32> {
        self.out.clone()
    }
}

/// What one writes with `ndarray` alone.
struct NdarrayDot<'a> {
    tables: &'a Tables,
    calls: Calls<'a>,
    sums: Array2<f32>,
    out: Array2<f32>,
}

impl Contender for NdarrayDot<'_> {
    fn run(&mut self, calls: Range<usize>) {
        let Tables { layer, projection, .. } = self.tables;
        for call in calls {
            let ids: Vec<usize> = self.calls.batches.of_call(call).iter().map(|&id| id as usize).collect();
            for (bag, mut sum) in ids.chunks_exact(self.calls.len).zip(self.sums.rows_mut()) {
                sum.assign(&layer.factors().u().select(Axis(0), bag).sum_axis(Axis(0)));
            }
            self.out = black_box(self.sums.dot(projection));
        }
    }

    fn answer(&self) -> Array2<f32> {
        self.out.clone()
    }
}

/// Rows summed by a plain loop into an array that is kept, then multiplied by a library.
struct Summed<'a> {
    tables: &'a Tables,
    calls: Calls<'a>,
    library: Library,
    sums: Array2<f32>,
    out: Array2<f32>,
    threads: usize,
}

impl Contender for Summed<'_> {
    fn run(&mut self, calls: Range<usize>) {
        let Tables { layer, projection, .. } = self.tables;
        let u = layer.factors().u();
        let u = u.as_slice().expect("row-major");
        for call in calls {
            let sums = self.sums.as_slice_mut().expect("row-major");
            let bags = self.calls.batches.of_call(call).chunks_exact(self.calls.len);
            for (bag, sums) in bags.zip(sums.chunks_exact_mut(layer.rank())) {
                sums.fill(0.0);
                for &id in bag {
                    for (sum, &number) in sums.iter_mut().zip(&u[id as usize * layer.rank()..][..layer.rank()]) {
                        *sum += number;
                    }
                }
            }
            let a = Matrix::new(sums, self.calls.count, layer.rank());
            let b = Matrix::new(projection.as_slice().expect("row-major"), layer.rank(), layer.dim());
            self.library.product(a, b, self.out.as_slice_mut().expect("row-major"), self.threads);
            black_box(&self.out);
        }
    }

    fn answer(&self) -> Array2<f32> {
        self.out.clone()
    }
}

/// `index_select`, `sum` and `matmul`.
struct CandleMatmul<'a> {
    tables: &'a Tables,
    calls: Calls<'a>,
    ids: Vec<Candle>,
    out: Option<Candle>,
}

impl<'a> CandleMatmul<'a> {
    fn new(tables: &'a Tables, calls: Calls<'a>) -> Self {
        Self { tables, calls, ids: calls.batches.iter().map(frameworks::candle_ids).collect(), out: None }
    }
}

impl Contender for CandleMatmul<'_> {
    fn run(&mut self, calls: Range<usize>) {
        let [u, projection] = &self.tables.candle;
        let shape = (self.calls.count, self.calls.len, self.tables.layer.rank());
        for call in calls {
            let rows = u.index_select(&self.ids[call % self.ids.len()], 0).and_then(|rows| rows.reshape(shape));
            self.out = black_box(rows.and_then(|rows| rows.sum(1)).and_then(|sums| sums.matmul(projection)).ok());
        }
    }

    fn answer(&self) -> Array2<f32> {
        frameworks::from_candle(self.out.as_ref().expect("a product"))
    }
}

/// `embedding`, `sum_dim` and `matmul`.
struct BurnMatmul<'a> {
    tables: &'a Tables,
    calls: Calls<'a>,
    ids: Vec<Burn<2, Int>>,
    out: Option<Burn<2>>,
}

impl<'a> BurnMatmul<'a> {
    fn new(tables: &'a Tables, calls: Calls<'a>) -> Self {
        let ids = calls.batches.iter().map(|ids| frameworks::burn_ids(ids, calls.len)).collect();
        Self { tables, calls, ids, out: None }
    }
}

impl Contender for BurnMatmul<'_> {
    fn run(&mut self, calls: Range<usize>) {
        let [u, projection] = &self.tables.burn;
        for call in calls {
            let sums = embedding(u.clone(), self.ids[call % self.ids.len()].clone()).sum_dim(1);
            let sums: Burn<2> = sums.reshape([self.calls.count, self.tables.layer.rank()]);
            self.out = black_box(Some(sums.matmul(projection.clone())));
        }
    }

    fn answer(&self) -> Array2<f32> {
        frameworks::from_burn(self.out.as_ref().expect("a product"))
    }
}
