//! Tables as constants in Rust.

use std::{panic::resume_unwind, thread};

use factorized_embedding::quantize::Level;

use crate::{lloyd_max, training};

const MAX_LINE: usize = 120;

/// The list of the positive levels of all widths, as it stands in `lloyd_max.rs`.
pub(crate) fn lloyd_max() -> String {
    let positive = |width: u8| {
        let levels = lloyd_max::levels(width);
        numbers(levels[levels.len() / 2..].iter().map(|&level| level as f32), 4, 8)
    };
    (1..=Level::MAX_WIDTH).map(positive).collect::<Vec<_>>().join("\n")
}

/// The whole file `tables.rs`.
pub(crate) fn trellis() -> String {
    let halves = thread::scope(|scope| {
        let widths = 1..=Level::MAX_TRELLIS_WIDTH;
        let halves: Vec<_> = widths.map(|width| scope.spawn(move || half(width))).collect();
        let halves = halves.into_iter().map(|half| half.join().unwrap_or_else(|panic| resume_unwind(panic)));
        halves.collect::<Vec<_>>().join("\n")
    });
    format!(
        "//! What the windows of the trellis stand for, made by \
         `cargo run --release --example codebooks -- --make trellis`.\n\n\
         /// For steps of 1, 2, 3 and 4 bits, in 32nds, the windows whose newest bit is 0, in order; \
         the others mirror them.\n\
         #[rustfmt::skip]\npub(super) const HALVES: [[i8; 512]; 4] = [\n{halves}\n];"
    )
}

fn half(width: u8) -> String {
    let values = training::values(width);
    format!("    [\n{}\n    ],", numbers(values[..values.len() / 2].iter(), 8, usize::MAX))
}

/// Numbers with commas behind them, as many in a line as have room in it, up to `max`.
fn numbers(numbers: impl Iterator<Item = impl ToString>, indent: usize, max: usize) -> String {
    let mut lines: Vec<(String, usize)> = Vec::new();
    for number in numbers {
        let number = format!("{},", number.to_string());
        match lines.last_mut() {
            Some((line, count)) if *count < max && line.len() + 1 + number.len() <= MAX_LINE => {
                *line += &format!(" {number}");
                *count += 1;
            }
            _ => lines.push((format!("{:indent$}{number}", ""), 1)),
        }
    }
    lines.into_iter().map(|(line, _)| line).collect::<Vec<_>>().join("\n")
}
