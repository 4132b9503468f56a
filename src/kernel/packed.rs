//! Matrices in the order in which the kernel reads them.

#![allow(unsafe_code)]

use bytemuck::{Pod, Zeroable};
use ndarray::{ArrayView1, ArrayView2, Axis};

/// Columns of a panel: one 64-byte cache line of `f32`.
pub(crate) const PANEL_WIDTH: usize = 16;

/// One row of a panel, on a cache line of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct PanelRow(pub(crate) [f32; PANEL_WIDTH]);

// SAFETY: sixteen numbers of four bytes fill the 64 bytes, and all zeros are numbers.
unsafe impl Zeroable for PanelRow {}
// SAFETY: the same: no padding, any bytes are numbers, and it is `repr(C)` and `Copy`.
unsafe impl Pod for PanelRow {}

/// A matrix \[depth × width\], cut into panels of 16 columns.
///
/// A panel is \[depth × 16\] and contiguous, so that the kernel reads it from front to back whatever `width` is: row-major
/// rows would lie `width` numbers apart, at power-of-two distances that share cache sets. The last panel is filled up with
/// zeros.
#[derive(Clone, Copy)]
pub(super) struct Panels<'a> {
    lines: &'a [PanelRow],
    depth: usize,
    width: usize,
}

impl<'a> Panels<'a> {
    pub(super) fn new(lines: &'a [PanelRow], depth: usize, width: usize) -> Self {
        assert_eq!(lines.len(), width.div_ceil(PANEL_WIDTH) * depth);
        Self { lines, depth, width }
    }

    #[inline(always)]
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    #[inline(always)]
    pub(super) fn width(&self) -> usize {
        self.width
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.width.div_ceil(PANEL_WIDTH)
    }

    /// Sixteen columns, \[depth\].
    #[inline(always)]
    pub(super) fn panel(&self, panel: usize) -> &'a [PanelRow] {
        &self.lines[panel * self.depth..][..self.depth]
    }
}

/// The projection diag(D)·V \[rank × dim\] and a bias \[dim\], packed once for all lookups.
#[derive(Clone, PartialEq)]
pub(crate) struct PackedProjection {
    lines: Vec<PanelRow>,
    bias: Option<Vec<PanelRow>>,
    rank: usize,
    dim: usize,
}

impl PackedProjection {
    pub(crate) fn new(projection: ArrayView2<'_, f32>, bias: Option<ArrayView1<'_, f32>>) -> Self {
        let (rank, dim) = projection.dim();
        let num_panels = dim.div_ceil(PANEL_WIDTH);
        let mut lines = vec![PanelRow::default(); num_panels * rank];
        let panels = projection.axis_chunks_iter(Axis(1), PANEL_WIDTH);
        for (panel, columns) in lines.chunks_exact_mut(rank.max(1)).zip(panels) {
            for (line, row) in panel.iter_mut().zip(columns.rows()) {
                line.0.iter_mut().zip(row).for_each(|(number, &value)| *number = value);
            }
        }
        let bias = bias.map(|bias| {
            let mut packed = vec![PanelRow::default(); num_panels];
            for (j, &value) in bias.iter().enumerate() {
                packed[j / PANEL_WIDTH].0[j % PANEL_WIDTH] = value;
            }
            packed
        });
        Self { lines, bias, rank, dim }
    }

    pub(super) fn rank(&self) -> usize {
        self.rank
    }

    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    pub(super) fn panels(&self) -> Panels<'_> {
        Panels::new(&self.lines, self.rank, self.dim)
    }

    /// A line for each panel.
    pub(super) fn bias(&self) -> Option<&[PanelRow]> {
        self.bias.as_deref()
    }
}
