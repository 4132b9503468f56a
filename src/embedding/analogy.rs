//! Analogy questions, by way of nearest rows: [`Embedding::analogy`].

use ndarray::{Array2, ArrayView1, Axis};

use super::{Embedding, TokenId, TopK, check};
use crate::Result;

/// The ids of a question [a, b, c].
const ASKED: usize = 3;
/// Questions that are answered together.
const BLOCK_QUESTIONS: usize = 1024;

pub(super) fn answers<E: Embedding + ?Sized>(embedding: &E, questions: &[[TokenId; ASKED]], k: usize) -> Result<TopK> {
    check::ids(questions.as_flattened(), embedding.vocab_size())?;
    let shape = (questions.len(), k.min(fewest_candidates(embedding, questions)));
    let mut answers = TopK { ids: Array2::zeros(shape), scores: Array2::zeros(shape) };
    let mut first = 0;
    for questions in questions.chunks(BLOCK_QUESTIONS) {
        // As many of the nearest may be ids of the question itself.
        let nearest = embedding.nearest(queries(embedding, questions)?.view(), shape.1 + ASKED)?;
        let rows = nearest.ids.rows().into_iter().zip(nearest.scores.rows());
        for ((row, question), (ids, scores)) in (first..).zip(questions).zip(rows) {
            let others = ids.iter().zip(scores).filter(|(id, _)| !question.contains(id));
            for (column, (&id, &score)) in others.take(shape.1).enumerate() {
                answers.ids[[row, column]] = id;
                answers.scores[[row, column]] = score;
            }
        }
        first += questions.len();
    }
    Ok(answers)
}

/// Ids that are neither padding nor in a question, of the question that has the fewest.
fn fewest_candidates<E: Embedding + ?Sized>(embedding: &E, questions: &[[TokenId; ASKED]]) -> usize {
    let padding = embedding.padding_id();
    let excluded = |question: &[TokenId; ASKED]| {
        let mut ids: Vec<TokenId> = question.iter().copied().chain(padding).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len()
    };
    embedding.vocab_size() - questions.iter().map(excluded).max().unwrap_or(usize::from(padding.is_some()))
}

/// b̂ − â + ĉ of each question.
fn queries<E: Embedding + ?Sized>(embedding: &E, questions: &[[TokenId; ASKED]]) -> Result<Array2<f32>> {
    let rows = embedding.lookup(questions.as_flattened())?;
    let mut queries = Array2::zeros((questions.len(), embedding.dim()));
    for (mut query, rows) in queries.rows_mut().into_iter().zip(rows.axis_chunks_iter(Axis(0), ASKED)) {
        let scales = [0, 1, 2].map(|row| inverse_norm(rows.row(row)));
        for (j, sum) in query.iter_mut().enumerate() {
            let [a, b, c] = [0, 1, 2].map(|row| f64::from(rows[[row, j]]) * scales[row]);
            *sum = (b - a + c) as f32;
        }
    }
    Ok(queries)
}

/// 1 / ‖row‖, 0 for a zero row.
fn inverse_norm(row: ArrayView1<'_, f32>) -> f64 {
    let squares: f64 = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    if squares == 0.0 { 0.0 } else { squares.sqrt().recip() }
}
