//! Sentences as token ids, in batches of one length each.

use std::{collections::BTreeMap, path::Path};

use candle_core::{Device, Tensor};
use factorized_embedding::TokenId;
use tokenizers::{Tokenizer, TruncationParams};

use crate::support::Result;

/// Tokens of a batch, at least one sentence.
const BATCH_TOKENS: usize = 1024;

#[derive(Debug)]
pub(crate) struct SentenceTokenizer(Tokenizer);

/// Sentences that are to be encoded.
#[derive(Debug)]
pub(crate) struct Sentences {
    /// The longest first, so that no thread is left with one of them at the end.
    pub(crate) batches: Vec<Batch>,
    pub(crate) num_tokens: usize,
    len: usize,
}

/// Sentences of as many tokens each.
#[derive(Debug)]
pub(crate) struct Batch {
    /// \[b, t\]
    pub(crate) ids: Tensor,
    /// Which sentences they are \[b\].
    pub(crate) sentences: Vec<usize>,
}

impl SentenceTokenizer {
    /// The tokenizer of a model with so many rows and positions.
    pub(crate) fn open(folder: &Path, vocab_size: usize, num_positions: usize) -> Result<Self> {
        let path = folder.join("tokenizer.json");
        let mut tokenizer =
            Tokenizer::from_file(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let size = tokenizer.get_vocab_size(true);
        if size > vocab_size {
            return Err(format!("{} has {size} tokens, but the table {vocab_size} rows", path.display()).into());
        }
        tokenizer.with_padding(None);
        let mut truncation = tokenizer
            .get_truncation()
            .cloned()
            .unwrap_or_else(|| TruncationParams { max_length: num_positions, ..TruncationParams::default() });
        truncation.max_length = truncation.max_length.min(num_positions);
        tokenizer.with_truncation(Some(truncation)).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(tokenizer))
    }

    /// Whether these tokens have these ids.
    pub(crate) fn has(&self, tokens: &[(&str, TokenId)]) -> bool {
        tokens.iter().all(|&(token, id)| self.0.token_to_id(token) == Some(id))
    }

    /// The tokens that it puts around every sentence.
    pub(crate) fn added(&self) -> Result<Vec<TokenId>> {
        Ok(self.0.encode("", true).map_err(|error| error.to_string())?.get_ids().to_vec())
    }

    /// Without padding: sentences of one length go together.
    pub(crate) fn encode(&self, sentences: &[String]) -> Result<Sentences> {
        let inputs = sentences.iter().map(String::as_str).collect();
        let encodings = self.0.encode_batch(inputs, true).map_err(|error| error.to_string())?;
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, encoding) in encodings.iter().enumerate() {
            by_length.entry(encoding.len()).or_default().push(number);
        }
        if by_length.contains_key(&0) {
            return Err("a sentence has no tokens, not even those that the model puts around it".into());
        }
        let mut batches = Vec::new();
        for (length, numbers) in by_length.into_iter().rev() {
            for sentences in numbers.chunks((BATCH_TOKENS / length).max(1)) {
                let ids = sentences.iter().flat_map(|&number| encodings[number].get_ids()).copied();
                let ids = Tensor::from_iter(ids, &Device::Cpu)?.reshape((sentences.len(), length))?;
                batches.push(Batch { ids, sentences: sentences.to_vec() });
            }
        }
        let num_tokens = encodings.iter().map(tokenizers::Encoding::len).sum();
        Ok(Sentences { batches, num_tokens, len: sentences.len() })
    }
}

impl Sentences {
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}
