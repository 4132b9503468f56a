//! What a layer inside candle's autograd shares with the graph.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use candle_core::{Result, bail};

use crate::train::{Backward, Gradients, Trainable, TrainableEmbedding};

/// What all clones and the graph share.
pub(super) struct Shared<L: TrainableEmbedding> {
    state: RwLock<State<L>>,
    /// The version of the layer that they are of, and their sum.
    gradients: Mutex<Option<(u64, L::Gradients)>>,
}

pub(super) struct State<L: TrainableEmbedding> {
    pub(super) layer: L,
    pub(super) optimizer: L::Optimizer,
    /// How often they were changed.
    pub(super) version: u64,
}

/// A layer and its optimizer, while nobody changes them.
pub struct LayerRef<'a, L: TrainableEmbedding>(RwLockReadGuard<'a, State<L>>);

/// What an operation of the graph has to remember of its layer.
pub(super) struct Link<L: TrainableEmbedding> {
    shared: Arc<Shared<L>>,
    /// The version of the layer that the forward pass has met.
    version: OnceLock<u64>,
    trainable: Trainable,
    scale_grad_by_freq: bool,
}

impl<L: TrainableEmbedding> LayerRef<'_, L> {
    /// What follows the gradients of the layer, with all that it [remembers](TrainableEmbedding::state).
    #[must_use]
    pub fn optimizer(&self) -> &L::Optimizer {
        &self.0.optimizer
    }
}

impl<L: TrainableEmbedding> Deref for LayerRef<'_, L> {
    type Target = L;

    fn deref(&self) -> &L {
        &self.0.layer
    }
}

impl<L: TrainableEmbedding> fmt::Debug for LayerRef<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LayerRef({:?}, {:?})", self.0.layer, self.0.optimizer)
    }
}

impl<L: TrainableEmbedding> Shared<L> {
    pub(super) fn new(layer: L, optimizer: L::Optimizer) -> Self {
        Self { state: RwLock::new(State { layer, optimizer, version: 0 }), gradients: Mutex::new(None) }
    }

    pub(super) fn layer(&self) -> LayerRef<'_, L> {
        LayerRef(self.state())
    }

    pub(super) fn take_gradients(&self) -> Option<L::Gradients> {
        locked(&self.gradients).take().map(|(_, gradients)| gradients)
    }

    fn state(&self) -> RwLockReadGuard<'_, State<L>> {
        // A layer is whole after every call, whatever became of the thread.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state_mut(&self) -> RwLockWriteGuard<'_, State<L>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: TrainableEmbedding> Link<L> {
    pub(super) fn new(shared: Arc<Shared<L>>, trainable: Trainable, scale_grad_by_freq: bool) -> Self {
        Self { shared, version: OnceLock::new(), trainable, scale_grad_by_freq }
    }

    /// The layer, for the forward pass.
    pub(super) fn met(&self) -> LayerRef<'_, L> {
        let state = self.shared.state();
        self.version.get_or_init(|| state.version);
        LayerRef(state)
    }

    /// The layer, for the backward pass, if it is still the one that the forward pass has met.
    pub(super) fn unchanged(&self) -> Result<LayerRef<'_, L>> {
        let state = self.shared.state();
        let (expected, actual) = (self.version()?, state.version);
        if actual != expected {
            bail!(
                "the embedding was changed between the forward and the backward pass: it is at version {actual}, expected {expected}"
            );
        }
        Ok(LayerRef(state))
    }

    fn version(&self) -> Result<u64> {
        match self.version.get() {
            Some(version) => Ok(*version),
            None => bail!("a backward pass of an embedding without a forward pass"),
        }
    }

    /// Gradients of the layer.
    pub(super) fn backward<'a>(&self, layer: &'a L) -> Backward<'a, L> {
        Backward::with_settings(layer, self.trainable, self.scale_grad_by_freq)
    }

    /// Adds gradients to those that are to be taken.
    pub(super) fn add(&self, gradients: L::Gradients) -> Result<()> {
        let expected = self.version()?;
        match &mut *locked(&self.shared.gradients) {
            Some((version, sum)) if *version == expected => sum.add(&gradients)?,
            Some((version, _)) => bail!(
                "gradients of version {version} of the embedding were not taken, expected those of version {expected}"
            ),
            none => *none = Some((expected, gradients)),
        }
        Ok(())
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
