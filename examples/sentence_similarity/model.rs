//! The folder of a sentence encoder.

use std::path::Path;

use candle_core::Tensor;
use factorized_embedding::{
    DenseEmbedding, Embedding,
    io::hugging_face::{Checkpoint, Family},
};
use ndarray::Array2;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::{
    config::Config,
    encoder::Encoder,
    pooling,
    sentences::{SentenceTokenizer, Sentences},
    support::{Result, text::grouped},
    weights,
};

/// What the name of the token table ends with; what stands before it stands before all names.
const TABLE: &str = "embeddings.word_embeddings.weight";

#[derive(Debug)]
pub(crate) struct Model {
    config: Config,
    encoder: Encoder,
    pub(crate) tokenizer: SentenceTokenizer,
    /// The token table, mapped.
    pub(crate) table: DenseEmbedding<'static>,
}

impl Model {
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            let hint = "without arguments this example says how to get one";
            return Err(format!("{} is not a folder, expected that of a model: {hint}", folder.display()).into());
        }
        let config = Config::read(folder)?;
        pooling::check(folder)?;
        let checkpoint = Checkpoint::open(folder)?;
        let found = checkpoint.token_table()?;
        let prefix = found.name.strip_suffix(TABLE).filter(|_| found.family == Family::Bert).ok_or_else(|| {
            format!("{} keeps its token table as {}, expected …{TABLE}", folder.display(), found.name)
        })?;
        let table = checkpoint.table(&found.name)?;
        let mut builder = weights::builder(&checkpoint);
        for part in prefix.split_terminator('.') {
            builder = builder.pp(part);
        }
        let encoder = Encoder::new(&config, &builder)?;
        let tokenizer = SentenceTokenizer::open(folder, table.vocab_size(), config.num_positions)?;
        Ok(Self { config, encoder, tokenizer, table })
    }

    pub(crate) fn description(&self) -> String {
        let Config { num_layers, hidden_size, .. } = self.config;
        let table = format!("{} × {}", grouped(self.table.vocab_size()), self.table.dim());
        format!("BERT, {num_layers} layers, {hidden_size} numbers a token, mean pooling, token table {table}")
    }

    /// The vectors of sentences \[sentences, hidden\]: batches side by side, `done` after each.
    pub(crate) fn encode(
        &self,
        table: &dyn Embedding,
        sentences: &Sentences,
        done: impl Fn() + Sync,
    ) -> Result<Array2<f32>> {
        let encoded = sentences.batches.par_iter().map(|batch| {
            let vectors = self.encoder.forward(table, &batch.ids)?.to_vec2::<f32>()?;
            done();
            Ok((batch.sentences.as_slice(), vectors))
        });
        let mut all = Array2::zeros((sentences.len(), self.config.hidden_size));
        for (numbers, vectors) in encoded.collect::<candle_core::Result<Vec<_>>>()? {
            for (&number, vector) in numbers.iter().zip(vectors) {
                all.row_mut(number).assign(&ndarray::Array1::from(vector));
            }
        }
        Ok(all)
    }

    /// The vectors of all tokens of the sentences, which are what encoding begins with.
    pub(crate) fn look_up(&self, table: &dyn Embedding, sentences: &Sentences) -> Result<()> {
        let batches = sentences.batches.iter();
        Ok(batches.map(|batch| factorized_embedding::candle::lookup(table, &batch.ids)).try_for_each(drop_tensor)?)
    }
}

fn drop_tensor(tensor: candle_core::Result<Tensor>) -> candle_core::Result<()> {
    tensor.map(drop)
}
