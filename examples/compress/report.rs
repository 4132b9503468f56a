//! What was saved, and what it lost, as text.

use std::io::Write;

use factorized_embedding::{Dtype, evaluate::Comparison};

use crate::{
    decomposed::{Decomposed, Kept},
    job::Job,
    support::{
        Result,
        text::{grouped, write_pairs},
    },
};

pub(crate) struct Report<'a> {
    pub(crate) job: &'a Job,
    pub(crate) shape: [usize; 2],
    pub(crate) dtype: Dtype,
    pub(crate) decomposed: &'a Decomposed,
    pub(crate) seconds: f64,
    pub(crate) peak_memory: Option<usize>,
    pub(crate) file_bytes: usize,
    pub(crate) comparison: Option<&'a Comparison>,
}

impl Report<'_> {
    pub(crate) fn write(&self, out: &mut impl Write) -> Result<()> {
        let Self { job, decomposed, .. } = self;
        writeln!(out, "table  {} of {}", job.tensor, job.input.display())?;
        writeln!(out, "saved  {}", job.out.display())?;
        if let Some(state) = &job.state {
            let rows = usize::try_from(decomposed.resumed_rows.unwrap_or_default())?;
            writeln!(out, "state  {}, went on after {} rows", state.display(), grouped(rows))?;
        }
        writeln!(out)?;
        write_pairs(out, &self.work())?;
        let measured = match self.comparison {
            Some(_) => "Measured on the saved file, read back:",
            None => "Measured on the factors as they were written:",
        };
        writeln!(out, "\n{measured}\n")?;
        write_pairs(out, &self.result())?;
        if let Kept::Codes(report) = &decomposed.kept {
            writeln!(out, "\nWhere the bits went:\n\n{report}")?;
        }
        writeln!(out)?;
        Ok(())
    }

    fn work(&self) -> Vec<(&'static str, String)> {
        let iterations = self.decomposed.iterations.map_or(String::new(), |count| format!(", {count} iterations"));
        let mut pairs = vec![
            ("method", format!("{}{iterations}", self.job.method)),
            ("decomposed and saved in", format!("{:.2} s", self.seconds)),
        ];
        pairs.extend(self.peak_memory.map(|bytes| ("memory at the peak", format!("{:.0} MB", bytes as f64 / 1e6))));
        pairs
    }

    fn result(&self) -> Vec<(&'static str, String)> {
        let ([vocab_size, dim], decomposed) = (self.shape, self.decomposed);
        let full_bytes = size_of::<f32>() * vocab_size * dim;
        let share = self.file_bytes as f64 / full_bytes as f64;
        let has_factors = matches!(decomposed.kept, Kept::Factors(_));
        let rank = match &decomposed.group_sizes {
            Some(_) if has_factors => format!("{} of {dim}", joined(&decomposed.ranks)),
            _ => format!("{} of {}", decomposed.ranks[0], vocab_size.min(dim)),
        };
        let mut pairs = vec![
            ("table", format!("{} × {dim}, {}", grouped(vocab_size), self.dtype)),
            ("table as 32-bit floats", format!("{} bytes", grouped(full_bytes))),
            ("file", format!("{} bytes", grouped(self.file_bytes))),
            ("times smaller", format!("{:.2} ({:.2} %)", share.recip(), 100.0 * share)),
            ("rank", rank),
        ];
        pairs.extend(decomposed.group_sizes.as_ref().map(|sizes| ("rows of each group", joined(sizes))));
        let errors =
            self.comparison.map_or((decomposed.relative_error, decomposed.weighted_relative_error), |measured| {
                (measured.relative_error, measured.weighted_relative_error)
            });
        // What factors miss is orthogonal to what they keep, so the kept share of the energy is 1 − error²; a ridge term
        // pulls them away from that, and so do codes.
        let has_energy = has_factors && self.job.settings.ridge.unwrap_or_default() == 0.0;
        let energy = |error: f64| format!("{:.2} %", 100.0 * (1.0 - error * error));
        let mut measure = |kept, lost, error| {
            pairs.extend(has_energy.then(|| (kept, energy(error))));
            pairs.push((lost, format!("{error:.4}")));
        };
        measure("energy kept", "relative error", errors.0);
        if let Some(error) = errors.1 {
            measure("weighted energy kept", "weighted relative error", error);
        }
        if let Some(comparison) = self.comparison {
            pairs.extend([
                ("mean cosine of rows", format!("{:.4}", comparison.mean_cosine)),
                ("recall of 10 neighbours", format!("{:.4}", comparison.neighbour_recall)),
                ("lookup, table", format!("{:.0} ns a token", comparison.reference.lookup_nanoseconds)),
                (
                    if has_factors { "lookup, factors" } else { "lookup, codes" },
                    format!("{:.0} ns a token", comparison.candidate.lookup_nanoseconds),
                ),
            ]);
        }
        pairs
    }
}

fn joined(numbers: &[usize]) -> String {
    numbers.iter().map(|&number| grouped(number)).collect::<Vec<_>>().join(" + ")
}
