//! Which parts of the factors are trained.

/// Which parts of the factors have gradients: all of them, unless it is said otherwise. The others are frozen, and what
/// is computed for their gradients alone is not computed.
///
/// # Examples
///
/// ```
/// use factorized_embedding::train::Trainable;
///
/// let projection_only = Trainable { u: false, ..Trainable::default() };
/// assert!(projection_only.v && !projection_only.u);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Trainable {
    /// U, the rows of the tokens.
    pub u: bool,
    /// D, if there is one.
    pub diagonal: bool,
    /// V, the directions that all rows share.
    pub v: bool,
    /// b, if there is one.
    pub bias: bool,
}

impl Default for Trainable {
    fn default() -> Self {
        Self { u: true, diagonal: true, v: true, bias: true }
    }
}
