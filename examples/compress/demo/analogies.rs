//! Analogy questions: a is to b as c is to which word?
//!
//! They are answered by 3CosAdd: see [`Embedding::analogy`].

use factorized_embedding::{Embedding, OutOfVocabulary, TokenId, Vocabulary};

use crate::support::Result;

/// Questions and answers \[a, b, c, d\] as ids.
#[derive(Debug)]
pub(super) struct Analogies {
    questions: Vec<[TokenId; 4]>,
}

impl Analogies {
    /// Reads lines of four words; lines that begin with a colon name sections.
    pub(super) fn new(text: &str, vocabulary: &Vocabulary) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.starts_with(':'));
        let question = |line: &str| -> Result<[TokenId; 4]> {
            let words: Vec<&str> = line.split_whitespace().collect();
            let ids = vocabulary.encode(&words, OutOfVocabulary::Refuse)?;
            Ok(ids.try_into().map_err(|_| format!("the question {line:?} does not have four words"))?)
        };
        Ok(Self { questions: lines.map(question).collect::<Result<_>>()? })
    }

    pub(super) fn len(&self) -> usize {
        self.questions.len()
    }

    /// The share of the questions that a layer answers right.
    pub(super) fn accuracy(&self, layer: &dyn Embedding) -> Result<f64> {
        let questions: Vec<[TokenId; 3]> = self.questions.iter().map(|&[a, b, c, _]| [a, b, c]).collect();
        let answers = layer.analogy(&questions, 1)?;
        let right = self.questions.iter().zip(&answers.ids).filter(|([.., expected], answer)| expected == *answer);
        Ok(right.count() as f64 / self.len() as f64)
    }
}
