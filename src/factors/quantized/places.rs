//! Where the codes of each row are.

use std::fmt;

use super::CodeGroup;
use crate::TokenId;

/// Bytes that stand in memory, or in a file that is mapped into it.
#[derive(Clone)]
pub(crate) struct SharedBytes(std::sync::Arc<dyn AsRef<[u8]> + Send + Sync>);

impl SharedBytes {
    pub(crate) fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self(std::sync::Arc::new(bytes))
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        (*self.0).as_ref()
    }

    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }
}

impl PartialEq for SharedBytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl fmt::Debug for SharedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// Which group each row is in. Rows are coded one behind the other in the order of their ids.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RowGroupIds {
    /// Every group is a range of ids: where each of them begins \[groups\], 0 for the first, never falling.
    Ranges(Vec<TokenId>),
    /// A number of 4 bits for each row, two in a byte, the lower half first \[⌈`vocab_size` / 2⌉\]; and where in the codes the
    /// rows 0, [`BLOCK_ROWS`], … begin, 4 bytes each, little-endian \[⌈`vocab_size` / `BLOCK_ROWS`⌉\].
    Numbers { numbers: SharedBytes, offsets: SharedBytes },
}

/// Rows whose codes begin at an offset that is stored.
pub(crate) const BLOCK_ROWS: usize = 64;

/// Where the codes of rows are, found from their groups.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RowPlaces {
    groups: RowGroupIds,
    vocab_size: usize,
    /// Bytes of a row of each group.
    row_bytes: Vec<usize>,
    /// Where the rows of each group begin, for groups that are ranges.
    starts: Vec<usize>,
    /// Bytes of two rows, whose groups are the two halves of a byte.
    pair_bytes: Vec<u32>,
}

impl RowPlaces {
    /// # Errors
    /// What does not fit together.
    pub(crate) fn new(groups: RowGroupIds, code_groups: &[CodeGroup], vocab_size: usize) -> Result<Self, String> {
        let row_bytes: Vec<usize> = code_groups.iter().map(CodeGroup::row_bytes).collect();
        if let Some(bytes) = row_bytes.iter().find(|&&bytes| bytes > u32::MAX as usize / 2) {
            return Err(format!("rows of {bytes} bytes"));
        }
        let bytes_of = |number: usize| row_bytes.get(number).map_or(0, |&bytes| bytes as u32);
        let pair_bytes = (0..256).map(|pair| bytes_of(pair % 16) + bytes_of(pair / 16)).collect();
        let mut places = Self { groups, vocab_size, row_bytes, starts: Vec::new(), pair_bytes };
        places.check()?;
        Ok(places)
    }

    /// The group of a row, and where its codes are.
    #[inline(always)]
    pub(crate) fn find(&self, row: usize) -> (usize, usize) {
        debug_assert!(row < self.vocab_size);
        match &self.groups {
            RowGroupIds::Ranges(first_rows) => {
                let group = first_rows.partition_point(|&first| first as usize <= row) - 1;
                (group, self.starts[group] + (row - first_rows[group] as usize) * self.row_bytes[group])
            }
            RowGroupIds::Numbers { numbers, offsets } => {
                let numbers = numbers.as_slice();
                let block = row / BLOCK_ROWS;
                let mut place = offset(offsets.as_slice(), block) as usize;
                for &pair in &numbers[block * BLOCK_ROWS / 2..row / 2] {
                    place += self.pair_bytes[usize::from(pair)] as usize;
                }
                let [first, second] = halves(numbers[row / 2]);
                if row.is_multiple_of(2) { (first, place) } else { (second, place + self.row_bytes[first]) }
            }
        }
    }

    /// The group of a row.
    #[inline(always)]
    pub(crate) fn group_of(&self, row: usize) -> usize {
        match &self.groups {
            RowGroupIds::Ranges(first_rows) => first_rows.partition_point(|&first| first as usize <= row) - 1,
            RowGroupIds::Numbers { numbers, .. } => halves(numbers.as_slice()[row / 2])[row % 2],
        }
    }

    /// The group of each row, as it is stored.
    pub(crate) fn groups(&self) -> &RowGroupIds {
        &self.groups
    }

    /// How many rows each group has.
    pub(crate) fn rows_of_groups(&self) -> Vec<usize> {
        let num_groups = self.row_bytes.len();
        match &self.groups {
            RowGroupIds::Ranges(first_rows) => {
                let ends = first_rows.iter().skip(1).map(|&first| first as usize).chain([self.vocab_size]);
                first_rows.iter().zip(ends).map(|(&first, end)| end - first as usize).collect()
            }
            RowGroupIds::Numbers { numbers, .. } => {
                let mut rows = vec![0; num_groups];
                for (index, &pair) in numbers.as_slice().iter().enumerate() {
                    let [first, second] = halves(pair);
                    rows[first] += 1;
                    if 2 * index + 1 < self.vocab_size {
                        rows[second] += 1;
                    }
                }
                rows
            }
        }
    }

    /// Bytes of all codes.
    pub(super) fn code_bytes(&self) -> usize {
        let (group, place) = self.find(self.vocab_size - 1);
        place + self.row_bytes[group]
    }

    /// Bytes that say which group each row is in.
    pub(super) fn size_in_bytes(&self) -> usize {
        match &self.groups {
            RowGroupIds::Ranges(first_rows) => size_of_val(first_rows.as_slice()),
            RowGroupIds::Numbers { numbers, offsets } => numbers.len() + offsets.len(),
        }
    }

    fn check(&mut self) -> Result<(), String> {
        let (vocab_size, num_groups) = (self.vocab_size, self.row_bytes.len());
        match &self.groups {
            RowGroupIds::Ranges(first_rows) => {
                if first_rows.len() != num_groups {
                    return Err(format!("{} ranges of rows for {num_groups} groups", first_rows.len()));
                }
                if first_rows.first() != Some(&0) || !first_rows.is_sorted() {
                    return Err("the ranges of rows do not follow each other from row 0 on".to_owned());
                }
                if first_rows.iter().any(|&first| first as usize > vocab_size) {
                    return Err(format!("a range begins behind the {vocab_size} rows"));
                }
                let ends = first_rows.iter().skip(1).map(|&first| first as usize).chain([vocab_size]);
                let mut start = 0;
                for ((&first, end), &bytes) in first_rows.iter().zip(ends).zip(&self.row_bytes) {
                    self.starts.push(start);
                    let rows = end - first as usize;
                    let next = rows.checked_mul(bytes).and_then(|bytes| bytes.checked_add(start));
                    start = next.ok_or_else(|| format!("{rows} rows of {bytes} bytes"))?;
                }
            }
            RowGroupIds::Numbers { numbers, offsets } => {
                let expected = [vocab_size.div_ceil(2), 4 * vocab_size.div_ceil(BLOCK_ROWS)];
                if [numbers.len(), offsets.len()] != expected {
                    return Err(format!(
                        "{} bytes of group numbers and {} of offsets for {vocab_size} rows, expected {expected:?}",
                        numbers.len(),
                        offsets.len()
                    ));
                }
                let (numbers, offsets) = (numbers.as_slice(), offsets.as_slice());
                if !vocab_size.is_multiple_of(2) && numbers.last().is_some_and(|&last| last >= 16) {
                    return Err("a group number behind the last row".to_owned());
                }
                let mut start = 0_usize;
                for (block, pairs) in numbers.chunks(BLOCK_ROWS / 2).enumerate() {
                    if offset(offsets, block) as usize != start {
                        return Err(format!(
                            "row {} is said to begin at another byte than {start}",
                            block * BLOCK_ROWS
                        ));
                    }
                    for &pair in pairs {
                        if halves(pair).iter().any(|&number| number >= num_groups) {
                            return Err(format!("a row in a group beyond the {num_groups} that there are"));
                        }
                        start += self.pair_bytes[usize::from(pair)] as usize;
                    }
                }
            }
        }
        Ok(())
    }
}

fn halves(pair: u8) -> [usize; 2] {
    [usize::from(pair % 16), usize::from(pair / 16)]
}

fn offset(offsets: &[u8], block: usize) -> u32 {
    let bytes = &offsets[4 * block..][..4];
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
