//! Rows of integers with a scale each, the usual way to quantize a table.

use half::f16;
use ndarray::{Array2, ArrayView2, Axis};

/// The table that codes of so many bits stand for, and the bytes of the codes and of the scales, an `f16` a row: the largest
/// magnitude of a row becomes the largest code.
pub(crate) fn coded(table: ArrayView2<'_, f32>, bits: u32) -> (Array2<f32>, usize) {
    let max_code = ((1 << (bits - 1)) - 1) as f32;
    let mut coded = table.to_owned();
    for mut row in coded.axis_iter_mut(Axis(0)) {
        let largest = row.fold(0.0_f32, |max, number| max.max(number.abs()));
        let scale = f16::from_f32(largest / max_code).to_f32();
        if scale > 0.0 {
            row.mapv_inplace(|number| scale * (number / scale).round().clamp(-max_code, max_code));
        }
    }
    let row_bytes = (table.ncols() * bits as usize).div_ceil(8) + size_of::<f16>();
    (coded, table.nrows() * row_bytes)
}
