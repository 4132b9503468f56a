//! The published formulas, number by number in f64.

use factorized_embedding::train::{Momentum, Optimizer};
use ndarray::{Array2, ArrayView2};

/// A matrix that is trained. A vector is a matrix of one column.
pub(crate) struct Trained {
    pub(crate) rule: Optimizer,
    pub(crate) parameters: Array2<f64>,
    /// m of momentum and Adam.
    pub(crate) first: Array2<f64>,
    /// s of Adagrad, v of Adam.
    pub(crate) second: Array2<f64>,
    /// s of row-wise Adagrad, one a row.
    pub(crate) row_sums: Vec<f64>,
    pub(crate) steps: i32,
    pub(crate) weight_decay: bool,
}

impl Trained {
    pub(crate) fn new(rule: Optimizer, parameters: ArrayView2<'_, f32>, weight_decay: bool) -> Self {
        let initial = match rule {
            Optimizer::Adagrad { initial_accumulator, .. } | Optimizer::RowwiseAdagrad { initial_accumulator, .. } => {
                initial_accumulator
            }
            _ => 0.0,
        };
        let (first, second) = (Array2::zeros(parameters.dim()), Array2::from_elem(parameters.dim(), initial));
        let row_sums = vec![initial; parameters.nrows()];
        let parameters = parameters.mapv(f64::from);
        Self { rule, parameters, first, second, row_sums, steps: 0, weight_decay }
    }

    /// A step by the gradient of some rows, or of all of them.
    pub(crate) fn step(&mut self, ids: Option<&[u32]>, gradient: ArrayView2<'_, f32>, rate: f64) {
        self.steps += 1;
        let all: Vec<u32> = (0..self.parameters.nrows() as u32).collect();
        for (i, &id) in ids.unwrap_or(&all).iter().enumerate() {
            let row: Vec<f64> = gradient.row(i).iter().map(|&g| f64::from(g)).collect();
            self.row_sums[id as usize] += row.iter().map(|g| g * g).sum::<f64>() / row.len().max(1) as f64;
            for (j, g) in row.into_iter().enumerate() {
                self.step_number([id as usize, j], g, rate, ids.is_some());
            }
        }
    }

    fn step_number(&mut self, at: [usize; 2], g: f64, rate: f64, lazy: bool) {
        let (p, first, second) = (&mut self.parameters[at], &mut self.first[at], &mut self.second[at]);
        match self.rule {
            Optimizer::Sgd { momentum: Momentum::None } => *p -= rate * g,
            Optimizer::Sgd { momentum: Momentum::Polyak(momentum) } => {
                *first = momentum * *first + g;
                *p -= rate * *first;
            }
            Optimizer::Sgd { momentum: Momentum::Nesterov(momentum) } => {
                *first = momentum * *first + g;
                *p -= rate * (g + momentum * *first);
            }
            Optimizer::Adagrad { epsilon, .. } => {
                *second += g * g;
                *p -= rate * g / (second.sqrt() + epsilon);
            }
            Optimizer::RowwiseAdagrad { epsilon, .. } => {
                *p -= rate * g / (self.row_sums[at[0]].sqrt() + epsilon);
            }
            Optimizer::Adam { betas, epsilon } | Optimizer::AdamW { betas, epsilon, .. } => {
                if let (Optimizer::AdamW { weight_decay, .. }, true) = (self.rule, self.weight_decay) {
                    *p -= rate * weight_decay * *p;
                }
                *first = betas[0] * *first + (1.0 - betas[0]) * g;
                *second = betas[1] * *second + (1.0 - betas[1]) * g * g;
                let corrections = betas.map(|beta| 1.0 - beta.powi(self.steps));
                *p -= if lazy {
                    rate * corrections[1].sqrt() / corrections[0] * *first / (second.sqrt() + epsilon)
                } else {
                    rate * (*first / corrections[0]) / ((*second / corrections[1]).sqrt() + epsilon)
                };
            }
            rule => panic!("no formula for {rule:?}"),
        }
    }

    /// What the tensors of the state hold, by the ends of their names.
    pub(crate) fn tensors(&self) -> Vec<(&'static str, Vec<f64>)> {
        let numbers = |matrix: &Array2<f64>| matrix.iter().copied().collect();
        match self.rule {
            Optimizer::Sgd { momentum: Momentum::None } => vec![],
            Optimizer::Sgd { .. } => vec![("momentum", numbers(&self.first))],
            Optimizer::Adagrad { .. } => vec![("sum", numbers(&self.second))],
            Optimizer::RowwiseAdagrad { .. } => vec![("sum", self.row_sums.clone())],
            _ => vec![("first_moment", numbers(&self.first)), ("second_moment", numbers(&self.second))],
        }
    }
}
