//! What is printed.

use std::io::Write;

use crate::{
    measure::{Inputs, Positions, Projection},
    support::{
        Result,
        text::{Align, grouped, write_table},
    },
    tables::{Layout, Tables},
};

/// What rounding may leave where products are added up in another order, each rounded to within ε / 2: far more of them than
/// pixels and ranks of any model.
const ROUNDING: f64 = 1000.0 * f32::EPSILON as f64;

pub(crate) fn write_introduction(tables: &Tables, layout: Layout, out: &mut impl Write) -> Result<()> {
    let Layout { patch, grid, num_extra } = layout;
    let [pixels, hidden, positions] = [tables.patches.nrows(), tables.patches.ncols(), tables.positions.nrows()];
    writeln!(out, "Tables: {}", tables.origin)?;
    writeln!(out, "Picture: drawn here, {0} × {0} pixels, {grid} × {grid} patches of {patch} × {patch}", grid * patch)?;
    writeln!(out, "Patch projection: {pixels} pixels of a patch × {hidden}, applied as a soft lookup: pixels · E")?;
    writeln!(
        out,
        "Position table: {positions} × {hidden}, of {num_extra} before the patches and {} for them\n",
        grid * grid
    )?;
    Ok(())
}

/// Fails if dense tables or factors of full rank are not the convolution.
pub(crate) fn write_projections(projections: &[Projection], out: &mut impl Write) -> Result<()> {
    let header = [
        ("patch projection", Align::Left),
        ("flops a patch", Align::Right),
        ("bytes", Align::Right),
        ("times smaller", Align::Right),
        ("all patches, ms", Align::Right),
        ("error of the table", Align::Right),
        ("error of the outputs", Align::Right),
    ];
    let dense = projections.first().map_or(0, |projection| projection.layer.size_in_bytes());
    let row = |projection: &Projection| {
        let bytes = projection.layer.size_in_bytes();
        [
            projection.name.clone(),
            grouped(projection.flops),
            grouped(bytes),
            times(dense, bytes),
            format!("{:.2}", 1e3 * projection.seconds),
            format!("{:.4}", projection.table_error),
            format!("{:.1e}", projection.output_error),
        ]
    };
    write_table(out, header, &projections.iter().map(row).collect::<Vec<_>>())?;
    writeln!(
        out,
        "\n(errors: relative, Frobenius norms; those of outputs on this picture, from a convolution in f64)"
    )?;
    // Two dense ways, then factors, the first of full rank.
    match projections.iter().take(3).find(|exact| exact.output_error.is_nan() || exact.output_error > ROUNDING) {
        None => Ok(writeln!(out, "Dense tables and factors of full rank are the convolution, to rounding.\n")?),
        Some(Projection { name, output_error, .. }) => {
            let expected = format!("expected at most {ROUNDING:.0e}");
            Err(format!("{name}: the outputs differ from the convolution by {output_error:.1e}, {expected}").into())
        }
    }
}

pub(crate) fn write_positions(positions: &[Positions], out: &mut impl Write) -> Result<()> {
    let header = [
        ("position table", Align::Left),
        ("bytes", Align::Right),
        ("times smaller", Align::Right),
        ("error of the table", Align::Right),
    ];
    let dense = positions.first().map_or(0, |position| position.layer.size_in_bytes());
    let row = |position: &Positions| {
        let bytes = position.layer.size_in_bytes();
        [position.name.clone(), grouped(bytes), times(dense, bytes), format!("{:.4}", position.table_error)]
    };
    write_table(out, header, &positions.iter().map(row).collect::<Vec<_>>())?;
    Ok(writeln!(out)?)
}

pub(crate) fn write_inputs(inputs: &[Inputs], out: &mut impl Write) -> Result<()> {
    writeln!(out, "What the encoder is given, patches + positions, by both tables:\n")?;
    let header = [
        ("patch projection", Align::Left),
        ("position table", Align::Left),
        ("bytes", Align::Right),
        ("times smaller", Align::Right),
        ("error of the sum", Align::Right),
    ];
    let dense = inputs.first().map_or(0, |inputs| inputs.bytes);
    let row = |Inputs { names: [projection, position], bytes, error }: &Inputs| {
        [projection.clone(), position.clone(), grouped(*bytes), times(dense, *bytes), format!("{error:.4}")]
    };
    write_table(out, header, &inputs.iter().map(row).collect::<Vec<_>>())?;
    Ok(())
}

fn times(dense: usize, bytes: usize) -> String {
    format!("{:.2}", dense as f64 / bytes as f64)
}
