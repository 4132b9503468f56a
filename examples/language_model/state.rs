//! Outcomes in a file: an interrupted run goes on after the seeds that are finished.

use std::{
    fmt::Display,
    fs::File,
    io::{BufReader, BufWriter, ErrorKind, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    outcome::Outcome,
    plan::Plan,
    support::{Result, outputs},
    text::Text,
};

#[derive(Debug)]
pub(crate) struct State<'a> {
    path: Option<&'a Path>,
    contents: Contents,
}

#[derive(Debug, Deserialize, Serialize)]
struct Contents {
    /// All that outcomes depend on but the seed.
    setup: String,
    outcomes: Vec<Outcome>,
}

impl<'a> State<'a> {
    /// With the outcomes of the file, if it is there; those of another setup are refused.
    pub(crate) fn open(path: Option<&'a Path>, plan: &Plan, text: &Text) -> Result<Self> {
        let setup = plan.setup(text);
        let contents = path.map(|path| read(path, &setup, plan, text)).transpose()?.flatten();
        Ok(Self { path, contents: contents.unwrap_or(Contents { setup, outcomes: Vec::new() }) })
    }

    pub(crate) fn outcome(&self, seed: u64) -> Option<&Outcome> {
        self.contents.outcomes.iter().find(|outcome| outcome.seed == seed)
    }

    /// Takes the outcome of another seed, and writes all of them.
    pub(crate) fn insert(&mut self, outcome: Outcome) -> Result<()> {
        self.contents.outcomes.push(outcome);
        let Some(path) = self.path else { return Ok(()) };
        let write = |file: &mut File| {
            let mut file = BufWriter::new(file);
            serde_json::to_writer(&mut file, &self.contents)?;
            file.flush()
        };
        Ok(outputs::replace(path, write)
            .map_err(|error| format!("cannot write the state {}: {error}", path.display()))?)
    }
}

/// Nothing where there is no file.
fn read(path: &Path, setup: &str, plan: &Plan, text: &Text) -> Result<Option<Contents>> {
    let refused = |error: &dyn Display| format!("cannot read the state {}: {error}", path.display());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(&error).into()),
    };
    let contents: Contents = serde_json::from_reader(BufReader::new(file)).map_err(|error| refused(&error))?;
    if contents.setup != setup {
        return Err(refused(&format!("it is of another run ({}), expected {setup}", contents.setup)).into());
    }
    match contents.outcomes.iter().find(|outcome| !outcome.is_whole(plan.epochs, plan.steps(text))) {
        Some(Outcome { seed, .. }) => Err(refused(&format!("the results of seed {seed} are not whole")).into()),
        None => Ok(Some(contents)),
    }
}
