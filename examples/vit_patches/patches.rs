//! From a picture to its patches, and what a convolution makes of it.

use ndarray::{Array2, Array3, ArrayView3, s};

/// The pixels of each patch, row by row of patches: \[channels, side, side\] → \[patches, channels · patch · patch\]
///
/// Pixels come channel by channel, and row by row within, as
/// [`patch_table`](factorized_embedding::io::hugging_face::Checkpoint::patch_table) has its rows.
pub(crate) fn cut(picture: &Array3<f32>, patch: usize) -> Array2<f32> {
    let (channels, side, _) = picture.dim();
    let grid = side / patch;
    let mut pixels = Array2::zeros((grid * grid, channels * patch * patch));
    for (number, mut row) in pixels.rows_mut().into_iter().enumerate() {
        let window = window(picture, patch, [number / grid, number % grid]);
        row.iter_mut().zip(window).for_each(|(pixel, &value)| *pixel = value);
    }
    pixels
}

/// A patch of the picture \[channels, patch, patch\].
fn window(picture: &Array3<f32>, patch: usize, [row, column]: [usize; 2]) -> ArrayView3<'_, f32> {
    let range = |i: usize| i * patch..(i + 1) * patch;
    picture.slice(s![.., range(row), range(column)])
}

/// A convolution as it is defined, whose stride is the side of its kernels, summed in `f64`: \[patches, hidden\]
///
/// `kernels` \[channels · patch · patch, hidden\]: the kernel of each output in a column.
pub(crate) fn convolution(picture: &Array3<f32>, kernels: &Array2<f32>, patch: usize) -> Array2<f64> {
    let (_, side, _) = picture.dim();
    let grid = side / patch;
    let mut outputs = Array2::<f64>::zeros((grid * grid, kernels.ncols()));
    for (number, mut output) in outputs.rows_mut().into_iter().enumerate() {
        for ((channel, i, j), &pixel) in window(picture, patch, [number / grid, number % grid]).indexed_iter() {
            let weights = kernels.row((channel * patch + i) * patch + j);
            output.zip_mut_with(&weights, |sum, &weight| *sum += f64::from(pixel) * f64::from(weight));
        }
    }
    outputs
}
