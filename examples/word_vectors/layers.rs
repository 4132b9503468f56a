//! The table, and what is made of it.

use factorized_embedding::{
    Decompose, DenseEmbedding, Embedding, FactorizedEmbedding, QuantizedEmbedding, Rank, TruncatedSvd,
    quantize::{Budget, Quantizer},
};
use ndarray::Array2;

use crate::support::{Result, progress};

/// How many times smaller than the table in `f32` quantized ones are.
const QUANTIZED: [f64; 2] = [8.0, 16.0];
/// How many times smaller factors are.
const FACTORIZED: usize = 8;

/// Layers of one table and their names, the dense one first.
#[derive(Debug)]
pub(crate) struct Layers<'a>(pub(crate) [(String, Box<dyn Embedding + 'a>); 4]);

impl<'a> Layers<'a> {
    pub(crate) fn new(table: &'a Array2<f32>) -> Result<Self> {
        let dense = DenseEmbedding::new(table)?;
        let progress = progress::steps();
        let quantized = |ratio: f64| -> Result<(String, Box<dyn Embedding>)> {
            let name = format!("quantized {ratio}×");
            progress.set_message(name.clone());
            let quantization = Quantizer::new(Budget::Ratio(ratio)).quantize(table.view())?;
            Ok((name, Box::new(QuantizedEmbedding::new(quantization.factors))))
        };
        let [small, smaller] = [quantized(QUANTIZED[0])?, quantized(QUANTIZED[1])?];
        progress.set_message("factorizing");
        let rank = Rank::Bytes(dense.size_in_bytes() / FACTORIZED);
        let factors = TruncatedSvd::new(rank).decompose(table.view())?.factors;
        progress.finish_and_clear();
        let name = format!("SVD {FACTORIZED}×, rank {}", factors.rank());
        let factorized = Box::new(FactorizedEmbedding::new(factors));
        Ok(Self([("dense".to_owned(), Box::new(dense)), small, smaller, (name, factorized)]))
    }

    pub(crate) fn dense(&self) -> &dyn Embedding {
        self.0[0].1.as_ref()
    }
}
