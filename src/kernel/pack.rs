//! Rows of a table as panels, to be multiplied from the other side.

use super::{
    packed::{PANEL_WIDTH, PanelRow},
    prefetch::prefetch_line,
    simd::{Number, Simd, load_part},
};

/// Some columns of some consecutive rows of a row-major table.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a, T> {
    /// Where the rows begin.
    pub(super) rows: &'a [T],
    pub(super) num_rows: usize,
    pub(super) stride: usize,
    pub(super) first_column: usize,
    pub(super) num_columns: usize,
}

impl<'a, T: Number> Piece<'a, T> {
    #[inline(always)]
    fn row(&self, row: usize) -> &'a [T] {
        &self.rows[row * self.stride + self.first_column..][..self.num_columns]
    }

    /// Asks for what stands where this line does in the next piece.
    #[inline(always)]
    fn prefetch_after(&self, line: &[T; PANEL_WIDTH]) {
        prefetch_line(line.as_ptr().wrapping_add(self.num_rows * self.stride));
    }

    /// Panels whose columns are the rows: \[`num_columns` × `num_rows`\]. Asks for the rows that follow meanwhile.
    #[inline(always)]
    pub(super) fn pack_transposed<S: Simd>(&self, isa: S, panels: &mut [PanelRow]) {
        for (first, panel) in (0..self.num_rows).step_by(PANEL_WIDTH).zip(panels.chunks_exact_mut(self.num_columns)) {
            let rows = PANEL_WIDTH.min(self.num_rows - first);
            for (square, lines) in panel.chunks_mut(PANEL_WIDTH).enumerate() {
                let mut numbers = [isa.zero(); PANEL_WIDTH];
                if rows == PANEL_WIDTH && lines.len() == PANEL_WIDTH {
                    for (i, numbers) in numbers.iter_mut().enumerate() {
                        let line = &self.row(first + i).as_chunks().0[square];
                        *numbers = T::load(isa, line);
                        self.prefetch_after(line);
                    }
                } else {
                    for (i, numbers) in numbers[..rows].iter_mut().enumerate() {
                        *numbers = load_part(isa, &self.row(first + i)[square * PANEL_WIDTH..][..lines.len()]);
                    }
                }
                for (line, numbers) in lines.iter_mut().zip(isa.transpose(numbers)) {
                    isa.store(numbers, &mut line.0);
                }
            }
        }
    }

    /// Panels whose columns are the columns: \[`num_rows` × `num_columns`\]. Asks for the rows that follow meanwhile.
    #[inline(always)]
    pub(super) fn pack<S: Simd>(&self, isa: S, panels: &mut [PanelRow]) {
        for k in 0..self.num_rows {
            let (lines, rest) = self.row(k).as_chunks();
            for (p, line) in lines.iter().enumerate() {
                self.prefetch_after(line);
                isa.store(T::load(isa, line), &mut panels[p * self.num_rows + k].0);
            }
            if !rest.is_empty() {
                isa.store(load_part(isa, rest), &mut panels[lines.len() * self.num_rows + k].0);
            }
        }
    }
}
