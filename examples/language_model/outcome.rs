//! What is known after training from a seed.

use serde::{Deserialize, Serialize};

use crate::{
    plan::Plan,
    recovery::{self, Recovery},
    tables::Kind,
    text::Text,
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
    /// Whether it is of all kinds of tables and all steps of the plan.
    pub(crate) fn is_whole(&self, plan: &Plan, text: &Text) -> bool {
        self.models.iter().map(|model| model.table.clone()).eq(Kind::ALL.map(|kind| kind.to_string()))
            && self.models.iter().all(|model| model.course.is_whole(plan.epochs, plan.steps(text)))
            && self.recovery.steps == recovery::steps(plan, text)
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
