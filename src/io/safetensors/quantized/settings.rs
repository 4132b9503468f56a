//! The metadata of a file of quantized factors.

use super::{
    super::{File, tensors::QUANTIZED},
    QuantizedFactors, Result, Rotation,
};
use crate::{
    Error, TokenId,
    factors::{Level, RowScales, WINDOW_BITS},
};

const LEVELS: [(&str, Level); 2] = [("scalar", Level::Scalar), ("trellis", Level::Trellis)];

/// Of `f32`.
const MANTISSA_BITS: u32 = f32::MANTISSA_DIGITS - 1;
const EXPONENT_BIAS: i32 = f32::MAX_EXP - 1;

/// What the metadata say beside the format.
pub(super) struct Settings {
    pub(super) level: Level,
    pub(super) vocab_size: usize,
    pub(super) rank: usize,
    pub(super) dim: usize,
    pub(super) unit: f32,
    pub(super) row_scales: Option<RowScales>,
    pub(super) directions: Directions,
}

pub(super) enum Directions {
    Basis { bits: u8 },
    Hadamard { seed: u64 },
}

/// The metadata of these factors.
pub(in crate::io) fn of(factors: &QuantizedFactors) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("vocab_size", factors.vocab_size().to_string()),
        ("rank", factors.rank().to_string()),
        ("dim", factors.dim().to_string()),
        ("log2_unit", ((factors.unit().to_bits() >> MANTISSA_BITS) as i32 - EXPONENT_BIAS).to_string()),
        match factors.rotation() {
            Rotation::Basis(basis) => ("basis_bits", basis.bits.to_string()),
            Rotation::Hadamard { seed, .. } => ("hadamard_seed", seed.to_string()),
        },
    ];
    settings.extend(
        LEVELS.iter().find(|(_, level)| *level == factors.level()).map(|(name, _)| ("level", (*name).to_owned())),
    );
    if factors.level() == Level::Trellis {
        settings.push(("window_bits", WINDOW_BITS.to_string()));
    }
    settings.extend(factors.row_scales().map(|scales| ("row_scales", row_scales_text(scales))));
    settings
}

fn row_scales_text(scales: RowScales) -> String {
    // The shortest decimal numbers that are read as the same `f32`.
    let RowScales { bits, min, step } = scales;
    format!("{bits} {min:e} {step:e}")
}

fn parse_row_scales(text: &str) -> Option<RowScales> {
    let mut numbers = text.split(' ');
    let bits = numbers.next()?.parse().ok()?;
    let mut number = || numbers.next()?.parse().ok();
    Some(RowScales { bits, min: number()?, step: number()? })
}

impl File {
    pub(super) fn settings(&self) -> Result<Settings> {
        let has = |name| self.metadata(name).is_some();
        let max_seed = u64::MAX;
        let directions = match [has("basis_bits"), has("hadamard_seed")] {
            [true, false] => Directions::Basis { bits: self.number(QUANTIZED, "basis_bits", 1..=8)? },
            [false, true] => Directions::Hadamard { seed: self.number(QUANTIZED, "hadamard_seed", 0..=max_seed)? },
            [false, false] => return Err(self.refused("its metadata name neither basis_bits nor hadamard_seed")),
            [true, true] => return Err(self.refused("its metadata name both basis_bits and hadamard_seed")),
        };
        let level = self.level()?;
        if level == Level::Trellis {
            self.number(QUANTIZED, "window_bits", WINDOW_BITS..=WINDOW_BITS)?;
        }
        let log2_unit = self.number(QUANTIZED, "log2_unit", 1 - EXPONENT_BIAS..=EXPONENT_BIAS)?;
        Ok(Settings {
            level,
            vocab_size: self.number(QUANTIZED, "vocab_size", 1..=TokenId::MAX as usize)?,
            rank: self.number(QUANTIZED, "rank", 1..=usize::MAX)?,
            dim: self.number(QUANTIZED, "dim", 1..=usize::MAX)?,
            unit: f32::from_bits(((log2_unit + EXPONENT_BIAS) as u32) << MANTISSA_BITS),
            row_scales: self.row_scales()?,
            directions,
        })
    }

    fn level(&self) -> Result<Level> {
        let name = self.text(QUANTIZED, "level")?;
        let known = LEVELS.iter().find(|(known, _)| known == name);
        known.map(|&(_, level)| level).ok_or_else(|| {
            self.refused(&format!("its metadata say level {name:?}, expected \"scalar\" or \"trellis\""))
        })
    }

    fn row_scales(&self) -> Result<Option<RowScales>> {
        let Some(text) = self.metadata("row_scales") else { return Ok(None) };
        match parse_row_scales(text) {
            Some(scales) if row_scales_text(scales) == *text => Ok(Some(scales)),
            _ => Err(self.refused(&format!("its metadata say row_scales {text:?}, expected \"bits min step\""))),
        }
    }

    pub(super) fn refused(&self, reason: &str) -> Error {
        self.invalid(QUANTIZED, reason.to_owned())
    }
}
