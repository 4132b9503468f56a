//! How parameters follow their gradients.

mod arithmetic;
mod array;
#[cfg(feature = "decompose")]
mod eigenbasis;
mod factors;
#[cfg(feature = "decompose")]
mod grow;
#[cfg(feature = "decompose")]
mod orthonormal;
mod part;
mod part_rates;
mod rows;
#[cfg(feature = "safetensors")]
mod settings;
mod state;
mod table;

pub use array::ArrayOptimizer;
pub use factors::FactorOptimizer;
pub use part_rates::PartRates;
pub use state::OptimizerState;
pub use table::TableOptimizer;

use crate::{Error, Result};

/// A rule that turns gradients into changes of parameters, and its settings.
///
/// The rules are PyTorch's. Where a gradient has [rows](super::RowGradient) of a matrix only, they are *lazy*: rows without a
/// gradient, and what is remembered of them, stay what they are, so that a step costs as much as the batch.
///
/// | rule | remembers | lazy rows |
/// | --- | --- | --- |
/// | [`Sgd`](Self::Sgd) | nothing, or a number a parameter | the momentum of untouched rows neither decays nor moves them |
/// | [`Adagrad`](Self::Adagrad) | a number a parameter | exact: untouched rows would not change anyway |
/// | [`RowwiseAdagrad`](Self::RowwiseAdagrad) | a number a row | exact |
/// | [`Adam`](Self::Adam) | two numbers a parameter | `torch.optim.SparseAdam`: see there |
/// | [`AdamW`](Self::AdamW) | two numbers a parameter | the same; only touched rows are decayed |
///
/// In the formulas g is the gradient, η the learning rate, t the number of steps that the array has made, this one included.
///
/// # Examples
///
/// ```
/// use factorized_embedding::train::{Momentum, Optimizer};
///
/// let patient = Optimizer::Adam { betas: [0.9, 0.98], epsilon: 1e-9 };
/// assert_ne!(patient, Optimizer::adam());
/// assert_eq!(Optimizer::sgd(), Optimizer::Sgd { momentum: Momentum::None });
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum Optimizer {
    /// Stochastic gradient descent: p ← p − η·g, or with [`Momentum`].
    Sgd {
        /// Whether earlier gradients push on.
        momentum: Momentum,
    },

    /// s ← s + g², p ← p − η·g / (√s + ε) (Duchi, Hazan & Singer 2011, "Adaptive Subgradient Methods for Online Learning and
    /// Stochastic Optimization", §1.1, with diagonal matrices).
    Adagrad {
        /// What s begins with.
        initial_accumulator: f64,
        /// ε
        epsilon: f64,
    },

    /// Adagrad with one s for each row, to which the mean of g² over the row is added, as FBGEMM's `EXACT_ROWWISE_ADAGRAD`
    /// does. A vector is a matrix of one column: its rows are its numbers.
    RowwiseAdagrad {
        /// What s begins with.
        initial_accumulator: f64,
        /// ε
        epsilon: f64,
    },

    /// m ← m + (1 − β₁)·(g − m), v ← v + (1 − β₂)·(g² − v), p ← p − η·m̂ / (√v̂ + ε) with m̂ = m / (1 − β₁ᵗ) and
    /// v̂ = v / (1 − β₂ᵗ) (Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", Algorithm 1).
    ///
    /// Lazy rows are those of `torch.optim.SparseAdam`: t counts the steps of the whole matrix, and the moments of a row decay
    /// in those steps only that touch it. As there, ε is added to √v before it is corrected (the form that ends §2 of the
    /// paper): p ← p − η·√(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε). A gradient of all rows is no lazy one; one of all rows but that of
    /// the padding is.
    Adam {
        /// β₁ and β₂
        betas: [f64; 2],
        /// ε
        epsilon: f64,
    },

    /// Adam with decoupled weight decay: p ← p − η·λ·p before each step (Loshchilov & Hutter 2019, "Decoupled Weight Decay
    /// Regularization", Algorithm 2, with η as PyTorch uses it for both).
    ///
    /// Only touched rows are decayed. Of [factors](FactorOptimizer), U and V are decayed; D and b are not.
    AdamW {
        /// β₁ and β₂
        betas: [f64; 2],
        /// ε
        epsilon: f64,
        /// λ
        weight_decay: f64,
    },
}

/// What earlier gradients do in stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
pub enum Momentum {
    /// Nothing.
    None,
    /// m ← μ·m + g, p ← p − η·m, for this μ (Polyak 1964, "Some methods of speeding up the convergence of iteration methods").
    Polyak(f64),
    /// m ← μ·m + g, p ← p − η·(g + μ·m), for this μ (Nesterov's, in the form of Sutskever, Martens, Dahl & Hinton 2013, "On the
    /// importance of initialization and momentum in deep learning", §2).
    Nesterov(f64),
}

/// Smaller ones vanish beside the least of the numbers that they are to be larger than.
const MIN_EPSILON: f64 = 1e-30;
const BETAS: [f64; 2] = [0.9, 0.999];

impl Optimizer {
    /// [`Sgd`](Self::Sgd) without momentum.
    #[must_use]
    pub const fn sgd() -> Self {
        Self::Sgd { momentum: Momentum::None }
    }

    /// [`Adagrad`](Self::Adagrad) with the settings of PyTorch: ε = 10⁻¹⁰, s begins with 0.
    #[must_use]
    pub const fn adagrad() -> Self {
        Self::Adagrad { initial_accumulator: 0.0, epsilon: 1e-10 }
    }

    /// [`RowwiseAdagrad`](Self::RowwiseAdagrad) with the settings of FBGEMM: ε = 10⁻⁸, s begins with 0.
    #[must_use]
    pub const fn rowwise_adagrad() -> Self {
        Self::RowwiseAdagrad { initial_accumulator: 0.0, epsilon: 1e-8 }
    }

    /// [`Adam`](Self::Adam) with the settings of the paper: β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸.
    #[must_use]
    pub const fn adam() -> Self {
        Self::Adam { betas: BETAS, epsilon: 1e-8 }
    }

    /// [`AdamW`](Self::AdamW) with this λ and the settings of [`adam`](Self::adam).
    #[must_use]
    pub const fn adam_w(weight_decay: f64) -> Self {
        Self::AdamW { betas: BETAS, epsilon: 1e-8, weight_decay }
    }

    /// # Errors
    /// [`InvalidSetting`](Error::InvalidSetting).
    fn check(self) -> Result<()> {
        match self {
            Self::Sgd { momentum: Momentum::None } => Ok(()),
            Self::Sgd { momentum: Momentum::Polyak(momentum) | Momentum::Nesterov(momentum) } => {
                check_share("momentum", momentum)
            }
            Self::Adagrad { initial_accumulator, epsilon } | Self::RowwiseAdagrad { initial_accumulator, epsilon } => {
                check_not_negative("initial_accumulator", initial_accumulator)?;
                check_epsilon(epsilon)
            }
            Self::Adam { betas, epsilon } => check_adam(betas, epsilon),
            Self::AdamW { betas, epsilon, weight_decay } => {
                check_adam(betas, epsilon)?;
                check_not_negative("weight_decay", weight_decay)
            }
        }
    }
}

fn check_adam([beta1, beta2]: [f64; 2], epsilon: f64) -> Result<()> {
    check_share("beta1", beta1)?;
    check_share("beta2", beta2)?;
    check_epsilon(epsilon)
}

fn check_share(name: &'static str, value: f64) -> Result<()> {
    check(name, value, value >= 0.0 && (value as f32) < 1.0, "a number from 0 to below 1")
}

fn check_epsilon(value: f64) -> Result<()> {
    check("epsilon", value, (MIN_EPSILON..=1.0).contains(&value), "a number from 1e-30 to 1")
}

/// Also of learning rates.
fn check_not_negative(name: &'static str, value: f64) -> Result<()> {
    check(name, value, (0.0..=f64::from(f32::MAX)).contains(&value), "a finite f32 that is not negative")
}

fn check(name: &'static str, value: f64, valid: bool, expected: &'static str) -> Result<()> {
    if valid { Ok(()) } else { Err(Error::InvalidSetting { name, value, expected }) }
}
