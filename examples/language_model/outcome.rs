//! What is known after training from a seed.

use serde::{Deserialize, Serialize};

use crate::{
    recovery::Recovery,
    tables::Kind,
    training::{Course, Model},
};

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    /// For each kind of table, the dense one first.
    pub(crate) models: Vec<Trained>,
    pub(crate) recovery: Recovery,
}

impl Outcome {
    /// Whether there is a model for each kind of table, and of each all epochs and steps.
    pub(crate) fn is_whole(&self, epochs: usize, steps: usize) -> bool {
        self.models.len() == Kind::ALL.len() && self.models.iter().all(|model| model.course.is_whole(epochs, steps))
    }
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Trained {
    /// The kind of its table.
    pub(crate) table: String,
    pub(crate) num_table_parameters: usize,
    pub(crate) num_parameters: usize,
    /// To train the table, and the whole model.
    pub(crate) bytes: [usize; 2],
    pub(crate) course: Course,
}

impl From<Model> for Trained {
    fn from(Model { kind, learner, course, .. }: Model) -> Self {
        Self {
            table: kind.to_string(),
            num_table_parameters: learner.num_table_parameters(),
            num_parameters: learner.num_parameters(),
            bytes: learner.bytes(),
            course,
        }
    }
}
