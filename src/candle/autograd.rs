//! A layer inside candle's autograd.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use candle_core::{DType, Device, Module, Result, Tensor, Var, bail};

use super::{
    operations::{BagOperation, CrossEntropyOperation, LogitsOperation, LookupOperation},
    tensors::{ids_of, prepared, with_last, with_matrix},
};
use crate::{
    FactorizedEmbedding, Pooling, TokenId,
    train::{Backward, Gradients, Trainable, TrainableEmbedding},
};

/// A layer that is trained as a part of a model of candle's.
///
/// Its outputs are parts of candle's graph: `backward` of a loss that depends on them gives their gradients to this layer,
/// which makes gradients of its parameters of them, sparse where the table is, and adds them up. From there on they are the caller's:
/// [`take_gradients`](Self::take_gradients), scale or [clip](super::clip_global_norm) them, [`step`](Self::step). The other
/// variables of the model have their gradients in candle's `GradStore`, as ever.
///
/// A clone is the same layer: a model can hold one, and the loop that trains it another.
///
/// `backward` fails for outputs of before a step, whose gradients would be those of other parameters. Whatever it has added up before it failed
/// is there; drop it with `take_gradients`.
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

/// What all clones and the graph share.
pub(super) struct Shared<L: TrainableEmbedding> {
    layer: RwLock<Versioned<L>>,
    optimizer: Mutex<L::Optimizer>,
    gradients: Mutex<Option<L::Gradients>>,
}

struct Versioned<L> {
    layer: L,
    /// How often it was changed.
    version: u64,
}

/// The layer, while nobody changes it.
pub struct LayerRef<'a, L>(RwLockReadGuard<'a, Versioned<L>>);

/// What an operation of the graph has to remember of its layer.
pub(super) struct Link<L: TrainableEmbedding> {
    shared: Arc<Shared<L>>,
    version: u64,
    trainable: Trainable,
    scale_grad_by_freq: bool,
}

impl<L: TrainableEmbedding + 'static> AutogradEmbedding<L> {
    /// A layer, and what follows its gradients.
    ///
    /// # Errors
    /// Those of candle.
    pub fn new(layer: L, optimizer: L::Optimizer) -> Result<Self> {
        let layer = RwLock::new(Versioned { layer, version: 0 });
        let shared = Arc::new(Shared { layer, optimizer: Mutex::new(optimizer), gradients: Mutex::new(None) });
        let anchor = Var::zeros((), DType::F32, &Device::Cpu)?;
        Ok(Self { shared, anchor, trainable: Trainable::default(), scale_grad_by_freq: false })
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
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        let shape = {
            let layer = self.layer();
            with_last(hidden, layer.dim(), layer.vocab_size())?
        };
        let operation = LogitsOperation { link: self.link(), shape };
        prepared(hidden)?.apply_op2(&self.anchor, operation)?.to_device(hidden.device())
    }

    /// The mean cross-entropy of the head that is tied to this layer, without its logits ever being all there: see
    /// [`Backward::cross_entropy`]. The gradients are made at once, which costs as much as the loss, twice;
    /// [`cross_entropy_loss`](Self::cross_entropy_loss) goes without.
    ///
    /// # Shapes
    /// `hidden` \[.., dim\], `targets` \[..\] of integers → \[\]; targets that are `ignored` count for nothing
    ///
    /// # Errors
    /// [`ShapeMismatch`](crate::Error::ShapeMismatch), [`IdOutOfRange`](crate::Error::IdOutOfRange),
    /// [`NonFinite`](crate::Error::NonFinite), [`Overflow`](crate::Error::Overflow), in candle's error; those of candle.
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

    /// The layer as it stands: to look ids up without candle, to be saved, to be evaluated. No step can be made until what is
    /// returned is dropped.
    #[must_use]
    pub fn layer(&self) -> LayerRef<'_, L> {
        LayerRef(self.shared.layer())
    }

    /// The sum of the gradients of all calls of `backward` since the last time they were taken; nothing if there was none.
    #[must_use]
    pub fn take_gradients(&self) -> Option<L::Gradients> {
        locked(&self.shared.gradients).take()
    }

    /// A step of the optimizer.
    ///
    /// # Errors
    /// Those of [`TrainableEmbedding::step`], in candle's error. Nothing is changed then.
    pub fn step(&self, gradients: &L::Gradients, learning_rate: f64) -> Result<()> {
        Ok(self.update(|layer, optimizer| layer.step(optimizer, gradients, learning_rate))?)
    }

    /// Changes the layer and what the optimizer remembers in another way:
    /// [norms](crate::train::Renormalize), [orthonormal directions](crate::train::FactorOptimizer::orthonormalize), more rows, another optimizer.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn update<R, E>(
        &self,
        change: impl FnOnce(&mut L, &mut L::Optimizer) -> std::result::Result<R, E>,
    ) -> std::result::Result<R, E> {
        let mut versioned = self.shared.layer.write().unwrap_or_else(PoisonError::into_inner);
        versioned.version += 1;
        change(&mut versioned.layer, &mut locked(&self.shared.optimizer))
    }

    /// What `read` makes of the optimizer: what it [remembers](TrainableEmbedding::state), to be saved, say.
    pub fn with_optimizer<R>(&self, read: impl FnOnce(&L::Optimizer) -> R) -> R {
        read(&locked(&self.shared.optimizer))
    }

    fn link(&self) -> Link<L> {
        let Self { shared, trainable, scale_grad_by_freq, .. } = self;
        let (shared, version) = (Arc::clone(shared), shared.layer().version);
        Link { shared, version, trainable: *trainable, scale_grad_by_freq: *scale_grad_by_freq }
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
        write!(f, "AutogradEmbedding({:?}, {:?})", self.shared.layer().layer, locked(&self.shared.optimizer))
    }
}

impl<L> Deref for LayerRef<'_, L> {
    type Target = L;

    fn deref(&self) -> &L {
        &self.0.layer
    }
}

impl<L: fmt::Debug> fmt::Debug for LayerRef<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LayerRef({:?})", self.0.layer)
    }
}

impl<L: TrainableEmbedding> Shared<L> {
    fn layer(&self) -> RwLockReadGuard<'_, Versioned<L>> {
        // A layer is whole after every call, whatever became of the thread.
        self.layer.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: TrainableEmbedding> Link<L> {
    /// The layer, for a forward pass.
    pub(super) fn layer(&self) -> LayerRef<'_, L> {
        LayerRef(self.shared.layer())
    }

    /// Makes gradients, which are not added to any yet.
    pub(super) fn differentiate<R>(&self, work: impl FnOnce(&L, Backward<'_, L>) -> crate::Result<R>) -> Result<R> {
        let versioned = self.unchanged()?;
        let layer = &versioned.layer;
        Ok(work(layer, Backward::with_settings(layer, self.trainable, self.scale_grad_by_freq))?)
    }

    /// The layer, if it is still the one of the forward pass.
    fn unchanged(&self) -> Result<RwLockReadGuard<'_, Versioned<L>>> {
        let versioned = self.shared.layer();
        if versioned.version != self.version {
            bail!("the embedding was changed between the forward and the backward pass");
        }
        Ok(versioned)
    }

    /// Adds gradients to those that are to be taken.
    pub(super) fn add(&self, gradients: L::Gradients) -> Result<()> {
        let _unchanged = self.unchanged()?;
        match &mut *locked(&self.shared.gradients) {
            Some(sum) => sum.add(&gradients)?,
            none => *none = Some(gradients),
        }
        Ok(())
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
