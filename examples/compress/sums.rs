//! The sums of the first pass, kept in a file.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::Path,
    time::{Duration, Instant},
};

use factorized_embedding::{Error, GramAccumulator, RowBlocks, RowWeights};

use crate::{
    method::Method,
    support::{Result, outputs},
};

/// Between two times that the sums are saved.
const INTERVAL: Duration = Duration::from_secs(10);

/// A file of sums: the fingerprint of what is summed, then the accumulator's bytes.
#[derive(Debug)]
pub(crate) struct State<'a> {
    path: &'a Path,
    fingerprint: [u8; 8],
}

impl<'a> State<'a> {
    pub(crate) fn new(
        path: &'a Path,
        method: Method,
        tensor: &str,
        rows: &dyn RowBlocks,
        weights: Option<&RowWeights>,
    ) -> Self {
        let sizes = [rows.vocab_size() as u64, rows.dim() as u64].map(u64::to_le_bytes).concat();
        let weights = weights.map(RowWeights::to_vec).unwrap_or_default();
        let weights: Vec<u8> = weights.into_iter().flat_map(f64::to_le_bytes).collect();
        let name = format!("{method} {tensor}");
        let parts = [name.as_bytes(), sizes.as_slice(), weights.as_slice()];
        Self { path, fingerprint: fnv_1a(&parts.concat()).to_le_bytes() }
    }

    /// The sums of the file; `empty` where there is none.
    pub(crate) fn load(&self, empty: GramAccumulator) -> Result<GramAccumulator> {
        let path = self.path.display();
        let bytes = match fs::read(self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(empty),
            Err(error) => return Err(format!("cannot read {path}: {error}").into()),
        };
        let advice = "delete it to begin anew, or name another file";
        let (fingerprint, sums) = bytes.split_at_checked(self.fingerprint.len()).unwrap_or_default();
        let sums = GramAccumulator::from_bytes(sums).map_err(|error| format!("{path}: {error}: {advice}"))?;
        if sums.dim() != empty.dim() {
            let (actual, expected) = (sums.dim(), empty.dim());
            return Err(format!("{path} has the sums of {actual} columns, the table has {expected}: {advice}").into());
        }
        if fingerprint != self.fingerprint {
            let other = "another table, other frequencies or another method";
            return Err(format!("{path} has the sums of {other}: {advice}").into());
        }
        Ok(sums)
    }

    /// Adds the rows that are missing, and saves the sums from time to time and at the end, whatever the end is.
    pub(crate) fn update(
        &self,
        sums: &mut GramAccumulator,
        rows: &mut dyn RowBlocks,
        weights: Option<&RowWeights>,
    ) -> Result<()> {
        let (before, mut saved) = (sums.num_rows(), Instant::now());
        let result = sums.update_from(rows, weights, |sums| {
            if saved.elapsed() < INTERVAL {
                return Ok(());
            }
            saved = Instant::now();
            self.save(sums)
        });
        if sums.num_rows() > before {
            self.save(sums)?;
        }
        Ok(result?)
    }

    fn save(&self, sums: &GramAccumulator) -> factorized_embedding::Result<()> {
        let write = |file: &mut File| {
            file.write_all(&self.fingerprint)?;
            file.write_all(&sums.to_bytes())
        };
        outputs::replace(self.path, write).map_err(|source| Error::Io {
            action: "write",
            path: self.path.to_owned(),
            source,
        })
    }
}

/// Fowler, Noll & Vo, variant 1a, 64 bits.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
