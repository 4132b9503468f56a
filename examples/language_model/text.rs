//! Three novels as tokens.

use factorized_embedding::{RowWeights, TokenId};
use tokenizers::{
    DecoderWrapper, Encoding, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, TokenizerImpl,
    models::bpe::{BPE, BpeTrainer},
    pre_tokenizers::byte_level::ByteLevel,
};

use crate::support::{
    Result,
    books::{BOOKS, is_validation},
};

pub(crate) const VOCAB_SIZE: usize = 8000;

type Tokenizer = TokenizerImpl<BPE, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) training: Vec<TokenId>,
    /// Of chapters that are not trained with.
    pub(crate) validation: Vec<TokenId>,
}

impl Text {
    /// Every tenth chapter is for validation. Byte pairs (Sennrich, Haddow & Birch 2016) are learnt from the others.
    pub(crate) fn load() -> Result<Self> {
        let (mut training, mut validation) = (Vec::new(), Vec::new());
        for book in BOOKS {
            for (number, paragraphs) in book.chapters()?.into_iter().enumerate() {
                let part = if is_validation(number) { &mut validation } else { &mut training };
                part.extend(paragraphs.into_iter().map(|paragraph| paragraph + "\n"));
            }
        }
        let tokenizer = byte_pairs(&training)?;
        Ok(Self { training: encoded(&tokenizer, training)?, validation: encoded(&tokenizer, validation)? })
    }

    /// How often each token occurs in what is trained with, plus one.
    pub(crate) fn counts(&self) -> Result<RowWeights> {
        Ok(RowWeights::from_ids(VOCAB_SIZE, self.training.iter().copied())?.with_smoothing(1.0)?)
    }
}

fn byte_pairs(paragraphs: &[String]) -> Result<Tokenizer> {
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(ByteLevel::default().add_prefix_space(false)));
    let alphabet = ByteLevel::alphabet().into_iter().collect();
    let mut trainer =
        BpeTrainer::builder().vocab_size(VOCAB_SIZE).initial_alphabet(alphabet).show_progress(false).build();
    tokenizer.train(&mut trainer, paragraphs.iter()).map_err(|error| error.to_string())?;
    let learnt = tokenizer.get_vocab_size(true);
    if learnt != VOCAB_SIZE {
        return Err(format!("the text gives {learnt} tokens, expected {VOCAB_SIZE}").into());
    }
    Ok(tokenizer)
}

fn encoded(tokenizer: &Tokenizer, paragraphs: Vec<String>) -> Result<Vec<TokenId>> {
    let encodings = tokenizer.encode_batch(paragraphs, false).map_err(|error| error.to_string())?;
    Ok(encodings.iter().flat_map(Encoding::get_ids).copied().collect())
}
