//! What a table of a checkpoint is replaced by, and what that loses.

use half::{bf16, f16};
use ndarray::Array2;

use super::stored::key;
use crate::{
    Dtype, Embedding, Error, FactorizedEmbedding, Factors, QuantizedEmbedding, QuantizedFactors, Result, RowWeights,
    TokenId,
    embedding::check,
    io::safetensors::{
        quantized::{QuantizedTensors, settings_of},
        tensors::{FACTORS, Format, QUANTIZED, Tensor, factor_tensors},
    },
    reconstruction::{RelativeError, RowError},
};

/// Rows that are worked with at a time.
pub(super) const BLOCK_ROWS: usize = 1024;

/// What stands for a table in a checkpoint: factors, or codes.
#[derive(Clone, Debug)]
pub struct Replacement {
    layer: Layer,
    method: String,
    row_weights: Option<RowWeights>,
}

#[derive(Clone, Debug)]
enum Layer {
    Factorized(FactorizedEmbedding),
    Quantized(QuantizedEmbedding),
}

/// What was lost: ‖E − Ê‖ / ‖E‖ in Frobenius norms, of the table that is there when the checkpoint is restored.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct TableErrors {
    /// All rows weighing the same.
    pub relative_error: f64,
    /// With the squared norm of each row weighted, where there are row weights.
    pub weighted_relative_error: Option<f64>,
}

impl Replacement {
    /// Factors that a method of this name made.
    #[must_use]
    pub fn factors(method: impl Into<String>, factors: Factors) -> Self {
        Self { layer: Layer::Factorized(FactorizedEmbedding::new(factors)), method: method.into(), row_weights: None }
    }

    /// Codes that a method of this name made.
    #[must_use]
    pub fn quantized(method: impl Into<String>, factors: QuantizedFactors) -> Self {
        Self { layer: Layer::Quantized(QuantizedEmbedding::new(factors)), method: method.into(), row_weights: None }
    }

    /// The same with a weight for each row, for the weighted error that is measured.
    #[must_use]
    pub fn with_row_weights(self, row_weights: RowWeights) -> Self {
        Self { row_weights: Some(row_weights), ..self }
    }

    pub(super) fn layer(&self) -> &dyn Embedding {
        match &self.layer {
            Layer::Factorized(layer) => layer,
            Layer::Quantized(layer) => layer,
        }
    }

    /// The members of the annotation in `config.json` that say what the table is kept as.
    pub(super) fn annotation(&self) -> Vec<(&'static str, serde_json::Value)> {
        let kept = match &self.layer {
            Layer::Factorized(layer) => ("rank", layer.rank().into()),
            Layer::Quantized(layer) => {
                let numbers = layer.vocab_size() as f64 * layer.dim() as f64;
                ("bits_per_weight", (8.0 * layer.size_in_bytes() as f64 / numbers).into())
            }
        };
        vec![("method", self.method.as_str().into()), kept]
    }

    /// Calls `work` with the tensors that stand for a table of this name, and the metadata of their format.
    pub(super) fn with_parts<T>(
        &self,
        table: &str,
        work: impl FnOnce(Vec<(String, Tensor<'_>)>, Vec<(String, String)>) -> T,
    ) -> T {
        let metadata = |format: Format, settings: Vec<(&str, String)>| {
            let named = [("format", format.name.to_owned()), ("version", format.version.to_owned())];
            named.into_iter().chain(settings).map(|(name, value)| (key(table, name), value)).collect()
        };
        match &self.layer {
            Layer::Factorized(layer) => {
                work(factor_tensors(&key(table, ""), layer.factors()), metadata(FACTORS, Vec::new()))
            }
            Layer::Quantized(layer) => {
                let tensors = QuantizedTensors::new(layer.factors());
                work(tensors.tensors(&key(table, "")), metadata(QUANTIZED, settings_of(layer.factors())))
            }
        }
    }

    /// What is lost of a table, when this is restored in the type of its numbers.
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) for another table or its weights, [`AllWeightsZero`](Error::AllWeightsZero),
    /// [`NonFinite`](Error::NonFinite) for a number that its type cannot hold.
    pub(super) fn errors(&self, table: &dyn Embedding, dtype: Dtype) -> Result<TableErrors> {
        let (expected, actual) = ([table.vocab_size(), table.dim()], [self.layer().vocab_size(), self.layer().dim()]);
        if expected != actual {
            let what = "replacement of the table [vocab_size, dim]";
            return Err(Error::ShapeMismatch { what, expected: expected.to_vec(), actual: actual.to_vec() });
        }
        let weights = self.row_weights.as_ref().map(|weights| weights.for_rows(expected[0])).transpose()?;
        let (mut plain, mut weighted) = (RelativeError::default(), RelativeError::default());
        for ids in blocks(expected[0]) {
            let (rows, approximations) = (table.lookup(&ids)?, rounded_rows(self.layer(), &ids, dtype)?);
            for ((id, row), approximation) in ids.iter().zip(rows.rows()).zip(approximations.rows()) {
                let error = RowError::new(row, approximation);
                plain.add_row(error, 1.0);
                weighted.add_row(error, weights.as_ref().map_or(1.0, |weights| weights[*id as usize]));
            }
        }
        let weighted_relative_error = weights.map(|_| weighted.value());
        Ok(TableErrors { relative_error: plain.value(), weighted_relative_error })
    }
}

/// The ids of a vocabulary in blocks.
pub(super) fn blocks(vocab_size: usize) -> impl Iterator<Item = Vec<TokenId>> {
    let starts = (0..vocab_size).step_by(BLOCK_ROWS);
    // Tables have no more rows than ids can name.
    starts.map(move |start| (start as TokenId..vocab_size.min(start + BLOCK_ROWS) as TokenId).collect())
}

/// Rows of a layer as a type of numbers can hold them.
///
/// # Errors
/// [`NonFinite`](Error::NonFinite) with the index in the table.
pub(super) fn rounded_rows(layer: &dyn Embedding, ids: &[TokenId], dtype: Dtype) -> Result<Array2<f32>> {
    let mut rows = layer.lookup(ids)?;
    match dtype {
        Dtype::F16 => rows.mapv_inplace(|number| f16::from_f32(number).to_f32()),
        Dtype::Bf16 => rows.mapv_inplace(|number| bf16::from_f32(number).to_f32()),
        Dtype::F32 | Dtype::Int8 => {}
    }
    check::finite("restored table [vocab_size, dim]", &rows).map_err(|error| match error {
        Error::NonFinite { what, mut index, value } => {
            if let Some(row) = index.first_mut() {
                *row = ids.get(*row).map_or(*row, |&id| id as usize);
            }
            Error::NonFinite { what, index, value }
        }
        other => other,
    })?;
    Ok(rows)
}

/// Numbers that a type holds, as they stand in a file.
pub(super) fn to_bytes(rows: &Array2<f32>, dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::F16 => rows.iter().flat_map(|&number| f16::from_f32(number).to_le_bytes()).collect(),
        Dtype::Bf16 => rows.iter().flat_map(|&number| bf16::from_f32(number).to_le_bytes()).collect(),
        Dtype::F32 | Dtype::Int8 => rows.iter().flat_map(|number| number.to_le_bytes()).collect(),
    }
}
