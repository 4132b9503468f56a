//! The words nearest to a word, in several layers side by side.

use std::io::Write;

use factorized_embedding::{Embedding, TokenId, Vocabulary};

use crate::support::{
    Result,
    text::{Align, write_table},
};

/// Neighbours of each word.
const NEIGHBOURS: usize = 5;

pub(super) fn write(
    words: &[&str],
    layers: [(&str, &dyn Embedding); 3],
    vocabulary: &Vocabulary,
    out: &mut impl Write,
) -> Result<()> {
    let mut rows = Vec::new();
    for &word in words {
        let id = vocabulary.id(word).ok_or_else(|| format!("the vocabulary does not have the word {word:?}"))?;
        let mut columns = Vec::new();
        for (_, layer) in layers {
            columns.push(nearest(id, layer, vocabulary)?);
        }
        for place in 0..NEIGHBOURS {
            let name = if place == 0 { word } else { "" };
            let cell = |column: usize| columns[column].get(place).cloned().unwrap_or_default();
            rows.push([name.to_owned(), cell(0), cell(1), cell(2)]);
        }
    }
    let [a, b, c] = layers.map(|(name, _)| (name, Align::Left));
    write_table(out, [("", Align::Left), a, b, c], &rows)?;
    Ok(())
}

/// Each neighbour with its cosine, without the word itself.
fn nearest(id: TokenId, layer: &dyn Embedding, vocabulary: &Vocabulary) -> Result<Vec<String>> {
    let nearest = layer.nearest(layer.lookup(&[id])?.view(), NEIGHBOURS + 1)?;
    let neighbours = nearest.ids.iter().zip(&nearest.scores).filter(|(other, _)| **other != id).take(NEIGHBOURS);
    Ok(neighbours.map(|(&id, cosine)| format!("{} {cosine:.2}", vocabulary.word(id).unwrap_or_default())).collect())
}
