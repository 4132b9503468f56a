//! What a lookup computes and what it copies: ids that occur more than once are computed once, hot rows not at all.
//!
//! Text repeats itself: of 8,192 tokens of a novel about a quarter are different, and a product costs rank times as much as
//! a copy. Ids are taken in chunks, so that the table of those seen stays in the second-level cache; chunks of 8,192 found
//! fewer repeats (16,384 Zipf ids then took 1.15 of the time).
//!
//! ```text
//! for each chunk:
//!     first[i] = the place of the first id of the chunk that equals id i
//!     compute the rows i with first[i] = i, straight to where they belong
//!     copy row first[i] to row i for all others
//! ```

use std::cell::Cell;

use super::{
    hot::HotRows,
    scratch::{self, Scratch},
};
use crate::TokenId;

/// Ids that are looked at together.
pub(super) const CHUNK: usize = 1 << 15;

/// Where each row of a chunk comes from.
#[derive(Default)]
pub(super) struct Plan {
    /// Open addressing with linear probing: an id and one more than its first place, 0 where nothing is.
    slots: Vec<(TokenId, u32)>,
    /// The ids whose rows are computed, in the order of their places.
    pub(super) ids: Vec<TokenId>,
    /// Their places.
    pub(super) positions: Vec<u32>,
    /// Places of repeats, with the first place of their id.
    pub(super) repeats: Vec<(u32, u32)>,
    /// Places of hot ids, with the number of their hot row.
    pub(super) hot: Vec<(u32, u32)>,
}

thread_local! {
    static PLAN: Scratch<Plan> = const {
        Cell::new(Plan {
            slots: Vec::new(),
            ids: Vec::new(),
            positions: Vec::new(),
            repeats: Vec::new(),
            hot: Vec::new(),
        })
    };
}

impl Plan {
    /// With the plan of this thread, which allocates only where a chunk is longer than all before it.
    pub(super) fn with_scratch(work: impl FnOnce(&mut Self)) {
        scratch::with(&PLAN, work);
    }

    /// Plans at most [`CHUNK`] ids, whose places are given if they are not 0, 1, …; finds repeats if it is told to.
    pub(super) fn make(
        &mut self,
        ids: &[TokenId],
        places: Option<&[u32]>,
        hot_rows: Option<&HotRows>,
        find_repeats: bool,
    ) {
        let num_slots = if find_repeats { (2 * ids.len()).next_power_of_two() } else { 0 };
        self.slots.clear();
        self.slots.resize(num_slots, (0, 0));
        self.ids.clear();
        self.positions.clear();
        self.repeats.clear();
        self.hot.clear();
        for (i, &id) in ids.iter().enumerate() {
            let place = places.map_or(i as u32, |places| places[i]);
            if let Some(row) = hot_rows.and_then(|rows| rows.find(id)) {
                self.hot.push((place, row));
                continue;
            }
            match if find_repeats { self.first_place(id, place) } else { place } {
                first if first == place => {
                    self.ids.push(id);
                    self.positions.push(place);
                }
                first => self.repeats.push((place, first)),
            }
        }
    }

    /// The first place where the id was seen: the given one if it is new.
    #[inline(always)]
    fn first_place(&mut self, id: TokenId, place: u32) -> u32 {
        let mask = self.slots.len() - 1;
        let mut slot = hash(id) & mask;
        loop {
            match self.slots[slot] {
                (_, 0) => {
                    self.slots[slot] = (id, place + 1);
                    return place;
                }
                (seen, first) if seen == id => return first - 1,
                _ => slot = (slot + 1) & mask,
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

    use super::{CHUNK, Plan};

    #[test]
    fn every_place_is_the_first_of_its_id_or_a_copy_of_it() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut plan = Plan::default();
        for (len, vocab_size) in
            [(0, 1), (1, 1), (2, 1), (5, 3), (64, 1000), (1000, 50), (CHUNK, 3000), (CHUNK, u32::MAX)]
        {
            let ids: Vec<u32> = (0..len).map(|_| rng.random_range(0..vocab_size)).collect();
            plan.make(&ids, None, None, true);
            assert_eq!(plan.ids.len() + plan.repeats.len(), len);
            let mut seen = std::collections::HashSet::new();
            for (&id, &position) in plan.ids.iter().zip(&plan.positions) {
                assert_eq!(ids[position as usize], id);
                assert!(seen.insert(id), "{id} is computed twice");
                assert!(!ids[..position as usize].contains(&id), "{id} was there before {position}");
            }
            for &(place, first) in &plan.repeats {
                assert!(first < place);
                assert_eq!(ids[place as usize], ids[first as usize]);
                assert!(plan.positions.binary_search(&first).is_ok(), "{first} is computed");
            }
        }
    }

    #[test]
    fn places_may_be_given() {
        let (ids, places) = ([7, 3, 7, 5, 3, 7], [0, 4, 5, 90, 91, CHUNK as u32]);
        let mut plan = Plan::default();
        plan.make(&ids, Some(&places), None, true);
        assert_eq!((plan.ids, plan.positions), (vec![7, 3, 5], vec![0, 4, 90]));
        assert_eq!(plan.repeats, [(5, 0), (91, 4), (CHUNK as u32, 0)]);
    }
}
