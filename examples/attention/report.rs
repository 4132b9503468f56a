//! What is printed.

use std::io::Write;

use factorized_embedding::Shape;

use crate::{
    support::{
        Result,
        text::{Align, grouped, write_table},
    },
    workload::Measured,
};

/// What rounding may leave of the largest output between two ways to add up the same products: in a row some 2,000 of them (ranks, dims
/// and keys together), each rounded to within ε / 2.
const ROUNDING: f32 = 1000.0 * f32::EPSILON;

pub(crate) fn write_introduction(out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "512 tokens attend to each other and to 49 states of another encoder. Queries, keys and values of tokens:"
    )?;
    writeln!(out, "- behind the lookup: (U[ids] · D·V + positions) · W + c;")?;
    writeln!(
        out,
        "- folded into the factors: U[ids] · (D·V·W) + c + positions · W, with D·V·W and positions · W made once.\n"
    )?;
    Ok(())
}

/// Fails if the two ways differ by more than rounding.
pub(crate) fn write_comparison(measured: &[Measured], out: &mut impl Write) -> Result<()> {
    let header = [
        ("table", Align::Left),
        ("rows", Align::Right),
        ("rank", Align::Right),
        ("dim", Align::Right),
        ("flops a token", Align::Right),
        ("folded", Align::Right),
        ("fewer", Align::Right),
        ("attention, ms", Align::Right),
        ("folded", Align::Right),
        ("faster", Align::Right),
        ("largest difference", Align::Right),
    ];
    let rows: Vec<_> = measured.iter().map(row).collect();
    write_table(out, header, &rows)?;
    writeln!(
        out,
        "\n(flops: of lookups and projections to queries, keys and values; times: of the whole attention, medians, in turns)"
    )?;
    match measured.iter().find(|measured| measured.difference.is_nan() || measured.difference > ROUNDING) {
        None => Ok(writeln!(out, "Both ways give the same outputs, to rounding.\n")?),
        Some(Measured { name, difference, .. }) => {
            Err(format!("{name}: the outputs differ by {difference:.1e}, expected at most {ROUNDING:.0e}").into())
        }
    }
}

fn row(measured: &Measured) -> [String; 11] {
    let Measured { name, shape: Shape { vocab_size, rank, dim }, flops, seconds, difference } = measured;
    let milliseconds = seconds.map(|seconds| format!("{:.2}", 1e3 * seconds));
    let ratio = |[before, after]: [f64; 2]| format!("{:.1} ×", before / after);
    [
        (*name).to_owned(),
        grouped(*vocab_size),
        rank.to_string(),
        dim.to_string(),
        grouped(flops[0]),
        grouped(flops[1]),
        ratio(flops.map(|flops| flops as f64)),
        milliseconds[0].clone(),
        milliseconds[1].clone(),
        ratio(*seconds),
        format!("{difference:.1e}"),
    ]
}
