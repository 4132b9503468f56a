//! Which rows a batch uses, and where: its ids, each once, with the places where it stands.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::{
    Bags, Error, Isa, Pooling, Result, TokenId,
    kernel::{self, PooledRows},
    rows::Numbers,
};

/// The ids of a batch but its padding, found by sorting: what it takes goes with the batch, not with the vocabulary.
#[derive(Debug)]
pub(super) struct Occurrences {
    /// Ascending, each once \[k\].
    pub(super) ids: Vec<TokenId>,
    /// Where the places of each id begin \[k\].
    starts: Vec<usize>,
    /// Where in the batch each id stands, id by id, in ascending order.
    pub(super) places: Vec<u32>,
}

impl Occurrences {
    /// # Errors
    /// [`TableTooLarge`](Error::TableTooLarge) for 2³² ids and more.
    pub(super) fn of(ids: &[TokenId], padding_id: Option<TokenId>, dim: usize) -> Result<Self> {
        let len = u32::try_from(ids.len()).map_err(|_| Error::TableTooLarge { vocab_size: ids.len(), dim })?;
        let counted = ids.iter().zip(0..len).filter(|&(&id, _)| Some(id) != padding_id);
        let mut sorted: Vec<u64> = counted.map(|(&id, place)| u64::from(id) << 32 | u64::from(place)).collect();
        sorted.sort_unstable();
        let mut used = Self { ids: Vec::new(), starts: Vec::new(), places: Vec::with_capacity(sorted.len()) };
        for (start, pair) in sorted.into_iter().enumerate() {
            let id = (pair >> 32) as TokenId;
            if used.ids.last() != Some(&id) {
                used.ids.push(id);
                used.starts.push(start);
            }
            used.places.push(pair as u32);
        }
        Ok(used)
    }

    /// How often each id occurs.
    pub(super) fn counts(&self) -> impl Iterator<Item = usize> + '_ {
        let ends = self.starts.iter().skip(1).copied().chain([self.places.len()]);
        self.starts.iter().zip(ends).map(|(start, end)| end - start)
    }

    /// For each place of a batch of n ids the position of its id among [`ids`](Self::ids); anything where padding is
    /// \[n\].
    pub(super) fn slots(&self, n: usize) -> Vec<u32> {
        let mut slots = vec![0; n];
        let mut places = self.places.iter();
        for (slot, count) in (0..).zip(self.counts()) {
            places.by_ref().take(count).for_each(|&place| slots[place as usize] = slot);
        }
        slots
    }

    /// For some of the ids the sum over its places p, in their order, of weights\[p\] · rows\[sources\[p\]\], both given in
    /// the order of [`places`](Self::places), into `sums` \[ids of the range, width\].
    pub(super) fn sum_into(
        &self,
        isa: Isa,
        range: Range<usize>,
        rows: ArrayView2<'_, f32>,
        (sources, weights): (&[u32], Option<&[f32]>),
        sums: &mut ArrayViewMut2<'_, f32>,
    ) -> Result<()> {
        let end = self.starts.get(range.end).copied().unwrap_or(self.places.len());
        let starts = &self.starts[range];
        let Some(&first) = starts.first() else { return Ok(()) };
        let offsets: Vec<usize> = starts.iter().map(|start| start - first).collect();
        let mut bags = Bags::new(&sources[first..end], &offsets, Pooling::Sum)?;
        if let Some(weights) = weights {
            bags = bags.with_weights(&weights[first..end])?;
        }
        let rows = rows.as_standard_layout();
        let numbers = Numbers::F32(rows.as_slice().unwrap_or_default());
        kernel::pool(isa, PooledRows { rows: numbers.into(), bags: &bags, padding_id: None }, sums);
        Ok(())
    }
}
