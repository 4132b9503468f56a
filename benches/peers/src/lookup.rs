//! Lookups of n ids.

use std::{hint::black_box, ops::Range};

use burn::tensor::{Int, Tensor as Burn, module::embedding};
use candle_core::Tensor as Candle;
use factorized_embedding::{DenseEmbedding, Embedding, FactorizedEmbedding, Shape};
use ndarray::{Array2, Axis, s};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{
    agreement::Expected,
    frameworks,
    ids::{self, Batches},
    name,
    products::{Library, Matrix},
    random,
    rounds::{Contender, Contenders, Rounds},
};

const SHAPES: [Shape; 4] = [
    Shape { vocab_size: 30_522, rank: 64, dim: 384 },
    Shape { vocab_size: 30_522, rank: 128, dim: 768 },
    Shape { vocab_size: 250_000, rank: 128, dim: 1024 },
    Shape { vocab_size: 250_000, rank: 256, dim: 1024 },
];
const UNIFORM: [usize; 8] = [1, 2, 6, 16, 64, 512, 4096, 16_384];
const ZIPF: [usize; 3] = [512, 4096, 16_384];
/// Rows of an answer that are checked.
const CHECKED: usize = 64;

pub(crate) fn run(rounds: &mut Rounds) {
    for shape in SHAPES {
        let workload = |group: &str, n: usize| format!("{group}/{}/n{n}", name(shape));
        let named = |group: &'static str, batches: &'static [usize]| batches.iter().map(move |&n| (group, n));
        let wanted: Vec<(&str, usize)> = named("lookup", &UNIFORM)
            .chain(named("lookup_zipf", &ZIPF))
            .filter(|&(group, n)| rounds.wants(&workload(group, n)))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let tables = Tables::new(shape);
        let (uniform, zipf) = (ids::uniform(shape.vocab_size), ids::zipf(shape.vocab_size));
        for (group, n) in wanted {
            let batches = Batches::new(if group == "lookup" { &uniform } else { &zipf }, n);
            let contenders = contenders(&tables, batches, rounds.threads);
            let checked = &batches.of_call(0)[..n.min(CHECKED)];
            let expected = Expected::rows(tables.layer.factors(), checked);
            rounds.run(&workload(group, n), contenders, |answer| {
                assert_eq!(answer.nrows(), n);
                expected.assert_agrees(answer.slice(s![..checked.len(), ..]));
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

fn contenders<'a>(tables: &'a Tables, batches: Batches<'a>, threads: usize) -> Contenders<'a> {
    let new = || Array2::from_elem((batches.n, tables.layer.dim()), f32::NAN);
    let mut contenders: Contenders<'a> = vec![
        ("ours", Box::new(Ours { layer: &tables.layer, batches, out: new(), pool: None })),
        ("dense copy", Box::new(Ours { layer: &tables.dense, batches, out: new(), pool: None })),
        ("ndarray", Box::new(NdarrayDot { tables, batches, out: new() })),
        ("candle", Box::new(CandleMatmul::new(tables, batches))),
        ("burn", Box::new(BurnMatmul::new(tables, batches))),
    ];
    if threads > 1 {
        let pool = ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        let ours = Ours { layer: &tables.layer, batches, out: new(), pool: Some(pool) };
        contenders.push(("ours, one thread", Box::new(ours)));
    }
    for (name, library) in Library::ALL {
        let gathered = vec![0.0; batches.n * tables.layer.rank()];
        contenders.push((name, Box::new(Gathered { tables, batches, library, gathered, out: new(), threads })));
    }
    contenders
}

struct Ours<'a> {
    layer: &'a dyn Embedding,
    batches: Batches<'a>,
    out: Array2<f32>,
    pool: Option<ThreadPool>,
}

impl Contender for Ours<'_> {
    fn run(&mut self, calls: Range<usize>) {
        let Self { layer, batches, out, pool } = self;
        let run = || {
            for call in calls {
                layer.lookup_into(batches.of_call(call), out.view_mut()).expect("ids of the vocabulary");
                black_box(&*out);
            }
        };
        match pool {
            Some(pool) => pool.install(run),
            None => run(),
        }
    }

    fn answer(&self) -> Array2<f32> {
        self.out.clone()
    }
}

/// What one writes with `ndarray` alone.
struct NdarrayDot<'a> {
    tables: &'a Tables,
    batches: Batches<'a>,
    out: Array2<f32>,
}

impl Contender for NdarrayDot<'_> {
    fn run(&mut self, calls: Range<usize>) {
        let Tables { layer, projection, .. } = self.tables;
        for call in calls {
            let ids: Vec<usize> = self.batches.of_call(call).iter().map(|&id| id as usize).collect();
            self.out = black_box(layer.factors().u().select(Axis(0), &ids).dot(projection));
        }
    }

    fn answer(&self) -> Array2<f32> {
        self.out.clone()
    }
}

/// Rows gathered into an array that is kept, then multiplied by a library.
struct Gathered<'a> {
    tables: &'a Tables,
    batches: Batches<'a>,
    library: Library,
    gathered: Vec<f32>,
    out: Array2<f32>,
    threads: usize,
}

impl Contender for Gathered<'_> {
    fn run(&mut self, calls: Range<usize>) {
        let Tables { layer, projection, .. } = self.tables;
        let u = layer.factors().u();
        let u = u.as_slice().expect("row-major");
        for call in calls {
            let rows = self.gathered.chunks_exact_mut(layer.rank());
            for (&id, row) in self.batches.of_call(call).iter().zip(rows) {
                row.copy_from_slice(&u[id as usize * layer.rank()..][..layer.rank()]);
            }
            let a = Matrix::new(&self.gathered, self.batches.n, layer.rank());
            let b = Matrix::new(projection.as_slice().expect("row-major"), layer.rank(), layer.dim());
            let out = self.out.as_slice_mut().expect("row-major");
            self.library.product(a, b, out, self.threads);
            black_box(&self.out);
        }
    }

    fn answer(&self) -> Array2<f32> {
        self.out.clone()
    }
}

/// `index_select` and `matmul`.
struct CandleMatmul<'a> {
    tables: &'a Tables,
    ids: Vec<Candle>,
    out: Option<Candle>,
}

impl<'a> CandleMatmul<'a> {
    fn new(tables: &'a Tables, batches: Batches<'_>) -> Self {
        Self { tables, ids: batches.iter().map(frameworks::candle_ids).collect(), out: None }
    }
}

impl Contender for CandleMatmul<'_> {
    fn run(&mut self, calls: Range<usize>) {
        let [u, projection] = &self.tables.candle;
        for call in calls {
            let rows = u.index_select(&self.ids[call % self.ids.len()], 0);
            self.out = black_box(rows.and_then(|rows| rows.matmul(projection)).ok());
        }
    }

    fn answer(&self) -> Array2<f32> {
        frameworks::from_candle(self.out.as_ref().expect("a product"))
    }
}

/// `embedding` and `matmul`.
struct BurnMatmul<'a> {
    tables: &'a Tables,
    ids: Vec<Burn<2, Int>>,
    n: usize,
    out: Option<Burn<2>>,
}

impl<'a> BurnMatmul<'a> {
    fn new(tables: &'a Tables, batches: Batches<'_>) -> Self {
        let ids = batches.iter().map(|ids| frameworks::burn_ids(ids, batches.n)).collect();
        Self { tables, ids, n: batches.n, out: None }
    }
}

impl Contender for BurnMatmul<'_> {
    fn run(&mut self, calls: Range<usize>) {
        let [u, projection] = &self.tables.burn;
        for call in calls {
            let rows = embedding(u.clone(), self.ids[call % self.ids.len()].clone());
            let rows: Burn<2> = rows.reshape([self.n, self.tables.layer.rank()]);
            self.out = black_box(Some(rows.matmul(projection.clone())));
        }
    }

    fn answer(&self) -> Array2<f32> {
        frameworks::from_burn(self.out.as_ref().expect("a product"))
    }
}
