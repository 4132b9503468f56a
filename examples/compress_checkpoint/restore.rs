//! From a compressed checkpoint to one that every program reads.

use std::{io::Write, path::PathBuf, time::Instant};

use factorized_embedding::io::hugging_face::Checkpoint;

use crate::{
    report::Report,
    support::{Result, memory, progress},
};

/// What the command line asks for.
pub(crate) struct Restoration {
    pub(crate) model: PathBuf,
    pub(crate) out: PathBuf,
}

impl Restoration {
    pub(crate) fn run(&self, out: &mut impl Write) -> Result<()> {
        let start = Instant::now();
        let checkpoint = Checkpoint::open(&self.model)?;
        let bar = progress::bytes();
        bar.set_message("restoring the checkpoint");
        let saved = checkpoint.restore(&self.out, |written, total| {
            bar.set_length(total);
            bar.set_position(written);
            Ok(())
        })?;
        bar.finish_and_clear();
        writeln!(out, "model     {}", self.model.display())?;
        writeln!(out, "table     {}", saved.name)?;
        writeln!(out, "restored  {}\n", self.out.display())?;
        Report { saved: &saved, errors: None, seconds: start.elapsed().as_secs_f64(), peak: memory::peak() }.write(out)
    }
}
