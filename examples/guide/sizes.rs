//! What is left of a table at the same sizes, by every method.

use std::{io::Write, time::Instant};

use factorized_embedding::{Embedding, Error, evaluate::Evaluator};

use crate::{
    input::Input,
    losses::Losses,
    markdown::{errors, header, nothing, write_heading, write_table},
    support::{
        Result, progress,
        schemes::{Made, Maker, Scheme},
        text::grouped,
    },
};

/// How many times smaller than the table as 32-bit floats files are to be.
pub(crate) const RATIOS: [f64; 6] = [2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
/// The ratio whose files are looked at more closely.
pub(crate) const CLOSER: f64 = 8.0;

/// A compressed table and what was measured on it.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) scheme: Scheme,
    /// That it was made for.
    pub(crate) ratio: f64,
    /// Of its file.
    pub(crate) bytes: usize,
    /// To make and save it.
    pub(crate) seconds: f64,
    /// Of a lookup, of the dense table and of this one.
    pub(crate) nanoseconds: [f64; 2],
    pub(crate) losses: Losses,
    pub(crate) error: f64,
    pub(crate) weighted_error: f64,
}

/// Makes and measures tables by all methods, of all sizes; those that no size is small enough for are left out.
pub(crate) fn measure(input: &Input, full: bool) -> Result<Vec<Measured>> {
    let table = input.dense.to_array();
    let maker = Maker::new(table.view(), &input.weights, input.code_exponent)?;
    let weights = input.weights.to_vec();
    let evaluator = Evaluator::new(&input.dense).with_samples(1);
    let schemes =
        |ratio| Scheme::ALL.into_iter().filter(move |scheme| scheme.suits(ratio) && (full || !scheme.is_slow()));
    let progress = progress::rounds(RATIOS.iter().map(|&ratio| schemes(ratio).count()).sum());
    let mut measured = Vec::new();
    for ratio in RATIOS {
        for scheme in schemes(ratio) {
            progress.set_message(format!("{}, {ratio} times smaller", scheme.name()));
            let start = Instant::now();
            let made = maker.make(scheme, ratio);
            let seconds = start.elapsed().as_secs_f64();
            progress.inc(1);
            let Some(Made { layer, bytes }) = that_fits(made)? else { continue };
            let losses = Losses::new(&input.dense, layer.as_ref())?;
            let comparison = evaluator.compare(layer.as_ref())?;
            measured.push(Measured {
                scheme,
                ratio,
                bytes,
                seconds,
                nanoseconds: [comparison.reference, comparison.candidate].map(|cost| cost.lookup_nanoseconds),
                error: losses.error(),
                weighted_error: losses.weighted_error(&weights),
                losses,
            });
        }
    }
    progress.finish_and_clear();
    Ok(measured)
}

/// Nothing where the bytes are too few.
pub(crate) fn that_fits<T>(made: Result<T>) -> Result<Option<T>> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(error) if matches!(error.downcast_ref(), Some(Error::BudgetTooSmall { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the errors of all sizes, and the costs of one.
pub(crate) fn write(input: &Input, measured: &[Measured], out: &mut impl Write) -> Result<()> {
    write_heading(
        out,
        "Methods at equal bytes",
        "Relative error / the same weighted by frequency, in files so many times smaller than the table as 32-bit floats.",
    )?;
    let used = || Scheme::ALL.into_iter().filter(|scheme| measured.iter().any(|made| made.scheme == *scheme));
    let rows = used().map(|scheme| {
        let cell = |ratio: &f64| {
            let made = measured.iter().find(|made| made.scheme == scheme && made.ratio == *ratio);
            made.map_or_else(nothing, |made| errors(made.error, made.weighted_error))
        };
        [scheme.name()].into_iter().chain(RATIOS.iter().map(cell)).collect()
    });
    write_table(out, &header("method", &RATIOS, |ratio| format!("{ratio}×")), &rows.collect::<Vec<_>>())?;

    let text = format!("At {CLOSER}×; a lookup is a token of 4,096 on one thread.");
    write_heading(out, "What it takes", &text)?;
    let rows = measured.iter().filter(|made| made.ratio == CLOSER).map(|made| {
        let [dense, layer] = made.nanoseconds;
        vec![
            made.scheme.name(),
            grouped(made.bytes),
            format!("{:.2}", input.dense.size_in_bytes() as f64 / made.bytes as f64),
            format!("{:.2}", made.seconds),
            format!("{layer:.0}"),
            format!("{:.1}", layer / dense),
        ]
    });
    let names = ["bytes", "times smaller", "made and saved in, s", "lookup, ns", "of a dense one"];
    write_table(out, &header("method", &names, ToString::to_string), &rows.collect::<Vec<_>>())
}
