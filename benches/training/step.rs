//! Whole steps: lookup, gradients, and an update by Adam.

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use factorized_embedding::{
    DenseEmbedding, Embedding, Factors, Isa, Shape, TokenId,
    train::{Backward, Optimizer, TrainableEmbedding},
};
use ndarray::{Array2, ArrayView2, Axis};

use super::{
    BATCH, normal,
    reference::{assert_first_step, select_dot, sum_rows},
    support::{
        self,
        ids::Ids,
        tables::{Tables, indices},
        turns::{self, Seconds},
    },
};

const LEARNING_RATE: f64 = 1e-3;
/// Of ids that are spread over vocabularies of several sizes.
const VOCAB_SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
const RANK: usize = 32;
const DIM: usize = 256;

/// A layer in training.
pub(super) trait Training: Send {
    fn step(&mut self, ids: &[TokenId], grad_out: ArrayView2<'_, f32>);
}

pub(super) struct Trained<L: TrainableEmbedding> {
    pub(super) layer: L,
    pub(super) optimizer: L::Optimizer,
    out: Array2<f32>,
}

impl<L: TrainableEmbedding> Trained<L> {
    pub(super) fn new(layer: L) -> Self {
        let optimizer = L::optimizer(Optimizer::adam()).expect("a valid rule");
        Self { out: Array2::zeros((BATCH, layer.dim())), layer, optimizer }
    }
}

impl<L: TrainableEmbedding> Training for Trained<L> {
    fn step(&mut self, ids: &[TokenId], grad_out: ArrayView2<'_, f32>) {
        self.layer.lookup_into(ids, self.out.view_mut()).expect("ids of the vocabulary");
        let gradients = Backward::new(&self.layer).lookup(ids, grad_out).expect("shapes that fit");
        self.layer.step(&mut self.optimizer, &gradients, LEARNING_RATE).expect("finite gradients");
    }
}

/// Steps of a layer, one after the other, through batches of ids.
struct Steps<'a> {
    training: Box<dyn Training>,
    batches: Vec<&'a [TokenId]>,
    grad_out: ArrayView2<'a, f32>,
    next: usize,
}

impl<'a> Steps<'a> {
    fn new(training: impl Training + 'static, ids: &'a [TokenId], grad_out: ArrayView2<'a, f32>) -> Self {
        Self { training: Box::new(training), batches: ids.chunks_exact(BATCH).collect(), grad_out, next: 0 }
    }

    fn step(&mut self) {
        let ids = self.batches[self.next % self.batches.len()];
        self.training.step(ids, self.grad_out);
        self.next += 1;
    }
}

/// An entry on a pool of so many threads; what it runs is made and checked when it is first wanted.
fn entry<'a>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    threads: usize,
    steps: &mut Option<Steps<'a>>,
    make: impl Fn() -> Steps<'a>,
) {
    let pool = support::pool(threads);
    group.bench_function(name, |bencher| {
        let steps = steps.get_or_insert_with(&make);
        pool.install(|| bencher.iter(|| steps.step()));
    });
}

/// Factors beside the whole table.
pub(super) fn against_dense(criterion: &mut Criterion, tables: &Tables) {
    let mut group = criterion.benchmark_group(format!("training_step/{}/zipf{BATCH}", tables.name()));
    group.throughput(Throughput::Elements(BATCH as u64));
    let ids = Ids::Zipf.draw(tables.shape().vocab_size);
    let grad_out = normal((BATCH, tables.shape().dim), 1);
    let grad_out = grad_out.view();
    let make_dense = || {
        check_dense(tables.dense(), &ids[..BATCH], grad_out);
        Steps::new(Trained::new(tables.dense().clone()), &ids, grad_out)
    };
    let make_factorized = || {
        check_factorized(tables, &ids[..BATCH], grad_out);
        Steps::new(Trained::new(tables.factorized().clone()), &ids, grad_out)
    };
    let (mut dense, mut factorized) = (None, None);
    let isa = best_isa();
    for threads in [1, 2] {
        let suffix = |one: &str| if threads == 1 { one.to_owned() } else { format!("/{threads} threads") };
        entry(&mut group, &format!("dense{}", suffix("")), threads, &mut dense, make_dense);
        let name = format!("factorized{}", suffix(&format!("/{isa}")));
        entry(&mut group, &name, threads, &mut factorized, make_factorized);
        if let (Some(dense), Some(factorized), false) = (&mut dense, &mut factorized, is_test()) {
            let take = || turns::take([&mut || factorized.step(), &mut || dense.step()]);
            let [factorized, dense] = support::pool(threads).install(take);
            print(&format!("{threads} thread(s)"), factorized, &[("dense", dense)]);
        }
    }
}

/// The same ids in vocabularies of several sizes, as far apart as these allow.
pub(super) fn by_vocabulary(criterion: &mut Criterion) {
    let mut steps = VOCAB_SIZES.map(|_| None);
    let ids = VOCAB_SIZES.map(spread);
    let grad_out = normal((BATCH, DIM), 1);
    let grad_out = grad_out.view();
    for ((vocab_size, ids), steps) in VOCAB_SIZES.into_iter().zip(&ids).zip(&mut steps) {
        let tables = Tables::new(Shape { vocab_size, rank: RANK, dim: DIM });
        let mut group = criterion.benchmark_group(format!("training_step/{}/spread{BATCH}", tables.name()));
        group.throughput(Throughput::Elements(BATCH as u64));
        entry(&mut group, &format!("factorized/{}", best_isa()), 1, steps, || {
            check_factorized(&tables, &ids[..BATCH], grad_out);
            Steps::new(Trained::new(tables.factorized().clone()), ids, grad_out)
        });
    }
    if let ([Some(few), Some(more), Some(many)], false) = (&mut steps, is_test()) {
        let [few, more, many] = turns::take([&mut || few.step(), &mut || more.step(), &mut || many.step()]);
        print("10,000 rows", few, &[("100,000 rows", more), ("1,000,000 rows", many)]);
    }
}

/// That of every layer that is asked for no other.
fn best_isa() -> Isa {
    Isa::supported().next().expect("the portable one at least")
}

fn spread(vocab_size: usize) -> Vec<TokenId> {
    let apart = (vocab_size / VOCAB_SIZES[0]) as TokenId;
    Ids::Zipf.draw(VOCAB_SIZES[0]).into_iter().map(|id| id * apart).collect()
}

fn is_test() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

fn print(name: &str, ours: Seconds, others: &[(&str, Seconds)]) {
    let ratios = others.iter().map(|(name, other)| format!(", {name} {:.2} ×", other.median / ours.median));
    println!("in turns, medians: {name} {:.2} ms{}\n", 1e3 * ours.median, ratios.collect::<String>());
}

fn check_factorized(tables: &Tables, ids: &[TokenId], grad_out: ArrayView2<'_, f32>) {
    let mut training = Trained::new(tables.factorized().clone());
    training.step(ids, grad_out);
    let ((ids, of_u), of_v) = select_dot(tables, ids, grad_out);
    let [before, after] = [tables.factors(), training.layer.factors()];
    let rows = |factors: &Factors| factors.u().select(Axis(0), &indices(&ids));
    assert_first_step("U", [rows(before).view(), rows(after).view()], &of_u, LEARNING_RATE);
    assert_first_step("V", [before.v(), after.v()], &of_v, LEARNING_RATE);
}

fn check_dense(table: &DenseEmbedding<'static>, ids: &[TokenId], grad_out: ArrayView2<'_, f32>) {
    let mut training = Trained::new(table.clone());
    training.step(ids, grad_out);
    let (ids, gradient) = sum_rows(ids, grad_out);
    let [before, after] = [table, &training.layer].map(|layer| layer.lookup(&ids).expect("ids of the vocabulary"));
    assert_first_step("table", [before.view(), after.view()], &gradient, LEARNING_RATE);
}
