//! Where the row of each id stands, and ids in the order of their groups.

use std::cell::Cell;

use crate::{
    TokenId,
    kernel::scratch::{self, Scratch},
};

/// Ids that are sorted together.
pub(super) const CHUNK: usize = 1 << 15;

/// Where the row of each id stands, and back.
#[derive(Clone)]
pub(super) struct Places {
    /// The row of each id among those of its group, \[`vocab_size`\].
    row_of: Vec<TokenId>,
    /// The ids of the rows, group after group, \[`vocab_size`\].
    ids: Vec<TokenId>,
    /// Where among them those of each group end, \[groups\].
    ends: Vec<usize>,
}

impl Places {
    pub(super) fn new(group_of: &[u8], num_groups: usize) -> Self {
        let mut ends = Vec::new();
        set_starts(&mut ends, group_of.iter().copied(), num_groups);
        let starts = ends.clone();
        let (mut row_of, mut ids) = (Vec::with_capacity(group_of.len()), vec![0; group_of.len()]);
        for (id, &group) in (0..).zip(group_of) {
            let end = &mut ends[usize::from(group)];
            row_of.push((*end - starts[usize::from(group)]) as TokenId);
            ids[*end] = id;
            *end += 1;
        }
        Self { row_of, ids, ends }
    }

    pub(super) fn num_groups(&self) -> usize {
        self.ends.len()
    }

    /// The ids of the rows of a group, ascending.
    pub(super) fn ids_of(&self, group: usize) -> &[TokenId] {
        let start = if group == 0 { 0 } else { self.ends[group - 1] };
        &self.ids[start..self.ends[group]]
    }
}

/// Where each group starts, if these are put in the order of their groups.
fn set_starts(starts: &mut Vec<usize>, groups: impl Iterator<Item = u8>, num_groups: usize) {
    starts.clear();
    starts.resize(num_groups, 0);
    groups.for_each(|group| starts[usize::from(group)] += 1);
    let mut next = 0;
    for start in starts {
        next += std::mem::replace(start, next);
    }
}

/// Ids in the order of their groups, by counting sort (Knuth, The Art of Computer Programming, vol. 3, §5.2), in memory that
/// the thread keeps.
#[derive(Default)]
pub(super) struct Grouped {
    ends: Vec<usize>,
    /// The row of each id among those of its group.
    rows: Vec<TokenId>,
    /// Where each id stood; rising in each group.
    positions: Vec<u32>,
}

thread_local! {
    static KEPT: Scratch<Grouped> =
        const { Cell::new(Grouped { ends: Vec::new(), rows: Vec::new(), positions: Vec::new() }) };
}

impl Grouped {
    pub(super) fn with_kept(work: impl FnOnce(&mut Self)) {
        scratch::with(&KEPT, work);
    }

    /// Sorts at most [`CHUNK`] ids, one of which may be left out.
    pub(super) fn sort(&mut self, ids: &[TokenId], group_of: &[u8], places: &Places, without: Option<TokenId>) {
        let kept = || (0..).zip(ids).filter(move |&(_, &id)| Some(id) != without);
        set_starts(&mut self.ends, kept().map(|(_, &id)| group_of[id as usize]), places.num_groups());
        let rows = scratch::at_least(&mut self.rows, ids.len());
        let positions = scratch::at_least(&mut self.positions, ids.len());
        for (position, &id) in kept() {
            let end = &mut self.ends[usize::from(group_of[id as usize])];
            rows[*end] = places.row_of[id as usize];
            positions[*end] = position;
            *end += 1;
        }
    }

    /// Each group that there are ids of, with their rows and where they stood.
    pub(super) fn groups(&self) -> impl Iterator<Item = (usize, &[TokenId], &[u32])> {
        let mut start = 0;
        self.ends.iter().enumerate().filter_map(move |(group, &end)| {
            let range = std::mem::replace(&mut start, end)..end;
            (!range.is_empty()).then(|| (group, &self.rows[range.clone()], &self.positions[range]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Grouped, Places};

    const GROUP_OF: [u8; 8] = [2, 0, 2, 4, 0, 2, 4, 4];

    #[test]
    fn rows_are_numbered_group_by_group() {
        let places = Places::new(&GROUP_OF, 6);
        assert_eq!(places.row_of, [0, 0, 1, 0, 1, 2, 1, 2]);
        let ids: Vec<_> = (0..6).map(|group| places.ids_of(group).to_vec()).collect();
        assert_eq!(ids, [vec![1, 4], vec![], vec![0, 2, 5], vec![], vec![3, 6, 7], vec![]]);
    }

    #[test]
    fn ids_are_sorted_by_group_in_their_order() {
        let places = Places::new(&GROUP_OF, 6);
        let mut grouped = Grouped::default();
        // The second time the memory holds what is left from the first.
        for _ in 0..2 {
            grouped.sort(&[7, 5, 5, 3, 0, 7], &GROUP_OF, &places, None);
            let groups: Vec<_> = grouped.groups().collect();
            assert_eq!(groups, [(2, &[2, 2, 0][..], &[1, 2, 4][..]), (4, &[2, 0, 2], &[0, 3, 5])]);
            grouped.sort(&[1, 5, 4, 1], &GROUP_OF, &places, Some(1));
            let groups: Vec<_> = grouped.groups().collect();
            assert_eq!(groups, [(0, &[1][..], &[2][..]), (2, &[2], &[1])]);
        }
        grouped.sort(&[], &GROUP_OF, &places, None);
        assert_eq!(grouped.groups().count(), 0);
    }
}
