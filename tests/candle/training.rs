//! A small model, trained through the bridge and on plain variables.

use candle_core::{DType, Device, Module, Result, Tensor, Var};
use candle_nn::{Linear, Optimizer as _, SGD, VarBuilder, VarMap, loss};

use crate::{
    plain::{DIM, Plain, VOCAB_SIZE, array, assert_close, bridged, factors, ids},
    support,
};

const STEPS: usize = 30;
const LEARNING_RATE: f64 = 0.3;

/// Lookups, a linear layer with tanh, and the tied head.
struct Model {
    linear: Linear,
    variables: VarMap,
}

impl Model {
    fn new() -> Result<Self> {
        let variables = VarMap::new();
        let builder = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        // The same numbers in both models.
        let weight = support::random::normal((DIM, DIM), 3) / 2.0;
        let linear = candle_nn::linear(DIM, DIM, builder)?;
        let mut model = Self { linear, variables };
        model.variables.set_one("weight", factorized_embedding::candle::to_tensor(weight.view())?)?;
        model.variables.set_one("bias", Tensor::zeros(DIM, DType::F32, &Device::Cpu)?)?;
        Ok(model)
    }

    fn hidden(&self, vectors: &Tensor) -> Result<Tensor> {
        vectors.apply(&self.linear)?.tanh()
    }

    fn weight(&self) -> Var {
        self.variables.data().lock().expect("no thread has failed")["weight"].clone()
    }
}

fn batch(step: usize) -> (Tensor, Tensor) {
    let inputs = support::random::ids(8, VOCAB_SIZE, step as u64);
    let targets: Vec<u32> = inputs.iter().map(|id| (id * 3 + 1) % VOCAB_SIZE as u32).collect();
    (ids(&inputs, &[2, 4]), ids(&targets, &[8]))
}

#[test]
fn a_model_learns_what_it_learns_on_plain_variables() -> Result<()> {
    for fused in [false, true] {
        let (embedding, plain) = (bridged(factors()), Plain::new(&factors())?);
        let (model, plain_model) = (Model::new()?, Model::new()?);
        let mut optimizer = SGD::new(model.variables.all_vars(), LEARNING_RATE)?;
        let variables = [plain_model.variables.all_vars(), plain.variables()].concat();
        let mut plain_optimizer = SGD::new(variables, LEARNING_RATE)?;
        let mut losses = Vec::new();
        for step in 0..STEPS {
            let (inputs, targets) = batch(step);
            let hidden = model.hidden(&embedding.forward(&inputs)?)?.reshape((8, DIM))?;
            let loss = if fused {
                embedding.cross_entropy(&hidden, &targets, None)?
            } else {
                loss::cross_entropy(&embedding.logits(&hidden)?, &targets)?
            };
            optimizer.backward_step(&loss)?;
            embedding.step(&embedding.take_gradients().expect("gradients"), LEARNING_RATE)?;

            let hidden = plain_model.hidden(&plain.lookup(&inputs)?)?.reshape((8, DIM))?;
            let plain_loss = loss::cross_entropy(&plain.logits(&hidden)?, &targets)?;
            plain_optimizer.backward_step(&plain_loss)?;
            let (loss, plain_loss) = (loss.to_scalar::<f32>()?, plain_loss.to_scalar::<f32>()?);
            assert!((loss - plain_loss).abs() < 1e-5 * plain_loss, "step {step}: {loss}, expected {plain_loss}");
            losses.push(loss);
        }
        assert!(losses[STEPS - 1] < 0.9 * losses[0], "it learns: {losses:?}");
        plain.assert_factors(embedding.layer().factors());
        assert_close("weight", &array(&model.weight()), &array(&plain_model.weight()));
    }
    Ok(())
}
