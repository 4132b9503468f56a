//! The two tables that a vision transformer begins with.

use std::path::Path;

use factorized_embedding::io::hugging_face::Checkpoint;
use ndarray::{Array2, s};

use crate::{
    support::{Result, text::grouped},
    synthetic::waves,
};

const CHANNELS: usize = 3;
/// ViT-Base with patches of 16 × 16 in pictures of 224 × 224 (Dosovitskiy et al. 2021).
const PATCH: usize = 16;
const GRID: usize = 14;
const HIDDEN: usize = 768;
/// Of synthetic numbers, about that of trained ones.
const SCALE: f32 = 0.02;

#[derive(Debug)]
pub(crate) struct Tables {
    /// \[channels · patch · patch, hidden\]
    pub(crate) patches: Array2<f32>,
    /// \[extra tokens + grid · grid, hidden\]
    pub(crate) positions: Array2<f32>,
    pub(crate) origin: String,
}

/// How a picture is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// The side of a patch, in pixels.
    pub(crate) patch: usize,
    /// Patches in a row, and rows of them.
    pub(crate) grid: usize,
    /// Positions before those of patches: that of the class token, in some models of another one.
    pub(crate) num_extra: usize,
}

impl Tables {
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let checkpoint = Checkpoint::open(folder)?;
        let patches = checkpoint.patch_table()?;
        let positions = checkpoint.position_table()?.to_array().into_owned();
        if patches.ncols() != positions.ncols() {
            let (patches, positions) = (patches.ncols(), positions.ncols());
            return Err(format!("patches have {patches} hidden numbers, positions {positions}").into());
        }
        Ok(Self { patches, positions, origin: folder.display().to_string() })
    }

    /// Not trained: see [`waves`].
    pub(crate) fn synthetic() -> Self {
        let mut positions = Array2::zeros((1 + GRID * GRID, HIDDEN));
        positions.slice_mut(s![..1, ..]).assign(&waves([1, 1], HIDDEN, 1));
        positions.slice_mut(s![1.., ..]).assign(&waves([1, GRID], HIDDEN, 2));
        positions *= SCALE;
        let patches = waves([CHANNELS, PATCH], HIDDEN, 3) * SCALE;
        Self { patches, positions, origin: "synthetic weights, not trained ones: random mixtures of waves".to_owned() }
    }

    pub(crate) fn layout(&self) -> Result<Layout> {
        let (pixels, positions) = (self.patches.nrows(), self.positions.nrows());
        let patch = (pixels / CHANNELS).isqrt();
        if CHANNELS * patch * patch != pixels {
            let expected = "expected square patches of red, green and blue";
            return Err(format!("a patch has {} pixels, {expected}", grouped(pixels)).into());
        }
        let extra = (1..=2).find(|extra| positions.checked_sub(*extra).is_some_and(is_square));
        let Some(num_extra) = extra.filter(|&extra| positions > extra) else {
            let expected = "expected one or two tokens and a square of patches";
            return Err(format!("there are {} positions, {expected}", grouped(positions)).into());
        };
        Ok(Layout { patch, grid: (positions - num_extra).isqrt(), num_extra })
    }
}

fn is_square(number: usize) -> bool {
    number.isqrt().pow(2) == number
}
