//! Progress on the standard error; nothing when that is not a terminal.

use std::{fmt::Write, time::Duration};

use factorized_embedding::RowBlocks;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use ndarray::{ArrayBase, ArrayView2};

use super::text::grouped;

/// For steps of unknown length.
pub(crate) fn steps() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// For a known number of rounds.
pub(crate) fn rounds(count: usize) -> ProgressBar {
    styled(ProgressBar::new(count as u64), "{bar:40} {pos}/{len} {msg}")
}

/// For passes over so many rows.
pub(crate) fn rows(count: usize) -> ProgressBar {
    let bar = ProgressBar::new(count as u64);
    bar.enable_steady_tick(Duration::from_millis(100));
    styled(bar, "{bar:30} {human_pos} of {human_len} rows, {rate} rows/s, {eta} left: {msg}")
}

/// For so many bytes as will be known when they are written.
pub(crate) fn bytes() -> ProgressBar {
    styled(ProgressBar::new(0), "{bar:30} {decimal_bytes} of {decimal_total_bytes}, {eta} left: {msg}")
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    // What cannot be written is not shown.
    let rate = |state: &ProgressState, out: &mut dyn Write| {
        let _ = write!(out, "{}", grouped(state.per_sec() as usize));
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.with_key("rate", rate)),
        Err(_) => bar,
    }
}

/// Rows whose reading moves a bar.
pub(crate) struct WatchedRows<R> {
    rows: R,
    bar: ProgressBar,
    next: usize,
}

impl<R: RowBlocks> WatchedRows<R> {
    pub(crate) fn new(rows: R, bar: ProgressBar) -> Self {
        Self { rows, bar, next: 0 }
    }
}

impl<R: RowBlocks> RowBlocks for WatchedRows<R> {
    fn vocab_size(&self) -> usize {
        self.rows.vocab_size()
    }

    fn dim(&self) -> usize {
        self.rows.dim()
    }

    fn next_block(&mut self) -> factorized_embedding::Result<Option<ArrayView2<'_, f32>>> {
        // Whoever asks for more rows has done with those before.
        self.bar.set_position(self.next as u64);
        let block = self.rows.next_block()?;
        self.next += block.as_ref().map_or(0, ArrayBase::nrows);
        Ok(block)
    }

    fn seek(&mut self, row: usize) -> factorized_embedding::Result<()> {
        self.rows.seek(row)?;
        self.next = row;
        // A pass of its own, with a rate of its own.
        self.bar.reset();
        self.bar.set_position(row as u64);
        self.bar.reset_eta();
        Ok(())
    }
}
