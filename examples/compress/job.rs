//! Compressing one table of a file.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use factorized_embedding::{
    ArrayRows, BlockwiseEmbedding, Dtype, Embedding, FactorizedEmbedding, QuantizedEmbedding, RowBlocks, RowWeights,
    evaluate::{Comparison, Evaluator},
    io::safetensors::{SafetensorsRows, load_block_factors, load_factors, load_quantized, load_table},
};
use indicatif::ProgressBar;

use crate::{
    budget::Target,
    curve::ErrorCurve,
    decomposed::Decomposed,
    input,
    method::Method,
    quantized::save_codes,
    report::Report,
    settings::Settings,
    spectral::Spectral,
    support::{Result, frequencies::Frequencies, memory, outputs, plot, progress, text::grouped},
    whole::{save_als, save_blockwise},
};

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) input: PathBuf,
    pub(crate) tensor: String,
    pub(crate) target: Target,
    pub(crate) method: Method,
    pub(crate) settings: Settings,
    pub(crate) frequencies: Frequencies,
    pub(crate) block_rows: Option<usize>,
    pub(crate) state: Option<PathBuf>,
    pub(crate) out: PathBuf,
    pub(crate) plot: Option<PathBuf>,
}

/// The table, what was made of it, and what that took.
struct Finished {
    shape: [usize; 2],
    dtype: Dtype,
    decomposed: Decomposed,
    seconds: f64,
    peak_memory: Option<usize>,
    /// With the saved file, where the whole table is at hand.
    comparison: Option<Comparison>,
}

impl Job {
    pub(crate) fn run(&self, out: &mut impl Write) -> Result<()> {
        let Finished { shape, dtype, decomposed, seconds, peak_memory, comparison } = match self.block_rows {
            Some(block_rows) => self.in_blocks(block_rows)?,
            None => self.in_memory()?,
        };
        let file_bytes = fs::metadata(&self.out)
            .map_err(|error| format!("cannot read the size of {}: {error}", self.out.display()))?
            .len();
        let file_bytes = usize::try_from(file_bytes)?;
        let comparison = comparison.as_ref();
        Report { job: self, shape, dtype, decomposed: &decomposed, seconds, peak_memory, file_bytes, comparison }
            .write(out)?;
        if let Some(path) = &self.plot {
            let file = self.input.file_name().map_or(Path::new(""), Path::new).display();
            let table = format!("{} of {file}", self.tensor);
            if let Some(curve) = ErrorCurve::new(table, self.method, self.frequencies.path.is_some(), &decomposed) {
                plot::save(&curve, path)?;
                writeln!(out, "plot   {}", path.display())?;
            }
        }
        Ok(())
    }

    /// Decomposes the table where it is mapped into memory, and measures the saved file.
    fn in_memory(&self) -> Result<Finished> {
        // Whatever can go wrong without the long work goes wrong before it.
        let table = load_table(&self.input, &self.tensor)?;
        let shape = [table.vocab_size(), table.dim()];
        let weights = self.prepare(shape)?;
        let progress = progress::steps();
        progress.set_message(format!("decomposing {} × {} numbers", grouped(shape[0]), shape[1]));
        let start = Instant::now();
        let (array, weights) = (table.to_array(), weights.as_ref());
        let decomposed = match (self.method, weights) {
            (Method::Als, _) => save_als(array.view(), self.target, weights, &self.settings, &self.out)?,
            (Method::Blockwise, Some(weights)) => {
                save_blockwise(array.view(), self.target, weights, &self.settings, &self.out)?
            }
            _ => self.by_rows(ArrayRows::new(array.view()), weights, &progress)?,
        };
        let (seconds, peak_memory) = (start.elapsed().as_secs_f64(), memory::peak());
        drop(array);

        progress.set_message("measuring the saved file");
        let saved: Box<dyn Embedding> = match self.method {
            Method::Blockwise => Box::new(BlockwiseEmbedding::new(load_block_factors(&self.out)?)),
            Method::Quantized => Box::new(QuantizedEmbedding::new(load_quantized(&self.out)?)),
            _ => Box::new(FactorizedEmbedding::new(load_factors(&self.out)?)),
        };
        let mut evaluator = Evaluator::new(&table);
        if let Some(weights) = weights {
            evaluator = evaluator.with_row_weights(weights.clone());
        }
        let comparison = Some(evaluator.compare(saved.as_ref())?);
        progress.finish_and_clear();
        Ok(Finished { shape, dtype: table.dtype(), decomposed, seconds, peak_memory, comparison })
    }

    /// Decomposes the table as it is read, a block of rows at a time.
    fn in_blocks(&self, block_rows: usize) -> Result<Finished> {
        let rows = SafetensorsRows::open(&self.input, &self.tensor)?.with_block_rows(block_rows);
        let (shape, dtype) = ([rows.vocab_size(), rows.dim()], rows.dtype());
        let weights = self.prepare(shape)?;
        let progress = progress::rows(shape[0]);
        let start = Instant::now();
        let decomposed = self.by_rows(rows, weights.as_ref(), &progress)?;
        progress.finish_and_clear();
        let (seconds, peak_memory) = (start.elapsed().as_secs_f64(), memory::peak());
        Ok(Finished { shape, dtype, decomposed, seconds, peak_memory, comparison: None })
    }

    /// The weights of the rows, once all files are found to be where they can be.
    fn prepare(&self, [vocab_size, dim]: [usize; 2]) -> Result<Option<RowWeights>> {
        match self.method {
            Method::Blockwise => {}
            Method::Quantized => {
                self.target.budget(vocab_size, dim)?;
            }
            _ => {
                self.target.rank(vocab_size, dim)?;
            }
        }
        let weights = self.frequencies.row_weights(vocab_size, self.method.exponent())?;
        let inputs = input::files(&self.input);
        let outputs = [Some(&self.out), self.state.as_ref(), self.plot.as_ref()];
        outputs::check(inputs.iter().chain(&self.frequencies.path), outputs.into_iter().flatten())?;
        if let Some(path) = &self.plot {
            plot::check(path)?;
        }
        Ok(weights)
    }

    fn by_rows(&self, rows: impl RowBlocks, weights: Option<&RowWeights>, bar: &ProgressBar) -> Result<Decomposed> {
        if self.method == Method::Quantized {
            let budget = self.target.budget(rows.vocab_size(), rows.dim())?;
            return save_codes(rows, budget, weights, &self.settings, bar, &self.out);
        }
        let rank = self.target.rank(rows.vocab_size(), rows.dim())?;
        let state = self.state.as_deref().map(|path| (path, self.tensor.as_str()));
        Spectral { method: self.method, rank, weights, settings: &self.settings, state }.save(rows, bar, &self.out)
    }
}
