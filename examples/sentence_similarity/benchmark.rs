//! What tables lose on a benchmark of sentence similarity.

use std::{io::Write, path::PathBuf, time::Instant};

use factorized_embedding::{Embedding, RowWeights, quantize::Level};
use indicatif::ProgressBar;

use crate::{
    arguments::Kind,
    data::ScoredPairs,
    model::Model,
    pairs::cosines,
    report::Report,
    sentences::Sentences,
    spearman::spearman,
    support::{Result, progress, text::grouped},
    tables::{self, Recipe},
};

/// How many times smaller tables of 32-bit factors are, and tables of codes.
const FACTOR_RATIOS: [f64; 2] = [4.0, 8.0];
const CODE_RATIOS: [f64; 4] = [8.0, 16.0, 32.0, 64.0];
/// How often all vectors are looked up: the median counts.
const ROUNDS: usize = 5;

/// What the command line asks for.
pub(crate) struct Benchmark {
    pub(crate) model: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) exponents: Vec<f64>,
    pub(crate) frequencies: Option<PathBuf>,
}

/// What came of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) bytes: usize,
    pub(crate) spearman: f64,
    /// Of looking up the vectors of all tokens.
    pub(crate) lookup_seconds: f64,
    /// Of encoding all sentences, lookups among it.
    pub(crate) seconds: f64,
}

impl Benchmark {
    pub(crate) fn run(&self, out: &mut impl Write) -> Result<()> {
        // Whatever can go wrong without the long work goes wrong before it.
        let data = ScoredPairs::read(&self.data)?;
        let model = Model::open(&self.model)?;
        let weights = tables::weights(&model, self.frequencies.as_deref())?;
        for &exponent in &self.exponents {
            weights.clone().with_exponent(exponent)?;
        }
        let sentences = model.tokenizer.encode(&data.sentences)?;
        writeln!(out, "{}: {}", self.model.display(), model.description())?;
        let [pairs, different, tokens] = [data.pairs.len(), sentences.len(), sentences.num_tokens].map(grouped);
        writeln!(out, "{}: {pairs} pairs, {different} sentences, {tokens} tokens\n", self.data.display())?;

        let recipes = self.recipes();
        let num_tables: usize = recipes.iter().map(|&recipe| self.exponents_of(recipe).len()).sum();
        let bar = progress::rounds(num_tables * sentences.batches.len());
        let job = Job { model: &model, data: &data, weights: &weights, sentences: &sentences, bar: &bar };
        let mut report = Report::default();
        report.write_header(&self.exponents, out)?;
        for recipe in recipes {
            let measured = self.exponents_of(recipe).iter().map(|&exponent| job.measure(recipe, exponent));
            let measured = measured.collect::<Result<Vec<_>>>()?;
            bar.suspend(|| report.write_row(recipe, &measured, out))?;
        }
        bar.finish_and_clear();
        report.write_notes(&self.exponents, out)
    }

    /// The dense table first.
    fn recipes(&self) -> Vec<Recipe> {
        let of_kind = |&kind: &Kind| match kind {
            Kind::Svd => FACTOR_RATIOS.map(Recipe::Svd).to_vec(),
            Kind::WeightedSvd => FACTOR_RATIOS.map(Recipe::WeightedSvd).to_vec(),
            Kind::Scalar => CODE_RATIOS.map(|ratio| Recipe::Quantized(Level::Scalar, ratio)).to_vec(),
            Kind::Trellis => CODE_RATIOS.map(|ratio| Recipe::Quantized(Level::Trellis, ratio)).to_vec(),
        };
        [Recipe::Dense].into_iter().chain(self.kinds.iter().flat_map(of_kind)).collect()
    }

    /// One that is not used, for tables without frequencies.
    fn exponents_of(&self, recipe: Recipe) -> &[f64] {
        if recipe.is_weighted() { &self.exponents } else { &[1.0] }
    }
}

struct Job<'a> {
    model: &'a Model,
    data: &'a ScoredPairs,
    weights: &'a RowWeights,
    sentences: &'a Sentences,
    bar: &'a ProgressBar,
}

impl Job<'_> {
    fn measure(&self, recipe: Recipe, exponent: f64) -> Result<Measured> {
        self.bar.set_message(recipe.to_string());
        let table = recipe.make(&self.model.table, self.weights, exponent)?;
        let lookup_seconds = self.time_lookups(&*table)?;
        let start = Instant::now();
        let vectors = self.model.encode(&*table, self.sentences, || self.bar.inc(1))?;
        let seconds = start.elapsed().as_secs_f64();
        let spearman = spearman(&cosines(&vectors, &self.data.pairs), &self.data.scores);
        Ok(Measured { bytes: table.size_in_bytes(), spearman, lookup_seconds, seconds })
    }

    /// Batch by batch, as encoding does it.
    fn time_lookups(&self, table: &dyn Embedding) -> Result<f64> {
        let mut seconds = Vec::new();
        for _ in 0..ROUNDS {
            let start = Instant::now();
            self.model.look_up(table, self.sentences)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        Ok(seconds[ROUNDS / 2])
    }
}
