//! The operations of an embedding in candle's graph.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use ndarray::Array2;

use super::{
    link::{Link, locked},
    tensors::{matrix, with_last, with_matrix},
};
use crate::{
    Bags, Pooling, TokenId,
    train::{CrossEntropy, Gradients, TrainableEmbedding},
};

pub(super) struct LookupOperation<L: TrainableEmbedding> {
    pub(super) link: Link<L>,
    /// In row-major order.
    pub(super) ids: Vec<TokenId>,
    /// Of the ids.
    pub(super) shape: Vec<usize>,
}

impl<L: TrainableEmbedding> CustomOp1 for LookupOperation<L> {
    fn name(&self) -> &'static str {
        "embedding-lookup"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let layer = self.link.met();
        let shape = [self.shape.as_slice(), &[layer.dim()]].concat();
        Ok((storage(layer.lookup(&self.ids)?), shape.into()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad_out: &Tensor) -> Result<Option<Tensor>> {
        let layer = self.link.unchanged()?;
        let gradients = with_matrix(grad_out, layer.dim(), |grad_out| {
            Ok(self.link.backward(&layer).lookup(&self.ids, grad_out)?)
        })?;
        self.link.add(gradients)?;
        Ok(None)
    }
}

pub(super) struct BagOperation<L: TrainableEmbedding> {
    pub(super) link: Link<L>,
    /// Bag by bag.
    pub(super) ids: Vec<TokenId>,
    pub(super) num_bags: usize,
    /// Of each bag.
    pub(super) len: usize,
    pub(super) pooling: Pooling,
}

impl<L: TrainableEmbedding> BagOperation<L> {
    fn with_bags<R>(&self, work: impl FnOnce(&Bags<'_>) -> Result<R>) -> Result<R> {
        let offsets: Vec<usize> = (0..self.num_bags).map(|bag| bag * self.len).collect();
        work(&Bags::new(&self.ids, &offsets, self.pooling)?)
    }
}

impl<L: TrainableEmbedding> CustomOp1 for BagOperation<L> {
    fn name(&self) -> &'static str {
        "embedding-bag"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let layer = self.link.met();
        let vectors = self.with_bags(|bags| Ok(layer.bag(bags)?))?;
        Ok((storage(vectors), (self.num_bags, layer.dim()).into()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad_out: &Tensor) -> Result<Option<Tensor>> {
        let layer = self.link.unchanged()?;
        let gradients = with_matrix(grad_out, layer.dim(), |grad_out| {
            self.with_bags(|bags| Ok(self.link.backward(&layer).bag(bags, grad_out)?))
        })?;
        self.link.add(gradients)?;
        Ok(None)
    }
}

/// Of hidden states, which come first; the other argument is the anchor.
pub(super) struct LogitsOperation<L: TrainableEmbedding> {
    pub(super) link: Link<L>,
}

impl<L: TrainableEmbedding> CustomOp2 for LogitsOperation<L> {
    fn name(&self) -> &'static str {
        "tied-logits"
    }

    fn cpu_fwd(&self, hidden: &CpuStorage, layout: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let layer = self.link.met();
        let logits = layer.logits(matrix(hidden, layout, layer.dim())?)?;
        Ok((storage(logits), with_last(layout.dims(), layer.vocab_size()).into()))
    }

    fn bwd(
        &self,
        hidden: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad_logits: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let layer = self.link.unchanged()?;
        let (gradients, of_hidden) = with_matrix(grad_logits, layer.vocab_size(), |grad_logits| {
            with_matrix(hidden, layer.dim(), |hidden| {
                Ok((self.link.backward(&layer).logits(hidden, grad_logits)?, layer.soft_lookup(grad_logits)?))
            })
        })?;
        self.link.add(gradients)?;
        Ok((Some(like(hidden, of_hidden)?), None))
    }
}

/// Of hidden states, which come first; the other argument is the anchor.
pub(super) struct CrossEntropyOperation<L: TrainableEmbedding> {
    link: Link<L>,
    targets: Vec<TokenId>,
    ignored: Option<TokenId>,
    /// What the forward pass has made for the backward pass.
    made: Mutex<Option<CrossEntropy<L::Gradients>>>,
}

impl<L: TrainableEmbedding> CrossEntropyOperation<L> {
    pub(super) fn new(link: Link<L>, targets: Vec<TokenId>, ignored: Option<TokenId>) -> Self {
        Self { link, targets, ignored, made: Mutex::new(None) }
    }
}

impl<L: TrainableEmbedding> CustomOp2 for CrossEntropyOperation<L> {
    fn name(&self) -> &'static str {
        "tied-cross-entropy"
    }

    fn cpu_fwd(&self, hidden: &CpuStorage, layout: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let layer = self.link.met();
        let hidden = matrix(hidden, layout, layer.dim())?;
        let made = self.link.backward(&layer).cross_entropy(hidden, &self.targets, self.ignored)?;
        let loss = made.loss as f32;
        *locked(&self.made) = Some(made);
        Ok((CpuStorage::F32(vec![loss]), ().into()))
    }

    fn bwd(
        &self,
        hidden: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad_loss: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let _unchanged = self.link.unchanged()?;
        let factor = grad_loss.to_scalar::<f32>()?;
        if !factor.is_finite() {
            bail!("∂L/∂loss of a cross-entropy is {factor}, expected a finite number");
        }
        let Some(made) = locked(&self.made).take() else {
            bail!("the backward pass of a cross-entropy was made already: its gradients are gone")
        };
        let CrossEntropy { hidden: mut of_hidden, mut gradients, .. } = made;
        if factor != 1.0 {
            of_hidden *= factor;
            gradients.scale(factor);
            gradients.check_finite()?;
        }
        self.link.add(gradients)?;
        Ok((Some(like(hidden, of_hidden)?), None))
    }
}

fn storage(numbers: Array2<f32>) -> CpuStorage {
    CpuStorage::F32(numbers.into_raw_vec_and_offset().0)
}

/// Numbers in the shape of a tensor.
fn like(tensor: &Tensor, numbers: Array2<f32>) -> Result<Tensor> {
    Tensor::from_vec(numbers.into_raw_vec_and_offset().0, tensor.shape(), tensor.device())
}
