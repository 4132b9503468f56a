//! Random initialisation.

use ndarray::Array2;
use rand::Rng;
use rand_distr::{Distribution, Normal};

use super::{Factors, Shape};
use crate::{Error, Result};

impl Factors {
    /// Random factors whose product E = U · V has mean 0 and the given standard deviation.
    ///
    /// The entries of U and V are independent normal numbers of standard deviation √(std / √rank), so that an entry of E,
    /// a sum of rank products, has variance rank · (std / √rank)² = std². What a model chooses is the scale of its
    /// vectors (0.02 in BERT and GPT-2), whatever the rank.
    ///
    /// # Errors
    /// [`Empty`](Error::Empty), [`VocabularyTooLarge`](Error::VocabularyTooLarge),
    /// [`RankOutOfRange`](Error::RankOutOfRange), [`InvalidSetting`](Error::InvalidSetting) for a standard deviation that
    /// is negative or not finite.
    pub fn random<R: Rng + ?Sized>(shape: Shape, std: f32, rng: &mut R) -> Result<Self> {
        shape.check()?;
        let invalid = || Error::InvalidSetting {
            name: "std",
            value: f64::from(std),
            expected: "a finite standard deviation that is not negative",
        };
        if !(std.is_finite() && std >= 0.0) {
            return Err(invalid());
        }
        let Shape { vocab_size, rank, dim } = shape;
        let entries = Normal::new(0.0, (std / (rank as f32).sqrt()).sqrt()).map_err(|_| invalid())?;
        let mut draw = |shape| Array2::from_shape_simple_fn(shape, || entries.sample(rng));
        let u = draw((vocab_size, rank));
        Self::new(u, draw((rank, dim)))
    }
}
