//! The cross-entropy of a tied head, whose logits \[n, `vocab_size`\] are never all there.
//!
//! Twice over the vocabulary, a block at a time: first maxima and sums of exponentials of each hidden state's logits,
//! then the logits again, which become their gradients, ∂L/∂logit = (softmax − \[is the target\]) / n, in their place.
//! To compute logits twice is what Wijmans, Huval, Hertzberg, Koltun & Krähenbühl (2024, "Cut Your Losses in
//! Large-Vocabulary Language Models", §4) do, too.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use super::weighted::blocks;
use crate::{
    Embedding, Error, Isa, Result, TokenId,
    embedding::check,
    kernel::{self, PackedProjection},
    rows::Numbers,
};

/// Hidden states whose targets are not ignored.
pub(super) struct Counted {
    /// Where they stand among all of them \[m\].
    places: Vec<usize>,
    targets: Vec<TokenId>,
    /// \[m, dim\]
    pub(super) hidden: Array2<f32>,
}

impl Counted {
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`IdOutOfRange`](Error::IdOutOfRange), [`NonFinite`](Error::NonFinite).
    pub(super) fn new(
        table: &impl Embedding,
        hidden: ArrayView2<'_, f32>,
        targets: &[TokenId],
        ignored: Option<TokenId>,
    ) -> Result<Self> {
        check::columns("hidden [n, dim]", hidden, table.dim())?;
        if targets.len() != hidden.nrows() {
            let (expected, actual) = (vec![hidden.nrows()], vec![targets.len()]);
            return Err(Error::ShapeMismatch { what: "targets [n]", expected, actual });
        }
        let places: Vec<usize> = (0..targets.len()).filter(|&place| Some(targets[place]) != ignored).collect();
        let vocab_size = table.vocab_size();
        if let Some(&position) = places.iter().find(|&&place| targets[place] as usize >= vocab_size) {
            return Err(Error::IdOutOfRange { id: targets[position], position, vocab_size });
        }
        check::finite("hidden [n, dim]", &hidden)?;
        let targets = places.iter().map(|&place| targets[place]).collect();
        Ok(Self { targets, hidden: hidden.select(Axis(0), &places), places })
    }

    /// Rows \[m, dim\] where they stand among n, zeros elsewhere.
    pub(super) fn spread(&self, rows: Array2<f32>, n: usize) -> Array2<f32> {
        if self.places.len() == n {
            return rows;
        }
        let mut all = Array2::zeros((n, rows.ncols()));
        for (&place, row) in self.places.iter().zip(rows.rows()) {
            all.row_mut(place).assign(&row);
        }
        all
    }
}

/// A table's rows \[`vocab_size`, width\], as `rows` makes some of them, against queries \[m, width\].
pub(super) struct Head<F> {
    isa: Isa,
    /// All but padding, whose logit is always 0; none at all if there are no queries.
    pub(super) ids: Vec<TokenId>,
    padding_id: Option<TokenId>,
    targets: Vec<TokenId>,
    /// The transpose of the queries \[width, m\], and a constant for each.
    queries: PackedProjection,
    rows: F,
}

/// What turns logits into probabilities, over the number of targets.
pub(super) struct Softmax {
    maxima: Vec<f32>,
    scales: Vec<f32>,
    pub(super) loss: f64,
}

impl<F: Fn(&[TokenId]) -> Result<Array2<f32>>> Head<F> {
    pub(super) fn new(
        table: &impl Embedding,
        isa: Isa,
        counted: &Counted,
        (queries, constants): (ArrayView2<'_, f32>, Option<ArrayView1<'_, f32>>),
        rows: F,
    ) -> Self {
        let padding_id = table.padding_id();
        let all = 0..if counted.targets.is_empty() { 0 } else { table.vocab_size() };
        let ids = all.map(|id| id as TokenId).filter(|&id| Some(id) != padding_id).collect();
        let queries = PackedProjection::new(queries.t(), constants);
        Self { isa, ids, padding_id, targets: counted.targets.clone(), queries, rows }
    }

    /// Where the row of a target stands among [`ids`](Self::ids); past them for padding.
    fn position(&self, target: TokenId) -> usize {
        match self.padding_id {
            Some(padding_id) if target == padding_id => self.ids.len(),
            Some(padding_id) if target > padding_id => target as usize - 1,
            _ => target as usize,
        }
    }

    /// The queries whose target is in a block, with its row there.
    fn targets_in(&self, block: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
        let start = block.start;
        let positions = self.targets.iter().map(|&target| self.position(target)).enumerate();
        positions.filter(move |(_, position)| block.contains(position)).map(move |(query, row)| (query, row - start))
    }

    /// The rows of a block \[len, width\] and its logits, a column for each query \[len, m\].
    fn logits(&self, block: Range<usize>) -> Result<(Array2<f32>, Array2<f32>)> {
        let rows = (self.rows)(&self.ids[block])?;
        let mut logits = Array2::zeros((rows.nrows(), self.targets.len()));
        let numbers = Numbers::F32(rows.as_slice().unwrap_or_default());
        kernel::project(self.isa, numbers, None, &self.queries, &mut logits.view_mut());
        Ok((rows, logits))
    }

    /// The first pass.
    ///
    /// # Errors
    /// [`Overflow`](Error::Overflow).
    pub(super) fn softmax(&self) -> Result<Softmax> {
        let m = self.targets.len();
        // Padding has logit 0, and nothing else has been seen yet.
        let (start, total) = if self.padding_id.is_some() { (0.0, 1.0) } else { (f32::NEG_INFINITY, 0.0) };
        let mut stats = Array2::from_elem((m, 2), start);
        let mut totals = vec![total; m];
        let mut of_targets = vec![0.0_f32; m];
        for block in blocks(self.ids.len(), m) {
            let (_, logits) = self.logits(block.clone())?;
            let before = stats.column(0).to_owned();
            kernel::max_and_sum_exp(self.isa, logits.view(), &mut stats.view_mut());
            for ((total, before), stats) in totals.iter_mut().zip(before).zip(stats.rows()) {
                *total = *total * (f64::from(before) - f64::from(stats[0])).exp() + f64::from(stats[1]);
            }
            self.targets_in(block).for_each(|(query, row)| of_targets[query] = logits[[row, query]]);
        }
        let maxima = stats.column(0).to_vec();
        let losses = maxima.iter().zip(&totals).zip(&of_targets);
        let loss: f64 = losses.map(|((&max, total), &target)| f64::from(max) - f64::from(target) + total.ln()).sum();
        if !loss.is_finite() {
            return Err(Error::Overflow { what: "cross-entropy" });
        }
        let scales = totals.iter().map(|total| (1.0 / (total * m as f64)) as f32).collect();
        Ok(Softmax { maxima, scales, loss: loss / m.max(1) as f64 })
    }

    /// The second pass: gives `work` each block, its rows \[len, width\], and the gradients of its logits \[len, m\].
    pub(super) fn gradients(
        &self,
        softmax: &Softmax,
        mut work: impl FnMut(Range<usize>, Array2<f32>, ArrayView2<'_, f32>),
    ) -> Result<()> {
        let m = self.targets.len();
        let one = 1.0 / m as f32;
        for block in blocks(self.ids.len(), m) {
            let (rows, mut logits) = self.logits(block.clone())?;
            kernel::scaled_exp(self.isa, &mut logits.view_mut(), &softmax.maxima, &softmax.scales);
            self.targets_in(block.clone()).for_each(|(query, row)| logits[[row, query]] -= one);
            work(block, rows, logits.view());
        }
        Ok(())
    }

    /// The sum of the gradients of each query's logits \[m\], which is what a constant that is added to all of them
    /// has.
    ///
    /// The gradients of a softmax add up to 0, padding included: what is left is minus that of padding. To add up the
    /// others would give rounding errors, of which an optimizer such as Adam makes steps of full size.
    pub(super) fn sums(&self, softmax: &Softmax) -> Vec<f32> {
        let Some(padding_id) = self.padding_id else { return vec![0.0; self.targets.len()] };
        let one = 1.0 / self.targets.len() as f32;
        let probabilities = softmax.maxima.iter().zip(&softmax.scales).map(|(&max, &scale)| (-max).exp() * scale);
        let ones = self.targets.iter().map(|&target| if target == padding_id { one } else { 0.0 });
        ones.zip(probabilities).map(|(one, probability)| one - probability).collect()
    }
}
