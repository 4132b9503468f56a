//! What an answer must be, computed in `f64` from the factors, and by how much `f32` may miss it.

use factorized_embedding::{Factors, TokenId, TopK};
use ndarray::{Array1, Array2, ArrayView2, Axis, Zip};

/// A product of the factors in `f64`.
///
/// A sum of n products in any order is within n · u · Σ |aₖ · bₖ| of the true one to first order in the unit round-off
/// u = ε / 2 (Higham 2002, §3.1); a chain of sums of n₁ and n₂ terms, within (n₁ + n₂) · u · Σ |aₖ · bₖ|. Numbers that are
/// rounded on the way (D·V, a dense table) add one each, for which ε in the place of u leaves room.
pub(crate) struct Expected {
    values: Array2<f64>,
    magnitudes: Array2<f64>,
    terms: usize,
}

impl Expected {
    /// `rank_rows` · diag(D) · V, whose numbers are sums of `terms` terms of the magnitudes `rank_magnitudes`.
    fn projected(factors: &Factors, rank_rows: &Array2<f64>, rank_magnitudes: &Array2<f64>, terms: usize) -> Self {
        let projection = factors.projection().mapv(f64::from);
        Self {
            values: rank_rows.dot(&projection),
            magnitudes: rank_magnitudes.dot(&projection.abs()),
            terms: terms + factors.rank() + 2,
        }
    }

    /// The same with the bias in every row so many times, if there is one.
    fn with_bias(mut self, factors: &Factors, times: &Array1<f64>) -> Self {
        if let Some(bias) = factors.bias() {
            let bias = times.view().insert_axis(Axis(1)).dot(&bias.mapv(f64::from).insert_axis(Axis(0)));
            self.magnitudes += &bias.abs();
            self.values += &bias;
        }
        self
    }

    /// The rows of ids.
    pub(crate) fn rows(factors: &Factors, ids: &[TokenId]) -> Self {
        let rows = select(factors.u().view(), ids);
        Self::projected(factors, &rows, &rows.abs(), 1).with_bias(factors, &Array1::ones(ids.len()))
    }

    /// The sums of bags.
    pub(crate) fn sums<'a>(factors: &Factors, bags: impl ExactSizeIterator<Item = &'a [TokenId]>) -> Self {
        let mut sums = Array2::zeros((bags.len(), factors.rank()));
        let mut magnitudes = sums.clone();
        let mut lengths = Array1::zeros(bags.len());
        let u = factors.u();
        for (((ids, mut sum), mut magnitude), length) in
            bags.zip(sums.rows_mut()).zip(magnitudes.rows_mut()).zip(&mut lengths)
        {
            let rows = select(u.view(), ids);
            sum += &rows.sum_axis(Axis(0));
            magnitude += &rows.abs().sum_axis(Axis(0));
            *length = ids.len() as f64;
        }
        let terms = lengths.fold(0.0, |most: f64, &length| most.max(length)) as usize;
        Self::projected(factors, &sums, &magnitudes, terms).with_bias(factors, &lengths)
    }

    /// The maxima of one bag.
    pub(crate) fn maxima(factors: &Factors, ids: &[TokenId]) -> Self {
        let rows = Self::rows(factors, ids);
        let largest = |array: &Array2<f64>| {
            array.fold_axis(Axis(0), f64::NEG_INFINITY, |&most, &number| most.max(number)).insert_axis(Axis(0))
        };
        Self { values: largest(&rows.values), magnitudes: largest(&rows.magnitudes), terms: rows.terms }
    }

    /// `weights` · E.
    pub(crate) fn soft(factors: &Factors, weights: ArrayView2<'_, f32>) -> Self {
        let (weights, u) = (weights.mapv(f64::from), factors.u().mapv(f64::from));
        let times = weights.sum_axis(Axis(1));
        let terms = weights.ncols();
        Self::projected(factors, &weights.dot(&u), &weights.abs().dot(&u.abs()), terms).with_bias(factors, &times)
    }

    /// `hidden` · Eᵀ for some ids.
    pub(crate) fn logits(factors: &Factors, hidden: ArrayView2<'_, f32>, ids: &[TokenId]) -> Self {
        let (hidden, rows) = (hidden.mapv(f64::from), select(factors.u().view(), ids));
        let projection = factors.projection().mapv(f64::from);
        Self {
            values: hidden.dot(&projection.t()).dot(&rows.t()),
            magnitudes: hidden.abs().dot(&projection.t().abs()).dot(&rows.t().abs()),
            terms: factors.dim() + factors.rank() + 2,
        }
        .with_hidden_bias(factors, &hidden)
    }

    /// The same with the product of each hidden state and the bias in every logit, if there is a bias.
    fn with_hidden_bias(mut self, factors: &Factors, hidden: &Array2<f64>) -> Self {
        if let Some(bias) = factors.bias() {
            let bias = bias.mapv(f64::from);
            self.values += &hidden.dot(&bias).insert_axis(Axis(1));
            self.magnitudes += &hidden.abs().dot(&bias.abs()).insert_axis(Axis(1));
        }
        self
    }

    fn tolerance(&self) -> Array2<f64> {
        self.magnitudes.mapv(|magnitude| self.terms as f64 * f64::from(f32::EPSILON) * magnitude)
    }

    /// Asserts that an answer agrees.
    pub(crate) fn assert_agrees(&self, actual: ArrayView2<'_, f32>) {
        assert_eq!(actual.dim(), self.values.dim());
        let mut differ = Vec::new();
        Zip::indexed(actual).and(&self.values).and(&self.tolerance()).for_each(
            |index, &actual, &expected, &allowed| {
                // Written so that a NaN counts as a difference.
                let agree = (f64::from(actual) - expected).abs() <= allowed;
                if !agree {
                    differ.push((index, actual, expected, allowed));
                }
            },
        );
        assert!(
            differ.is_empty(),
            "{} of {} numbers differ; (row, column), actual, expected, allowed difference of the first: {:?}",
            differ.len(),
            actual.len(),
            &differ[..differ.len().min(5)]
        );
    }

    /// Asserts that the best of the scores of all ids, for the first query, are the best ones.
    pub(crate) fn assert_best(&self, best: &TopK) {
        let tolerance: Array1<f64> = self.tolerance().row(0).to_owned();
        let scores = self.values.row(0);
        let mut found = vec![false; scores.len()];
        let mut worst = f64::INFINITY;
        for (&id, &score) in best.ids.row(0).iter().zip(best.scores.row(0)) {
            let id = id as usize;
            assert!(
                (f64::from(score) - scores[id]).abs() <= tolerance[id],
                "id {id} scores {} not {score}",
                scores[id]
            );
            found[id] = true;
            worst = worst.min(f64::from(score));
        }
        for (id, &score) in scores.iter().enumerate() {
            assert!(found[id] || score <= worst + 2.0 * tolerance[id], "id {id}, which scores {score}, is missing");
        }
    }
}

/// Rows of U.
fn select(u: ArrayView2<'_, f32>, ids: &[TokenId]) -> Array2<f64> {
    let ids: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
    u.select(Axis(0), &ids).mapv(f64::from)
}
