//! The embedding layers.

mod blockwise;
mod dense;
mod factorized;
#[cfg(feature = "decompose")]
mod grow;
mod norms;
mod quantized;
mod rank_space;
mod search;
mod settings;
mod update;
mod vectors;

pub use blockwise::BlockwiseEmbedding;
pub use dense::DenseEmbedding;
pub use factorized::FactorizedEmbedding;
pub use quantized::QuantizedEmbedding;

use std::fmt;

use ndarray::ArrayViewMut2;

use crate::TokenId;

/// Zeroes the row of every id that is the padding id.
fn mask_padding(ids: &[TokenId], padding_id: Option<TokenId>, out: &mut ArrayViewMut2<'_, f32>) {
    let Some(padding_id) = padding_id else { return };
    for (i, _) in ids.iter().enumerate().filter(|(_, id)| **id == padding_id) {
        out.row_mut(i).fill(0.0);
    }
}

/// The ids 0..`vocab_size` in order, without the padding id, in ranges of at most `len` ids.
fn unpadded_ranges(
    vocab_size: usize,
    padding_id: Option<TokenId>,
    len: usize,
) -> impl Iterator<Item = std::ops::Range<usize>> {
    let padding = padding_id.map_or(vocab_size, |id| id as usize);
    let pieces = move |start: usize, end: usize| {
        (start..end).step_by(len).map(move |start| start..end.min(start.saturating_add(len)))
    };
    pieces(0, padding).chain(pieces((padding + 1).min(vocab_size), vocab_size))
}

/// What the `Debug` of a layer says of its padding id.
struct PaddingNote(Option<TokenId>);

impl fmt::Display for PaddingNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |id| write!(f, ", padding id {id}"))
    }
}
