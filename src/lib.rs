//! Embedding tables kept as low-rank factors: small, and never made whole for what a model does with them.
//!
//! An embedding table E \[`vocab_size` × dim\] is often the largest part of a model. This crate keeps it as
//!
//! > E ≈ U · diag(D) · V + 1·bᵀ
//!
//! with one short row of U for each token and the directions V that all tokens share, and never makes E whole: a lookup
//! gathers rows of U and multiplies them by the small diag(D) · V; a bag is pooled in rank space and projected once; logits
//! bring the hidden state into rank space first.
//!
//! | operation | dense table | factorized |
//! | --- | --- | --- |
//! | bytes | 4 · `vocab_size` · dim | 4 · rank · (`vocab_size` + dim) |
//! | lookup of n ids | n · dim numbers copied | 2 · n · rank · dim operations |
//! | bag of n ids | n · dim additions | n · rank additions, then one projection |
//! | logits of n states | 2 · n · `vocab_size` · dim operations | 2 · n · rank · (`vocab_size` + dim) |
//!
//! # A new layer
//!
//! ```
//! use factorized_embedding::{Embedding, FactorizedEmbedding, Shape};
//!
//! # fn main() -> factorized_embedding::Result<()> {
//! # let mut rng = <rand::rngs::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1);
//! let shape = Shape { vocab_size: 10_000, rank: 64, dim: 512 };
//! let embedding = FactorizedEmbedding::random(shape, 0.02, &mut rng)?;
//! let vectors = embedding.lookup(&[17, 4, 9_999])?;
//!
//! assert_eq!(vectors.shape(), [3, 512]);
//! # Ok(())
//! # }
//! ```
//!
//! # An existing table
//!
//! ```
//! # #[cfg(all(feature = "decompose", feature = "safetensors"))]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use factorized_embedding::{Decompose, Embedding, FactorizedEmbedding, Rank, TruncatedSvd, io::safetensors};
//!
//! # let folder = tempfile::tempdir()?;
//! # let output = folder.path().join("glove.safetensors");
//! let table = safetensors::load_table("examples/data/glove50-top10k-f16.safetensors", "weight")?;
//! let decomposition = TruncatedSvd::new(Rank::Energy(0.9)).decompose(table.to_array().view())?;
//! safetensors::save_factors(&output, &decomposition.factors)?;
//!
//! let embedding = FactorizedEmbedding::new(safetensors::load_factors(&output)?);
//! println!("rank {}, relative error {:.3}", embedding.rank(), decomposition.relative_error);
//! # assert!(decomposition.relative_error <= 0.1_f64.sqrt());
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "decompose", feature = "safetensors")))]
//! # fn main() {}
//! ```
//!
//! Real tables are not low-rank: half of the singular directions of a trained table hold about 80 % of its energy. If some
//! tokens are used far more often than others, say so with [`RowWeights`]: [`TruncatedSvd`] then keeps the rows that matter.
//! [`evaluate::Evaluator`] tells what was lost.
//!
//! # Fewer bits instead of fewer directions
//!
//! Where bytes are what counts, keep all directions and spend fewer bits on each: [`quantize::Quantizer`] rotates a table into
//! its singular directions and gives every direction of every group of rows as many bits as its variance deserves. At an
//! eighth of the bytes hardly anything is lost, where an SVD truncated to an eighth loses most of the table.
//! [`QuantizedEmbedding`] looks rows up, pools and scores them from the codes as they stand, in memory or in a mapped file.
//!
//! ```
//! # #[cfg(all(feature = "decompose", feature = "safetensors"))]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use factorized_embedding::{Embedding, QuantizedEmbedding, io::safetensors, quantize::Quantizer};
//!
//! # let folder = tempfile::tempdir()?;
//! # let output = folder.path().join("glove.safetensors");
//! let table = safetensors::load_table("examples/data/glove50-top10k-f16.safetensors", "weight")?;
//! let quantization = Quantizer::balanced().quantize(table.to_array().view())?;
//! safetensors::save_quantized(&output, &quantization.factors)?;
//!
//! let embedding = QuantizedEmbedding::new(safetensors::load_quantized(&output)?);
//! let vectors = embedding.lookup(&[17, 4, 9_999])?;
//! # assert!(8 * std::fs::metadata(&output)?.len() <= 4 * 10_000 * 50);
//! # assert_eq!(vectors.shape(), [3, 50]);
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "decompose", feature = "safetensors")))]
//! # fn main() {}
//! ```
//!
//! # Training
//!
//! [`train::Backward`] gives the gradients of factors (and of dense tables): sparse where the table is, with sums over repeated ids
//! before anything is multiplied. [`train::FactorOptimizer`] follows them in place, lazily for rows that a batch does not touch.
//! Decomposed factors are trained on once they are [`balanced`](Factors::balanced), and trained ones can be made orthonormal again, or of
//! another rank. Inside a model of candle's, [`candle::AutogradEmbedding`] does all of it.
//!
//! # Which decomposition
//!
//! | method | for | reads the table | operations |
//! | --- | --- | --- | --- |
//! | [`TruncatedSvd`] | the best factors of a rank | twice | `vocab_size` · dim² |
//! | [`RandomizedSvd`] | many columns and a small rank | 4 times | `vocab_size` · dim · rank |
//! | [`BlockwiseSvd`] | rows that are used with very different frequencies: a rank for each group of rows | in memory | `vocab_size` · dim² |
//! | [`AlternatingLeastSquares`] | missing entries, or a weight for each | in memory | entries · rank² in each iteration |
//! | [`GramAccumulator`] | the truncated SVD in parts: spread over processes, or interrupted | twice | `vocab_size` · dim² |
//!
//! All but the last are [`Decompose`], and end in a [`Decomposition`]. The SVDs take [`RowWeights`] (how often rows are used),
//! a [`ColumnCovariance`] (of the hidden states that meet the table: the error of the logits is then minimised) and a
//! [`MeanRemoval`], read tables of any size as [`RowBlocks`] and end in a [`Basis`], from which U follows block by block.
//! [`Rank`] chooses how much is kept, or a [`Spectrum`] once the singular values are known.
//!
//! Pages of the repository tell more: `docs/guide.md`, which method, which rank and how many bits, from measurements on two
//! tables; `docs/file-formats.md`, what is read and written; `docs/quantized-format.md`, the codes to the bit;
//! `docs/checkpoints.md`, names of tables in checkpoints; `docs/models.md`, what is where in families of models; `docs/candle.md`, layers in a model of candle's.
//!
//! # Glossary
//!
//! - **`vocab_size`**: rows of a table, how many tokens there are. **dim**: columns of a table, the length of a vector.
//!   **rank**: columns of U and rows of V.
//! - **id**: the number of a row, a [`TokenId`] (`u32`); [`token_ids`] converts other integers.
//! - **rank space**: where rows of U live, before they are projected by diag(D) · V.
//! - **group**: rows of a table that share factors of their own, and a rank of their own: see [`BlockFactors`].
//! - **energy**: Σ σ², the squared Frobenius norm.
//! - **code**: the bits that stand for a coordinate of a row; **width**: how many they are, 0 for a direction that a group of
//!   rows goes without; **level**: how codes are made, [each by itself or as a trellis](quantize::Level).
//! - **padding id**: an id that stands for no token: see [`Embedding`](Embedding#padding).
//!
//! # Conventions
//!
//! - Arrays are `ndarray` views and arrays of `f32`, row-major where they are owned. Views of any strides are accepted;
//!   contiguous ones are fast.
//! - V is the Vᵀ of an SVD: its rows are the directions. Singular values never increase, and the entry of largest magnitude
//!   in each row of V is positive.
//! - "Relative error" is ‖E − Ê‖ / ‖E‖ in Frobenius norms (not squared); "weighted" weighs the squared norm of each row.
//! - Numbers are computed in `f32`; what a decomposition accumulates, in `f64`.
//! - Layers use the best instruction set that the machine has ([`Isa`]). On one instruction set, the bits of a looked-up row
//!   depend neither on how many rows are looked up, nor on its position among them, nor on whether its id is repeated or
//!   [hot](FactorizedEmbedding::with_hot_rows), nor on the number of threads; those of a bag not on the other bags, and
//!   those of a logit not on the other hidden states, but for whether there are more than two (for a
//!   [`QuantizedEmbedding`] also whether there are more than eight).
//! - Calls that write into an array of the caller's (`lookup_into` and the like) allocate nothing once a thread has made one
//!   like it, as long as they stay on that thread. What does allocate: hidden states, weights and rank-space rows that are
//!   not row-major, and logits into an array whose rows are not contiguous, which are copied; the updates of a `LoraEmbedding`; tables that are not row-major
//!   or not aligned in memory; work that `rayon` shares among threads. A thread keeps what it has allocated for its next
//!   call, at most as much as hidden states or sums take, and blocks of fixed size.
//! - Random numbers come from a generator of the caller's, or from `ChaCha8` with a seed that can be set.
//! - No public call panics on bad input: it returns an [`Error`] that names what, expected and actual, before it writes
//!   anything.
//!
//! # Features
//!
//! `decompose`, `rayon`, `safetensors` and `word-vectors` are on by default; without them the layers are still whole.
//!
//! - `decompose`: all [decompositions](#which-decomposition), [`quantize::Quantizer`] and new rows for a grown vocabulary
//!   ([`FactorizedEmbedding::append_rows`], [`FactorizedEmbedding::append_random_rows`]), through `faer`.
//! - `rayon`: large lookups, bags and products on all threads of the current `rayon` pool (of the global one, or of the one
//!   whose `install` calls). Numbers do not depend on how many there are. What stays on one thread: maxima of bags (but for
//!   the rows of a tile), soft lookups up to 64 columns in rank space, and reading tables that are not row-major in memory.
//! - `safetensors`: [`io::safetensors`], memory-mapped tables, tables read in blocks, and files of factors and of codes;
//!   [`io::hugging_face`], whole checkpoints and their token tables.
//! - `word-vectors`: [`io::word_vectors`], files of GloVe, word2vec and fastText; [`io::vocabulary`], files of words.
//! - `gzip`: the same files, compressed by gzip; brings `word-vectors`.
//! - `npy`: [`io::npy`], tables in files of NumPy, whole or in blocks.
//! - `serde`: choices and settings ([`Rank`], [`Shape`], [`RowWeights`], [`TokenCounts`], [`TruncatedSvd`] and the other
//!   decompositions, [`train::Optimizer`], [`train::Schedule`], [`quantize::Quantizer`] and others) are `Serialize` and `Deserialize`, reports ([`evaluate::Comparison`],
//!   [`quantize::QuantizationReport`], [`Spectrum`], [`ProjectionErrors`]) are `Serialize`. What a constructor refuses is refused when
//!   it is read, as are names of fields that nobody knows; what is checked where it is used still is.
//! - `candle`: [`candle`], layers as modules of candle and inside its autograd.
// The page links to what features bring.
#![cfg_attr(
    not(all(
        feature = "candle",
        feature = "decompose",
        feature = "npy",
        feature = "safetensors",
        feature = "word-vectors"
    )),
    allow(rustdoc::broken_intra_doc_links)
)]

#[cfg(feature = "candle")]
pub mod candle;
#[cfg(feature = "decompose")]
mod decompose;
mod embedding;
mod error;
pub mod evaluate;
mod factors;
#[cfg(any(feature = "npy", feature = "safetensors", feature = "word-vectors"))]
pub mod io;
mod kernel;
mod layers;
#[cfg(feature = "decompose")]
mod linalg;
mod memory;
pub mod quantize;
mod reconstruction;
mod row_blocks;
mod row_weights;
mod rows;
pub mod train;
mod vocabulary;

#[cfg(feature = "decompose")]
pub use decompose::{
    AlternatingLeastSquares, Basis, BlockwiseSvd, ColumnCovariance, Decompose, Decomposition, GramAccumulator,
    MeanRemoval, Observations, Products, ProjectionErrors, RandomizedSvd, Rank, RowGroups, Spectrum, SvdRoute,
    TruncatedSvd,
};
pub use embedding::{Bags, Embedding, EmbeddingExt, Pooling, TokenId, TopK, token_ids};
pub use error::{Error, Result};
pub use factors::{BlockFactors, FactorParts, Factors, QuantizedFactors, Shape};
pub use kernel::{Isa, RepeatedIds};
pub use layers::{BlockwiseEmbedding, DenseEmbedding, FactorizedEmbedding, QuantizedEmbedding};
pub use row_blocks::{ArrayRows, ChainedRows, IteratorRows, RowBlocks};
pub use row_weights::{RowWeights, TokenCounts};
pub use rows::Dtype;
pub use vocabulary::{OutOfVocabulary, Vocabulary};

/// The README's code, compiled and run.
#[cfg(all(doctest, feature = "decompose", feature = "safetensors", feature = "word-vectors"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The code of the guide, compiled and run.
#[cfg(all(doctest, feature = "decompose", feature = "safetensors"))]
#[doc = include_str!("../docs/guide.md")]
struct GuidePage;

/// The code of the page on file formats, compiled and run.
#[cfg(all(doctest, feature = "decompose", feature = "npy", feature = "safetensors", feature = "word-vectors"))]
#[doc = include_str!("../docs/file-formats.md")]
struct FileFormatsPage;

/// The code of the page on families of models, compiled.
#[cfg(all(doctest, feature = "decompose", feature = "safetensors"))]
#[doc = include_str!("../docs/models.md")]
struct ModelsPage;

/// The code of the page about candle, compiled and run.
#[cfg(all(doctest, feature = "candle", feature = "decompose", feature = "safetensors"))]
#[doc = include_str!("../docs/candle.md")]
struct CandlePage;
