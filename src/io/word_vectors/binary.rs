//! Rows of a word, a space and little-endian numbers.

use super::records::Records;
use crate::{Result, io::byte_stream::ByteStream};

/// Longer words are refused.
const MAX_WORD_BYTES: usize = 64 << 10;
/// Bytes that are read together: a row is not made room for before it is there.
const PIECE_BYTES: usize = 8 << 10;
const NUMBER_BYTES: usize = size_of::<f32>();

/// Reads as many rows as the header promises, or as are to be read.
pub(super) fn read_rows(stream: &mut ByteStream, records: &mut Records, rows: usize) -> Result<()> {
    let (mut word, mut row) = (Vec::new(), Vec::new());
    for count in 0..rows {
        if records.are_enough() {
            return Ok(());
        }
        if stream.is_at_end()? {
            return Err(records.too_few(count, rows));
        }
        let number = records.first_record() + count;
        if !stream.read_until(b' ', MAX_WORD_BYTES, &mut word)? {
            let reason = if word.len() == MAX_WORD_BYTES {
                format!("has no space within {MAX_WORD_BYTES} bytes, expected one behind its word")
            } else {
                "ends within its word".to_owned()
            };
            return Err(records.invalid(number, reason));
        }
        read_row(stream, records, number, &mut row)?;
        if stream.peek()? == Some(b'\n') {
            stream.skip();
        }
        records.add(number, &word, &row)?;
    }
    if records.are_enough() || stream.is_at_end()? { Ok(()) } else { Err(records.too_many(rows)) }
}

fn read_row(stream: &mut ByteStream, records: &Records, number: usize, row: &mut Vec<f32>) -> Result<()> {
    row.clear();
    let mut piece = [0; PIECE_BYTES];
    let mut left = records.dim() * NUMBER_BYTES;
    while left > 0 {
        let piece = &mut piece[..PIECE_BYTES.min(left)];
        let read = stream.read(piece)?;
        if read < piece.len() {
            let (bytes, expected) = (row.len() * NUMBER_BYTES + read, records.dim() * NUMBER_BYTES);
            return Err(records.invalid(number, format!("ends after {bytes} of the {expected} bytes of its numbers")));
        }
        row.extend(piece.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        left -= read;
    }
    match row.iter().position(|number| !number.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let (value, place, dim) = (row[at], at + 1, row.len());
            Err(records.invalid(number, format!("has {value} as number {place} of {dim}, expected a finite number")))
        }
    }
}
