//! Compressing one table of a file.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use factorized_embedding::{
    Decompose, Decomposition, DenseEmbedding, Embedding, FactorizedEmbedding, TruncatedSvd,
    evaluate::{Comparison, Evaluator},
    io::safetensors::{load_factors, load_table, save_factors},
};

use crate::{
    arguments::Target,
    curve::ErrorCurve,
    support::{
        Result, frequencies, outputs, plot, progress,
        text::{grouped, write_pairs},
    },
};

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) input: PathBuf,
    pub(crate) tensor: String,
    pub(crate) target: Target,
    pub(crate) frequencies: Option<PathBuf>,
    pub(crate) smoothing: f64,
    pub(crate) out: PathBuf,
    pub(crate) plot: Option<PathBuf>,
}

impl Job {
    pub(crate) fn run(&self, out: &mut impl Write) -> Result<()> {
        // Whatever can go wrong without the long work goes wrong before it.
        let table = load_table(&self.input, &self.tensor)?;
        let (vocab_size, dim) = (table.vocab_size(), table.dim());
        let rank = self.target.rank(vocab_size, dim)?;
        let weights = match &self.frequencies {
            Some(path) => Some(frequencies::row_weights(path, vocab_size, self.smoothing)?),
            None => None,
        };
        let inputs = [Some(&self.input), self.frequencies.as_ref()];
        outputs::check(inputs.into_iter().flatten(), [Some(&self.out), self.plot.as_ref()].into_iter().flatten())?;
        if let Some(path) = &self.plot {
            plot::check(path)?;
        }

        let progress = progress::steps();
        progress.set_message(format!("decomposing {} × {dim} numbers", grouped(vocab_size)));
        let mut method = TruncatedSvd::new(rank);
        if let Some(weights) = &weights {
            method = method.with_row_weights(weights.clone());
        }
        let decomposition = method.decompose(table.to_array().view())?;

        progress.set_message("saving");
        save_factors(&self.out, &decomposition.factors)?;

        progress.set_message("measuring the saved file");
        let saved = FactorizedEmbedding::new(load_factors(&self.out)?);
        let file_bytes = fs::metadata(&self.out)
            .map_err(|error| format!("cannot read the size of {}: {error}", self.out.display()))?
            .len();
        let mut evaluator = Evaluator::new(&table);
        if let Some(weights) = weights {
            evaluator = evaluator.with_row_weights(weights);
        }
        let comparison = evaluator.compare(&saved)?;
        progress.finish_and_clear();

        self.report(&table, &saved, file_bytes, &comparison, out)?;
        if let Some(path) = &self.plot {
            plot::save(&self.curve(&decomposition), path)?;
            writeln!(out, "plot   {}", path.display())?;
        }
        Ok(())
    }

    fn report(
        &self,
        table: &DenseEmbedding<'_>,
        saved: &FactorizedEmbedding,
        file_bytes: u64,
        comparison: &Comparison,
        out: &mut impl Write,
    ) -> Result<()> {
        let (vocab_size, dim) = (table.vocab_size(), table.dim());
        let full_bytes = size_of::<f32>() * vocab_size * dim;
        let share = file_bytes as f64 / full_bytes as f64;
        // What the factors miss is orthogonal to what they keep, so the kept share of the energy is 1 − error².
        let energy = |error: f64| format!("{:.2} %", 100.0 * (1.0 - error * error));

        writeln!(out, "table  {} of {}", self.tensor, self.input.display())?;
        writeln!(out, "saved  {}", self.out.display())?;
        writeln!(out, "\nMeasured on the saved file, read back:\n")?;
        let mut pairs = vec![
            ("table", format!("{} × {dim}, {}", grouped(vocab_size), table.dtype())),
            ("table as 32-bit floats", format!("{} bytes", grouped(full_bytes))),
            ("file", format!("{} bytes", grouped(usize::try_from(file_bytes)?))),
            ("times smaller", format!("{:.2} ({:.2} %)", share.recip(), 100.0 * share)),
            ("rank", format!("{} of {}", saved.rank(), vocab_size.min(dim))),
            ("energy kept", energy(comparison.relative_error)),
            ("relative error", format!("{:.4}", comparison.relative_error)),
        ];
        if let Some(error) = comparison.weighted_relative_error {
            pairs.push(("weighted energy kept", energy(error)));
            pairs.push(("weighted relative error", format!("{error:.4}")));
        }
        pairs.extend([
            ("mean cosine of rows", format!("{:.4}", comparison.mean_cosine)),
            ("recall of 10 neighbours", format!("{:.4}", comparison.neighbour_recall)),
            ("lookup, table", format!("{:.0} ns a token", comparison.reference.lookup_nanoseconds)),
            ("lookup, factors", format!("{:.0} ns a token", comparison.candidate.lookup_nanoseconds)),
        ]);
        write_pairs(out, &pairs)?;
        writeln!(out)?;
        Ok(())
    }

    fn curve(&self, decomposition: &Decomposition) -> ErrorCurve {
        let input = self.input.file_name().map_or(Path::new(""), Path::new).display();
        let weighted = self.frequencies.is_some();
        ErrorCurve::new(format!("{} of {input}", self.tensor), weighted, decomposition)
    }
}
