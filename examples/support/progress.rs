//! Progress on the standard error; nothing when that is not a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// For steps of unknown length.
pub(crate) fn steps() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// For a known number of rounds.
pub(crate) fn rounds(count: usize) -> ProgressBar {
    let bar = ProgressBar::new(count as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}
