//! The factors of a table: what a decomposition makes, a layer reads and a file stores.

mod balanced;
mod blocks;
mod parts_mut;
#[cfg_attr(
    not(all(feature = "decompose", feature = "safetensors")),
    allow(dead_code, unused_imports, reason = "a quantizer makes these parts, files hold them")
)]
mod quantized;
mod random;
mod storage;

use std::fmt;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, CowArray, Ix2};

pub use blocks::BlockFactors;
pub(crate) use parts_mut::FactorsMut;
#[cfg(all(test, feature = "safetensors"))]
pub(crate) use quantized::header_bytes;
#[cfg(feature = "decompose")]
pub(crate) use quantized::{BLOCK_ROWS, RowPlaces, TRELLIS_DISTORTION, write_bits};
#[cfg(any(feature = "decompose", feature = "safetensors"))]
pub(crate) use quantized::{BasisCode, CodedBasis, QuantizedParts, Rotation, RowGroupIds, SharedBytes};
pub(crate) use quantized::{CodeGroup, RowScales, Run, WINDOW_BITS};
pub use quantized::{Level, PartBytes, QuantizedFactors};
#[cfg(test)]
pub(crate) use quantized::{made_up, read_bits};
pub(crate) use storage::Storage;
use storage::row_major;

use crate::{Dtype, Error, Result, embedding::check, rows::Numbers};

/// The three sizes of a factorization.
///
/// # Examples
///
/// ```
/// use factorized_embedding::Shape;
///
/// let shape = Shape { vocab_size: 10_000, rank: 64, dim: 512 };
/// assert_eq!(shape.vocab_size * shape.dim / (shape.rank * (shape.vocab_size + shape.dim)), 7);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Shape {
    /// Rows of the table and of U.
    pub vocab_size: usize,
    /// Columns of U and rows of V, at most the smaller of `vocab_size` and `dim`.
    pub rank: usize,
    /// Columns of the table and of V.
    pub dim: usize,
}

impl Shape {
    /// # Errors
    /// [`Empty`](Error::Empty), [`VocabularyTooLarge`](Error::VocabularyTooLarge),
    /// [`RankOutOfRange`](Error::RankOutOfRange).
    pub(crate) fn check(self) -> Result<()> {
        let Self { vocab_size, rank, dim } = self;
        check::table("factorized table [vocab_size, dim]", [vocab_size, dim])?;
        let max = vocab_size.min(dim);
        if !(1..=max).contains(&rank) {
            return Err(Error::RankOutOfRange { rank, max, vocab_size, dim });
        }
        check::addressable(vocab_size, dim)
    }
}

/// A table in factored form: E = U · diag(D) · V + 1·bᵀ.
///
/// | part | shape | |
/// | --- | --- | --- |
/// | U | \[`vocab_size`, rank\] | one short row a token |
/// | D | \[rank\] | optional; the singular values after an SVD |
/// | V | \[rank, dim\] | the directions that all rows share, one a row (the Vᵀ of an SVD) |
/// | b | \[dim\] | optional bias, added to every row: a mean, or the bias of ALBERT's mapping |
///
/// All shapes fit, all numbers are finite, and 1 ≤ rank ≤ min(`vocab_size`, dim): a larger rank would only waste memory.
///
/// Numbers are `f32`. U, which is nearly all of it, can be stored [narrower](Self::to_dtype): as `f16`, as `bf16`, or as
/// integers of 8 bits with a scale for each column. Layers compute with it as it stands, no slower than with `f32`.
///
/// # Examples
///
/// ```
/// use factorized_embedding::Factors;
/// use ndarray::array;
///
/// # fn main() -> factorized_embedding::Result<()> {
/// let factors = Factors::new(array![[1.0], [2.0]], array![[3.0, 4.0, 5.0]])?.with_diagonal(array![10.0])?;
/// assert_eq!(factors.to_dense(), array![[30.0, 40.0, 50.0], [60.0, 80.0, 100.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct Factors {
    u: Storage,
    diagonal: Option<Array1<f32>>,
    v: Array2<f32>,
    bias: Option<Array1<f32>>,
}

/// The arrays of [`Factors`], to be changed and put together again.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FactorParts {
    /// U \[`vocab_size`, rank\], row-major.
    pub u: Array2<f32>,
    /// D \[rank\].
    pub diagonal: Option<Array1<f32>>,
    /// V \[rank, dim\], row-major.
    pub v: Array2<f32>,
    /// b \[dim\].
    pub bias: Option<Array1<f32>>,
}

impl Factors {
    /// E = U · V.
    ///
    /// # Shapes
    /// `u` \[`vocab_size`, rank\], `v` \[rank, dim\].
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) when they do not multiply, [`Empty`](Error::Empty),
    /// [`RankOutOfRange`](Error::RankOutOfRange), [`NonFinite`](Error::NonFinite).
    pub fn new(u: Array2<f32>, v: Array2<f32>) -> Result<Self> {
        let shape = Shape { vocab_size: u.nrows(), rank: u.ncols(), dim: v.ncols() };
        if v.nrows() != shape.rank {
            return Err(Error::ShapeMismatch {
                what: "v [rank, dim]",
                expected: vec![shape.rank, shape.dim],
                actual: v.shape().to_vec(),
            });
        }
        shape.check()?;
        check::finite("u [vocab_size, rank]", &u)?;
        check::finite("v [rank, dim]", &v)?;
        Ok(Self { u: Storage::F32(row_major(u)), diagonal: None, v: row_major(v), bias: None })
    }

    /// Factors whose U is stored as it is in a file.
    ///
    /// # Errors
    /// Those of [`new`](Self::new), and [`ShapeMismatch`](Error::ShapeMismatch) for scales that are not one a column.
    #[cfg(feature = "safetensors")]
    pub(crate) fn from_storage(u: Storage, v: Array2<f32>) -> Result<Self> {
        if let Some(scales) = u.scales() {
            check_vector("u_scales [rank]", scales, u.dim().1)?;
        }
        let factors = Self::new(u.to_f32().into_owned(), v)?;
        Ok(Self { u, ..factors })
    }

    /// The same factors with U stored in another type, rounded to nearest: half or a quarter of the bytes, and no other
    /// change. Integers of 8 bits have a scale for each column (symmetric quantization, whose largest error is 1/254 of the
    /// largest magnitude in the column).
    ///
    /// Widening gives back the numbers as they were rounded.
    ///
    /// # Errors
    /// [`NonFinite`](Error::NonFinite) when a number is too large for the type (65,520 and more for `f16`).
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{Dtype, Factors};
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let factors = Factors::new(array![[0.3], [63.5]], array![[3.0, 4.0]])?;
    /// let narrow = factors.to_dtype(Dtype::Int8)?; // in steps of 0.5
    /// assert_eq!(narrow.u(), array![[0.5], [63.5]]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_dtype(&self, dtype: Dtype) -> Result<Self> {
        let Self { u, diagonal, v, bias } = self;
        Ok(Self { u: u.to_dtype(dtype)?, diagonal: diagonal.clone(), v: v.clone(), bias: bias.clone() })
    }

    /// The same factors with U as `f32`.
    pub(crate) fn to_f32(&self) -> Self {
        let Self { u, diagonal, v, bias } = self;
        let u = Storage::F32(row_major(u.to_f32().into_owned()));
        Self { u, diagonal: diagonal.clone(), v: v.clone(), bias: bias.clone() }
    }

    /// The same with a diagonal between U and V.
    ///
    /// # Shapes
    /// `diagonal` \[rank\].
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`NonFinite`](Error::NonFinite).
    pub fn with_diagonal(self, diagonal: Array1<f32>) -> Result<Self> {
        check_vector("diagonal [rank]", diagonal.view(), self.rank())?;
        Ok(Self { diagonal: Some(contiguous(diagonal)), ..self })
    }

    /// The same with a bias added to every row.
    ///
    /// # Shapes
    /// `bias` \[dim\].
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`NonFinite`](Error::NonFinite).
    pub fn with_bias(self, bias: Array1<f32>) -> Result<Self> {
        check_vector("bias [dim]", bias.view(), self.dim())?;
        Ok(Self { bias: Some(contiguous(bias)), ..self })
    }

    /// The arrays themselves, U widened to `f32`.
    #[must_use]
    pub fn into_parts(self) -> FactorParts {
        let Self { u, diagonal, v, bias } = self;
        let u = match u {
            Storage::F32(u) => u,
            narrow => narrow.to_f32().into_owned(),
        };
        FactorParts { u, diagonal, v, bias }
    }

    /// The three sizes together.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape { vocab_size: self.vocab_size(), rank: self.rank(), dim: self.dim() }
    }

    /// Rows of U.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.u.dim().0
    }

    /// Columns of U, rows of V.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.u.dim().1
    }

    /// Columns of V.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.v.ncols()
    }

    /// The type that U is stored in; everything else is `f32`.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.u.dtype()
    }

    /// U \[`vocab_size`, rank\], row-major: as it stands where it is `f32`, widened otherwise.
    #[must_use]
    pub fn u(&self) -> CowArray<'_, f32, Ix2> {
        self.u.to_f32()
    }

    /// The numbers of U as they are stored \[`vocab_size`, rank\]: U itself, or to be multiplied with the
    /// [scales](Self::u_scales).
    pub(crate) fn stored_u(&self) -> Numbers<'_> {
        self.u.numbers()
    }

    /// The scales of the columns of integers \[rank\].
    pub(crate) fn u_scales(&self) -> Option<ArrayView1<'_, f32>> {
        self.u.scales()
    }

    /// D \[rank\].
    #[must_use]
    pub fn diagonal(&self) -> Option<ArrayView1<'_, f32>> {
        self.diagonal.as_ref().map(|diagonal| diagonal.view())
    }

    /// V \[rank, dim\], row-major.
    #[must_use]
    pub fn v(&self) -> ArrayView2<'_, f32> {
        self.v.view()
    }

    /// b \[dim\].
    #[must_use]
    pub fn bias(&self) -> Option<ArrayView1<'_, f32>> {
        self.bias.as_ref().map(|bias| bias.view())
    }

    /// How many numbers the factors are made of.
    #[must_use]
    pub fn num_parameters(&self) -> usize {
        let vector = |vector: &Option<Array1<f32>>| vector.as_ref().map_or(0, ndarray::ArrayBase::len);
        let scales = self.u.scales().map_or(0, |scales| scales.len());
        self.vocab_size() * self.rank() + scales + vector(&self.diagonal) + self.v.len() + vector(&self.bias)
    }

    /// Bytes of those numbers.
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        let u = self.vocab_size() * self.rank();
        u * self.dtype().size() + (self.num_parameters() - u) * size_of::<f32>()
    }

    /// diag(D) · V \[rank, dim\]: what a row of U is multiplied by.
    #[must_use]
    pub fn projection(&self) -> Array2<f32> {
        match &self.diagonal {
            Some(diagonal) => &self.v * &diagonal.view().insert_axis(Axis(1)),
            None => self.v.clone(),
        }
    }

    /// What a stored row of U is multiplied by: the [projection](Self::projection), with scales if U has them.
    pub(crate) fn scaled_projection(&self) -> Array2<f32> {
        match self.u_scales() {
            Some(scales) => self.projection() * scales.insert_axis(Axis(1)),
            None => self.projection(),
        }
    }

    /// The whole table \[`vocab_size`, dim\].
    #[must_use]
    pub fn to_dense(&self) -> Array2<f32> {
        let mut dense = self.u().dot(&self.projection());
        if let Some(bias) = &self.bias {
            dense += bias;
        }
        dense
    }

    /// Folds a linear layer that follows the table into the factors: the result is the table E·W (+ 1·cᵀ), and looking up
    /// in it costs rank × out instead of rank × dim + dim × out.
    ///
    /// U and V become U and diag(D)·V·W. Where out < rank, U takes up the product instead, and V is the identity:
    /// that table is smaller still, and its rank is out; a narrow U is then rounded again.
    ///
    /// # Shapes
    /// `weight` W \[dim, out\] (the transpose of PyTorch's `Linear.weight`), `bias` c \[out\].
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`Empty`](Error::Empty), [`NonFinite`](Error::NonFinite), also when the
    /// product overflows.
    pub fn then_linear(&self, weight: ArrayView2<'_, f32>, bias: Option<ArrayView1<'_, f32>>) -> Result<Self> {
        if weight.nrows() != self.dim() {
            return Err(Error::ShapeMismatch {
                what: "weight [dim, out]",
                expected: vec![self.dim(), weight.ncols()],
                actual: weight.shape().to_vec(),
            });
        }
        let out = weight.ncols();
        check::finite("weight [dim, out]", &weight)?;
        if out == 0 {
            return Err(Error::Empty { what: "weight [dim, out]", shape: weight.shape().to_vec() });
        }
        if let Some(bias) = bias {
            check_vector("bias [out]", bias, out)?;
        }
        let folded = self.projection().dot(&weight);
        let factors = if out < self.rank() {
            Self::new(self.u().dot(&folded), Array2::eye(out))?.to_dtype(self.dtype())?
        } else {
            Shape { dim: out, ..self.shape() }.check()?;
            check::finite("v [rank, dim]", &folded)?;
            Self { u: self.u.clone(), diagonal: None, v: row_major(folded), bias: None }
        };
        let own = self.bias.as_ref().map(|own| own.dot(&weight));
        match (own, bias) {
            (None, None) => Ok(factors),
            (Some(own), None) => factors.with_bias(own),
            (None, Some(bias)) => factors.with_bias(bias.to_owned()),
            (Some(own), Some(bias)) => factors.with_bias(own + bias),
        }
    }

    /// The same factors with more rows of U. Where U is stored as integers, all of it is rounded anew: the old rows change by
    /// a step at most, if larger numbers than before enlarge the scale of a column, and otherwise stay what they were (if the
    /// largest code of the column is 127, as it is in those that this crate makes).
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`VocabularyTooLarge`](Error::VocabularyTooLarge),
    /// [`NonFinite`](Error::NonFinite); the factors are then as they were.
    #[cfg(feature = "decompose")]
    pub(crate) fn append_u(&mut self, rows: ArrayView2<'_, f32>) -> Result<()> {
        check::columns("new rows of u [n, rank]", rows, self.rank())?;
        check::table("grown table [vocab_size, dim]", [self.vocab_size().saturating_add(rows.nrows()), self.dim()])?;
        check::finite("new rows of u [n, rank]", &rows)?;
        let old = self.vocab_size();
        let mut grown = Array2::zeros((old + rows.nrows(), self.rank()));
        grown.slice_mut(ndarray::s![..old, ..]).assign(&self.u());
        grown.slice_mut(ndarray::s![old.., ..]).assign(&rows);
        self.u = Storage::F32(grown).to_dtype(self.dtype())?;
        Ok(())
    }
}

fn contiguous(vector: Array1<f32>) -> Array1<f32> {
    if vector.is_standard_layout() { vector } else { vector.as_standard_layout().into_owned() }
}

fn check_vector(what: &'static str, vector: ArrayView1<'_, f32>, len: usize) -> Result<()> {
    if vector.len() != len {
        return Err(Error::ShapeMismatch { what, expected: vec![len], actual: vec![vector.len()] });
    }
    check::finite(what, &vector)
}

impl fmt::Debug for Factors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { vocab_size, rank, dim } = self.shape();
        write!(f, "Factors(u")?;
        if self.dtype() != Dtype::F32 {
            write!(f, " {}", self.dtype())?;
        }
        write!(f, " [{vocab_size}, {rank}]")?;
        if self.diagonal.is_some() {
            write!(f, ", diagonal [{rank}]")?;
        }
        write!(f, ", v [{rank}, {dim}]")?;
        if self.bias.is_some() {
            write!(f, ", bias [{dim}]")?;
        }
        f.write_str(")")
    }
}
