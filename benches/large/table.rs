//! A table of any number of rows whose spectrum is known.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use ndarray::Array2;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

/// The tensor of the file.
pub(crate) const NAME: &str = "weight";
/// Rows that are drawn together, each such block from a stream of its own.
const BLOCK_ROWS: usize = 1024;
/// Variance of the noise in every entry, where the first direction has 1 in all.
const NOISE: f64 = 0.05;

/// Rows that are drawn independently: normal numbers along some orthonormal directions, with deviations that fall off as those of a
/// token table, and noise in all directions.
pub(crate) struct LargeTable {
    pub(crate) rows: usize,
    pub(crate) dim: usize,
}

impl LargeTable {
    /// How many directions stand out of the noise.
    pub(crate) fn directions(dim: usize) -> usize {
        dim / 3
    }

    /// Standard deviation along a direction, noise apart.
    fn deviation(&self, direction: usize) -> f64 {
        if direction < Self::directions(self.dim) {
            1.0 / (1.0 + 12.0 * direction as f64 / self.dim as f64)
        } else {
            0.0
        }
    }

    /// Bytes of the numbers.
    pub(crate) fn bytes(&self) -> usize {
        self.rows * self.dim * size_of::<f32>()
    }

    /// Writes the table as a safetensors file; no more than some blocks are ever in memory.
    pub(crate) fn write(&self, path: &Path) {
        let mut file = BufWriter::new(File::create(path).expect("a file to write"));
        let header = format!(
            r#"{{"{NAME}":{{"dtype":"F32","shape":[{},{}],"data_offsets":[0,{}]}}}}"#,
            self.rows,
            self.dim,
            self.bytes()
        );
        let header = format!("{header:<width$}", width = header.len().next_multiple_of(8));
        let mut write = |bytes: &[u8]| file.write_all(bytes).expect("room for the file");
        write(&(header.len() as u64).to_le_bytes());
        write(header.as_bytes());
        let directions = self.scaled_directions();
        let blocks = self.rows.div_ceil(BLOCK_ROWS);
        let wave = rayon::current_num_threads();
        for first in (0..blocks).step_by(wave) {
            let drawn: Vec<_> = (first..blocks.min(first + wave))
                .into_par_iter()
                .map(|block| draw(block as u64, BLOCK_ROWS.min(self.rows - block * BLOCK_ROWS), &directions))
                .collect();
            for block in drawn {
                write(bytemuck::cast_slice(block.as_slice().expect("a new array")));
            }
        }
        file.flush().expect("room for the file");
    }

    /// Directions times deviations [directions, dim]: the cosines of the discrete cosine transform, which are orthogonal.
    fn scaled_directions(&self) -> Array2<f32> {
        let dim = self.dim as f64;
        Array2::from_shape_fn((Self::directions(self.dim), self.dim), |(i, j)| {
            let cosine = (std::f64::consts::PI * (i as f64 + 1.0) * (j as f64 + 0.5) / dim).cos();
            (self.deviation(i) * (2.0 / dim).sqrt() * cosine) as f32
        })
    }

    /// Expected squares of a row along its principal directions.
    fn variances(&self) -> impl Iterator<Item = f64> {
        (0..self.dim).map(|i| self.deviation(i).powi(2) + NOISE)
    }

    /// The relative error of the best factors of a rank, for infinitely many rows.
    pub(crate) fn expected_error(&self, rank: usize) -> f64 {
        (self.variances().skip(rank).sum::<f64>() / self.variances().sum::<f64>()).sqrt()
    }

    /// How far the error of the best factors of these rows may be from the expected one, as a share of it.
    ///
    /// The energy Σλ·z² of a row has the standard deviation √(2·Σλ²): six of the mean's, for what is lost and for the whole.
    /// And the best directions of these rows lose less than the true ones: by second-order perturbation
    /// Σᵢ Σⱼ λᵢ·λⱼ / (λⱼ − λᵢ) / rows, j kept and i lost, about `rank` / rows of what is lost; dim / rows is on the safe side.
    pub(crate) fn tolerance(&self, rank: usize) -> f64 {
        let deviation = |skip: usize| {
            let squares: f64 = self.variances().skip(skip).map(|variance| variance * variance).sum();
            (2.0 * squares / self.rows as f64).sqrt() / self.variances().skip(skip).sum::<f64>()
        };
        6.0 * (deviation(rank) + deviation(0)) + self.dim as f64 / self.rows as f64
    }
}

fn draw(block: u64, rows: usize, directions: &Array2<f32>) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    rng.set_stream(block);
    let mut normal =
        |columns| -> Array2<f32> { Array2::from_shape_simple_fn((rows, columns), || StandardNormal.sample(&mut rng)) };
    let (along, noise) = (normal(directions.nrows()), normal(directions.ncols()));
    along.dot(directions) + noise * NOISE.sqrt() as f32
}
