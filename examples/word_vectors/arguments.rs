//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use factorized_embedding::{
    OutOfVocabulary, TokenId, Vocabulary,
    io::word_vectors::{DuplicateWords, WordVectorFormat},
};

use crate::support::Result;

const USAGE: &str = "\
word_vectors [FILE [--format FORMAT] [--max-rows N] [--dim N] [--keep-first]]
                    [--word WORD]... [--analogy A B C]... [--count N]";

const EXAMPLES: &str = "\
Examples (from the folder of the crate, `word_vectors` is `cargo run --release --example word_vectors --`):

  See what is left of the neighbours of GloVe word vectors that are made small:
    word_vectors

  The 100,000 most frequent words of a file, whatever its format:
    word_vectors glove.6B.300d.txt --max-rows 100000

  Words and a question of your own (man is to king as woman is to which?):
    word_vectors wiki-news-300d-1M.vec --max-rows 50000 --word river --word guitar --analogy man king woman";

/// Words that are shown where none are asked for, if the vocabulary has them.
const WORDS: [&str; 5] = ["river", "france", "guitar", "quickly", "doctor"];
/// Questions that are answered where none are asked.
const QUESTIONS: [[&str; 3]; 5] = [
    ["man", "king", "woman"],
    ["france", "paris", "italy"],
    ["good", "better", "bad"],
    ["walk", "walked", "go"],
    ["japan", "yen", "usa"],
];

/// Nearest words and analogies, in dense and in compressed word vectors
///
/// Reads words and their vectors, quantizes the table to an eighth and a sixteenth of its bytes, factorizes it to an eighth, and
/// prints nearest words and answers to analogy questions of all of them side by side.
///
/// Without FILE it shows the GloVe word vectors that come with the examples.
#[derive(Debug, Parser)]
#[command(name = "word_vectors", override_usage = USAGE, after_help = EXAMPLES)]
#[command(max_term_width = 100)]
pub(crate) struct Arguments {
    /// A file of GloVe, word2vec or fastText (.vec)
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// What the file is
    #[arg(long, value_enum, value_name = "FORMAT", requires = "file", default_value_t = Format::Detect)]
    pub(crate) format: Format,

    /// Read the first words only, so many
    #[arg(long, value_name = "N", requires = "file")]
    pub(crate) max_rows: Option<usize>,

    /// Numbers of a vector, for files of GloVe whose first line leaves that open
    #[arg(long, value_name = "N", requires = "file")]
    pub(crate) dim: Option<usize>,

    /// Leave out words that stand in the file once more, instead of refusing it
    #[arg(long, requires = "file")]
    pub(crate) keep_first: bool,

    /// Show the words nearest to this one; may be given several times
    #[arg(long = "word", value_name = "WORD")]
    words: Vec<String>,

    /// Answer the question: A is to B as C is to which? May be given several times
    #[arg(long = "analogy", num_args = 3, value_names = ["A", "B", "C"])]
    analogies: Vec<String>,

    /// Nearest words and answers that are shown
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) count: usize,
}

/// The format of the file.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// By how it begins
    Detect,
    /// Lines of a word and its numbers
    Glove,
    /// The same behind a header; also of fastText
    Word2vec,
    /// word2vec's binary format
    Word2vecBinary,
}

impl Arguments {
    pub(crate) fn duplicates(&self) -> DuplicateWords {
        if self.keep_first { DuplicateWords::KeepFirst } else { DuplicateWords::Refuse }
    }

    /// Those that were asked for; else common ones; else the first ones.
    pub(crate) fn words(&self, vocabulary: &Vocabulary) -> Result<Vec<TokenId>> {
        if !self.words.is_empty() {
            return Ok(vocabulary.encode(&self.words, OutOfVocabulary::Refuse)?);
        }
        let common: Vec<TokenId> = WORDS.iter().filter_map(|word| vocabulary.id(word)).collect();
        if !common.is_empty() {
            return Ok(common);
        }
        Ok((0..vocabulary.len().min(WORDS.len()) as TokenId).collect())
    }

    /// Those that were asked; else common ones whose words there are.
    pub(crate) fn questions(&self, vocabulary: &Vocabulary) -> Result<Vec<[TokenId; 3]>> {
        if !self.analogies.is_empty() {
            let ids = vocabulary.encode(&self.analogies, OutOfVocabulary::Refuse)?;
            return Ok(ids.as_chunks().0.to_vec());
        }
        let known = |question: &[&str; 3]| {
            let ids = vocabulary.encode(question, OutOfVocabulary::Refuse).ok()?;
            ids.try_into().ok()
        };
        Ok(QUESTIONS.iter().filter_map(known).collect())
    }
}

impl Format {
    /// The format that was said; nothing where it is to be found out.
    pub(crate) fn said(self) -> Option<WordVectorFormat> {
        match self {
            Self::Detect => None,
            Self::Glove => Some(WordVectorFormat::GloveText),
            Self::Word2vec => Some(WordVectorFormat::Word2VecText),
            Self::Word2vecBinary => Some(WordVectorFormat::Word2VecBinary),
        }
    }
}
