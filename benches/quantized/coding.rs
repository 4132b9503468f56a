//! The same table in codes, in factors of `f32` and dense.

use std::cell::OnceCell;

use factorized_embedding::{
    DenseEmbedding, FactorizedEmbedding, Factors, Isa, QuantizedEmbedding, RepeatedIds, RowWeights,
    quantize::{Budget, Level, Quantizer},
};
use ndarray::{Array1, Array2, Axis};
use rand::{SeedableRng, rngs::ChaCha8Rng, seq::SliceRandom};
use rand_distr::{Distribution, StandardNormal};

use super::support;

/// A table whose singular values fall as those of real tables do.
pub(crate) struct Table {
    pub(crate) vocab_size: usize,
    pub(crate) dim: usize,
    numbers: OnceCell<Array2<f32>>,
}

impl Table {
    pub(crate) fn new([vocab_size, dim]: [usize; 2]) -> Self {
        Self { vocab_size, dim, numbers: OnceCell::new() }
    }

    /// `vocab30522_d384`
    pub(crate) fn name(&self) -> String {
        format!("vocab{}_d{}", self.vocab_size, self.dim)
    }

    /// Gaussian rows with variances in proportion to 1 / j^0.6, reflected so that no column is a direction of its own.
    fn numbers(&self) -> &Array2<f32> {
        self.numbers.get_or_init(|| {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let mut numbers: Array2<f32> =
                Array2::from_shape_simple_fn((self.vocab_size, self.dim), || StandardNormal.sample(&mut rng));
            numbers *= &Array1::from_shape_fn(self.dim, |j| 0.1 * (1.0 + j as f32).powf(-0.3));
            let mirror: Array1<f32> = Array1::from_shape_simple_fn(self.dim, || StandardNormal.sample(&mut rng));
            let along = numbers.dot(&mirror) * (2.0 / mirror.dot(&mirror));
            numbers -= &(&along.insert_axis(Axis(1)) * &mirror.insert_axis(Axis(0)));
            numbers
        })
    }

    /// As often as words are used (Zipf), in no order.
    fn weights(&self) -> RowWeights {
        let mut counts: Vec<f64> = (1..=self.vocab_size).map(|rank| 1e6 / rank as f64).collect();
        counts.shuffle(&mut ChaCha8Rng::seed_from_u64(2));
        let weights = RowWeights::new(counts).and_then(|weights| weights.with_smoothing(1.0));
        weights.and_then(|weights| weights.with_exponent(0.4)).expect("finite counts")
    }
}

/// A table at a level and a size; made when a bench first asks for it.
pub(crate) struct Coding<'a> {
    pub(crate) table: &'a Table,
    level: Level,
    ratio: u8,
    quantized: OnceCell<QuantizedEmbedding>,
    factorized: OnceCell<FactorizedEmbedding>,
    dense: OnceCell<DenseEmbedding<'static>>,
    isas: Vec<(Isa, OnceCell<QuantizedEmbedding>)>,
}

impl<'a> Coding<'a> {
    /// At a ratio of the bytes of the table in `f32`.
    pub(crate) fn new(table: &'a Table, level: Level, ratio: u8) -> Self {
        let isas = Isa::supported().map(|isa| (isa, OnceCell::new())).collect();
        let (quantized, factorized, dense) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { table, level, ratio, quantized, factorized, dense, isas }
    }

    /// `scalar8`
    pub(crate) fn name(&self) -> String {
        let level = if self.level == Level::Trellis { "trellis" } else { "scalar" };
        format!("{level}{}", self.ratio)
    }

    pub(crate) fn quantized(&self) -> &QuantizedEmbedding {
        self.quantized.get_or_init(|| {
            let quantizer = Quantizer::new(Budget::Ratio(f64::from(self.ratio))).with_level(self.level);
            let quantizer = quantizer.with_row_weights(self.table.weights());
            let rows = self.table.numbers().view();
            // On all threads: it is not what is measured.
            let quantization =
                support::pool(0).install(|| quantizer.quantize(rows)).expect("a table of finite numbers");
            QuantizedEmbedding::new(quantization.factors).with_repeated_ids(RepeatedIds::Compute)
        })
    }

    /// The same numbers in `f32`, of the same rank.
    pub(crate) fn factorized(&self) -> &FactorizedEmbedding {
        self.factorized.get_or_init(|| {
            let factors = self.quantized().factors().to_factors().expect("fewer directions than rows");
            FactorizedEmbedding::new(factors).with_repeated_ids(RepeatedIds::Compute)
        })
    }

    pub(crate) fn factors(&self) -> &Factors {
        self.factorized().factors()
    }

    /// The layer on each instruction set, the best first.
    pub(crate) fn isas(&self) -> &[(Isa, OnceCell<QuantizedEmbedding>)] {
        &self.isas
    }

    pub(crate) fn dense(&self) -> &DenseEmbedding<'static> {
        self.dense.get_or_init(|| self.quantized().to_dense().expect("finite numbers"))
    }
}
