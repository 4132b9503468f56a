//! The one error type of the crate: what was wrong, what was expected, what was there instead.

use std::path::PathBuf;

use crate::TokenId;

/// What every fallible call of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong, as data.
///
/// A call that returns an error has written nothing and left its layer as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An id that the table has no row for.
    #[error(
        "id {id} at position {position} is out of range for a vocabulary of {vocab_size} (ids 0..={last})",
        last = vocab_size.saturating_sub(1)
    )]
    IdOutOfRange {
        /// The id.
        id: TokenId,
        /// Where it stands in the list of ids (row-major for ids of more dimensions).
        position: usize,
        /// How many rows the table has.
        vocab_size: usize,
    },

    /// A number that is no token id at all: negative, or above `u32::MAX`.
    #[error("{value} at position {position} is not a token id (0..={max})", max = TokenId::MAX)]
    NotATokenId {
        /// The number as it was given.
        value: String,
        /// Where it stands in the list of ids.
        position: usize,
    },

    /// An array whose shape does not fit.
    #[error("{what} has shape {actual:?}, expected {expected:?}")]
    ShapeMismatch {
        /// Which array, with the names of its dimensions.
        what: &'static str,
        /// The shape that would fit.
        expected: Vec<usize>,
        /// The shape that was given.
        actual: Vec<usize>,
    },

    /// An array that needs at least one element in every dimension.
    #[error("{what} is empty: its shape is {shape:?}")]
    Empty {
        /// Which array, with the names of its dimensions.
        what: &'static str,
        /// The shape that was given.
        shape: Vec<usize>,
    },

    /// Ids of rows that are not in ascending order, or not each once.
    #[error("id {id} at position {position} follows {before}: the ids of a gradient ascend, each once")]
    UnsortedIds {
        /// Where the id stands.
        position: usize,
        /// The id.
        id: TokenId,
        /// The id before it, which is not smaller.
        before: TokenId,
    },

    /// Gradients to be added, of which one lacks a part that the other has.
    #[error("only one of the gradients has a part {what}: what is frozen in one of them is frozen in both")]
    MissingGradient {
        /// Which part: "u", "diagonal", "v" or "bias".
        what: &'static str,
    },

    /// More rows than token ids can name.
    #[error("a vocabulary of {vocab_size} is too large: token ids name at most {max} rows", max = TokenId::MAX)]
    VocabularyTooLarge {
        /// How many rows were asked for.
        vocab_size: usize,
    },

    /// A table of more bytes than can be addressed.
    #[error("a table of {vocab_size} × {dim} numbers is too large to be addressed")]
    TableTooLarge {
        /// Rows of the table.
        vocab_size: usize,
        /// Columns of the table.
        dim: usize,
    },

    /// A result that `f32` cannot hold.
    #[error("the {what} is beyond the range of f32")]
    Overflow {
        /// Which result.
        what: &'static str,
    },

    /// A rank that a table of this shape cannot have.
    #[error(
        "rank {rank} is out of range 1..={max}, where {max} is the smaller of vocab_size {vocab_size} and dim {dim}"
    )]
    RankOutOfRange {
        /// The rank that was asked for.
        rank: usize,
        /// The largest rank: the smaller of `vocab_size` and `dim`.
        max: usize,
        /// Rows of the table.
        vocab_size: usize,
        /// Columns of the table.
        dim: usize,
    },

    /// A row in a group that there is not.
    #[error(
        "row {row} is in group {group}, expected one of {num_groups} groups (0..={last})",
        last = num_groups.saturating_sub(1)
    )]
    GroupOutOfRange {
        /// The row.
        row: usize,
        /// Its group.
        group: u8,
        /// How many groups there are.
        num_groups: usize,
    },

    /// Factors of another table than the rows of their group.
    #[error("the factors of group {group} make a table {actual:?}, expected {expected:?} [rows of the group, dim]")]
    GroupShapeMismatch {
        /// The group.
        group: usize,
        /// Rows of the group, and dim.
        expected: [usize; 2],
        /// Rows and columns of the table that the factors make.
        actual: [usize; 2],
    },

    /// NaN or an infinity where only finite numbers make sense.
    #[error("{what} holds {value} at {index:?}: only finite numbers can be used")]
    NonFinite {
        /// Which array.
        what: &'static str,
        /// The index of the first such element.
        index: Vec<usize>,
        /// The element.
        value: f64,
    },

    /// A setting outside its range.
    #[error("{name} is {value}, expected {expected}")]
    InvalidSetting {
        /// The setting.
        name: &'static str,
        /// The value that was given.
        value: f64,
        /// The values that make sense.
        expected: &'static str,
    },

    /// A row weight that is negative or not finite.
    #[error("the weight of row {row} is {weight}: weights are finite and not negative")]
    InvalidWeight {
        /// The row.
        row: usize,
        /// Its weight.
        weight: f64,
    },

    /// Row weights that are all zero leave nothing to approximate.
    #[error("all {len} row weights are zero")]
    AllWeightsZero {
        /// How many weights were given.
        len: usize,
    },

    /// A column that the table does not have.
    #[error(
        "column {column} at position {position} is out of range for a dim of {dim} (columns 0..={last})",
        last = dim.saturating_sub(1)
    )]
    ColumnOutOfRange {
        /// The column.
        column: u32,
        /// Where it stands in the list of entries.
        position: usize,
        /// How many columns the table has.
        dim: usize,
    },

    /// An entry of a table given twice.
    #[error("the entry in row {row} and column {column} is given twice")]
    DuplicateEntry {
        /// Its row.
        row: TokenId,
        /// Its column.
        column: u32,
    },

    /// A weight of a single entry that is negative or not finite.
    #[error(
        "the weight of the entry in row {row} and column {column} is {weight}: weights are finite and not negative"
    )]
    InvalidEntryWeight {
        /// Its row.
        row: TokenId,
        /// Its column.
        column: u32,
        /// Its weight.
        weight: f32,
    },

    /// A table that nothing is known of.
    #[error("of a table of {vocab_size} × {dim}, no entry is known that has any weight")]
    NoKnownEntries {
        /// Rows of the table.
        vocab_size: usize,
        /// Columns of the table.
        dim: usize,
    },

    /// Parameters that cannot be changed where they are: narrow, borrowed, or in a file.
    #[error("{what} is kept as {stored}, which cannot be trained: {remedy} makes it f32 in memory of its own")]
    NotTrainable {
        /// Which parameters, with the names of their dimensions.
        what: &'static str,
        /// What they are kept as.
        stored: &'static str,
        /// The method that makes trainable parameters of them.
        remedy: &'static str,
    },

    /// Tensors and numbers of steps that are not what an optimizer remembers.
    #[error("this is not the state of such an optimizer: {reason}")]
    InvalidOptimizerState {
        /// What is wrong with it.
        reason: String,
    },

    /// Factors with a bias where it cannot be used.
    #[error("the {what} has a bias, which cannot be used here")]
    UnusableBias {
        /// Which factors.
        what: &'static str,
    },

    /// Bag offsets that do not start at 0, decrease, or point past the ids.
    #[error(
        "offset {offset} of bag {bag} is not in {min}..={max}: offsets start at 0, never decrease and end within the ids"
    )]
    InvalidOffset {
        /// The bag.
        bag: usize,
        /// Its start.
        offset: usize,
        /// The smallest start that this bag may have.
        min: usize,
        /// The largest start that this bag may have.
        max: usize,
    },

    /// Per-sample weights together with a pooling that has no use for them.
    #[error("per-sample weights go with sum pooling only, not with {pooling}")]
    WeightsNeedSum {
        /// The pooling that was asked for.
        pooling: crate::Pooling,
    },

    /// A byte budget below that of the smallest factors: of rank 1, or without any codes.
    #[error("{bytes} bytes cannot hold any factors of this table: the smallest take {minimum}")]
    BudgetTooSmall {
        /// The budget.
        bytes: usize,
        /// The bytes of the smallest factors.
        minimum: usize,
    },

    /// A word given twice.
    #[error("the word {word:?} stands at id {first} and again at id {second}")]
    DuplicateWord {
        /// The word.
        word: String,
        /// Its first id.
        first: TokenId,
        /// Its second id.
        second: TokenId,
    },

    /// A word that the vocabulary does not have.
    #[error("the word {word:?} at position {position} is not in the vocabulary")]
    UnknownWord {
        /// The word.
        word: String,
        /// Where it stands in the list of words.
        position: usize,
    },

    /// A word that a format of files cannot hold.
    #[error("the word {word:?} at id {id} cannot be written as {format}: {reason}")]
    UnsuitableWord {
        /// The word.
        word: String,
        /// Its id.
        id: TokenId,
        /// The format that was asked for.
        format: &'static str,
        /// What a reader would stumble over.
        reason: &'static str,
    },

    /// An iteration of the linear algebra library that did not settle.
    #[error("the {what} did not converge")]
    NoConvergence {
        /// Which computation.
        what: &'static str,
    },

    /// A choice that follows from all singular values, asked of a method that computes the largest ones only.
    #[error("{what} needs all singular values, which this method does not compute")]
    NeedsAllSingularValues {
        /// What was asked for.
        what: &'static str,
    },

    /// Bytes that are not what they should be.
    #[error("these are not the bytes of a {what}: {reason}")]
    InvalidBytes {
        /// What was expected.
        what: &'static str,
        /// What is wrong with them.
        reason: String,
    },

    /// The operating system refused a file.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried: "open", "map", "create", …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },

    /// A file that is not what its format promises.
    #[error("{path} is not a valid {format} file: {reason}", path = path.display())]
    InvalidFile {
        /// The file.
        path: PathBuf,
        /// The format that was expected.
        format: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// A line or row of a file that is not what its format promises.
    #[error("{path} is not a valid {format} file: {record} {number} {reason}", path = path.display())]
    InvalidRecord {
        /// The file.
        path: PathBuf,
        /// The format that was expected.
        format: &'static str,
        /// What is counted: "line" or "row".
        record: &'static str,
        /// Which of them, from 1 on.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },

    /// A file that takes a feature of this crate that it was built without.
    #[error("{path} is {found}, which takes the feature {feature:?} of this crate", path = path.display())]
    MissingFeature {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// The feature.
        feature: &'static str,
    },

    /// A tensor name that the file does not have.
    #[error("{path} has no tensor {name:?}; it has {names}", path = path.display(), names = quoted_list(available))]
    TensorNotFound {
        /// The file.
        path: PathBuf,
        /// The name that was asked for.
        name: String,
        /// The names that are there, sorted.
        available: Vec<String>,
    },

    /// A tensor of an element type or number of dimensions that cannot be used.
    #[error("tensor {name:?} of {path} is {dtype} {shape:?}, expected {expected}", path = path.display())]
    UnsuitableTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its element type, as the file names it.
        dtype: String,
        /// Its shape.
        shape: Vec<usize>,
        /// What can be used.
        expected: &'static str,
    },

    /// A checkpoint whose token table has none of the names that are known.
    #[error(
        "{path} has no token table under a known name; its matrices, the largest first, are {matrices}",
        path = path.display(),
        matrices = matrix_list(candidates)
    )]
    TokenTableNotFound {
        /// The checkpoint.
        path: PathBuf,
        /// Names and shapes of all matrices, the largest first.
        candidates: Vec<(String, [usize; 2])>,
    },

    /// A checkpoint in which several tensors have names of token tables.
    #[error("{path} has several token tables, {names}: choose one by its name", path = path.display(), names = quoted_list(names))]
    AmbiguousTokenTable {
        /// The checkpoint.
        path: PathBuf,
        /// The names that fit, sorted.
        names: Vec<String>,
    },

    /// A configuration that says something else of a tensor than the tensor itself.
    #[error("{path} says {setting} {value}, but tensor {tensor:?} {actual}", path = path.display())]
    ConfigMismatch {
        /// The configuration.
        path: PathBuf,
        /// The setting.
        setting: &'static str,
        /// What it is set to.
        value: String,
        /// The tensor.
        tensor: String,
        /// What the tensor is or has instead.
        actual: String,
    },

    /// A table that is kept as factors or codes where the tensor itself is needed.
    #[error("the table {name:?} of {path} is compressed: the tensor itself comes back when it is restored", path = path.display())]
    CompressedTable {
        /// The checkpoint.
        path: PathBuf,
        /// The table.
        name: String,
    },

    /// Factors written by a later, incompatible version of the format.
    #[error("{path} has format version {version:?}, this crate reads version {supported}", path = path.display())]
    UnsupportedVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: String,
        /// The version that this crate reads and writes.
        supported: &'static str,
    },
}

/// The first of a list of matrices.
fn matrix_list(matrices: &[(String, [usize; 2])]) -> String {
    const SHOWN: usize = 10;
    let shown = matrices.iter().take(SHOWN).map(|(name, shape)| format!("{name:?} {shape:?}"));
    let more = matrices.len().checked_sub(SHOWN + 1).map(|more| format!("{} more", more + 1));
    let list: Vec<String> = shown.chain(more).collect();
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

fn quoted_list(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}
