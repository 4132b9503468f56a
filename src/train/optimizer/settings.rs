//! Rules by name, as files hold them.

use super::{Momentum, Optimizer};
use crate::Result;

impl Optimizer {
    /// The name of the rule, and the names and values of its settings.
    pub(crate) fn to_settings(self) -> (&'static str, Vec<(&'static str, f64)>) {
        match self {
            Self::Sgd { momentum: Momentum::None } => ("sgd", vec![]),
            Self::Sgd { momentum: Momentum::Polyak(momentum) } => ("sgd_polyak", vec![("momentum", momentum)]),
            Self::Sgd { momentum: Momentum::Nesterov(momentum) } => ("sgd_nesterov", vec![("momentum", momentum)]),
            Self::Adagrad { initial_accumulator, epsilon } => {
                ("adagrad", vec![("initial_accumulator", initial_accumulator), ("epsilon", epsilon)])
            }
            Self::RowwiseAdagrad { initial_accumulator, epsilon } => {
                ("rowwise_adagrad", vec![("initial_accumulator", initial_accumulator), ("epsilon", epsilon)])
            }
            Self::Adam { betas: [beta1, beta2], epsilon } => {
                ("adam", vec![("beta1", beta1), ("beta2", beta2), ("epsilon", epsilon)])
            }
            Self::AdamW { betas: [beta1, beta2], epsilon, weight_decay } => (
                "adam_w",
                vec![("beta1", beta1), ("beta2", beta2), ("epsilon", epsilon), ("weight_decay", weight_decay)],
            ),
        }
    }

    /// The rule of a name, `None` where there is no such rule; `setting` gives the values.
    ///
    /// # Errors
    /// Those of `setting`.
    pub(crate) fn from_settings(name: &str, setting: impl Fn(&str) -> Result<f64>) -> Result<Option<Self>> {
        let betas = || Ok([setting("beta1")?, setting("beta2")?]);
        Ok(Some(match name {
            "sgd" => Self::sgd(),
            "sgd_polyak" => Self::Sgd { momentum: Momentum::Polyak(setting("momentum")?) },
            "sgd_nesterov" => Self::Sgd { momentum: Momentum::Nesterov(setting("momentum")?) },
            "adagrad" => {
                Self::Adagrad { initial_accumulator: setting("initial_accumulator")?, epsilon: setting("epsilon")? }
            }
            "rowwise_adagrad" => Self::RowwiseAdagrad {
                initial_accumulator: setting("initial_accumulator")?,
                epsilon: setting("epsilon")?,
            },
            "adam" => Self::Adam { betas: betas()?, epsilon: setting("epsilon")? },
            "adam_w" => {
                Self::AdamW { betas: betas()?, epsilon: setting("epsilon")?, weight_decay: setting("weight_decay")? }
            }
            _ => return Ok(None),
        }))
    }
}
