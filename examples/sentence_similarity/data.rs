//! Pairs of sentences and how alike people find them.

use std::{collections::HashMap, fs, path::Path};

use crate::{
    csv::{self, Record},
    support::Result,
};

#[derive(Debug)]
pub(crate) struct ScoredPairs {
    /// Each once, however often it occurs.
    pub(crate) sentences: Vec<String>,
    /// Two numbers of sentences.
    pub(crate) pairs: Vec<[usize; 2]>,
    /// One for each pair, larger where the sentences are more alike.
    pub(crate) scores: Vec<f64>,
}

impl ScoredPairs {
    /// Two sentences and a score in each line. A first line without a number at its end names the columns.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
        let records = csv::records(&text).map_err(|problem| format!("{shown} is not a valid CSV file: {problem}"))?;
        let (mut pairs, mut scores) = (Vec::new(), Vec::new());
        let mut numbers = HashMap::new();
        for (i, Record { line, fields }) in records.into_iter().enumerate() {
            let [first, second, score] = <[String; 3]>::try_from(fields).map_err(|fields| {
                let expected = "expected 3: two sentences and a score";
                format!("{shown}, line {line} has {} fields, {expected}", fields.len())
            })?;
            let Some(score) = score.trim().parse::<f64>().ok().filter(|score| score.is_finite()) else {
                if i == 0 {
                    continue;
                }
                return Err(format!("{shown}, line {line} has the score {score:?}, expected a number").into());
            };
            pairs.push([first, second].map(|sentence| {
                let next = numbers.len();
                *numbers.entry(sentence).or_insert(next)
            }));
            scores.push(score);
        }
        if scores.iter().all(|score| scores.first() == Some(score)) {
            return Err(
                format!("{shown} has no two different scores, expected a pair of sentences in each line").into()
            );
        }
        let mut sentences = vec![String::new(); numbers.len()];
        for (sentence, number) in numbers {
            sentences[number] = sentence;
        }
        Ok(Self { sentences, pairs, scores })
    }
}
