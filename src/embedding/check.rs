//! The checks that calls make before they write anything.

use ndarray::{ArrayRef, ArrayView2, Dimension, IntoDimension, Ix2};

use super::TokenId;
use crate::{Error, Result};

/// Numbers that are looked at together.
const FINITE_CHUNK: usize = 1024;

/// Every id has a row.
pub(crate) fn ids(ids: &[TokenId], vocab_size: usize) -> Result<()> {
    // One pass for the maximum vectorises; the position is only looked for when there is something to report.
    let fits = |&id: &TokenId| (id as usize) < vocab_size;
    if ids.iter().max().is_none_or(fits) {
        return Ok(());
    }
    match ids.iter().enumerate().find(|(_, id)| !fits(id)) {
        Some((position, &id)) => Err(Error::IdOutOfRange { id, position, vocab_size }),
        None => Ok(()),
    }
}

/// `array` has just this shape.
pub(crate) fn shape(what: &'static str, array: &ArrayRef<f32, Ix2>, expected: (usize, usize)) -> Result<()> {
    if array.dim() == expected {
        return Ok(());
    }
    Err(Error::ShapeMismatch { what, expected: vec![expected.0, expected.1], actual: array.shape().to_vec() })
}

/// `array` has this many columns, and any number of rows.
pub(crate) fn columns(what: &'static str, array: ArrayView2<'_, f32>, expected: usize) -> Result<()> {
    if array.ncols() == expected {
        return Ok(());
    }
    Err(Error::ShapeMismatch { what, expected: vec![array.nrows(), expected], actual: array.shape().to_vec() })
}

/// `array` has a row and a column at least, and no more rows than ids can name.
pub(crate) fn table(what: &'static str, shape: [usize; 2]) -> Result<()> {
    if shape.contains(&0) {
        return Err(Error::Empty { what, shape: shape.to_vec() });
    }
    if shape[0] > TokenId::MAX as usize {
        return Err(Error::VocabularyTooLarge { vocab_size: shape[0] });
    }
    Ok(())
}

/// A table of this shape has no more bytes than can be addressed: a lookup of all its rows is a size that exists.
pub(crate) fn addressable(vocab_size: usize, dim: usize) -> Result<()> {
    let bytes = vocab_size.checked_mul(dim).and_then(|len| len.checked_mul(size_of::<f32>()));
    if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
        return Err(Error::TableTooLarge { vocab_size, dim });
    }
    Ok(())
}

/// Every element is finite.
pub(crate) fn finite<D: Dimension>(what: &'static str, array: &ArrayRef<f32, D>) -> Result<()> {
    // Chunks of it vectorise; the index is only looked for when there is something to report.
    let all_finite = |chunk: &[f32]| chunk.iter().fold(true, |all, number| all & number.is_finite());
    if array.as_slice_memory_order().is_some_and(|numbers| numbers.chunks(FINITE_CHUNK).all(all_finite)) {
        return Ok(());
    }
    match array.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some((index, &value)) => {
            Err(Error::NonFinite { what, index: index.into_dimension().slice().to_vec(), value: f64::from(value) })
        }
    }
}

/// The padding id, if there is one, has a row.
pub(crate) fn padding_id(id: TokenId, vocab_size: usize) -> Result<()> {
    ids(&[id], vocab_size)
}
