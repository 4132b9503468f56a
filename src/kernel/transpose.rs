//! Transposed copies, by squares of sixteen rows and columns that are turned in registers.

use ndarray::{ArrayView2, ArrayViewMut2};

use super::{
    Isa,
    packed::PANEL_WIDTH,
    simd::{Kernel, Simd, load_part, store_part},
};

/// `out[j, i] = rows[i, j]` of rows \[n, width\] and a row-major `out` \[width, n\].
pub(crate) fn transpose(isa: Isa, rows: ArrayView2<'_, f32>, out: &mut ArrayViewMut2<'_, f32>) {
    let (n, width) = rows.dim();
    assert_eq!(out.dim(), (width, n));
    let rows = rows.as_standard_layout();
    match (rows.as_slice(), out.as_slice_mut()) {
        (Some([]), _) => {}
        (Some(rows), Some(out)) => isa.run(Transpose { rows, width, out }),
        _ => unreachable!("rows that lie side by side"),
    }
}

struct Transpose<'a> {
    rows: &'a [f32],
    width: usize,
    out: &'a mut [f32],
}

impl Kernel for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, isa: S) {
        let Self { rows, width, out } = self;
        let n = rows.len() / width;
        for first in (0..n).step_by(PANEL_WIDTH) {
            let len = PANEL_WIDTH.min(n - first);
            for column in (0..width).step_by(PANEL_WIDTH) {
                let columns = PANEL_WIDTH.min(width - column);
                let mut square = [isa.zero(); PANEL_WIDTH];
                for (i, line) in square[..len].iter_mut().enumerate() {
                    let numbers = &rows[(first + i) * width + column..][..columns];
                    *line = match numbers.as_array() {
                        Some(numbers) => isa.load(numbers),
                        None => load_part(isa, numbers),
                    };
                }
                for (j, line) in isa.transpose(square).into_iter().take(columns).enumerate() {
                    let numbers = &mut out[(column + j) * n + first..][..len];
                    match numbers.as_mut_array() {
                        Some(numbers) => isa.store(line, numbers),
                        None => store_part(isa, line, numbers),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ArrayView2};

    use super::{super::Isa, transpose};

    #[test]
    fn rows_become_columns_at_every_size() {
        let sizes = [0, 1, 2, 7, 15, 16, 17, 31, 32, 33, 50];
        for isa in Isa::supported() {
            for n in sizes {
                for width in sizes {
                    let rows = Array2::from_shape_fn((n, width), |(i, j)| (i * width + j) as f32);
                    let check = |rows: ArrayView2<'_, f32>| {
                        let mut out = Array2::from_elem((rows.ncols(), rows.nrows()), f32::NAN);
                        transpose(isa, rows, &mut out.view_mut());
                        assert_eq!(out, rows.t(), "{isa}, {:?}", rows.shape());
                    };
                    check(rows.view());
                    check(rows.t());
                }
            }
        }
    }
}
