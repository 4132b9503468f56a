//! How large the factors may be.

use std::str::FromStr;

use factorized_embedding::{Rank, Shape, io::safetensors::MAX_HEADER_BYTES, quantize};

use crate::support::{Result, text::grouped};

/// How much is to be kept, as the command line says it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Rank(Rank),
    FileSize(Budget),
}

impl Target {
    /// The same in terms of the library, for factors of a table of this shape.
    pub(crate) fn rank(self, vocab_size: usize, dim: usize) -> Result<Rank> {
        let size = match self {
            Self::Rank(rank) => return Ok(rank),
            Self::FileSize(size) => size,
        };
        let budget = size.bytes(vocab_size, dim);
        let minimum = Rank::bytes(Shape { vocab_size, rank: 1, dim }) + MAX_HEADER_BYTES;
        if budget < minimum {
            let what = "smallest file of factors of this table (rank 1)";
            return Err(size.too_small(vocab_size, dim, minimum, what).into());
        }
        Ok(Rank::Bytes(budget - MAX_HEADER_BYTES))
    }

    /// The same as a budget of codes.
    pub(crate) fn budget(self, vocab_size: usize, dim: usize) -> Result<quantize::Budget> {
        Ok(match self {
            Self::FileSize(Budget::BitsPerWeight(bits)) => quantize::Budget::BitsPerWeight(bits),
            Self::FileSize(Budget::Ratio(ratio)) => quantize::Budget::Ratio(ratio),
            Self::FileSize(size) => quantize::Budget::Bytes(size.bytes(vocab_size, dim)),
            Self::Rank(Rank::RelativeError(error)) => quantize::Budget::RelativeError(error),
            Self::Rank(rank) => return Err(format!("--method quantized has no use for {rank:?}").into()),
        })
    }
}

/// The size that an output file may have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budget {
    Bytes(usize),
    Percent(f64),
    /// Times smaller than the table as 32-bit floats.
    Ratio(f64),
    /// For each number of the table.
    BitsPerWeight(f64),
}

impl Budget {
    pub(crate) fn bytes(self, vocab_size: usize, dim: usize) -> usize {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => (percent * (size_of::<f32>() * vocab_size * dim) as f64 / 100.0) as usize,
            Self::Ratio(ratio) => ((size_of::<f32>() * vocab_size * dim) as f64 / ratio) as usize,
            Self::BitsPerWeight(bits) => (bits * (vocab_size * dim) as f64 / 8.0) as usize,
        }
    }

    pub(crate) fn too_small(self, vocab_size: usize, dim: usize, minimum: usize, what: &str) -> String {
        let option = match self {
            Self::Bytes(_) | Self::Percent(_) => "--bytes",
            Self::Ratio(_) => "--ratio",
            Self::BitsPerWeight(_) => "--bits",
        };
        let bytes = grouped(self.bytes(vocab_size, dim));
        format!("{option} leaves {bytes} bytes, but the {what} takes {}", grouped(minimum))
    }
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if let Some(percent) = text.strip_suffix('%') {
            return match percent.trim().parse() {
                Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Self::Percent(percent)),
                _ => Err("a percentage is a number above 0 and up to 100, such as 25%".to_owned()),
            };
        }
        let unit_start = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_start);
        let number = match number.trim().parse::<f64>() {
            Ok(number) if number.is_finite() && number > 0.0 => number,
            _ => return Err("a size is a number above 0, such as 1500000, 1.5MB or 25%".to_owned()),
        };
        let unit = match unit {
            "" | "B" => 1.0,
            "kB" | "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "KiB" => 1024.0,
            "MiB" => 1024.0 * 1024.0,
            "GiB" => 1024.0 * 1024.0 * 1024.0,
            _ => return Err(format!("{unit:?} is no unit: use kB, MB, GB, KiB, MiB, GiB or %")),
        };
        Ok(Self::Bytes((number * unit) as usize))
    }
}
