//! Analogy questions: a is to b as c is to which word?
//!
//! They are answered by 3CosAdd (Mikolov et al. 2013, "Linguistic regularities in continuous space word representations"):
//! the word nearest to b − a + c, all vectors of length 1, that is none of the three.

use factorized_embedding::{Embedding, TokenId, Vocabulary};
use ndarray::{Array2, Axis};

use crate::support::Result;

/// Nearest words that are enough to find one that is none of the three in the question.
const CANDIDATES: usize = 4;

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
            let ids: Option<Vec<TokenId>> = line.split_whitespace().map(|word| vocabulary.id(word)).collect();
            let ids = ids.ok_or_else(|| format!("the vocabulary does not have all words of the question {line:?}"))?;
            Ok(ids.try_into().map_err(|_| format!("the question {line:?} does not have four words"))?)
        };
        Ok(Self { questions: lines.map(question).collect::<Result<_>>()? })
    }

    pub(super) fn len(&self) -> usize {
        self.questions.len()
    }

    /// The share of the questions that a layer answers right.
    pub(super) fn accuracy(&self, layer: &dyn Embedding) -> Result<f64> {
        let words = |place: usize| -> Result<Array2<f32>> {
            let ids: Vec<TokenId> = self.questions.iter().map(|question| question[place]).collect();
            Ok(unit_rows(layer.lookup(&ids)?))
        };
        let queries = words(1)? - words(0)? + words(2)?;
        let nearest = layer.nearest(queries.view(), CANDIDATES)?;
        let right = self.questions.iter().zip(nearest.ids.rows()).filter(|([a, b, c, d], nearest)| {
            let answer = nearest.iter().find(|id| ![a, b, c].contains(id));
            answer == Some(d)
        });
        Ok(right.count() as f64 / self.len() as f64)
    }
}

fn unit_rows(mut rows: Array2<f32>) -> Array2<f32> {
    for mut row in rows.axis_iter_mut(Axis(0)) {
        let norm = row.dot(&row).sqrt();
        if norm > 0.0 {
            row /= norm;
        }
    }
    rows
}
