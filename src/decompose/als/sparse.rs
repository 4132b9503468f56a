//! Entries of a matrix by row, or by column (compressed sparse row and column storage).

use std::ops::Range;

/// An entry that is known.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) row: u32,
    pub(super) column: u32,
    pub(super) value: f32,
    pub(super) weight: f32,
}

/// One list of entries for each row (or for each column), in the order of the columns (of the rows).
#[derive(Clone, PartialEq)]
pub(super) struct Lists {
    /// Where each list begins, and where the last one ends.
    offsets: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
    /// None where all are 1.
    weights: Option<Vec<f32>>,
}

/// The entries of one row (or column).
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    pub(super) indices: &'a [u32],
    pub(super) values: &'a [f32],
    weights: Option<&'a [f32]>,
}

impl Lists {
    /// `place` gives the list that an entry belongs to, and its index there. Entries of a list keep their order.
    pub(super) fn new(lists: usize, entries: &[Entry], place: impl Fn(&Entry) -> (u32, u32)) -> Self {
        let mut offsets = vec![0; lists + 1];
        for entry in entries {
            offsets[place(entry).0 as usize + 1] += 1;
        }
        for list in 0..lists {
            offsets[list + 1] += offsets[list];
        }
        let (mut indices, mut values) = (vec![0; entries.len()], vec![0.0; entries.len()]);
        let mut weights = entries.iter().any(|entry| entry.weight != 1.0).then(|| vec![0.0; entries.len()]);
        let mut next = offsets.clone();
        for entry in entries {
            let (list, index) = place(entry);
            let at = next[list as usize];
            next[list as usize] += 1;
            (indices[at], values[at]) = (index, entry.value);
            if let Some(weights) = &mut weights {
                weights[at] = entry.weight;
            }
        }
        Self { offsets, indices, values, weights }
    }

    /// How many entries there are in all lists.
    pub(super) fn len(&self) -> usize {
        self.indices.len()
    }

    pub(super) fn has_weights(&self) -> bool {
        self.weights.is_some()
    }

    pub(super) fn list(&self, list: usize) -> List<'_> {
        let range = self.offsets[list]..self.offsets[list + 1];
        let weights = self.weights.as_ref().map(|weights| &weights[range.clone()]);
        List { indices: &self.indices[range.clone()], values: &self.values[range], weights }
    }
}

impl<'a> List<'a> {
    pub(super) fn len(&self) -> usize {
        self.indices.len()
    }

    pub(super) fn part(&self, range: Range<usize>) -> Self {
        let weights = self.weights.map(|weights| &weights[range.clone()]);
        Self { indices: &self.indices[range.clone()], values: &self.values[range], weights }
    }

    /// Index, value and weight of each entry.
    pub(super) fn iter(self) -> impl Iterator<Item = (usize, f64, f64)> + 'a {
        let Self { indices, values, weights } = self;
        indices.iter().zip(values).enumerate().map(move |(at, (&index, &value))| {
            (index as usize, f64::from(value), weights.map_or(1.0, |weights| f64::from(weights[at])))
        })
    }
}
