//! The same table of plain variables of candle's: what the bridge is compared with.

use candle_core::{DType, Device, Result, Tensor, Var, backprop::GradStore};
use factorized_embedding::{
    FactorizedEmbedding, Factors, TokenId,
    candle::{AutogradEmbedding, to_tensor},
    train::{FactorGradients, FactorOptimizer, Optimizer},
};
use ndarray::{Array1, Array2, ArrayView1, Axis};

use crate::support::random::normal;

pub(crate) const VOCAB_SIZE: usize = 11;
pub(crate) const RANK: usize = 3;
pub(crate) const DIM: usize = 5;

/// Factors with all parts, half as large as standard normal numbers.
pub(crate) fn factors() -> Factors {
    let vector = |len: usize, seed| normal((1, len), seed).index_axis_move(Axis(0), 0) / 2.0;
    Factors::new(normal((VOCAB_SIZE, RANK), 1) / 2.0, normal((RANK, DIM), 2) / 2.0)
        .and_then(|factors| factors.with_diagonal(vector(RANK, 3) + 1.0))
        .and_then(|factors| factors.with_bias(vector(DIM, 4)))
        .expect("shapes that multiply")
}

pub(crate) fn bridged(factors: Factors) -> AutogradEmbedding<FactorizedEmbedding> {
    let optimizer = FactorOptimizer::new(Optimizer::sgd()).expect("valid settings");
    AutogradEmbedding::new(FactorizedEmbedding::new(factors), optimizer).expect("a variable")
}

pub(crate) struct Plain {
    pub(crate) u: Var,
    pub(crate) diagonal: Var,
    pub(crate) v: Var,
    pub(crate) bias: Var,
}

impl Plain {
    pub(crate) fn new(factors: &Factors) -> Result<Self> {
        let vector = |numbers: Option<ArrayView1<'_, f32>>| {
            let numbers = numbers.expect("factors with all parts").to_vec();
            Var::from_vec(numbers.clone(), numbers.len(), &Device::Cpu)
        };
        Ok(Self {
            u: Var::from_tensor(&to_tensor(factors.u().view())?)?,
            diagonal: vector(factors.diagonal())?,
            v: Var::from_tensor(&to_tensor(factors.v())?)?,
            bias: vector(factors.bias())?,
        })
    }

    pub(crate) fn variables(&self) -> Vec<Var> {
        vec![self.u.clone(), self.diagonal.clone(), self.v.clone(), self.bias.clone()]
    }

    /// The whole table.
    pub(crate) fn table(&self) -> Result<Tensor> {
        let scaled = self.u.broadcast_mul(&self.diagonal)?;
        scaled.matmul(&self.v)?.broadcast_add(&self.bias)
    }

    pub(crate) fn lookup(&self, ids: &Tensor) -> Result<Tensor> {
        let rows = self.table()?.index_select(&ids.flatten_all()?, 0)?;
        rows.reshape([ids.dims(), &[DIM]].concat())
    }

    pub(crate) fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        hidden.matmul(&self.table()?.t()?)
    }

    /// All parts of the gradient are those of candle, to rounding of the largest numbers.
    #[track_caller]
    pub(crate) fn assert_gradients(&self, what: &str, gradients: &FactorGradients, expected: &GradStore) {
        let u = gradients.u.as_ref().expect("U is not frozen");
        let mut all = Array2::zeros((VOCAB_SIZE, RANK));
        match u.ids() {
            Some(ids) => ids.iter().zip(u.values().rows()).for_each(|(&id, row)| all.row_mut(id as usize).assign(&row)),
            None => all.assign(&u.values()),
        }
        let vector = |vector: &Option<Array1<f32>>| vector.clone().expect("not frozen").insert_axis(Axis(0));
        let parts = [
            ("U", all, &self.u),
            ("V", gradients.v.clone().expect("not frozen"), &self.v),
            ("D", vector(&gradients.diagonal), &self.diagonal),
            ("b", vector(&gradients.bias), &self.bias),
        ]
        .map(|(name, actual, variable)| (name, actual, array(expected.get(variable).expect("a gradient of candle's"))));
        let largest = parts.iter().map(|(_, _, expected)| largest(expected)).fold(0.0, f32::max);
        for (name, actual, expected) in parts {
            assert_within(&format!("{what}: {name}"), &actual, &expected, largest);
        }
    }

    /// The factors of the layer are the variables, to rounding.
    #[track_caller]
    pub(crate) fn assert_factors(&self, factors: &Factors) {
        assert_close("U", &factors.u().into_owned(), &array(&self.u));
        assert_close("V", &factors.v().to_owned(), &array(&self.v));
        let row = |vector: Option<ArrayView1<'_, f32>>| {
            vector.expect("factors with all parts").to_owned().insert_axis(Axis(0))
        };
        assert_close("D", &row(factors.diagonal()), &array(&self.diagonal));
        assert_close("b", &row(factors.bias()), &array(&self.bias));
    }
}

/// A tensor of one or two dimensions as a matrix.
pub(crate) fn array(tensor: &Tensor) -> Array2<f32> {
    let columns = tensor.dims().last().copied().unwrap_or(1);
    let numbers = tensor.to_dtype(DType::F32).and_then(|t| t.flatten_all()).and_then(|t| t.to_vec1::<f32>());
    let numbers = numbers.expect("floating point numbers");
    Array2::from_shape_vec((numbers.len() / columns.max(1), columns), numbers).expect("whole rows")
}

/// Differs by rounding at most: both sides add up few numbers of about the same size, in another order.
#[track_caller]
pub(crate) fn assert_close(what: &str, actual: &Array2<f32>, expected: &Array2<f32>) {
    assert_within(what, actual, expected, largest(expected));
}

#[track_caller]
fn assert_within(what: &str, actual: &Array2<f32>, expected: &Array2<f32>, largest: f32) {
    assert_eq!(actual.dim(), expected.dim(), "{what}: shapes");
    assert!(largest > 0.0, "{what}: there is something to compare");
    let tolerance = 64.0 * f32::EPSILON * largest;
    for (place, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        assert!((actual - expected).abs() <= tolerance, "{what}, number {place}: {actual}, expected {expected}");
    }
}

fn largest(array: &Array2<f32>) -> f32 {
    array.iter().fold(0.0, |max, number| number.abs().max(max))
}

pub(crate) fn ids(ids: &[TokenId], shape: &[usize]) -> Tensor {
    Tensor::from_slice(ids, shape, &Device::Cpu).expect("as many ids as the shape takes")
}

/// What the error says, without the backtrace that candle may add.
#[track_caller]
pub(crate) fn refusal<T>(result: Result<T>) -> String {
    let Err(error) = result else { panic!("there is no error") };
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
