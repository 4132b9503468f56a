//! Outcomes in a file: an interrupted run goes on after the seeds that are finished.

use std::{
    fs::File,
    io::{BufReader, BufWriter, ErrorKind, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::{outcome::Outcome, support::Result};

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
    pub(crate) fn open(path: Option<&'a Path>, setup: String) -> Result<Self> {
        let contents = match path.map(read).transpose()?.flatten() {
            Some(contents) if contents.setup != setup => {
                return Err(format!("the state is of another run ({}), expected {setup}", contents.setup).into());
            }
            Some(contents) => contents,
            None => Contents { setup, outcomes: Vec::new() },
        };
        Ok(Self { path, contents })
    }

    pub(crate) fn outcome(&self, seed: u64) -> Option<&Outcome> {
        self.contents.outcomes.iter().find(|outcome| outcome.seed == seed)
    }

    /// Takes the outcome of another seed, and writes all of them.
    pub(crate) fn insert(&mut self, outcome: Outcome) -> Result<()> {
        self.contents.outcomes.push(outcome);
        let Some(path) = self.path else { return Ok(()) };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = BufWriter::new(NamedTempFile::new_in(folder)?);
        serde_json::to_writer(&mut file, &self.contents)?;
        file.flush()?;
        file.into_inner()?.persist(path)?;
        Ok(())
    }
}

/// Nothing where there is no file.
fn read(path: &Path) -> Result<Option<Contents>> {
    let refused = |error: &dyn std::fmt::Display| format!("cannot read the state {}: {error}", path.display());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(&error).into()),
    };
    Ok(Some(serde_json::from_reader(BufReader::new(file)).map_err(|error| refused(&error))?))
}
