//! Tables, texts and states to meet.

use std::{fs, path::PathBuf, time::Instant};

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use factorized_embedding::{
    Decompose, Embedding, FactorizedEmbedding, Rank, Shape, TruncatedSvd, candle::to_array, io::safetensors,
};
use ndarray::{Array1, Array2};
use ndarray_npy::ReadNpyExt;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};

use crate::{folded::FoldedFusion, fusion::Fusion, support::Result};

const ROUNDS: usize = 15;
const NUM_TOKENS: usize = 512;
/// Of the other encoder: a picture in patches, say.
const NUM_STATES: usize = 49;
const STATE_WIDTH: usize = 64;

#[derive(Debug)]
pub(crate) struct Workload {
    name: &'static str,
    tokens: FactorizedEmbedding,
    num_heads: usize,
    ids: Tensor,
}

/// What came of both ways.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// Of the lookup and the projections, for a token.
    pub(crate) flops: [usize; 2],
    /// Of the whole attention, medians.
    pub(crate) seconds: [f64; 2],
    /// Of the outputs, over the largest of them.
    pub(crate) difference: f32,
}

impl Workload {
    /// The shipped word vectors at half of their rank, and the beginning of *Alice*.
    pub(crate) fn glove() -> Result<Self> {
        let data: PathBuf = [env!("CARGO_MANIFEST_DIR"), "examples", "data"].iter().collect();
        let table = safetensors::load_table(data.join("glove50-top10k-f16.safetensors"), "weight")?;
        let decomposition = TruncatedSvd::new(Rank::Fixed(25)).decompose(table.to_array().view())?;
        let text = Array1::<u16>::read_npy(fs::File::open(data.join("alice-glove50-top10k.ids.npy"))?)?;
        let ids = Tensor::from_iter(text.iter().take(NUM_TOKENS).map(|&id| u32::from(id)), &Device::Cpu)?;
        let tokens = FactorizedEmbedding::new(decomposition.factors);
        Ok(Self { name: "GloVe words, Alice", tokens, num_heads: 5, ids })
    }

    /// Random numbers in the shape of a base model's table.
    pub(crate) fn bert_sized() -> Result<Self> {
        let shape = Shape { vocab_size: 30_522, rank: 128, dim: 768 };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let tokens = FactorizedEmbedding::random(shape, 0.5, &mut rng)?;
        let ids = (0..NUM_TOKENS).map(|_| rng.random_range(0..shape.vocab_size as u32));
        let ids = Tensor::from_iter(ids.collect::<Vec<_>>(), &Device::Cpu)?;
        Ok(Self { name: "random, the size of BERT", tokens, num_heads: 12, ids })
    }

    /// Both ways, in turns.
    pub(crate) fn measure(self) -> Result<Measured> {
        let Self { name, tokens, num_heads, ids } = self;
        let shape = tokens.factors().shape();
        let variables = VarMap::new();
        let builder = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        let fusion = Fusion::new(tokens, [shape.dim, num_heads, NUM_TOKENS, STATE_WIDTH], &builder)?;
        draw(&variables)?;
        let folded = FoldedFusion::new(&fusion)?;
        let states = normal(&mut ChaCha8Rng::seed_from_u64(2), &[NUM_STATES, STATE_WIDTH])?;

        let plain = to_array(&fusion.forward(&ids, &states)?)?;
        let difference = largest(&(to_array(&folded.forward(&ids, &states)?)? - &plain)) / largest(&plain);
        let mut seconds = [(); 2].map(|()| Vec::new());
        for _ in 0..ROUNDS {
            seconds[0].push(timed(|| fusion.forward(&ids, &states))?);
            seconds[1].push(timed(|| folded.forward(&ids, &states))?);
        }
        let Shape { rank, dim, .. } = shape;
        let flops = [2 * rank * dim + 2 * dim * 3 * dim, 2 * folded.tokens.rank() * folded.tokens.dim()];
        Ok(Measured { name, shape, flops, seconds: seconds.map(median), difference })
    }
}

/// Gives all variables numbers from a seed, in the order of their names, as many times smaller as a vector that they multiply is long.
fn draw(variables: &VarMap) -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let map = variables.data().lock().map_err(|_| "a thread has failed")?;
    let mut names: Vec<_> = map.iter().collect();
    names.sort_by_key(|(name, _)| *name);
    for (_, variable) in names {
        let scale = (variable.dims().last().copied().unwrap_or(1) as f64).powf(-0.5);
        variable.set(&(normal(&mut rng, variable.dims())? * scale)?)?;
    }
    Ok(())
}

fn normal(rng: &mut ChaCha8Rng, shape: &[usize]) -> candle_core::Result<Tensor> {
    let numbers = (0..shape.iter().product()).map(|_| StandardNormal.sample(rng));
    Tensor::from_iter(numbers.collect::<Vec<f32>>(), &Device::Cpu)?.reshape(shape)
}

fn timed(call: impl FnOnce() -> candle_core::Result<Tensor>) -> Result<f64> {
    let start = Instant::now();
    call()?;
    Ok(start.elapsed().as_secs_f64())
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn largest(numbers: &Array2<f32>) -> f32 {
    numbers.iter().fold(0.0, |max, number| number.abs().max(max))
}
