//! From a checkpoint to a smaller one.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use factorized_embedding::{
    RowBlocks, RowWeights, TruncatedSvd,
    io::{
        hugging_face::{Checkpoint, Replacement},
        safetensors::SafetensorsRows,
    },
    quantize::Quantizer,
};

use crate::{
    arguments::{Level, Method},
    budget::Target,
    report::Report,
    support::{
        Result,
        frequencies::Frequencies,
        memory, outputs,
        progress::{self, WatchedRows},
        text::grouped,
    },
};

/// What the command line asks for.
pub(crate) struct Compression {
    pub(crate) model: PathBuf,
    pub(crate) out: PathBuf,
    pub(crate) tensor: Option<String>,
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) level: Option<Level>,
    pub(crate) frequencies: Frequencies,
}

impl Compression {
    pub(crate) fn run(&self, out: &mut impl Write) -> Result<()> {
        // Whatever can go wrong without the long work goes wrong before it.
        let checkpoint = Checkpoint::open(&self.model)?;
        if self.out.symlink_metadata().is_ok() {
            return Err(format!("{} is there already: name another folder", self.out.display()).into());
        }
        outputs::check(self.frequencies.path.iter(), [&self.out].into_iter())?;
        self.check_outside()?;
        let (name, found) = match &self.tensor {
            Some(name) => (name.clone(), None),
            None => {
                let table =
                    checkpoint.token_table().map_err(|error| format!("{error} (--tensor NAME chooses a table)"))?;
                (table.name.clone(), Some(table))
            }
        };
        let rows = checkpoint.rows(&name)?;
        let (shape, dtype) = ([rows.vocab_size(), rows.dim()], rows.dtype());
        let weights = self.frequencies.row_weights(shape[0], self.method.exponent())?;

        let start = Instant::now();
        let mut replacement = self.replacement(rows, weights.as_ref())?;
        if let Some(weights) = weights {
            replacement = replacement.with_row_weights(weights);
        }
        let bar = progress::bytes();
        bar.set_message("writing the checkpoint");
        let (saved, errors) = checkpoint.save_with(&name, &replacement, &self.out, |written, total| {
            bar.set_length(total);
            bar.set_position(written);
            Ok(())
        })?;
        bar.finish_and_clear();
        let report = Report {
            saved: &saved,
            errors: Some(errors),
            seconds: start.elapsed().as_secs_f64(),
            peak: memory::peak(),
        };

        writeln!(out, "model   {}", self.model.display())?;
        if let Some(found) = found {
            writeln!(out, "table   {name} ({:?}), output head {:?}", found.family, found.output_head)?;
        } else {
            writeln!(out, "table   {name}")?;
        }
        writeln!(out, "        {} × {}, {dtype}", grouped(shape[0]), shape[1])?;
        writeln!(out, "method  {}", self.method.name())?;
        writeln!(out, "saved   {}\n", self.out.display())?;
        report.write(out)
    }

    /// A folder within the model would be copied into itself.
    fn check_outside(&self) -> Result<()> {
        let above = self.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if self.model.is_dir() && above.canonicalize()?.starts_with(self.model.canonicalize()?) {
            let (out, model) = (self.out.display(), self.model.display());
            return Err(format!("{out} is within the folder that is read, {model}: name one beside it").into());
        }
        Ok(())
    }

    /// Reads the table block by block: it is never whole in memory.
    fn replacement(&self, rows: SafetensorsRows, weights: Option<&RowWeights>) -> Result<Replacement> {
        let [vocab_size, dim] = [rows.vocab_size(), rows.dim()];
        let bar = progress::rows(vocab_size);
        let mut rows = WatchedRows::new(rows, bar.clone());
        let replacement = match self.method {
            Method::Svd => {
                bar.set_message("decomposing");
                let mut svd = TruncatedSvd::new(self.target.rank(vocab_size, dim)?);
                if let Some(weights) = weights {
                    svd = svd.with_row_weights(weights.clone());
                }
                let decomposition = svd.basis(&mut rows)?.decompose(&mut rows, weights)?;
                Replacement::factors(self.method.name(), decomposition.factors)
            }
            Method::Quantized => {
                bar.set_message("quantizing");
                let mut quantizer = Quantizer::new(self.target.budget(vocab_size, dim)?);
                if let Some(weights) = weights {
                    quantizer = quantizer.with_row_weights(weights.clone());
                }
                if let Some(level) = self.level {
                    quantizer = quantizer.with_level(level.into());
                }
                Replacement::quantized(self.method.name(), quantizer.quantize_rows(&mut rows)?.factors)
            }
        };
        bar.finish_and_clear();
        Ok(replacement)
    }
}
