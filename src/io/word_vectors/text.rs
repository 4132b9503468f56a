//! Lines of a word and its numbers.

use super::{format::Header, records::Records};
use crate::{
    Result,
    io::byte_stream::{ByteStream, Size},
};

/// Longer lines are refused.
pub(super) const MAX_LINE_BYTES: usize = 16 << 20;
/// Of what is wrong, so much is shown.
const SHOWN_BYTES: usize = 40;

/// Reads lines to the end of the file; or as many as a header promises, if there is one; or as many as are to be read.
pub(super) fn read_lines(
    stream: &mut ByteStream,
    records: &mut Records,
    dim: Option<usize>,
    rows: Option<usize>,
) -> Result<()> {
    let (mut bytes, mut row) = (Vec::new(), Vec::new());
    let mut layout = dim.map(|dim| Layout { dim, is_guessed: false });
    for count in 0.. {
        if records.are_enough() {
            break;
        }
        match (rows, stream.is_at_end()?) {
            (Some(rows), true) if count < rows => return Err(records.too_few(count, rows)),
            (Some(rows), false) if count == rows => return Err(records.too_many(rows)),
            (_, true) => break,
            (_, false) => {}
        }
        let number = records.first_record() + count;
        if !stream.read_until(b'\n', MAX_LINE_BYTES, &mut bytes)? && bytes.len() == MAX_LINE_BYTES {
            return Err(records.invalid(number, format!("has no end within {MAX_LINE_BYTES} bytes")));
        }
        let line = trimmed(&bytes);
        let layout = match layout {
            Some(layout) => layout,
            None => *layout.insert(Layout::guess(line).map_err(|reason| records.invalid(number, reason))?),
        };
        let word = layout.split(line, &mut row).map_err(|reason| records.invalid(number, reason))?;
        if count == 0 && rows.is_none() {
            make_room(stream, records, layout.dim)?;
        }
        records.add(number, word, &row)?;
    }
    Ok(())
}

/// Makes room for as many rows as the file has lines, where that can be told before all of them are read.
fn make_room(stream: &ByteStream, records: &mut Records, dim: usize) -> Result<()> {
    let Size { most, is_exact } = stream.size();
    if !is_exact {
        return Ok(());
    }
    // A line has a space and a digit for each number; the last one may lack its end. What has more lines is refused later.
    let rows = (u128::from(most) + 1) / (2 * dim as u128 + 1);
    let rows = rows.min(records.max_rows() as u128) as u64;
    let lines = ByteStream::open(stream.path())?.count_lines(rows)?;
    records.set_dim(dim);
    records.reserve(usize::try_from(lines).unwrap_or(usize::MAX)).map_err(|error| stream.failed(error))
}

/// What the lines of a file consist of.
#[derive(Clone, Copy)]
struct Layout {
    dim: usize,
    /// Nobody said it, and the file does not.
    is_guessed: bool,
}

impl Layout {
    /// By the first line.
    fn guess(line: &[u8]) -> std::result::Result<Self, String> {
        if Header::parse(line).is_some() {
            return Err("could be the header of a word2vec file: say that it is one, or what the dim is".to_owned());
        }
        match dim_of(line) {
            Some(dim) => Ok(Self { dim, is_guessed: true }),
            None => Err(format!("is {}, expected a word with numbers behind it", shown(line))),
        }
    }

    /// The word of a line, and its numbers into `row`.
    fn split<'a>(self, line: &'a [u8], row: &mut Vec<f32>) -> std::result::Result<&'a [u8], String> {
        row.clear();
        let mut rest = line;
        for place in (1..=self.dim).rev() {
            let Some((before, field)) = split_last(rest) else {
                return Err(format!("has {} numbers, expected {}", self.dim - place, self.dim));
            };
            let Some(number) = number(field).filter(|number| number.is_finite()) else {
                let shown = shown(field);
                return Err(format!("has {shown} as number {place} of {}, expected a finite number", self.dim));
            };
            row.push(number);
            rest = before;
        }
        row.reverse();
        if self.is_guessed && split_last(rest).is_some_and(|(_, field)| number(field).is_some()) {
            let dim = self.dim;
            return Err(format!(
                "has more than the {dim} numbers of the first line, or a word that ends in one: say what the dim is"
            ));
        }
        Ok(rest)
    }
}

/// How many numbers stand behind the word of a line, if it ends in any.
pub(super) fn dim_of(line: &[u8]) -> Option<usize> {
    let (mut rest, mut dim) = (trimmed(line), 0);
    while let Some((before, _)) = split_last(rest).filter(|(_, field)| number(field).is_some()) {
        (rest, dim) = (before, dim + 1);
    }
    (dim > 0).then_some(dim)
}

/// Without what may stand at the end of a line.
pub(super) fn trimmed(mut line: &[u8]) -> &[u8] {
    while let [before @ .., b' ' | b'\t' | b'\r'] = line {
        line = before;
    }
    line
}

/// What stands before and behind the last space or tab.
fn split_last(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().rposition(|&byte| byte == b' ' || byte == b'\t')?;
    Some((&line[..at], &line[at + 1..]))
}

fn number(field: &[u8]) -> Option<f32> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// The beginning of some bytes, for a message.
pub(super) fn shown(bytes: &[u8]) -> String {
    let (start, more) = if bytes.len() > SHOWN_BYTES { (&bytes[..SHOWN_BYTES], "…") } else { (bytes, "") };
    format!("{:?}{more}", String::from_utf8_lossy(start))
}
