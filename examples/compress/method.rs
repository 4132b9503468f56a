//! The methods, and which options each of them takes.

use std::fmt;

use clap::ValueEnum;

use crate::support::Result;

/// How the table is factorized. The first lines are those of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// Exact truncated SVD: through gram for tall tables, qr for others
    Svd,
    /// Exact truncated SVD through a QR decomposition, the most accurate for small singular values
    Qr,
    /// Exact truncated SVD through the Gram matrix, summed in 64 bits: the fastest exact way for tall tables
    Gram,
    /// The same with products in 32 bits: faster still, singular values below 3e-4 of the largest are noise
    GramF32,
    /// Truncated SVD from random directions, for tables of very many columns
    Randomized,
    /// Alternating least squares, with --ridge where factors are to stay small
    Als,
    /// Rows in groups by frequency, each with a rank of its own, under one budget of bytes; needs --frequencies
    Blockwise,
    /// All directions in codes, of as many bits as each deserves in each group of rows: the lowest error for its bytes
    Quantized,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Svd => "svd",
            Self::Qr => "qr",
            Self::Gram => "gram",
            Self::GramF32 => "gram-f32",
            Self::Randomized => "randomized",
            Self::Als => "als",
            Self::Blockwise => "blockwise",
            Self::Quantized => "quantized",
        })
    }
}

use Method::{Als, Blockwise, Gram, GramF32, Qr, Quantized, Randomized, Svd};

/// The methods that end in a basis.
const SPECTRAL: &[Method] = &[Svd, Qr, Gram, GramF32, Randomized];
/// Those through which a table of any size goes block by block.
const BY_ROWS: &[Method] = &[Svd, Qr, Gram, GramF32, Randomized, Quantized];
/// Those that end in factors of a rank.
const FACTORS: &[Method] = &[Svd, Qr, Gram, GramF32, Randomized, Als, Blockwise];

/// Options that not all methods take, and those that do.
const TAKEN_BY: [(&str, &[Method]); 16] = [
    ("--rank", FACTORS),
    ("--energy", SPECTRAL),
    ("--relative-error", BY_ROWS),
    ("--plot", FACTORS),
    ("--mean", &[Svd, Qr, Gram, GramF32, Randomized, Blockwise]),
    ("--power-iterations", &[Randomized]),
    ("--oversampling", &[Randomized]),
    ("--seed", &[Randomized, Als, Quantized]),
    ("--ridge", &[Als]),
    ("--iterations", &[Als, Blockwise]),
    ("--row-groups", &[Blockwise, Quantized]),
    ("--level", &[Quantized]),
    ("--row-scale", &[Quantized]),
    ("--rotation", &[Quantized]),
    ("--block-rows", BY_ROWS),
    ("--state", &[Gram, GramF32]),
];

impl Method {
    /// What a picture is headed with.
    pub(crate) fn title(self, weighted: bool) -> &'static str {
        match (self, weighted) {
            (Svd | Qr | Gram | GramF32, false) => "Truncated SVD",
            (Svd | Qr | Gram | GramF32, true) => "Row-weighted truncated SVD",
            (Randomized, false) => "Randomized SVD",
            (Randomized, true) => "Row-weighted randomized SVD",
            (Als, false) => "Alternating least squares",
            (Als, true) => "Row-weighted alternating least squares",
            (Blockwise, _) => "Block-wise low rank",
            (Quantized, _) => "Quantized factors",
        }
    }

    /// Of the frequencies, where it is not given.
    pub(crate) fn exponent(self) -> f64 {
        if self == Quantized { 0.4 } else { 1.0 }
    }

    /// Fails for the first option that the method does not take.
    pub(crate) fn check(self, given: &[&str]) -> Result<()> {
        for &option in given {
            let takers = TAKEN_BY.iter().find(|(name, _)| *name == option).map_or(&[][..], |(_, methods)| methods);
            if !takers.contains(&self) {
                let takers: Vec<String> = takers.iter().map(ToString::to_string).collect();
                let takers = takers.join(", ");
                return Err(format!("{option} is not for --method {self}: it is for {takers}").into());
            }
        }
        Ok(())
    }
}
