//! a is to b as c is to which?

use factorized_embedding::{Embedding, TokenId};
use ndarray::{Array2, Axis, concatenate};

use super::{
    search::{check_ranking, cosines, numbers_to_ask_for},
    subject::Reference,
};
use crate::support::{compare::Expected, reference::norm};

/// Queries that are shorter than this are what rounding leaves of a difference.
const SHORT: f64 = 1e-2;

pub(crate) fn check(layer: &dyn Embedding, reference: &Reference) {
    let vocab_size = reference.vocab_size();
    let some = questions(vocab_size, 8);
    for k in numbers_to_ask_for(vocab_size) {
        check_questions(layer, reference, &some, k);
    }
    let none = layer.analogy(&[], 3).expect("no questions");
    assert_eq!(none.ids.dim(), (0, 3.min(reference.candidates().len())), "{}: no questions", reference.name);
}

/// The check for so many questions at a time.
pub(crate) fn check_many(layer: &dyn Embedding, reference: &Reference, number: usize) {
    check_questions(layer, reference, &questions(reference.vocab_size(), number), 2);
}

fn check_questions(layer: &dyn Embedding, reference: &Reference, questions: &[[TokenId; 3]], k: usize) {
    let (questions, expected) = answerable(reference, questions);
    let candidates = |i: usize| {
        let is_asked = |id: &TokenId| questions[i].contains(id);
        reference.candidates().into_iter().filter(|id| !is_asked(id)).collect()
    };
    let answers = layer.analogy(&questions, k).expect("ids of the vocabulary");
    check_ranking(&format!("{}, {k} answers", reference.name), &candidates, &answers, &expected, k);
}

/// Those with equal ids first.
fn questions(vocab_size: usize, number: usize) -> Vec<[TokenId; 3]> {
    let id = |number: usize| TokenId::try_from(number % vocab_size).expect("a small vocabulary");
    let special = [[0, 1, 2], [5, 5, 7], [3, 4, 3], [7, 8, 8], [6, 6, 6]];
    let others = (0..).map(|i| [7 * i + 1, 11 * i + 5, 13 * i + 9]);
    special.into_iter().chain(others).take(number).map(|question| question.map(id)).collect()
}

/// The questions whose queries are long enough, and the cosines of all rows with them.
///
/// A query is off by what the three rows are off, twice where they are divided by norms that are off as well, and by a rounding.
fn answerable(reference: &Reference, questions: &[[TokenId; 3]]) -> (Vec<[TokenId; 3]>, Expected) {
    let (table, magnitudes) = (reference.visible(), reference.visible_magnitudes());
    let epsilon = f64::from(f32::EPSILON);
    let (mut kept, mut values, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for question in questions {
        let (mut query, mut error) = (ndarray::Array1::zeros(reference.dim()), epsilon);
        for (&id, sign) in question.iter().zip([-1.0, 1.0, 1.0]) {
            let row = table.row(id as usize).to_owned();
            if norm(&row) > 0.0 {
                query.scaled_add(sign / norm(&row), &row);
                error +=
                    2.0 * reference.terms as f64 * epsilon * norm(&magnitudes.row(id as usize).to_owned()) / norm(&row);
            }
        }
        if norm(&query) > SHORT {
            errors.push(error / norm(&query));
            kept.push(*question);
            values.push(query.insert_axis(Axis(0)));
        }
    }
    let views: Vec<_> = values.iter().map(|query| query.view()).collect();
    let queries = if views.is_empty() {
        Array2::zeros((0, reference.dim()))
    } else {
        concatenate(Axis(0), &views).expect("rows of the dim")
    };
    let mut expected = cosines(reference, &queries);
    for (mut row, error) in expected.tolerances.rows_mut().into_iter().zip(errors) {
        row += error;
    }
    (kept, expected)
}
