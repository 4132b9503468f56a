//! Where the names of marked ranks stand above a chart.

use crate::recommendations::Kind;

/// Lines of text beside the top of a pole, to its right.
#[derive(Debug)]
pub(crate) struct Flag {
    /// From top to bottom.
    pub(crate) lines: Vec<(String, Kind)>,
    /// The pole, in pixels from the left.
    pub(crate) x: i32,
    /// Pixels of the text and of what keeps it from others.
    pub(crate) width: i32,
}

/// How many rows each flag stands above the chart, of flags from left to right: no flag covers another or its pole.
pub(crate) fn rows(flags: &[Flag]) -> Vec<usize> {
    let mut rows = vec![0; flags.len()];
    for i in (0..flags.len()).rev() {
        // Every pole that this flag would cover has to end below it.
        let under = (i + 1..flags.len()).filter(|&j| flags[j].x < flags[i].x + flags[i].width);
        rows[i] = under.map(|j| rows[j] + flags[j].lines.len()).max().unwrap_or(0);
    }
    rows
}
