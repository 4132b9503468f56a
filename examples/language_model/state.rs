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

const ADVICE: &str = "delete it to begin anew, or name another file";

#[derive(Debug)]
pub(crate) struct State<'a> {
    path: Option<&'a Path>,
    contents: Contents,
}

#[derive(Debug, Deserialize, Serialize)]
struct Contents {
    /// Of the [plan](Plan::setup).
    setup: String,
    outcomes: Vec<Outcome>,
}

impl<'a> State<'a> {
    /// With the outcomes of the file, those of another setup are refused; it is made if it is not there, before anything takes long.
    pub(crate) fn open(path: Option<&'a Path>, plan: &Plan, text: &Text) -> Result<Self> {
        let setup = plan.setup(text);
        match path.map(|path| read(path, &setup, plan, text)).transpose()?.flatten() {
            Some(contents) => Ok(Self { path, contents }),
            None => {
                let state = Self { path, contents: Contents { setup, outcomes: Vec::new() } };
                state.save()?;
                Ok(state)
            }
        }
    }

    pub(crate) fn outcome(&self, seed: u64) -> Option<&Outcome> {
        self.contents.outcomes.iter().find(|outcome| outcome.seed == seed)
    }

    /// Takes the outcome of another seed, and writes all of them.
    pub(crate) fn insert(&mut self, outcome: Outcome) -> Result<()> {
        self.contents.outcomes.push(outcome);
        self.save()
    }

    fn save(&self) -> Result<()> {
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
        let reason = format!("it is of another run ({}), expected {setup}: {ADVICE}", contents.setup);
        return Err(refused(&reason).into());
    }
    match contents.outcomes.iter().find(|outcome| !outcome.is_whole(plan, text)) {
        Some(Outcome { seed, .. }) => {
            Err(refused(&format!("the results of seed {seed} are not whole: {ADVICE}")).into())
        }
        None => Ok(Some(contents)),
    }
}
