//! The best logits and the nearest rows.

use std::collections::HashSet;

use factorized_embedding::{Embedding, TokenId, TopK};
use ndarray::{Array2, s};

use super::subject::Reference;
use crate::support::{
    compare::{Expected, widened},
    reference::norm,
};

pub(crate) fn check(layer: &dyn Embedding, reference: &Reference) {
    // 65 is one more query than is scored at a time.
    check_queries(layer, reference, &[0, 1, 65]);
    rows_are_nearest_to_themselves(layer, reference);
}

/// The check for so many queries at a time.
pub(crate) fn check_queries(layer: &dyn Embedding, reference: &Reference, numbers: &[usize]) {
    for &n in numbers {
        let hidden = reference.draw((n, reference.dim()), 41);
        top_k_are_the_best_logits(layer, reference, &hidden);
        nearest_have_the_best_cosines(layer, reference, &hidden);
    }
}

/// None, one, some, all but one, all, and more than there are.
pub(crate) fn numbers_to_ask_for(vocab_size: usize) -> [usize; 6] {
    [0, 1, 10, vocab_size - 1, vocab_size, vocab_size + 3]
}

fn top_k_are_the_best_logits(layer: &dyn Embedding, reference: &Reference, hidden: &Array2<f32>) {
    let expected = reference.logits(&widened(hidden.view()));
    for k in numbers_to_ask_for(reference.vocab_size()) {
        let best = layer.top_k(hidden.view(), k).expect("hidden states of the dim");
        check_ranking(&format!("{}, top {k}", reference.name), &|_| reference.candidates(), &best, &expected, k);
        if reference.exact {
            check_exact_ranking(&format!("{}, top {k}", reference.name), reference, &best, &expected);
        }
    }
}

fn nearest_have_the_best_cosines(layer: &dyn Embedding, reference: &Reference, queries: &Array2<f32>) {
    let expected = cosines(reference, &widened(queries.view()));
    for k in numbers_to_ask_for(reference.vocab_size()) {
        let best = layer.nearest(queries.view(), k).expect("queries of the dim");
        check_ranking(&format!("{}, nearest {k}", reference.name), &|_| reference.candidates(), &best, &expected, k);
    }
}

/// Query, product and norm are rounded once each beside the sums, and the norm is that of a row that may be off.
pub(crate) fn cosines(reference: &Reference, queries: &Array2<f64>) -> Expected {
    let (table, magnitudes) = (reference.visible(), reference.visible_magnitudes());
    let terms = (reference.terms + reference.dim() + 3) as f64 * f64::from(f32::EPSILON);
    let shape = (queries.nrows(), table.nrows());
    let mut expected = Expected { values: Array2::zeros(shape), tolerances: Array2::zeros(shape) };
    let norms = |array: &Array2<f64>| array.rows().into_iter().map(|row| norm(&row.to_owned())).collect::<Vec<_>>();
    let [of_queries, of_rows, of_magnitudes] = [queries, &table, &magnitudes].map(norms);
    let (products, largest) = (queries.dot(&table.t()), queries.abs().dot(&magnitudes.t()));
    for ((i, id), product) in products.indexed_iter() {
        let norms = of_queries[i] * of_rows[id];
        if norms > 0.0 {
            let cosine = product / norms;
            expected.values[[i, id]] = cosine;
            let norm_of_row = cosine.abs() * of_magnitudes[id] / of_rows[id];
            expected.tolerances[[i, id]] = terms * (largest[[i, id]] / norms + norm_of_row);
        }
    }
    expected
}

/// Candidates ascend. Every score is that of its id, scores do not rise, equal ones stand in the order of their ids, and none of the candidates of a
/// query that is better is left out.
pub(crate) fn check_ranking(
    name: &str,
    candidates: &dyn Fn(usize) -> Vec<TokenId>,
    best: &TopK,
    expected: &Expected,
    k: usize,
) {
    let fewest = (0..expected.values.nrows()).map(|i| candidates(i).len()).min();
    let k = fewest.map_or(best.ids.ncols(), |fewest| k.min(fewest));
    let shape = (expected.values.nrows(), k);
    assert_eq!((best.ids.dim(), best.scores.dim()), (shape, shape), "{name}: shapes");
    for (i, (ids, scores)) in best.ids.rows().into_iter().zip(best.scores.rows()).enumerate() {
        let candidates = candidates(i);
        let found: HashSet<TokenId> = ids.iter().copied().collect();
        assert_eq!(found.len(), k, "{name}: an id stands twice for query {i}");
        for (&id, &score) in ids.iter().zip(scores) {
            assert!(
                candidates.binary_search(&id).is_ok(),
                "{name}: id {id}, which is no candidate, was found by query {i}"
            );
            let index = [i, id as usize];
            let difference = (f64::from(score) - expected.values[index]).abs();
            assert!(
                difference <= expected.tolerances[index],
                "{name}: the score of id {id} for query {i} is {score}, expected {} ± {:e}",
                expected.values[index],
                expected.tolerances[index],
            );
        }
        for (ids, scores) in ids.windows(2).into_iter().zip(scores.windows(2)) {
            let in_order = scores[0] > scores[1] || (scores[0] == scores[1] && ids[0] < ids[1]);
            assert!(in_order, "{name}: {ids} with {scores} are not in order for query {i}");
        }
        let Some(&worst) = scores.last() else { continue };
        for &id in candidates.iter().filter(|id| !found.contains(id)) {
            let index = [i, id as usize];
            let least = expected.values[index] - expected.tolerances[index];
            assert!(least <= f64::from(worst), "{name}: id {id} is better than the last one for query {i}");
        }
    }
}

/// Without rounding the ranking is that of sorting everything.
fn check_exact_ranking(name: &str, reference: &Reference, best: &TopK, expected: &Expected) {
    for (i, ids) in best.ids.rows().into_iter().enumerate() {
        let mut sorted = reference.candidates();
        let score = |id: TokenId| expected.values[[i, id as usize]];
        sorted.sort_by(|&a, &b| score(b).partial_cmp(&score(a)).expect("finite scores").then(a.cmp(&b)));
        assert_eq!(ids.to_vec(), sorted[..ids.len()], "{name}: query {i}");
    }
}

fn rows_are_nearest_to_themselves(layer: &dyn Embedding, reference: &Reference) {
    let candidates = reference.candidates();
    let last = candidates.len().min(5);
    let ids = &candidates[..last];
    let rows = layer.lookup(ids).expect("ids of the vocabulary");
    let nearest = layer.nearest(rows.view(), 1).expect("queries of the dim");
    let expected = cosines(reference, &widened(rows.view()));
    for (i, &id) in ids.iter().enumerate() {
        if rows.row(i).iter().all(|&value| value == 0.0) {
            continue;
        }
        let (score, own) = (nearest.scores[[i, 0]], expected.values[[i, id as usize]]);
        let tolerance = expected.tolerances[[i, id as usize]];
        assert!(f64::from(score) >= own - tolerance, "{}: id {id} does not find itself", reference.name);
        assert!((own - 1.0).abs() <= tolerance, "{}: id {id} is not like itself", reference.name);
    }
    // A zero query is like nothing: all cosines are 0, and the lowest ids come first.
    let zero = Array2::zeros((1, reference.dim()));
    let nearest = layer.nearest(zero.view(), last).expect("a query of the dim");
    assert!(nearest.scores.iter().all(|&score| score == 0.0), "{}: zero query", reference.name);
    assert_eq!(nearest.ids.slice(s![0, ..]).to_vec(), ids, "{}: zero query", reference.name);
}
