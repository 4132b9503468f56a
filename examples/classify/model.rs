//! Word vectors, their mean, and a linear layer.

use factorized_embedding::{Bags, Pooling};

use crate::{
    classifier::{Classifier, cross_entropy_gradient, is_largest},
    sentences::{Batch, Labelled},
    support::Result,
    table::Table,
};

/// Sentences that are looked at together.
const TOGETHER: usize = 1024;

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) table: Box<dyn Table>,
    pub(crate) classifier: Classifier,
}

impl Model {
    /// A step of all parameters; returns the bytes that the gradients of the table took.
    pub(crate) fn step(&mut self, batch: &Batch, learning_rate: f64) -> Result<usize> {
        let bags = Bags::new(&batch.ids, &batch.offsets, Pooling::Mean)?;
        let means = self.table.layer().bag(&bags)?;
        let grad_logits = cross_entropy_gradient(self.classifier.logits(means.view()), &batch.labels);
        let grad_means = self.classifier.step(means.view(), grad_logits.view(), learning_rate)?;
        self.table.step(&bags, grad_means.view(), learning_rate)
    }

    /// The share of sentences whose author has the largest logit.
    pub(crate) fn accuracy(&self, sentences: &Labelled) -> Result<f64> {
        let mut correct = 0;
        for batch in sentences.batches(TOGETHER) {
            let means = self.table.layer().bag(&Bags::new(&batch.ids, &batch.offsets, Pooling::Mean)?)?;
            let logits = self.classifier.logits(means.view());
            correct +=
                logits.rows().into_iter().zip(&batch.labels).filter(|(row, label)| is_largest(*row, **label)).count();
        }
        Ok(correct as f64 / sentences.len() as f64)
    }

    /// Bytes of parameters and of what the optimizers remember.
    pub(crate) fn size_in_bytes(&self) -> usize {
        self.table.layer().size_in_bytes() + self.table.state().size_in_bytes() + self.classifier.size_in_bytes()
    }
}
