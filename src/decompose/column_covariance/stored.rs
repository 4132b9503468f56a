//! A column covariance as it is stored: its matrix, row by row, and what its sums were added up in.

use ndarray::Array2;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

use super::Products;
use crate::{Error, Result};

impl Serialize for super::ColumnCovariance {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let rows: Vec<Vec<f64>> = self.matrix.rows().into_iter().map(|row| row.to_vec()).collect();
        let mut stored = serializer.serialize_struct("ColumnCovariance", 2)?;
        stored.serialize_field("matrix", &rows)?;
        stored.serialize_field("products", &self.products)?;
        stored.end()
    }
}

/// Not checked yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnCovariance {
    matrix: Vec<Vec<f64>>,
    #[serde(default)]
    products: Products,
}

impl TryFrom<ColumnCovariance> for super::ColumnCovariance {
    type Error = Error;

    fn try_from(stored: ColumnCovariance) -> Result<Self> {
        let dim = stored.matrix.len();
        if let Some(row) = stored.matrix.iter().find(|row| row.len() != dim) {
            return Err(Error::ShapeMismatch {
                what: "column covariance [dim, dim]",
                expected: vec![dim, dim],
                actual: vec![dim, row.len()],
            });
        }
        let matrix = Array2::from_shape_fn((dim, dim), |(row, column)| stored.matrix[row][column]);
        Self::of_sums(matrix, stored.products)
    }
}
