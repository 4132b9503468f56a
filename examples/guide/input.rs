//! The table that is measured, and how often its tokens are used.

use std::{io::Write, path::Path};

use factorized_embedding::{DenseEmbedding, Embedding, RowWeights, TokenId, io::safetensors::load_table};

use crate::{
    arguments::Arguments,
    support::{Result, frequencies, text::grouped},
};

#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) name: String,
    /// Widened to `f32`.
    pub(crate) dense: DenseEmbedding<'static>,
    /// Frequencies, and what is added to them; the exponent is 1.
    pub(crate) weights: RowWeights,
    pub(crate) smoothing: f64,
    /// Power of the weights that codes are made for.
    pub(crate) code_exponent: f64,
    /// The frequencies alone.
    pub(crate) counts: Vec<f64>,
    /// All ids, the most frequent first.
    pub(crate) most_used: Vec<TokenId>,
}

impl Input {
    pub(crate) fn load(arguments: &Arguments) -> Result<Self> {
        let (path, tensor, counts_path) = arguments.table();
        let stored = load_table(&path, &tensor)?;
        let (vocab_size, smoothing, everywhere) = (stored.vocab_size(), arguments.smoothing, &arguments.everywhere);
        let weights = frequencies::row_weights(&counts_path, vocab_size, smoothing, everywhere)?;
        let code_exponent = arguments.code_exponent();
        weights.clone().with_exponent(code_exponent)?;
        let file = path.file_name().map_or(Path::new(""), Path::new).display();
        Ok(Self {
            name: format!("{tensor} of {file}"),
            dense: DenseEmbedding::new(stored.to_array().into_owned())?,
            smoothing,
            code_exponent,
            counts: frequencies::counts(&counts_path, vocab_size, everywhere)?,
            most_used: weights.most_used(),
            weights,
        })
    }

    pub(crate) fn write_introduction(&self, out: &mut impl Write) -> Result<()> {
        let Self { name, dense, smoothing, code_exponent, .. } = self;
        let (rows, bytes) = (grouped(dense.vocab_size()), grouped(dense.size_in_bytes()));
        writeln!(out, "{name}: {rows} × {}, {bytes} bytes as 32-bit floats.", dense.dim())?;
        writeln!(
            out,
            "The weight of a token is its frequency plus {smoothing}; to the power {code_exponent} where it is quantized."
        )?;
        Ok(())
    }
}
