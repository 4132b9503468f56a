//! A model with its optimizers.

use std::fmt;

use candle_core::{DType, Device, Module, Tensor, Var};
use candle_nn::{AdamW, Optimizer as _, ParamsAdamW, VarBuilder, VarMap};
use factorized_embedding::{
    candle::{AutogradEmbedding, clip_global_norm},
    train::{Gradients, TrainableEmbedding},
};
use ndarray::Array2;
use rand_distr::{Distribution, Normal};

use crate::{
    batches::{self, Batch, IGNORED},
    model::Transformer,
    plan::{MAX_NORM, NUM_BLOCKS, STD, TABLE_RATE, TRANSFORMER_RATE, WEIGHT_DECAY},
    random::{Purpose, rng},
    support::Result,
};

/// Whatever its table is.
pub(crate) trait Learn: fmt::Debug + Send {
    /// Learns from a batch, at the learning rates times a factor; returns the mean cross-entropy before.
    fn step(&mut self, batch: &Batch, factor: f64) -> Result<f64>;

    /// The perplexity of a stream that is not learnt from.
    fn perplexity(&self, tokens: &[u32]) -> Result<f64>;

    /// The whole table \[`vocab_size`, dim\].
    fn table(&self) -> Result<Array2<f32>>;

    /// Its other variables, by name.
    fn variables(&self) -> &VarMap;

    fn num_table_parameters(&self) -> usize;

    fn num_parameters(&self) -> usize;

    /// Bytes of the table, its optimizer's state and its largest gradients; and of those of the whole model.
    fn bytes(&self) -> [usize; 2];
}

#[derive(Debug)]
pub(crate) struct Learner<L: TrainableEmbedding> {
    embedding: AutogradEmbedding<L>,
    transformer: Transformer,
    variables: Variables,
    optimizer: AdamW,
    /// Bytes of the largest gradients of the table.
    gradient_bytes: usize,
}

/// The variables of the model but its table.
struct Variables {
    map: VarMap,
    /// In the order of their names: sums over all of them are always the same.
    all: Vec<Var>,
}

impl<L: TrainableEmbedding + 'static> Learner<L> {
    pub(crate) fn new(layer: L, optimizer: L::Optimizer, seed: u64) -> Result<Self> {
        let embedding = AutogradEmbedding::new(layer, optimizer)?;
        let map = VarMap::new();
        let transformer = Transformer::new(&VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu))?;
        let variables = Variables::new(map)?;
        variables.draw(seed)?;
        let parameters = ParamsAdamW { weight_decay: WEIGHT_DECAY, ..ParamsAdamW::default() };
        let optimizer = AdamW::new(variables.all.clone(), parameters)?;
        Ok(Self { embedding, transformer, variables, optimizer, gradient_bytes: 0 })
    }

    /// The same variables as another model has.
    pub(crate) fn with_variables_of(self, other: &VarMap) -> Result<Self> {
        let mut map = self.variables.map.clone();
        let others = other.data().lock().map_err(|_| "a thread has failed")?;
        map.set(others.iter().map(|(name, variable)| (name, variable.as_tensor())))?;
        Ok(self)
    }

    fn hidden(&self, inputs: &Tensor) -> Result<Tensor> {
        Ok(self.transformer.forward(&self.embedding.forward(inputs)?)?)
    }
}

impl<L: TrainableEmbedding + 'static> Learn for Learner<L> {
    fn step(&mut self, batch: &Batch, factor: f64) -> Result<f64> {
        let hidden = self.hidden(&batch.inputs)?;
        let loss = self.embedding.cross_entropy(&hidden, &batch.targets, None)?;
        let mut store = loss.backward()?;
        let mut gradients = self.embedding.take_gradients().ok_or("the loss does not depend on the table")?;
        self.gradient_bytes = self.gradient_bytes.max(gradients.size_in_bytes());
        clip_global_norm(&mut store, &self.variables.all, &mut [&mut gradients], MAX_NORM)?;
        self.optimizer.set_learning_rate(factor * TRANSFORMER_RATE);
        self.optimizer.step(&store)?;
        self.embedding.step(&gradients, factor * TABLE_RATE)?;
        Ok(f64::from(loss.to_scalar::<f32>()?))
    }

    fn perplexity(&self, tokens: &[u32]) -> Result<f64> {
        let (mut sum, mut count) = (0.0, 0);
        for batch in batches::in_order(tokens) {
            let batch = batch?;
            let hidden = self.hidden(&batch.inputs)?;
            let loss = self.embedding.cross_entropy_loss(&hidden, &batch.targets, Some(IGNORED))?;
            sum += loss * batch.num_targets as f64;
            count += batch.num_targets;
        }
        Ok((sum / count as f64).exp())
    }

    fn table(&self) -> Result<Array2<f32>> {
        let layer = self.embedding.layer();
        let ids: Vec<u32> = (0..layer.vocab_size() as u32).collect();
        Ok(layer.lookup(&ids)?)
    }

    fn variables(&self) -> &VarMap {
        &self.variables.map
    }

    fn num_table_parameters(&self) -> usize {
        self.embedding.layer().num_parameters()
    }

    fn num_parameters(&self) -> usize {
        self.num_table_parameters() + self.variables.len()
    }

    fn bytes(&self) -> [usize; 2] {
        let layer = self.embedding.layer();
        let table = layer.size_in_bytes() + L::state(layer.optimizer()).size_in_bytes() + self.gradient_bytes;
        // Each variable with two moments and a gradient.
        [table, table + 4 * size_of::<f32>() * self.variables.len()]
    }
}

impl Variables {
    fn new(map: VarMap) -> Result<Self> {
        let mut all: Vec<_> = map.data().lock().map_err(|_| "a thread has failed")?.clone().into_iter().collect();
        all.sort_by(|(name, _), (other, _)| name.cmp(other));
        Ok(Self { map, all: all.into_iter().map(|(_, variable)| variable).collect() })
    }

    /// Normal numbers for all matrices, whatever they were made with, scaled down where they add to the residual stream (GPT-2).
    fn draw(&self, seed: u64) -> Result<()> {
        let mut rng = rng(seed, Purpose::Weights);
        let mut entries = |std: f64, shape: &[usize]| -> Result<Tensor> {
            let normal = Normal::new(0.0, std as f32)?;
            let numbers = (0..shape.iter().product()).map(|_| normal.sample(&mut rng));
            Ok(Tensor::from_iter(numbers, &Device::Cpu)?.reshape(shape)?)
        };
        let map = self.map.data().lock().map_err(|_| "a thread has failed")?;
        let mut names: Vec<_> = map.iter().filter(|(_, variable)| variable.rank() == 2).collect();
        names.sort_by_key(|(name, _)| *name);
        for (name, variable) in names {
            let adds = name.ends_with("_out.weight");
            let std = if adds { STD / (2.0 * NUM_BLOCKS as f64).sqrt() } else { STD };
            variable.set(&entries(std, variable.dims())?)?;
        }
        Ok(())
    }

    /// How many numbers they are.
    fn len(&self) -> usize {
        self.all.iter().map(|variable| variable.elem_count()).sum()
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Variables({} of {} numbers)", self.all.len(), self.len())
    }
}
