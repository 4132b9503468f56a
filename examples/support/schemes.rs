//! The ways to make a table small that are compared.

use std::{fs, path::Path};

use factorized_embedding::{
    BlockwiseEmbedding, BlockwiseSvd, Decompose, DenseEmbedding, Dtype, Embedding, Error, FactorizedEmbedding,
    QuantizedEmbedding, Rank, RowGroups, RowWeights, TruncatedSvd,
    io::safetensors::{
        MAX_HEADER_BYTES, load_block_factors, load_factors, load_quantized, max_block_header_bytes, save_block_factors,
        save_factors, save_quantized,
    },
    quantize::{Budget, Level, Quantizer},
};
use ndarray::ArrayView2;
use plotters::style::BLACK;
use tempfile::TempDir;

use super::{
    Result, absmax,
    plot::{
        BLUE, GREEN, GREY, PURPLE, SKY, VERMILION,
        series::{Look, Marker},
    },
};

/// Groups of rows of block-wise factors.
const ROW_GROUPS: usize = 6;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Truncated SVD with U in numbers of this type.
    Svd(Dtype),
    WeightedSvd,
    Blockwise,
    /// Every row in integers of so many bits.
    Rows(u32),
    /// All directions in codes, as many bits for each as it deserves.
    Quantized(Level),
}

/// A layer, and the bytes of its file.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) layer: Box<dyn Embedding>,
    pub(crate) bytes: usize,
}

impl Scheme {
    pub(crate) const ALL: [Self; 9] = [
        Self::Svd(Dtype::F32),
        Self::Svd(Dtype::F16),
        Self::Svd(Dtype::Int8),
        Self::WeightedSvd,
        Self::Blockwise,
        Self::Rows(8),
        Self::Rows(4),
        Self::Quantized(Level::Scalar),
        Self::Quantized(Level::Trellis),
    ];

    pub(crate) fn name(self) -> String {
        match self {
            Self::Svd(Dtype::F32) => "SVD".to_owned(),
            Self::Svd(dtype) => format!("SVD, U in {dtype}"),
            Self::WeightedSvd => "weighted SVD".to_owned(),
            Self::Blockwise => "block-wise SVD".to_owned(),
            Self::Rows(bits) => format!("rows in int{bits}"),
            Self::Quantized(Level::Trellis) => "quantized, trellis".to_owned(),
            Self::Quantized(_) => "quantized, scalar".to_owned(),
        }
    }

    /// How it is drawn.
    pub(crate) fn look(self) -> Look {
        let (color, dashed, marker) = match self {
            Self::Svd(Dtype::F32) => (BLUE, false, Marker::Circle),
            Self::Svd(Dtype::F16) => (SKY, false, Marker::Circle),
            Self::Svd(_) => (SKY, true, Marker::Circle),
            Self::WeightedSvd => (GREEN, false, Marker::Triangle),
            Self::Blockwise => (PURPLE, false, Marker::Triangle),
            Self::Rows(8) => (GREY, false, Marker::Square),
            Self::Rows(_) => (BLACK, false, Marker::Square),
            Self::Quantized(level) => (VERMILION, level == Level::Trellis, Marker::Circle),
        };
        Look { color, dashed, marker }
    }

    /// Whether it takes much longer to make than the others.
    pub(crate) fn is_slow(self) -> bool {
        self == Self::Quantized(Level::Trellis)
    }

    /// Whether it is made for files that are so many times smaller than the table as 32-bit floats.
    pub(crate) fn suits(self, ratio: f64) -> bool {
        match self {
            Self::Svd(Dtype::F32) | Self::WeightedSvd | Self::Blockwise => true,
            Self::Svd(Dtype::F16) => ratio >= 2.0,
            // Codes of more bits are no trellis.
            Self::Quantized(Level::Trellis) => ratio >= 8.0,
            Self::Svd(_) | Self::Quantized(_) => ratio >= 4.0,
            // They have one size, for the scales a little above these.
            Self::Rows(bits) => ratio == 32.0 / f64::from(bits),
        }
    }
}

/// Makes layers from a table, by way of files.
#[derive(Debug)]
pub(crate) struct Maker<'a> {
    table: ArrayView2<'a, f32>,
    weights: &'a RowWeights,
    code_weights: RowWeights,
    folder: TempDir,
}

impl<'a> Maker<'a> {
    /// Codes are made for weights with an exponent of their own.
    pub(crate) fn new(table: ArrayView2<'a, f32>, weights: &'a RowWeights, code_exponent: f64) -> Result<Self> {
        let code_weights = weights.clone().with_exponent(code_exponent)?;
        let folder = tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))?;
        Ok(Self { table, weights, code_weights, folder })
    }

    /// A layer whose file is this many times smaller than the table as 32-bit floats.
    pub(crate) fn make(&self, scheme: Scheme, ratio: f64) -> Result<Made> {
        let bytes = (self.table.len() * size_of::<f32>()) as f64 / ratio;
        let (bytes, weights) = (bytes as usize, self.weights.clone());
        match scheme {
            Scheme::Svd(dtype) => self.svd(TruncatedSvd::new, dtype, bytes),
            Scheme::WeightedSvd => {
                self.svd(|rank| TruncatedSvd::new(rank).with_row_weights(weights.clone()), Dtype::F32, bytes)
            }
            Scheme::Blockwise => {
                let groups = RowGroups::by_frequency(&weights, ROW_GROUPS)?;
                let budget = bytes.saturating_sub(max_block_header_bytes(ROW_GROUPS));
                let decomposition =
                    BlockwiseSvd::new(groups, budget).with_row_weights(weights).decompose(self.table)?;
                self.saved(
                    |path| save_block_factors(path, &decomposition.factors),
                    |path| Ok(Box::new(BlockwiseEmbedding::new(load_block_factors(path)?))),
                )
            }
            Scheme::Rows(bits) => {
                let (table, bytes) = absmax::coded(self.table, bits);
                Ok(Made { layer: Box::new(DenseEmbedding::new(table)?), bytes })
            }
            Scheme::Quantized(level) => {
                let quantizer = Quantizer::new(Budget::Bytes(bytes)).with_level(level);
                let quantizer = quantizer.with_row_weights(self.code_weights.clone());
                let factors = quantizer.quantize(self.table)?.factors;
                self.saved(
                    |path| save_quantized(path, &factors),
                    |path| Ok(Box::new(QuantizedEmbedding::new(load_quantized(path)?))),
                )
            }
        }
    }

    fn svd(&self, method: impl Fn(Rank) -> TruncatedSvd, dtype: Dtype, bytes: usize) -> Result<Made> {
        let (vocab_size, dim) = self.table.dim();
        // A column of U and its scale as int8, a singular value and a row of V.
        let direction = dtype.size() * vocab_size + size_of::<f32>() * (dim + 2);
        let rank = (bytes.saturating_sub(MAX_HEADER_BYTES) / direction).min(dim);
        if rank == 0 {
            return Err(Error::BudgetTooSmall { bytes, minimum: direction + MAX_HEADER_BYTES }.into());
        }
        let factors = method(Rank::Fixed(rank)).decompose(self.table)?.factors.to_dtype(dtype)?;
        self.saved(
            |path| save_factors(path, &factors),
            |path| Ok(Box::new(FactorizedEmbedding::new(load_factors(path)?))),
        )
    }

    /// What a file holds, once it is written.
    fn saved(
        &self,
        save: impl FnOnce(&Path) -> factorized_embedding::Result<()>,
        load: impl FnOnce(&Path) -> factorized_embedding::Result<Box<dyn Embedding>>,
    ) -> Result<Made> {
        let path = self.folder.path().join("table.safetensors");
        save(&path)?;
        let size = fs::metadata(&path).map_err(|error| format!("cannot read the size of a file: {error}"))?.len();
        Ok(Made { layer: load(&path)?, bytes: usize::try_from(size)? })
    }
}
