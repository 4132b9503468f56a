//! What is printed of the layers, side by side.

use std::io::Write;

use factorized_embedding::{Embedding, TokenId, TopK, Vocabulary, evaluate::Evaluator};
use ndarray::Axis;

use crate::{
    layers::Layers,
    support::{
        Result,
        text::{Align, grouped, write_table},
    },
};

#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) layers: &'a Layers<'a>,
    /// Nearest words and answers that are shown.
    pub(crate) count: usize,
}

impl Report<'_> {
    pub(crate) fn write_sizes(&self, out: &mut impl Write) -> Result<()> {
        let evaluator = Evaluator::new(self.layers.dense());
        let mut rows = Vec::new();
        for (name, layer) in &self.layers.0 {
            let comparison = evaluator.compare(layer.as_ref())?;
            rows.push([
                name.clone(),
                grouped(layer.size_in_bytes()),
                format!("{:.2}", comparison.ratio),
                format!("{:.4}", comparison.relative_error),
                format!("{:.1} %", 100.0 * comparison.neighbour_recall),
            ]);
        }
        let header = [
            ("layer", Align::Left),
            ("bytes", Align::Right),
            ("times smaller", Align::Right),
            ("relative error", Align::Right),
            ("10 nearest kept", Align::Right),
        ];
        writeln!(out)?;
        write_table(out, header, &rows)?;
        Ok(())
    }

    pub(crate) fn write_neighbours(&self, words: &[TokenId], out: &mut impl Write) -> Result<()> {
        let titles: Vec<String> = words.iter().map(|&id| self.word(id)).collect();
        let nearest = |layer: &dyn Embedding| -> Result<Vec<Vec<String>>> {
            // The nearest is the word itself.
            let found = layer.nearest(layer.lookup(words)?.view(), self.count + 1)?;
            Ok(self.cells(&found, |query, id| words[query] != id))
        };
        writeln!(out, "\nNearest words and their cosines:\n")?;
        self.write_columns(&titles, nearest, out)
    }

    pub(crate) fn write_analogies(&self, questions: &[[TokenId; 3]], out: &mut impl Write) -> Result<()> {
        if questions.is_empty() {
            return Ok(());
        }
        let title = |question: &[TokenId; 3]| {
            let [a, b, c] = question.map(|id| self.word(id));
            format!("{a} : {b} = {c} :")
        };
        let titles: Vec<String> = questions.iter().map(title).collect();
        let answers = |layer: &dyn Embedding| -> Result<Vec<Vec<String>>> {
            Ok(self.cells(&layer.analogy(questions, self.count)?, |_, _| true))
        };
        writeln!(out, "\nAnalogies, the likeliest words and their cosines:\n")?;
        self.write_columns(&titles, answers, out)
    }

    /// Writes what each layer finds for each title, below each other.
    fn write_columns(
        &self,
        titles: &[String],
        find: impl Fn(&dyn Embedding) -> Result<Vec<Vec<String>>>,
        out: &mut impl Write,
    ) -> Result<()> {
        let mut columns = Vec::new();
        for (_, layer) in &self.layers.0 {
            columns.push(find(layer.as_ref())?);
        }
        let mut rows = Vec::new();
        for (query, title) in titles.iter().enumerate() {
            for place in 0..self.count {
                let cell = |column: usize| columns[column][query].get(place).cloned().unwrap_or_default();
                let title = if place == 0 { title.clone() } else { String::new() };
                let row = [title, cell(0), cell(1), cell(2), cell(3)];
                if row.iter().any(|cell| !cell.is_empty()) {
                    rows.push(row);
                }
            }
        }
        let [a, b, c, d] = &self.layers.0;
        let [a, b, c, d] = [a, b, c, d].map(|(name, _)| (name.as_str(), Align::Left));
        write_table(out, [("", Align::Left), a, b, c, d], &rows)?;
        Ok(())
    }

    /// Words and scores of each query, at most as many as are shown.
    fn cells(&self, found: &TopK, is_shown: impl Fn(usize, TokenId) -> bool) -> Vec<Vec<String>> {
        let queries = found.ids.axis_iter(Axis(0)).zip(found.scores.axis_iter(Axis(0))).enumerate();
        let cells = queries.map(|(query, (ids, scores))| {
            let shown = ids.iter().zip(scores).filter(|(id, _)| is_shown(query, **id)).take(self.count);
            shown.map(|(&id, score)| format!("{} {score:.2}", self.word(id))).collect()
        });
        cells.collect()
    }

    /// Control characters as they are written in code.
    fn word(&self, id: TokenId) -> String {
        let word = self.vocabulary.word(id).unwrap_or_default();
        if word.contains(char::is_control) { word.escape_debug().to_string() } else { word.to_owned() }
    }
}
