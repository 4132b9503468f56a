//! Token ids and how other integers become them.

use std::fmt::Display;

use crate::{Error, Result};

/// The number of a row of an embedding table.
pub type TokenId = u32;

/// Turns integers of any type into token ids, each conversion checked.
///
/// # Errors
/// [`NotATokenId`](Error::NotATokenId) for a number that is negative or above `u32::MAX`. Whether a table has a row for an
/// id is for the table to say.
///
/// # Examples
///
/// ```
/// use factorized_embedding::token_ids;
///
/// assert_eq!(token_ids([3_i64, 0])?, [3, 0]);
/// assert_eq!(
///     token_ids([3_i64, -1]).unwrap_err().to_string(),
///     "-1 at position 1 is not a token id (0..=4294967295)",
/// );
/// # Ok::<(), factorized_embedding::Error>(())
/// ```
pub fn token_ids<T>(ids: impl IntoIterator<Item = T>) -> Result<Vec<TokenId>>
where
    T: Copy + Display + TryInto<TokenId>,
{
    ids.into_iter()
        .enumerate()
        .map(|(position, id)| id.try_into().map_err(|_| Error::NotATokenId { value: id.to_string(), position }))
        .collect()
}
