//! The tables that are compared.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use factorized_embedding::{
    Decompose, DenseEmbedding, Embedding, FactorizedEmbedding, QuantizedEmbedding, Rank, RowWeights, TokenId,
    TruncatedSvd,
    quantize::{Budget, Level, Quantizer},
};

use crate::{
    model::Model,
    support::{Result, frequencies},
};

/// Ids that the shipped counts are of.
const KNOWN: [(&str, TokenId); 4] = [("[CLS]", 101), ("the", 1996), ("##s", 2015), ("sentence", 6251)];

/// How a table is made of the dense one, so many times smaller.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Recipe {
    Dense,
    Svd(f64),
    /// Of rows weighted by their frequencies.
    WeightedSvd(f64),
    /// The same, in codes.
    Quantized(Level, f64),
}

impl Recipe {
    pub(crate) fn is_weighted(self) -> bool {
        matches!(self, Self::WeightedSvd(_) | Self::Quantized(..))
    }

    /// The table, with these frequencies to this power.
    pub(crate) fn make(
        self,
        dense: &DenseEmbedding<'static>,
        weights: &RowWeights,
        exponent: f64,
    ) -> Result<Box<dyn Embedding>> {
        let weights = weights.clone().with_exponent(exponent)?;
        let bytes = |ratio: f64| Rank::Bytes(((4 * dense.vocab_size() * dense.dim()) as f64 / ratio) as usize);
        let factors = |svd: TruncatedSvd| -> Result<Box<dyn Embedding>> {
            Ok(Box::new(FactorizedEmbedding::new(svd.decompose(dense.to_array().view())?.factors)))
        };
        match self {
            Self::Dense => Ok(Box::new(dense.clone())),
            Self::Svd(ratio) => factors(TruncatedSvd::new(bytes(ratio))),
            Self::WeightedSvd(ratio) => factors(TruncatedSvd::new(bytes(ratio)).with_row_weights(weights)),
            Self::Quantized(level, ratio) => {
                let quantizer = Quantizer::new(Budget::Ratio(ratio)).with_level(level).with_row_weights(weights);
                Ok(Box::new(QuantizedEmbedding::new(quantizer.quantize(dense.to_array().view())?.factors)))
            }
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dense => write!(f, "dense"),
            Self::Svd(_) => write!(f, "SVD"),
            Self::WeightedSvd(_) => write!(f, "weighted SVD"),
            Self::Quantized(Level::Trellis, _) => write!(f, "quantized, trellis"),
            Self::Quantized(..) => write!(f, "quantized, scalar"),
        }
    }
}

/// How often tokens occur, plus one: by a file, or else by the shipped one. Counts of running text know nothing of the tokens that
/// the tokenizer puts around every sentence, of which there are more than of any other.
pub(crate) fn weights(model: &Model, path: Option<&Path>) -> Result<RowWeights> {
    let everywhere = model.tokenizer.added()?;
    let read = |path: &Path| frequencies::row_weights(path, model.table.vocab_size(), 1.0, &everywhere);
    if let Some(path) = path {
        return read(path);
    }
    if !model.tokenizer.has(&KNOWN) {
        let problem = "the counts that are shipped are of another vocabulary than that of this model";
        return Err(format!("{problem}: give its own with --frequencies FILE").into());
    }
    let shipped: PathBuf = [env!("CARGO_MANIFEST_DIR"), "scripts", "data", "minilm.freq.npy"].iter().collect();
    read(&shipped)
}
