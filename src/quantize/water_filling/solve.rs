//! The search for the best widths.
//!
//! ```text
//! 1. For a price λ of a byte, every cell (group × direction) takes the width with the least energy lost + λ · bytes; a direction is used
//!    if that saves more in all groups than λ times its own bytes, and a group if that saves more than λ times what its rows take beside
//!    their codes.
//! 2. Prices are the powers of 2^(-1/n): the lowest whose widths fit. Lower prices use the same directions and more, and no
//!    narrower codes, so that their bytes never fall.
//! 3. What is left: the bits that fill up the last byte of rows, and then bytes for the rows of single groups, those that save the most
//!    energy per byte first.
//! ```
//!
//! Free bits never take a price below the error of step 1 at the next price, nor bytes below what the next price has with its free bits. So,
//! within the bytes of one price, more bytes let it go further along the same way, and at the next price the error is no larger: more
//! bytes never give more error. Many prices (a large n) find the directions that pay, few leave more to step 3: the best of several n
//! is taken.

use ndarray::{Array2, ArrayView1};

use super::{super::distortion::Distortions, WaterFilling};
use crate::quantize::Level;

/// Numbers of steps between a price and half of it.
const STEPS: [f64; 4] = [1.0, 2.0, 4.0, 8.0];
/// The highest price is 2 to this power, in shares of all energy.
const FIRST_OCTAVE: f64 = 10.0;
/// The lowest price is so many halves of it: less than any energy that matters.
const OCTAVES: f64 = 200.0;

/// The widths for distortions of the codes of each group \[groups\].
pub(super) fn solve(water: &WaterFilling, tables: &[Distortions], bytes: usize) -> Option<Array2<u8>> {
    if water.min_bytes() > bytes {
        return None;
    }
    let fillings = STEPS.map(|steps| best_at(water, tables, bytes, steps));
    fillings.into_iter().min_by(|a, b| a.error.total_cmp(&b.error)).map(|filling| filling.widths)
}

/// The best widths of prices in so many steps, for bytes that hold any widths at all.
fn best_at<'a>(water: &'a WaterFilling, tables: &'a [Distortions], bytes: usize, steps: f64) -> Filling<'a> {
    // At the first price, many times all the energy, nothing is worth a byte.
    let price = |step: usize| (FIRST_OCTAVE - step as f64 / steps).exp2();
    let (mut fits, mut too_large) = (0, (steps * OCTAVES) as usize);
    while too_large - fits > 1 {
        let middle = fits.midpoint(too_large);
        if water.bytes(&relaxed(water, tables, price(middle))) <= bytes {
            fits = middle;
        } else {
            too_large = middle;
        }
    }
    let at = |step: usize| Filling::new(water, tables, price(step));
    let (mut filling, mut next) = (at(fits), at(fits + 1));
    filling.fill_free_bits(next.error);
    next.fill_free_bits(at(fits + 2).error);
    filling.fill_bytes(bytes, next.error);
    filling
}

/// Step 1.
fn relaxed(water: &WaterFilling, tables: &[Distortions], price: f64) -> Array2<u8> {
    let (num_groups, rank) = water.energies.dim();
    let direction_bytes = water.direction_bits.map_or(0.0, |bits| bits as f64 / 8.0 + num_groups as f64 / 2.0);
    let mut widths = Array2::zeros((num_groups, rank));
    let mut group_saves = vec![0.0; num_groups];
    let mut best = vec![(0_u8, 0.0); num_groups];
    for direction in 0..rank {
        let mut saves = 0.0;
        for (group, best) in best.iter_mut().enumerate() {
            let cell = [group, direction];
            let bit = price * water.rows[group] as f64 / 8.0;
            *best = (0, 0.0);
            for (width, &distortion) in (0..).zip(&tables[group]).skip(1) {
                let bytes = 2.0 * price + bit * f64::from(width);
                let saved = water.energies[cell] - water.loss(cell, distortion) - bytes;
                if saved > best.1 {
                    *best = (width, saved);
                }
            }
            saves += best.1;
        }
        if saves > price * direction_bytes {
            for (group, &(width, saved)) in best.iter().enumerate() {
                widths[[group, direction]] = width;
                group_saves[group] += saved;
            }
        }
    }
    for (group, &saves) in group_saves.iter().enumerate() {
        if saves <= price * (water.rows[group] * water.row_bits) as f64 / 8.0 {
            widths.row_mut(group).fill(0);
        }
    }
    widths
}

/// Widths, to which bits are added.
struct Filling<'a> {
    water: &'a WaterFilling,
    tables: &'a [Distortions],
    price: f64,
    widths: Array2<u8>,
    bytes: usize,
    error: f64,
}

/// More bits for the rows of a group.
#[derive(Default)]
struct Move {
    /// New widths of directions.
    widths: Vec<(usize, u8)>,
    saved: f64,
    bytes: usize,
}

impl<'a> Filling<'a> {
    fn new(water: &'a WaterFilling, tables: &'a [Distortions], price: f64) -> Self {
        let widths = relaxed(water, tables, price);
        let cell = |((group, direction), &width): ((usize, usize), &u8)| match width {
            0 => water.energies[[group, direction]],
            width => water.loss([group, direction], tables[group][usize::from(width)]),
        };
        let error = widths.indexed_iter().map(cell).sum();
        Self { water, tables, price, bytes: water.bytes(&widths), error, widths }
    }

    /// The first half of step 3, down to an error.
    fn fill_free_bits(&mut self, floor: f64) {
        for group in 0..self.widths.nrows() {
            let free = self.row_bytes(group) * 8 - self.row_bits(group);
            let steps = (1..=free).rev().map(|bits| self.more(group, bits, false));
            if let Some(step) = steps.into_iter().find(|step| self.error - step.saved >= floor) {
                self.apply(group, &step);
            }
        }
    }

    /// The second half of step 3, down to an error.
    fn fill_bytes(&mut self, bytes: usize, floor: f64) {
        let num_groups = self.widths.nrows();
        let mut moves = self.bytes_of_groups();
        // What saves more per byte than a move that did not fit would not have come before it with more bytes.
        let mut most = f64::INFINITY;
        loop {
            let worth = |group: &usize| moves[*group].saved / moves[*group].bytes as f64;
            let best = (0..num_groups)
                .filter(|group| moves[*group].saved > 0.0 && worth(group) <= most)
                .max_by(|a, b| worth(a).total_cmp(&worth(b)).then(b.cmp(a)));
            let Some(group) = best else { return };
            let step = std::mem::take(&mut moves[group]);
            if self.error - step.saved < floor {
                return;
            }
            if self.bytes + step.bytes > bytes {
                most = most.min(step.saved / step.bytes as f64);
                continue;
            }
            let is_first = self.widths.iter().all(|&width| width == 0);
            self.apply(group, &step);
            if is_first {
                // The one direction that costs nothing is taken.
                moves = self.bytes_of_groups();
            } else {
                moves[group] = self.byte(group);
            }
        }
    }

    fn bytes_of_groups(&self) -> Vec<Move> {
        (0..self.widths.nrows()).map(|group| self.byte(group)).collect()
    }

    fn apply(&mut self, group: usize, step: &Move) {
        for &(direction, width) in &step.widths {
            self.widths[[group, direction]] = width;
        }
        self.error -= step.saved;
        self.bytes += step.bytes;
    }

    /// A byte more for each row of a group.
    fn byte(&self, group: usize) -> Move {
        let used = self.row_bits(group);
        let bits = if used == 0 { self.water.row_bits } else { used };
        let more = if used == 0 { (bits + 1).div_ceil(8) } else { self.row_bytes(group) + 1 };
        let mut step = self.more(group, 8 * more - bits, true);
        step.bytes += self.water.rows[group] * (more - self.row_bytes(group));
        step
    }

    /// What so many bits more can save at best, one after the other, in directions that are used already: by this group, or by any.
    fn more(&self, group: usize, mut bits: usize, of_others: bool) -> Move {
        let mut step = Move::default();
        let mut widths: Vec<u8> = self.widths.row(group).to_vec();
        let can_begin = if of_others { self.can_begin(group) } else { vec![false; widths.len()] };
        let distortions = &self.tables[group];
        let saves = |direction: usize, width: u8| {
            let (cell, next) = ([group, direction], usize::from(width) + 1);
            match width {
                Level::MAX_WIDTH => 0.0,
                0 if !can_begin[direction] => 0.0,
                0 => self.water.energies[cell] - self.water.loss(cell, distortions[next]) - 2.0 * self.price,
                _ => self.water.coded[cell] * (distortions[next - 1] - distortions[next]),
            }
        };
        let mut saved: Vec<f64> =
            widths.iter().enumerate().map(|(direction, &width)| saves(direction, width)).collect();
        while bits > 0 {
            let best = (0..saved.len()).max_by(|&a, &b| saved[a].total_cmp(&saved[b]).then(b.cmp(&a)));
            let Some(best) = best.filter(|&best| saved[best] > 0.0) else { break };
            let begins = widths[best] == 0;
            step.bytes += if begins { 2 } else { 0 };
            step.saved += saved[best] + if begins { 2.0 * self.price } else { 0.0 };
            widths[best] += 1;
            bits -= 1;
            saved[best] = saves(best, widths[best]);
        }
        let before = self.widths.row(group);
        step.widths = changed(before, &widths);
        step
    }

    /// Which directions cost no bytes of V̂: those that are used, or one where none is.
    fn can_begin(&self, group: usize) -> Vec<bool> {
        let is_used = |widths: ArrayView1<'_, u8>| widths.iter().any(|&width| width > 0);
        let mut can_begin: Vec<bool> = self
            .widths
            .columns()
            .into_iter()
            .map(|widths| self.water.direction_bits.is_none() || is_used(widths))
            .collect();
        let energies = self.water.energies.row(group);
        let largest = (0..energies.len()).max_by(|&a, &b| energies[a].total_cmp(&energies[b]).then(b.cmp(&a)));
        if let Some(largest) = largest.filter(|_| !can_begin.contains(&true)) {
            can_begin[largest] = true;
        }
        can_begin
    }

    fn row_bits(&self, group: usize) -> usize {
        let codes: usize = self.widths.row(group).iter().map(|&width| usize::from(width)).sum();
        if codes == 0 { 0 } else { codes + self.water.row_bits }
    }

    fn row_bytes(&self, group: usize) -> usize {
        self.row_bits(group).div_ceil(8)
    }
}

fn changed(before: ArrayView1<'_, u8>, after: &[u8]) -> Vec<(usize, u8)> {
    let pairs = before.iter().zip(after).enumerate();
    pairs.filter(|(_, (before, after))| before != after).map(|(direction, (_, &after))| (direction, after)).collect()
}
