//! What is left of a table at the same sizes, by every scheme.

use std::io::Write;

use factorized_embedding::{DenseEmbedding, Embedding, RowWeights, evaluate::Evaluator};

use super::{Analogies, CODE_EXPONENT};
use crate::support::{
    Result, progress,
    schemes::{Made, Maker, Scheme},
    text::{Align, grouped, write_table},
};

/// How many times smaller than the table as 32-bit floats a file is to be.
const RATIOS: [f64; 6] = [1.25, 2.0, 4.0, 8.0, 16.0, 32.0];

/// A compressed layer and what was measured on it.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) scheme: Scheme,
    /// That it was made for.
    pub(super) ratio: f64,
    pub(super) layer: Box<dyn Embedding>,
    /// Of its file.
    pub(super) bytes: usize,
    pub(super) relative_error: f64,
    pub(super) weighted_relative_error: f64,
    pub(super) accuracy: f64,
}

/// Makes and measures layers of all schemes and sizes.
pub(super) fn measure(
    dense: &DenseEmbedding<'_>,
    weights: &RowWeights,
    analogies: &Analogies,
) -> Result<Vec<Measured>> {
    let table = dense.to_array();
    let maker = Maker::new(table.view(), weights, CODE_EXPONENT)?;
    // Neighbours are those of the analogies.
    let evaluator = Evaluator::new(dense).with_row_weights(weights.clone()).with_samples(1);
    let schemes = |ratio| Scheme::ALL.into_iter().filter(move |scheme| scheme.suits(ratio));
    let progress = progress::rounds(RATIOS.iter().map(|&ratio| schemes(ratio).count()).sum());
    let mut measured = Vec::new();
    for ratio in RATIOS {
        for scheme in schemes(ratio) {
            progress.set_message(format!("{}, {ratio} times smaller", scheme.name()));
            let Made { layer, bytes } = maker.make(scheme, ratio)?;
            let comparison = evaluator.compare(layer.as_ref())?;
            measured.push(Measured {
                scheme,
                ratio,
                bytes,
                relative_error: comparison.relative_error,
                weighted_relative_error: comparison.weighted_relative_error.unwrap_or_default(),
                accuracy: analogies.accuracy(layer.as_ref())?,
                layer,
            });
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    Ok(measured)
}

/// Writes a line for each layer, and a space between ratios.
pub(super) fn write(
    dense_bytes: usize,
    dense_accuracy: f64,
    measured: &[Measured],
    out: &mut impl Write,
) -> Result<()> {
    let row = |bytes: usize, name: String, measures: [f64; 3]| {
        let [error, weighted_error, accuracy] = measures.map(|measure| format!("{measure:.4}"));
        [grouped(bytes), format!("{:.2}", dense_bytes as f64 / bytes as f64), name, error, weighted_error, accuracy]
    };
    let mut rows = vec![row(dense_bytes, "dense".to_owned(), [0.0, 0.0, dense_accuracy])];
    let mut before = 1.0;
    for Measured { scheme, ratio, bytes, relative_error, weighted_relative_error, accuracy, .. } in measured {
        if *ratio != before {
            rows.push(Default::default());
        }
        before = *ratio;
        rows.push(row(*bytes, scheme.name(), [*relative_error, *weighted_relative_error, *accuracy]));
    }
    let header = [
        ("bytes", Align::Right),
        ("times smaller", Align::Right),
        ("method", Align::Left),
        ("relative error", Align::Right),
        ("weighted relative error", Align::Right),
        ("analogy accuracy", Align::Right),
    ];
    write_table(out, header, &rows)?;
    Ok(())
}
