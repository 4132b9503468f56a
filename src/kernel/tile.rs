//! The multiplication itself: a block of rows times panels, cut into tiles that stay in registers.

#![allow(unsafe_code)]

use std::ops::Range;

use super::{
    packed::{PANEL_WIDTH, PanelRow, Panels},
    prefetch::prefetch_line,
    simd::Simd,
};

/// Rows that go through all panels together.
pub(super) const BLOCK_ROWS: usize = 24;

/// What the sums of a row begin with.
#[derive(Clone, Copy)]
pub(super) enum Start<'a> {
    Zero,
    /// A weight for each row, times a line for each panel.
    Bias(&'a [PanelRow]),
    /// A constant for each row.
    Constant,
    /// What stands in the output.
    Output,
}

/// Up to [`BLOCK_ROWS`] rows and where their products go.
pub(super) struct Block<'a> {
    len: usize,
    rows: [&'a [f32]; BLOCK_ROWS],
    targets: [*mut f32; BLOCK_ROWS],
    /// The weight of the bias, or the constant, of each row.
    factors: [f32; BLOCK_ROWS],
    panels: Panels<'a>,
    start: Start<'a>,
    /// How many numbers a row has, if the rest are zeros that are left out.
    depth: Option<usize>,
}

impl<'a> Block<'a> {
    pub(super) fn new(panels: Panels<'a>, start: Start<'a>) -> Self {
        Self {
            len: 0,
            rows: [&[]; BLOCK_ROWS],
            targets: [std::ptr::null_mut(); BLOCK_ROWS],
            factors: [1.0; BLOCK_ROWS],
            panels,
            start,
            depth: None,
        }
    }

    /// With rows of so many numbers, the others of which are 0: the products are those of whole rows, but for the sign of
    /// zeros, which is positive.
    pub(super) fn up_to(self, depth: usize) -> Self {
        assert!(depth <= self.panels.depth());
        Self { depth: Some(depth), ..self }
    }

    #[inline(always)]
    fn depth(&self) -> usize {
        self.depth.unwrap_or(self.panels.depth())
    }

    /// Adds a row, with the weight of its bias or its constant.
    ///
    /// # Safety
    /// From `target` on there are as many numbers as the panels have columns, which nobody else touches until the block
    /// has been multiplied.
    #[inline(always)]
    pub(super) unsafe fn push(&mut self, row: &'a [f32], factor: f32, target: *mut f32) {
        assert_eq!(row.len(), self.depth());
        self.rows[self.len] = row;
        self.factors[self.len] = factor;
        self.targets[self.len] = target;
        self.len += 1;
    }

    /// Multiplies, with tiles of `ROWS` rows by `P` panels, and of 1 to 5 rows by `P1` to `P5` panels for what remains.
    #[inline(always)]
    pub(super) fn multiply<
        S: Simd,
        const ROWS: usize,
        const P: usize,
        const P1: usize,
        const P2: usize,
        const P3: usize,
        const P4: usize,
        const P5: usize,
    >(
        &self,
        isa: S,
    ) {
        const { assert!(ROWS <= 6 && BLOCK_ROWS.is_multiple_of(ROWS)) };
        let whole = self.len / ROWS * ROWS;
        self.stripe::<S, ROWS, P>(isa, 0..whole);
        match self.len - whole {
            0 => {}
            1 => self.stripe::<S, 1, P1>(isa, whole..self.len),
            2 => self.stripe::<S, 2, P2>(isa, whole..self.len),
            3 => self.stripe::<S, 3, P3>(isa, whole..self.len),
            4 => self.stripe::<S, 4, P4>(isa, whole..self.len),
            _ => self.stripe::<S, 5, P5>(isa, whole..self.len),
        }
    }

    /// Rows, a multiple of `ROWS`, through all panels.
    #[inline(always)]
    fn stripe<S: Simd, const ROWS: usize, const P: usize>(&self, isa: S, rows: Range<usize>) {
        let num_panels = self.panels.len();
        let mut panel = 0;
        while panel + P <= num_panels {
            for row in rows.clone().step_by(ROWS) {
                self.tile::<S, ROWS, P>(isa, row, panel);
            }
            panel += P;
        }
        while P > 4 && panel + 4 <= num_panels {
            for row in rows.clone().step_by(ROWS) {
                self.tile::<S, ROWS, 4>(isa, row, panel);
            }
            panel += 4;
        }
        while panel < num_panels {
            for row in rows.clone().step_by(ROWS) {
                self.tile::<S, ROWS, 1>(isa, row, panel);
            }
            panel += 1;
        }
    }

    /// `ROWS` rows by `P` panels.
    #[expect(
        clippy::needless_range_loop,
        reason = "sums that are indexed stay in registers; iterated, they go by way of memory"
    )]
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const P: usize>(&self, isa: S, first_row: usize, first_panel: usize) {
        let (depth, width) = (self.depth(), self.panels.width());
        let rows: [&[f32]; ROWS] = std::array::from_fn(|i| self.rows[first_row + i]);
        let targets: [*mut f32; ROWS] = std::array::from_fn(|i| self.targets[first_row + i]);
        let panels: [&[PanelRow]; P] = std::array::from_fn(|p| self.panels.panel(first_panel + p));
        let columns = first_panel * PANEL_WIDTH..width.min((first_panel + P) * PANEL_WIDTH);
        let whole = columns.len() == P * PANEL_WIDTH;
        let mut sums = [[isa.zero(); P]; ROWS];
        match self.start {
            Start::Zero => {}
            Start::Bias(bias) => {
                for i in 0..ROWS {
                    let weight = isa.splat(self.factors[first_row + i]);
                    for p in 0..P {
                        sums[i][p] = isa.mul(weight, isa.load(&bias[first_panel + p].0));
                    }
                }
            }
            Start::Constant => {
                for i in 0..ROWS {
                    let constant = isa.splat(self.factors[first_row + i]);
                    for p in 0..P {
                        sums[i][p] = isa.mul(constant, isa.load(&[1.0; PANEL_WIDTH]));
                    }
                }
            }
            Start::Output if whole => {
                for i in 0..ROWS {
                    for p in 0..P {
                        // SAFETY: the columns of the tile are some of the `width` numbers from the target on: see `push`.
                        let line = unsafe { targets[i].add(columns.start + p * PANEL_WIDTH) };
                        // SAFETY: the same; nobody else touches them.
                        sums[i][p] = isa.load(unsafe { &*line.cast() });
                    }
                }
            }
            Start::Output => {
                let mut lines = [[[0.0; PANEL_WIDTH]; P]; ROWS];
                for (target, lines) in targets.into_iter().zip(&mut lines) {
                    // SAFETY: the columns of the tile are some of the `width` numbers from the target on: see `push`.
                    let start = unsafe { target.add(columns.start) };
                    // SAFETY: the same; nobody else touches them.
                    let numbers = unsafe { std::slice::from_raw_parts(start, columns.len()) };
                    lines.as_flattened_mut()[..columns.len()].copy_from_slice(numbers);
                }
                for i in 0..ROWS {
                    for p in 0..P {
                        sums[i][p] = isa.load(&lines[i][p]);
                    }
                }
            }
        }
        for i in 0..ROWS {
            for p in 0..P {
                prefetch_line(targets[i].wrapping_add(columns.end + p * PANEL_WIDTH));
            }
        }
        for k in 0..depth {
            let mut lines = [isa.zero(); P];
            for p in 0..P {
                // SAFETY: a panel has at least `depth` lines, and k < depth.
                lines[p] = isa.load(unsafe { &panels[p].get_unchecked(k).0 });
            }
            for i in 0..ROWS {
                // SAFETY: `push` has seen that each row has `depth` numbers, and k < depth.
                let factor = isa.splat(unsafe { *rows[i].get_unchecked(k) });
                for p in 0..P {
                    sums[i][p] = isa.mul_add(factor, lines[p], sums[i][p]);
                }
            }
        }
        if self.depth.is_some() {
            // −0 + 0 = 0: what a sum of all products would be.
            let zero = isa.zero();
            for i in 0..ROWS {
                for p in 0..P {
                    sums[i][p] = isa.mul_add(isa.splat(1.0), zero, sums[i][p]);
                }
            }
        }
        // Sums that are indexed in a loop with checks in it would live in memory all along: they leave their registers in
        // loops that unroll.
        if whole {
            for i in 0..ROWS {
                for p in 0..P {
                    // SAFETY: the columns of the tile are some of the `width` numbers from the target on: see `push`.
                    let line = unsafe { targets[i].add(columns.start + p * PANEL_WIDTH) };
                    // SAFETY: the same; nobody else touches them.
                    isa.store(sums[i][p], unsafe { &mut *line.cast() });
                }
            }
        } else {
            let mut lines = [[[0.0; PANEL_WIDTH]; P]; ROWS];
            for i in 0..ROWS {
                for p in 0..P {
                    isa.store(sums[i][p], &mut lines[i][p]);
                }
            }
            for (target, lines) in targets.into_iter().zip(&lines) {
                // SAFETY: the columns of the tile are some of the `width` numbers from the target on: see `push`.
                let start = unsafe { target.add(columns.start) };
                // SAFETY: the same; nobody else touches them.
                let numbers = unsafe { std::slice::from_raw_parts_mut(start, columns.len()) };
                numbers.copy_from_slice(&lines.as_flattened()[..columns.len()]);
            }
        }
    }
}
