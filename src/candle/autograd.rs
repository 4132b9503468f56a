//! A layer inside candle's autograd.

use std::{fmt, sync::Arc};

use candle_core::{DType, Device, Module, Result, Tensor, Var, bail};

use super::{
    link::{LayerRef, Link, Shared, State},
    operations::{BagOperation, CrossEntropyOperation, LogitsOperation, LookupOperation},
    tensors::{check_last, ids_of, prepared, with_matrix},
};
use crate::{
    FactorizedEmbedding, Pooling, TokenId,
    train::{Backward, Trainable, TrainableEmbedding},
};

/// A layer that is trained as a part of a model of candle's.
///
/// Its outputs are parts of candle's graph: `backward` of a loss that depends on them gives their gradients to this layer,
/// which makes gradients of its parameters of them, sparse where the table is, and adds them up. From there on they are the caller's:
/// [`take_gradients`](Self::take_gradients), scale or [clip](super::clip_global_norm) them, [`step`](Self::step). The other
/// variables of the model have their gradients in candle's `GradStore`, as ever.
///
/// A clone is the same layer: a model can hold one, and the loop that trains it another. What of the layer is trained, and whether
/// gradients are scaled, each clone knows for itself, from the one that it was cloned from: say it before. `backward` fails where
/// gradients of clones would be added that train different parts.
///
/// While one thread changes the layer, others wait. A step that takes several threads takes them from the pool of `rayon`: where
/// all threads of the pool wait for the step, it has none, and nothing goes on. Do not use the layer within a parallel iterator
/// while another thread may step.
///
/// `backward` fails for outputs of before a step, whose gradients would be those of other parameters, and where gradients of
/// before a step have not been taken. Whatever it has added up before it failed is there; drop it with `take_gradients`.
///
/// # Examples
///
/// See [the bridge](super).
pub struct AutogradEmbedding<L: TrainableEmbedding> {
    shared: Arc<Shared<L>>,
    /// Candle follows only what depends on a variable. Its number is never looked at.
    anchor: Var,
    trainable: Trainable,
    scale_grad_by_freq: bool,
}

impl<L: TrainableEmbedding + 'static> AutogradEmbedding<L> {
    /// A layer, and what follows its gradients.
    ///
    /// # Errors
    /// Those of candle.
    pub fn new(layer: L, optimizer: L::Optimizer) -> Result<Self> {
        let anchor = Var::zeros((), DType::F32, &Device::Cpu)?;
        Ok(Self {
            shared: Arc::new(Shared::new(layer, optimizer)),
            anchor,
            trainable: Trainable::default(),
            scale_grad_by_freq: false,
        })
    }

    /// The same layer, whose gradients of rows are divided by how often their ids occur: see
    /// [`Backward::scale_grad_by_freq`].
    #[must_use]
    pub fn scale_grad_by_freq(self) -> Self {
        Self { scale_grad_by_freq: true, ..self }
    }

    /// The pooled vectors of bags of equal length. A padding id of the layer fills shorter ones.
    ///
    /// # Shapes
    /// `ids` \[b, l\] of integers → \[b, dim\]
    ///
    /// # Errors
    /// [`IdOutOfRange`](crate::Error::IdOutOfRange), [`NotATokenId`](crate::Error::NotATokenId), in candle's error; those of candle.
    ///
    /// # Examples
    ///
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use factorized_embedding::{
    ///     DenseEmbedding, Pooling,
    ///     candle::AutogradEmbedding,
    ///     train::{Optimizer, TableOptimizer},
    /// };
    /// use ndarray::array;
    ///
    /// # fn main() -> candle_core::Result<()> {
    /// let layer = DenseEmbedding::new(array![[0.0, 0.0], [1.0, 2.0], [3.0, 6.0]])?.with_padding_id(0)?;
    /// let embedding = AutogradEmbedding::new(layer, TableOptimizer::new(Optimizer::sgd())?)?;
    /// let ids = Tensor::new(&[[1_u32, 2, 0], [2, 0, 0]], &Device::Cpu)?;
    /// let means = embedding.bag(&ids, Pooling::Mean)?;
    /// assert_eq!(means.to_vec2::<f32>()?, [[2.0, 4.0], [3.0, 6.0]]);
    ///
    /// means.sum_all()?.backward()?;
    /// let gradient = embedding.take_gradients().expect("the means depend on the table");
    /// assert_eq!((gradient.ids(), gradient.values()), (Some(&[1, 2][..]), array![[0.5, 0.5], [1.5, 1.5]].view()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn bag(&self, ids: &Tensor, pooling: Pooling) -> Result<Tensor> {
        let (num_bags, len) = ids.dims2()?;
        let operation = BagOperation { link: self.link(), ids: ids_of(ids)?, num_bags, len, pooling };
        self.anchor.apply_op1(operation)?.to_device(ids.device())
    }

    /// The logits of the head that is tied to this layer.
    ///
    /// A language model's loss from its logits holds them, their softmax and their gradients, \[n, `vocab_size`\] numbers
    /// each: [`cross_entropy`](Self::cross_entropy) does not.
    ///
    /// # Shapes
    /// `hidden` \[.., dim\] → \[.., `vocab_size`\]
    ///
    /// # Errors
    /// Those of candle, also for another last dimension.
    ///
    /// # Examples
    ///
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use factorized_embedding::{
    ///     FactorizedEmbedding, Factors,
    ///     candle::AutogradEmbedding,
    ///     train::{FactorOptimizer, Optimizer},
    /// };
    /// use ndarray::array;
    ///
    /// # fn main() -> candle_core::Result<()> {
    /// let layer = FactorizedEmbedding::new(Factors::new(array![[1.0], [2.0]], array![[3.0, 4.0]])?);
    /// let embedding = AutogradEmbedding::new(layer, FactorOptimizer::new(Optimizer::adam())?)?;
    /// let logits = embedding.logits(&Tensor::new(&[[1.0_f32, 0.0]], &Device::Cpu)?)?;
    /// assert_eq!(logits.to_vec2::<f32>()?, [[3.0, 6.0]]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        check_last(hidden, self.layer().dim())?;
        prepared(hidden)?.apply_op2(&self.anchor, LogitsOperation { link: self.link() })?.to_device(hidden.device())
    }

    /// The mean cross-entropy of the head that is tied to this layer, without its logits ever being all there: see
    /// [`Backward::cross_entropy`]. The gradients are made at once, and kept for one call of `backward`; that takes three times
    /// as many products as the loss alone, which [`cross_entropy_loss`](Self::cross_entropy_loss) gives. Those of the rows of U (or of a dense
    /// table) are of the whole vocabulary, as those of any head with a softmax.
    ///
    /// # Shapes
    /// `hidden` \[.., dim\], `targets` \[..\] of integers → \[\]; targets that are `ignored` count for nothing
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`IdOutOfRange`](crate::Error::IdOutOfRange),
    /// [`NonFinite`](crate::Error::NonFinite), [`Overflow`](crate::Error::Overflow), in candle's error; those of candle.
    ///
    /// # Examples
    ///
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use factorized_embedding::{
    ///     FactorizedEmbedding, Factors,
    ///     candle::AutogradEmbedding,
    ///     train::{FactorOptimizer, Optimizer},
    /// };
    /// use ndarray::array;
    ///
    /// # fn main() -> candle_core::Result<()> {
    /// let layer = FactorizedEmbedding::new(Factors::new(array![[1.0], [1.0], [-1.0]], array![[3.0, 4.0]])?);
    /// let embedding = AutogradEmbedding::new(layer, FactorOptimizer::new(Optimizer::adam())?)?;
    /// let (hidden, targets) = (Tensor::zeros((2, 2), candle_core::DType::F32, &Device::Cpu)?, [0_u32, 2]);
    /// let loss = embedding.cross_entropy(&hidden, &Tensor::new(&targets, &Device::Cpu)?, None)?;
    /// assert!((loss.to_scalar::<f32>()? - 3.0_f32.ln()).abs() < 1e-6); // all three are equally likely
    /// # Ok(())
    /// # }
    /// ```
    pub fn cross_entropy(&self, hidden: &Tensor, targets: &Tensor, ignored: Option<TokenId>) -> Result<Tensor> {
        self.check_hidden(hidden, targets)?;
        let operation = CrossEntropyOperation::new(self.link(), ids_of(targets)?, ignored);
        prepared(hidden)?.apply_op2(&self.anchor, operation)?.to_device(hidden.device())
    }

    /// The mean cross-entropy alone, without gradients, as for validation.
    ///
    /// # Shapes
    /// Those of [`cross_entropy`](Self::cross_entropy).
    ///
    /// # Errors
    /// The same.
    pub fn cross_entropy_loss(&self, hidden: &Tensor, targets: &Tensor, ignored: Option<TokenId>) -> Result<f64> {
        self.check_hidden(hidden, targets)?;
        let (layer, targets) = (self.layer(), ids_of(targets)?);
        with_matrix(&prepared(hidden)?, layer.dim(), |hidden| {
            Ok(Backward::new(&*layer).cross_entropy_loss(hidden, &targets, ignored)?)
        })
    }

    fn check_hidden(&self, hidden: &Tensor, targets: &Tensor) -> Result<()> {
        let expected = [targets.dims(), &[self.layer().dim()]].concat();
        if hidden.dims() != expected {
            bail!("hidden states have shape {:?}, expected {expected:?} as of the targets", hidden.dims());
        }
        Ok(())
    }

    /// The layer and its [optimizer](LayerRef::optimizer) as they stand: to look ids up without candle, to be saved, to be
    /// evaluated. Whoever changes them waits until what is returned is dropped: on the same thread, for ever. So may other calls of
    /// this thread while another thread waits: drop it before them.
    #[must_use]
    pub fn layer(&self) -> LayerRef<'_, L> {
        self.shared.layer()
    }

    /// The sum of the gradients of all calls of `backward` since the last time they were taken; nothing if there was none. They are
    /// those of the layer as it is: give them to [`step`](Self::step) before anything else changes it.
    #[must_use]
    pub fn take_gradients(&self) -> Option<L::Gradients> {
        self.shared.take_gradients()
    }

    /// A step of the optimizer.
    ///
    /// # Errors
    /// Those of [`TrainableEmbedding::step`], in candle's error. Nothing is changed then.
    pub fn step(&self, gradients: &L::Gradients, learning_rate: f64) -> Result<()> {
        let mut state = self.shared.state_mut();
        let State { layer, optimizer, version } = &mut *state;
        layer.step(optimizer, gradients, learning_rate)?;
        *version += 1;
        Ok(())
    }

    /// Changes the layer and what the optimizer remembers in another way: [norms](crate::train::Renormalize),
    /// [orthonormal directions](crate::train::FactorOptimizer::orthonormalize),
    /// [those of the gradients](crate::train::FactorOptimizer::rotate_to_eigenbasis), more rows, another optimizer. Outputs of before
    /// have no gradients afterwards, whether or not it succeeds. `change` must not call this layer.
    ///
    /// # Errors
    /// Those of `change`.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{
    ///     Embedding, FactorizedEmbedding, Factors,
    ///     candle::AutogradEmbedding,
    ///     train::{FactorOptimizer, Optimizer, Renormalize},
    /// };
    /// use ndarray::array;
    ///
    /// # fn main() -> candle_core::Result<()> {
    /// let layer = FactorizedEmbedding::new(Factors::new(array![[1.0], [2.0]], array![[3.0, 4.0]])?);
    /// let embedding = AutogradEmbedding::new(layer, FactorOptimizer::new(Optimizer::adam())?)?;
    /// embedding.update(|layer, _| layer.renormalize(&[0, 1], 5.0))?;
    /// assert!(embedding.layer().lookup(&[1])?.iter().all(|number| *number < 4.1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn update<R, E>(
        &self,
        change: impl FnOnce(&mut L, &mut L::Optimizer) -> std::result::Result<R, E>,
    ) -> std::result::Result<R, E> {
        let mut state = self.shared.state_mut();
        let State { layer, optimizer, version } = &mut *state;
        *version += 1;
        change(layer, optimizer)
    }

    fn link(&self) -> Link<L> {
        Link::new(Arc::clone(&self.shared), self.trainable, self.scale_grad_by_freq)
    }
}

impl AutogradEmbedding<FactorizedEmbedding> {
    /// The same layer, of which only some parts have gradients: see [`Backward::with_trainable`].
    #[must_use]
    pub fn with_trainable(self, trainable: Trainable) -> Self {
        Self { trainable, ..self }
    }
}

/// Ids of any shape \[..\] → vectors \[.., dim\], followed by autograd.
impl<L: TrainableEmbedding + 'static> Module for AutogradEmbedding<L> {
    fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let operation = LookupOperation { link: self.link(), ids: ids_of(ids)?, shape: ids.dims().to_vec() };
        self.anchor.apply_op1(operation)?.to_device(ids.device())
    }
}

impl<L: TrainableEmbedding> Clone for AutogradEmbedding<L> {
    fn clone(&self) -> Self {
        let Self { shared, anchor, trainable, scale_grad_by_freq } = self;
        let (shared, anchor) = (Arc::clone(shared), anchor.clone());
        Self { shared, anchor, trainable: *trainable, scale_grad_by_freq: *scale_grad_by_freq }
    }
}

impl<L: TrainableEmbedding> fmt::Debug for AutogradEmbedding<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layer = self.shared.layer();
        write!(f, "AutogradEmbedding({:?}, {:?})", *layer, layer.optimizer())
    }
}
