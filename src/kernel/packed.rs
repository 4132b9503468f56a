//! The projection D·V in the order in which the kernel reads it.

use ndarray::{ArrayView1, ArrayView2};

/// Columns of a panel: one 64-byte cache line of `f32`.
pub(crate) const PANEL_WIDTH: usize = 16;

/// One row of a panel, on a cache line of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct PanelRow(pub(crate) [f32; PANEL_WIDTH]);

const ZERO: PanelRow = PanelRow([0.0; PANEL_WIDTH]);

/// A matrix \[rank × dim\] and a bias \[dim\], cut into panels of 16 columns.
///
/// A panel is \[rank × 16\] and contiguous, so that the kernel reads it from front to back whatever `dim` is: row-major rows
/// would lie `dim` numbers apart, at power-of-two distances that share cache sets. The last panel is filled up with zeros.
#[derive(Clone, PartialEq)]
pub(crate) struct PackedProjection {
    panels: Vec<PanelRow>,
    bias: Option<Vec<PanelRow>>,
    rank: usize,
    dim: usize,
}

impl PackedProjection {
    pub(crate) fn new(projection: ArrayView2<'_, f32>, bias: Option<ArrayView1<'_, f32>>) -> Self {
        let (rank, dim) = projection.dim();
        let num_panels = dim.div_ceil(PANEL_WIDTH);
        let mut panels = vec![ZERO; num_panels * rank];
        for (k, row) in projection.rows().into_iter().enumerate() {
            for (j, &value) in row.iter().enumerate() {
                panels[j / PANEL_WIDTH * rank + k].0[j % PANEL_WIDTH] = value;
            }
        }
        let bias = bias.map(|bias| {
            let mut packed = vec![ZERO; num_panels];
            for (j, &value) in bias.iter().enumerate() {
                packed[j / PANEL_WIDTH].0[j % PANEL_WIDTH] = value;
            }
            packed
        });
        Self { panels, bias, rank, dim }
    }

    pub(crate) fn rank(&self) -> usize {
        self.rank
    }

    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    pub(crate) fn num_panels(&self) -> usize {
        self.dim.div_ceil(PANEL_WIDTH)
    }

    pub(crate) fn has_bias(&self) -> bool {
        self.bias.is_some()
    }

    /// Sixteen columns, \[rank\].
    pub(crate) fn panel(&self, panel: usize) -> &[PanelRow] {
        &self.panels[panel * self.rank..][..self.rank]
    }

    /// The bias of sixteen columns, zeros when there is none.
    pub(crate) fn bias(&self, panel: usize) -> &PanelRow {
        self.bias.as_ref().map_or(&ZERO, |bias| &bias[panel])
    }
}
