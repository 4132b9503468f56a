//! A linear layer with softmax and cross-entropy.

use factorized_embedding::train::{ArrayOptimizer, Optimizer};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::{
    support::{Result, books::BOOKS},
    table::DIM,
};

/// Logits = means · weight + bias.
#[derive(Debug)]
pub(crate) struct Classifier {
    /// \[dim, classes\]
    weight: Array2<f32>,
    /// \[classes\]
    bias: Array1<f32>,
    optimizers: [ArrayOptimizer; 2],
}

impl Classifier {
    /// Zeros: every author is as likely as any other.
    pub(crate) fn new() -> Result<Self> {
        let (weight, bias) = (Array2::zeros((DIM, BOOKS.len())), Array1::zeros(BOOKS.len()));
        let optimizer = ArrayOptimizer::new(Optimizer::adam())?;
        Ok(Self { weight, bias, optimizers: [optimizer.clone(), optimizer] })
    }

    /// \[b, dim\] → \[b, classes\]
    pub(crate) fn logits(&self, means: ArrayView2<'_, f32>) -> Array2<f32> {
        means.dot(&self.weight) + &self.bias
    }

    /// Learns from the gradient of the logits, and passes on that of the means \[b, dim\].
    pub(crate) fn step(
        &mut self,
        means: ArrayView2<'_, f32>,
        grad_logits: ArrayView2<'_, f32>,
        learning_rate: f64,
    ) -> Result<Array2<f32>> {
        let grad_means = grad_logits.dot(&self.weight.t());
        let [of_weight, of_bias] = &mut self.optimizers;
        of_weight.step(&mut self.weight, &means.t().dot(&grad_logits), learning_rate)?;
        of_bias.step(&mut self.bias, &grad_logits.sum_axis(Axis(0)), learning_rate)?;
        Ok(grad_means)
    }

    /// Bytes of the parameters, of their gradients, and of what the optimizers remember.
    pub(crate) fn size_in_bytes(&self) -> usize {
        let parameters = size_of::<f32>() * (self.weight.len() + self.bias.len());
        2 * parameters + self.optimizers.iter().map(|optimizer| optimizer.state().size_in_bytes()).sum::<usize>()
    }
}

/// Turns logits \[b, classes\] into the gradient of their mean cross-entropy: (softmax − one-hot) / b.
pub(crate) fn cross_entropy_gradient(mut logits: Array2<f32>, labels: &[usize]) -> Array2<f32> {
    for (mut row, &label) in logits.rows_mut().into_iter().zip(labels) {
        let max = row.fold(f32::NEG_INFINITY, |max, &logit| max.max(logit));
        row.mapv_inplace(|logit| (logit - max).exp());
        row /= row.sum();
        row[label] -= 1.0;
        row /= labels.len() as f32;
    }
    logits
}

/// Whether the logit of this label is larger than all others.
pub(crate) fn is_largest(logits: ArrayView1<'_, f32>, label: usize) -> bool {
    logits.iter().enumerate().all(|(other, &logit)| other == label || logit < logits[label])
}
