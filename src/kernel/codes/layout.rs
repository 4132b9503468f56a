//! How the codes of each group of rows are read: worked out once, when a layer is made.

use std::{ops::Range, sync::LazyLock};

use ndarray::{Array2, Axis};

use super::{
    super::packed::{PANEL_WIDTH, PanelRow},
    unpacking::{Mirrored, Table, Unpacking},
};
use crate::factors::{CodeGroup, Level, QuantizedFactors, RowScales, Run, WINDOW_BITS};

/// Bits of a window of the trellis, at most: so a line of windows that begins before its circle fits in 16 bytes.
const MAX_WINDOW_BITS: usize = 12;

/// How quantized rows are read.
#[derive(Clone, Debug)]
pub(crate) struct CodeLayout {
    pub(super) groups: Vec<GroupLayout>,
    /// The scale that each row-scale code stands for; a single 1 where rows have none.
    pub(super) row_scales: Vec<f32>,
    /// Directions that any group uses, those that most groups use first: coordinates stand in this order in rank space, so that
    /// those that a group does not use are at the end.
    directions: Vec<usize>,
}

/// How rows of a group are read.
#[derive(Clone, Debug)]
pub(super) struct GroupLayout {
    pub(super) segments: Vec<Segment>,
    /// Lines of sixteen codes. Every run of codes begins a new one.
    pub(super) num_lines: usize,
    /// σ of each code, a line for each line of codes, 0 where there is none.
    pub(super) scales: Vec<PanelRow>,
    /// The coordinates of the codes of each run, which begin with the given code.
    pub(super) runs: Vec<(usize, Vec<u32>)>,
    /// One more than the last coordinate that is not always 0.
    pub(super) depth: usize,
    /// The first of the two bytes that a row's scale is in, by how much they are to be shifted, and the bits that remain.
    pub(super) row_scale: (usize, u32, usize),
    pub(super) circle: Option<Circle>,
    pub(super) row_bytes: usize,
}

/// Lines of codes that are read in the same way, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) unpacking: &'static Unpacking,
    pub(super) levels: Levels,
    pub(super) lines: Range<usize>,
    /// From [`Row::head`](super::Row::head) instead of the row.
    pub(super) from_head: bool,
    /// Where the first line begins.
    pub(super) byte: usize,
    /// From one line to the next.
    pub(super) stride: usize,
}

/// What codes stand for.
#[derive(Clone, Debug)]
pub(super) enum Levels {
    /// Up to four bits; tables of fewer are repeated.
    Sixteen(PanelRow),
    ThirtyTwo([PanelRow; 2]),
    More(Table<'static>),
    Mirrored(&'static Mirrored),
}

/// Where the circle of the trellis is in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circle {
    /// Its first bit.
    pub(super) start: usize,
    /// The first of its last [`WINDOW_BITS`] bits.
    pub(super) tail: usize,
}

impl CodeLayout {
    pub(crate) fn new(factors: &QuantizedFactors) -> Self {
        let uses = |direction: usize| factors.groups().iter().filter(|group| group.widths[direction] > 0).count();
        let mut directions: Vec<usize> = (0..factors.rank()).filter(|&direction| uses(direction) > 0).collect();
        directions.sort_by_key(|&direction| std::cmp::Reverse(uses(direction)));
        let mut coordinates = vec![0; factors.rank()];
        for (coordinate, &direction) in (0..).zip(&directions) {
            coordinates[direction] = coordinate;
        }
        Self {
            groups: factors.groups().iter().map(|group| GroupLayout::new(group, &coordinates)).collect(),
            row_scales: factors.row_scales().map_or_else(|| vec![1.0], RowScales::table),
            directions,
        }
    }

    /// How many coordinates there are in rank space.
    pub(crate) fn rank(&self) -> usize {
        self.directions.len()
    }

    /// The directions of the coordinates \[rank, dim\], out of all directions.
    pub(crate) fn select(&self, directions: &Array2<f32>) -> Array2<f32> {
        directions.select(Axis(0), &self.directions)
    }
}

impl GroupLayout {
    fn new(group: &CodeGroup, coordinates: &[u32]) -> Self {
        let circle = (group.trellis_bits > 0)
            .then(|| Circle { start: group.scalar_bits, tail: group.scalar_bits + group.trellis_bits - WINDOW_BITS });
        const { assert!(WINDOW_BITS <= MAX_WINDOW_BITS) };
        let mut layout = Self {
            segments: Vec::new(),
            num_lines: 0,
            scales: Vec::new(),
            runs: Vec::new(),
            depth: 0,
            row_scale: (
                group.row_scale_start() / 8,
                group.row_scale_start() as u32 % 8,
                (1 << group.row_scale_bits) - 1,
            ),
            circle,
            row_bytes: group.row_bytes(),
        };
        let (mut bit, mut first) = (0, 0);
        for run in &group.runs {
            let order = &group.order[first..first + run.count];
            let codes = order.iter().map(|&direction| coordinates[direction as usize]).collect::<Vec<u32>>();
            layout.depth = codes.iter().fold(layout.depth, |depth, &coordinate| depth.max(coordinate as usize + 1));
            layout.runs.push((layout.num_lines * PANEL_WIDTH, codes));
            for order in order.chunks(PANEL_WIDTH) {
                let mut line = PanelRow::default();
                for (scale, &direction) in line.0.iter_mut().zip(order) {
                    *scale = group.scales[direction as usize].to_f32();
                }
                layout.scales.push(line);
            }
            layout.add_run(*run, bit);
            bit += run.count * usize::from(run.width);
            first += run.count;
        }
        layout
    }

    /// Calls `write` with the place of each coordinate that the group has codes of, and with its number out of lines in the order
    /// of the codes. It is called once for every number of a row: there are no checks in the loop.
    #[inline(always)]
    pub(super) fn for_each_number(&self, lines: &[PanelRow], coordinates: &mut [f32], write: impl Fn(&mut f32, f32)) {
        assert!(lines.len() >= self.num_lines && coordinates.len() >= self.depth);
        let numbers: &[f32] = bytemuck::cast_slice(lines);
        for (first, order) in &self.runs {
            for (&number, &coordinate) in numbers[*first..].iter().zip(order) {
                // SAFETY: `depth` is more than every coordinate of the runs: `new` has made it so.
                write(unsafe { coordinates.get_unchecked_mut(coordinate as usize) }, number);
            }
        }
    }

    /// The lines of a run whose codes begin at a bit of the row.
    fn add_run(&mut self, run: Run, bit: usize) {
        let width = usize::from(run.width);
        let num_lines = run.count.div_ceil(PANEL_WIDTH);
        let mut lines = self.num_lines..self.num_lines + num_lines;
        self.num_lines = lines.end;
        let levels = Levels::new(run);
        // The first bit that a code, or a step, is looked up with, counted from that of the circle for steps.
        let mut bit = bit;
        if let (true, Some(circle)) = (run.is_trellis, self.circle) {
            let end = bit - circle.start + width;
            if end < WINDOW_BITS {
                let in_head = end; // WINDOW_BITS bits of the head are before the circle.
                self.segments.push(Segment {
                    unpacking: Unpacking::new(width, in_head % 8),
                    levels: levels.clone(),
                    lines: lines.start..lines.start + 1,
                    from_head: true,
                    byte: in_head / 8,
                    stride: 0,
                });
                lines.start += 1;
                bit += PANEL_WIDTH * width;
            }
            bit = bit + width - WINDOW_BITS;
        }
        if lines.is_empty() {
            return;
        }
        let segment = Segment {
            unpacking: Unpacking::new(width, bit % 8),
            levels,
            lines,
            from_head: false,
            byte: bit / 8,
            stride: PANEL_WIDTH * width / 8,
        };
        let last = segment.byte + (segment.lines.len() - 1) * segment.stride;
        assert!(last < self.row_bytes, "a line of codes begins in its row");
        self.segments.push(segment);
    }
}

impl Levels {
    fn new(run: Run) -> Self {
        let level = if run.is_trellis { Level::Trellis } else { Level::Scalar };
        let table = level.codebook(run.width);
        let line = |first: usize| PanelRow(std::array::from_fn(|i| table[(first + i) % table.len()]));
        match table.len() {
            0..=16 => Self::Sixteen(line(0)),
            32 => Self::ThirtyTwo([line(0), line(PANEL_WIDTH)]),
            _ => match mirrored(run) {
                Some(mirrored) => Self::Mirrored(mirrored),
                None => Self::More(Table::new(table)),
            },
        }
    }
}

/// The table of a step of the trellis, if it is a mirrored one.
fn mirrored(run: Run) -> Option<&'static Mirrored> {
    static TABLES: LazyLock<[Option<Mirrored>; Level::MAX_TRELLIS_WIDTH as usize]> =
        LazyLock::new(|| std::array::from_fn(|i| Mirrored::new(Level::Trellis.codebook(i as u8 + 1))));
    if run.is_trellis { TABLES[usize::from(run.width) - 1].as_ref() } else { None }
}
