//! Where in sixteen bytes sixteen codes are.

use super::super::packed::PANEL_WIDTH;

/// How to take sixteen numbers of a few bits, each `step` bits behind the one before, out of sixteen bytes: for each of them
/// four bytes, the first of which its first bit is in, and by how much they are to be shifted then. What stands above the bits
/// of the number is not cut off.
#[derive(Debug)]
#[repr(C, align(64))]
pub(in crate::kernel) struct Unpacking {
    /// Indices of bytes. Those beyond the sixteenth begin anew: they are above the bits of any number.
    pub(in crate::kernel) bytes: [[u8; 4]; PANEL_WIDTH],
    pub(in crate::kernel) shifts: [u32; PANEL_WIDTH],
}

/// Bits between two numbers, at most.
const MAX_STEP: usize = 8;

static ALL: [[Unpacking; 8]; MAX_STEP] = {
    const EMPTY: Unpacking = Unpacking { bytes: [[0; 4]; PANEL_WIDTH], shifts: [0; PANEL_WIDTH] };
    let mut all = [const { [EMPTY; 8] }; MAX_STEP];
    let mut step = 1;
    while step <= MAX_STEP {
        let mut offset = 0;
        while offset < 8 {
            let unpacking = &mut all[step - 1][offset];
            let mut i = 0;
            while i < PANEL_WIDTH {
                let bit = offset + i * step;
                let mut byte = 0;
                while byte < 4 {
                    unpacking.bytes[i][byte] = ((bit / 8 + byte) % 16) as u8;
                    byte += 1;
                }
                unpacking.shifts[i] = (bit % 8) as u32;
                i += 1;
            }
            offset += 1;
        }
        step += 1;
    }
    all
};

impl Unpacking {
    /// For numbers `step` bits apart, 1 to 8, the first of which begins at bit `offset`, 0 to 7.
    ///
    /// Numbers that end beyond the sixteenth byte are not got at. So for a step of 8 the offset is 0.
    pub(super) fn new(step: usize, offset: usize) -> &'static Self {
        &ALL[step - 1][offset]
    }
}

/// What numbers stand for: a table whose length is a power of two, so that as many bits as its indices have, whichever they
/// are, never lead out of it.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernel) struct Table<'a>(&'a [f32]);

impl<'a> Table<'a> {
    pub(super) fn new(levels: &'a [f32]) -> Self {
        assert!(levels.len().is_power_of_two() && levels.len() <= 1 << 16, "a table for numbers of bits");
        Self(levels)
    }

    pub(in crate::kernel) fn levels(self) -> &'a [f32] {
        self.0
    }

    /// The bits of an index.
    #[inline(always)]
    pub(in crate::kernel) fn mask(self) -> u32 {
        self.0.len() as u32 - 1
    }
}

/// A table of 1024 numbers whose second half is the first one backwards, with the other sign: whole multiples, of at most
/// seven bits and a sign, of a power of two. So it fits in eight registers of 64 bytes.
#[derive(Debug)]
#[repr(C, align(64))]
pub(in crate::kernel) struct Mirrored {
    half: [i8; Self::HALF],
    unit: f32,
    whole: Table<'static>,
}

impl Mirrored {
    pub(in crate::kernel) const HALF: usize = 512;

    /// If the table is such a one.
    pub(super) fn new(table: &'static [f32]) -> Option<Self> {
        let is_mirrored = table.len() == 2 * Self::HALF && table.iter().zip(table.iter().rev()).all(|(a, b)| *a == -b);
        let max = table.iter().fold(0.0_f32, |max, number| max.max(number.abs()));
        let unit = (-8..=8).map(|exponent| f32::exp2(exponent as f32)).find(|unit| max / unit <= 127.0)?;
        let numbers = table.iter().map(|number| number / unit);
        if !is_mirrored || numbers.clone().any(|number| number.fract() != 0.0) {
            return None;
        }
        let mut half = [0; Self::HALF];
        for (half, number) in half.iter_mut().zip(numbers) {
            *half = number as i8;
        }
        Some(Self { half, unit, whole: Table::new(table) })
    }

    /// The first half, in units.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "other instruction sets look up the whole table")
    )]
    pub(in crate::kernel) fn half(&self) -> &[i8; Self::HALF] {
        &self.half
    }

    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "the same"))]
    pub(in crate::kernel) fn unit(&self) -> f32 {
        self.unit
    }

    /// All of it.
    pub(in crate::kernel) fn whole(&self) -> Table<'static> {
        self.whole
    }
}

/// Sixteen numbers, without an instruction for it.
#[inline(always)]
pub(in crate::kernel) fn unpack(unpacking: &Unpacking, bytes: &[u8; 16]) -> [u32; PANEL_WIDTH] {
    let mut numbers = unpacking.shifts;
    for (number, indices) in numbers.iter_mut().zip(unpacking.bytes) {
        *number = u32::from_le_bytes(indices.map(|i| bytes[usize::from(i % 16)])) >> *number;
    }
    numbers
}

/// What they stand for.
#[inline(always)]
pub(in crate::kernel) fn look_up(table: Table<'_>, numbers: [u32; PANEL_WIDTH]) -> [f32; PANEL_WIDTH] {
    let mut values = [0.0; PANEL_WIDTH];
    for (value, number) in values.iter_mut().zip(numbers) {
        *value = table.levels()[(number & table.mask()) as usize];
    }
    values
}
