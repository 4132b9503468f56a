//! What a spectral decomposition needs to know of a table: numbers in proportion to dim², however many rows there are.

use ndarray::{Array1, Array2, Axis, concatenate};

use super::ColumnCovariance;
use crate::{
    Result,
    linalg::{self, RightSvd},
};

/// The weighted mean μ of a table E \[n × dim\], and E itself up to a rotation of its rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moments {
    /// Σ w
    pub(super) weight: f64,
    /// μ = Σ w·e / Σ w
    pub(super) mean: Array1<f64>,
    pub(super) root: Root,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Root {
    /// Σ w·eᵀ·e \[dim × dim\]; the lower triangle is enough.
    Gram(Array2<f64>),
    /// R \[k × dim\] with Rᵀ·R = Σ w·(e − μ)ᵀ·(e − μ).
    Triangular(Array2<f64>),
}

impl Moments {
    /// All min(k, dim) singular values and right singular vectors of √w·E·L, or of √w·(E − μ)·L, where L·Lᵀ is the column
    /// covariance.
    ///
    /// # Errors
    /// [`NoConvergence`](crate::Error::NoConvergence).
    pub(super) fn right_svd(&self, centred: bool, covariance: Option<&ColumnCovariance>) -> Result<RightSvd> {
        let root = covariance.map(ColumnCovariance::root);
        match &self.root {
            Root::Gram(gram) => {
                let mut gram = gram.clone();
                if centred {
                    let scaled = self.scaled_mean();
                    for (mut row, &factor) in gram.rows_mut().into_iter().zip(&scaled) {
                        row.scaled_add(-factor, &scaled);
                    }
                }
                if let Some(root) = root {
                    linalg::mirror(&mut gram);
                    gram = linalg::transposed_product(root, linalg::product(gram.view(), root).view());
                }
                linalg::right_svd_of_gram(gram.view())
            }
            Root::Triangular(triangular) => {
                // Without the mean a row of zeros stands in its place: there are as many singular values either way.
                let mean = if centred { Array1::zeros(self.mean.len()) } else { self.scaled_mean() };
                let mut matrix = concatenate![Axis(0), mean.insert_axis(Axis(0)), triangular.view()];
                if let Some(root) = root {
                    matrix = linalg::product(matrix.view(), root);
                }
                linalg::right_svd(matrix.view())
            }
        }
    }

    /// √Σw · μ, a row that stands for the mean in all of them.
    fn scaled_mean(&self) -> Array1<f64> {
        &self.mean * self.weight.sqrt()
    }
}
