//! Which tensor is the token table, which the output head, and whether `config.json` agrees.

use super::{
    Checkpoint, Family,
    names::{OUTPUT_HEAD, family_of},
};
use crate::{Dtype, Error, Result, io::safetensors::table_dtype};

/// The token table of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenTable {
    /// The name of the tensor, or of the one that was there before it was compressed.
    pub name: String,
    /// The family of models that calls it so.
    pub family: Family,
    /// Rows and columns: `vocab_size` and dim.
    pub shape: [usize; 2],
    /// The type of its numbers, or of those that it had before it was compressed.
    pub dtype: Dtype,
    /// What gives logits.
    pub output_head: OutputHead,
}

/// What hidden states are multiplied with to give logits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputHead {
    /// The token table itself, if the model gives logits at all.
    Tied,
    /// A tensor of its own, of this name.
    Separate(String),
    /// Nothing: the checkpoint has no head, and none is tied.
    Absent,
}

impl Checkpoint {
    /// The token table, by the names that BERT, GPT-2, T5, LLaMA, ALBERT, sentence-transformers and model2vec give it.
    ///
    /// A table of another name is read with [`embedding`](Self::embedding) or [`table`](Self::table).
    ///
    /// # Errors
    /// [`TokenTableNotFound`](Error::TokenTableNotFound) with the matrices that it may be,
    /// [`AmbiguousTokenTable`](Error::AmbiguousTokenTable) where several names fit,
    /// [`UnsuitableTensor`](Error::UnsuitableTensor) where the tensor is no table, [`ConfigMismatch`](Error::ConfigMismatch)
    /// where `config.json` says something else of it, and those of a table that is kept as factors or codes.
    pub fn token_table(&self) -> Result<TokenTable> {
        let names = self.tensors().map(|(name, _)| name).chain(self.compressed.keys().map(String::as_str));
        let mut found: Vec<(&str, Family)> =
            names.filter_map(|name| Some((name, family_of(name, |name| self.has(name))?))).collect();
        found.sort_unstable_by_key(|(name, _)| *name);
        found.dedup();
        let (name, family) = match found.as_slice() {
            [] => return Err(self.no_token_table()),
            &[only] => only,
            several => {
                let names = several.iter().map(|(name, _)| (*name).to_owned()).collect();
                return Err(Error::AmbiguousTokenTable { path: self.path.clone(), names });
            }
        };
        let (shape, dtype) = self.shape_and_dtype(name)?;
        self.check_config(name, family, shape)?;
        let output_head = self.output_head(family, shape)?;
        Ok(TokenTable { name: name.to_owned(), family, shape, dtype, output_head })
    }

    fn no_token_table(&self) -> Error {
        let is_matrix = |name: &str| self.info(name).is_some_and(|tensor| table_dtype(tensor).is_some());
        let mut candidates: Vec<(String, [usize; 2])> = self
            .tensors()
            .filter_map(|(name, shape)| Some((name.to_owned(), shape.try_into().ok()?)))
            .filter(|(name, _)| is_matrix(name))
            .collect();
        // No product overflows: the tensors lie within their files.
        candidates.sort_by_key(|(_, [rows, columns])| std::cmp::Reverse(rows * columns));
        Error::TokenTableNotFound { path: self.path.clone(), candidates }
    }

    fn check_config(&self, name: &str, family: Family, [vocab_size, dim]: [usize; 2]) -> Result<()> {
        let config = self.config();
        let rows = config.vocab_size.map(|expected| ("vocab_size", expected, vocab_size, "rows"));
        let columns = family.width(config).map(|(setting, expected)| (setting, expected, dim, "columns"));
        match rows.into_iter().chain(columns).find(|(_, expected, actual, _)| expected != actual) {
            None => Ok(()),
            Some((setting, expected, actual, what)) => {
                Err(self.config_mismatch(setting, expected.to_string(), name, format!("has {actual} {what}")))
            }
        }
    }

    pub(super) fn config_mismatch(&self, setting: &'static str, value: String, name: &str, actual: String) -> Error {
        Error::ConfigMismatch { path: self.config_path(), setting, value, tensor: name.to_owned(), actual }
    }

    fn output_head(&self, family: Family, shape: [usize; 2]) -> Result<OutputHead> {
        let tied = self.config().tie_word_embeddings;
        match self.info(OUTPUT_HEAD) {
            Some(head) if tied == Some(true) && head.shape != shape => {
                let actual = format!("is {:?}, and the table {shape:?}", head.shape);
                Err(self.config_mismatch("tie_word_embeddings", "true".to_owned(), OUTPUT_HEAD, actual))
            }
            Some(_) => Ok(OutputHead::Separate(OUTPUT_HEAD.to_owned())),
            None if tied.unwrap_or(family.is_tied()) => Ok(OutputHead::Tied),
            None => Ok(OutputHead::Absent),
        }
    }
}
