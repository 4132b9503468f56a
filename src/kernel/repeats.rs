//! Ids that occur more than once in a lookup: computed once, copied from there.
//!
//! Text repeats itself: of 8,192 tokens of a novel about a quarter are different, and a product costs rank times as much as
//! a copy. Ids are taken in chunks, so that the table of those seen stays in the second-level cache:
//!
//! ```text
//! for each chunk:
//!     first[i] = the place of the first id of the chunk that equals id i
//!     compute the rows i with first[i] = i, straight to where they belong
//!     copy row first[i] to row i for all others
//! ```

use std::cell::Cell;

use crate::TokenId;

/// Ids that are looked at together.
pub(super) const CHUNK: usize = 8192;

/// What finding the repeats of a chunk takes, kept from call to call.
#[derive(Default)]
pub(super) struct Repeats {
    /// Open addressing with linear probing: an id and one more than its first place, 0 where nothing is.
    slots: Vec<(TokenId, u32)>,
    /// The ids of the chunk, each once, in the order of their first places.
    pub(super) ids: Vec<TokenId>,
    /// Their first places.
    pub(super) positions: Vec<u32>,
    /// Every other place, with the first place of its id.
    pub(super) copies: Vec<(u32, u32)>,
}

thread_local! {
    static SCRATCH: Cell<Repeats> = const {
        Cell::new(Repeats { slots: Vec::new(), ids: Vec::new(), positions: Vec::new(), copies: Vec::new() })
    };
}

impl Repeats {
    /// With a scratch of this thread, which allocates only where a chunk is longer than all before it.
    pub(super) fn with_scratch(work: impl FnOnce(&mut Self)) {
        let mut repeats = SCRATCH.take();
        work(&mut repeats);
        SCRATCH.set(repeats);
    }

    /// Finds the repeats among at most [`CHUNK`] ids.
    pub(super) fn find(&mut self, ids: &[TokenId]) {
        let num_slots = (2 * ids.len()).next_power_of_two();
        self.slots.clear();
        self.slots.resize(num_slots, (0, 0));
        self.ids.clear();
        self.positions.clear();
        self.copies.clear();
        let mask = num_slots - 1;
        for (place, &id) in (0..).zip(ids) {
            let mut slot = hash(id) & mask;
            loop {
                match self.slots[slot] {
                    (_, 0) => {
                        self.slots[slot] = (id, place + 1);
                        self.ids.push(id);
                        self.positions.push(place);
                        break;
                    }
                    (seen, first) if seen == id => {
                        self.copies.push((place, first - 1));
                        break;
                    }
                    _ => slot = (slot + 1) & mask,
                }
            }
        }
    }
}

/// Fibonacci hashing (Knuth, The Art of Computer Programming, vol. 3, §6.4): the upper bits of a product.
fn hash(id: TokenId) -> usize {
    (u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

    use super::{CHUNK, Repeats};

    #[test]
    fn every_place_is_the_first_of_its_id_or_a_copy_of_it() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut repeats = Repeats::default();
        for (len, vocab_size) in
            [(0, 1), (1, 1), (2, 1), (5, 3), (64, 1000), (1000, 50), (CHUNK, 3000), (CHUNK, u32::MAX)]
        {
            let ids: Vec<u32> = (0..len).map(|_| rng.random_range(0..vocab_size)).collect();
            repeats.find(&ids);
            assert_eq!(repeats.ids.len() + repeats.copies.len(), len);
            let mut seen = std::collections::HashSet::new();
            for (&id, &position) in repeats.ids.iter().zip(&repeats.positions) {
                assert_eq!(ids[position as usize], id);
                assert!(seen.insert(id), "{id} is computed twice");
                assert!(!ids[..position as usize].contains(&id), "{id} was there before {position}");
            }
            for &(place, first) in &repeats.copies {
                assert!(first < place);
                assert_eq!(ids[place as usize], ids[first as usize]);
                assert!(repeats.positions.binary_search(&first).is_ok(), "{first} is computed");
            }
        }
    }
}
