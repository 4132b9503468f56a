//! Factors whose numbers are of one size.

use ndarray::ArrayView1;

use super::Factors;
use crate::Result;

impl Factors {
    /// The same table, to rounding, of factors without a diagonal, whose columns of U have the same root mean square as the
    /// rows of V that they meet. The bias stays; U is `f32`.
    ///
    /// For training to go on after a decomposition, which leaves V with orthonormal rows and U with the singular values:
    /// numbers of very different sizes, while rules such as Adam change all numbers by about as much in a step.
    /// [Random](Self::random) factors are balanced. A direction that is zero stays so, with V as it is, so that U can learn it.
    ///
    /// # Shapes
    /// U \[`vocab_size`, rank\] and V \[rank, dim\] as before.
    ///
    /// # Errors
    /// [`NonFinite`](crate::Error::NonFinite) where a balanced number is beyond the range of `f32`.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::Factors;
    /// use ndarray::array;
    ///
    /// # fn main() -> factorized_embedding::Result<()> {
    /// let factors = Factors::new(array![[0.5], [-0.5]], array![[0.5, 0.5]])?.with_diagonal(array![16.0])?;
    /// let balanced = factors.balanced()?;
    /// assert_eq!((balanced.u(), balanced.v()), (array![[2.0], [-2.0]].into(), array![[2.0, 2.0]].view()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn balanced(&self) -> Result<Self> {
        let (mut u, mut v) = (self.u().into_owned(), self.v.clone());
        for direction in 0..self.rank() {
            let scale = self.diagonal.as_ref().map_or(1.0, |diagonal| f64::from(diagonal[direction]));
            let mut column = u.column_mut(direction);
            let mut row = v.row_mut(direction);
            let sizes = [root_mean_square(column.view()), root_mean_square(row.view())];
            let [of_u, of_v] = match sizes {
                [u, v] if u * v * scale != 0.0 => {
                    let of_u = (scale.abs() * v / u).sqrt();
                    [of_u, scale / of_u]
                }
                _ => [scale, 1.0],
            };
            column.mapv_inplace(|number| (f64::from(number) * of_u) as f32);
            row.mapv_inplace(|number| (f64::from(number) * of_v) as f32);
        }
        let balanced = Self::new(u, v)?;
        match &self.bias {
            Some(bias) => balanced.with_bias(bias.clone()),
            None => Ok(balanced),
        }
    }
}

fn root_mean_square(numbers: ArrayView1<'_, f32>) -> f64 {
    let squares: f64 = numbers.iter().map(|&number| f64::from(number) * f64::from(number)).sum();
    (squares / numbers.len() as f64).sqrt()
}
