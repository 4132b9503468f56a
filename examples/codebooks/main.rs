//! Makes and measures what the codes of quantized tables stand for: levels of scalar quantizers, values of the trellis.
//!
//! - Without arguments it measures the tables of the crate on fresh Gaussian samples: `cargo run --release --example
//! codebooks`.
//! - It made these tables, too: `cargo run --release --example codebooks -- --make trellis`.
#![allow(clippy::print_stdout)] // What an example has to say goes to the standard output.

mod constants;
mod gaussian;
mod lloyd_max;
mod training;
mod viterbi;

use clap::{Parser, ValueEnum};
use factorized_embedding::quantize::Level;

use gaussian::Samples;
use viterbi::Viterbi;

/// Make and measure the tables that codes are looked up in
///
/// Without arguments the shipped tables are measured on samples of a unit Gaussian that they were not made from, and
/// those of the scalar codes are made again and compared.
#[derive(Debug, Parser)]
#[command(name = "codebooks", max_term_width = 100)]
struct Arguments {
    /// Print these tables as constants for the crate
    #[arg(long)]
    make: Option<Tables>,

    /// Samples that each width is measured on
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    samples: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Tables {
    /// Levels of the scalar quantizers of least error for a Gaussian: `src/factors/quantized/lloyd_max.rs`
    LloydMax,
    /// Values of the windows of the trellis: `src/factors/quantized/trellis/tables.rs`
    Trellis,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    match arguments.make {
        Some(Tables::LloydMax) => println!("{}", constants::lloyd_max()),
        Some(Tables::Trellis) => println!("{}", constants::trellis()),
        None => measure(arguments.samples as usize)?,
    }
    Ok(())
}

/// Prints the error of each code, and looks whether the shipped levels are those of least error.
fn measure(len: usize) -> Result<(), String> {
    const SEED: u64 = 0;
    let samples = Samples::new(SEED).take(len);
    let energy: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    println!("mean squared error of codes of unit Gaussians, on {len} samples\n");
    println!("bits  level    values    error       above the rate-distortion bound");
    for width in 1..=Level::MAX_WIDTH {
        for level in [Level::Scalar, Level::Trellis] {
            let values = level.codebook(width);
            let (name, error) = match level {
                Level::Trellis if width <= Level::MAX_TRELLIS_WIDTH => {
                    ("trellis", Viterbi::new(width, values).walk(&samples, |_, _| {}))
                }
                Level::Trellis => continue,
                _ => ("scalar", lloyd_max::error(values, &samples)),
            };
            // As a share of the energy, which varies among samples together with the error.
            let error = error / energy;
            let decibels = 10.0 * (error * 4_f64.powi(i32::from(width))).log10();
            println!("{width:4}  {name:7}  {:6}    {error:<10.3e}  {decibels:5.2} dB", values.len());
        }
    }
    for width in 1..=Level::MAX_WIDTH {
        let (shipped, made) = (Level::Scalar.codebook(width), lloyd_max::levels(width));
        // Both are rounded to f32, and made without its arithmetic.
        let differs =
            |(&shipped, &made): (&f32, &f64)| (f64::from(shipped) - made).abs() > f64::from(f32::EPSILON) * made.abs();
        if let Some(at) = shipped.iter().zip(&made).position(differs) {
            return Err(format!("level {at} of {width} bits is {}, expected {}", shipped[at], made[at]));
        }
    }
    println!("\nThe scalar levels are those of the Lloyd-Max quantizers, made again.");
    Ok(())
}
