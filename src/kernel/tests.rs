//! Every instruction set of this machine against the naive loop in `f64`.

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, s};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

use super::{GatheredRows, HotRows, Isa, PackedProjection, RepeatedIds, plan::CHUNK, project, project_rows};
use crate::{Dtype, TokenId, factors::Storage};

mod pooling;
mod products;
mod scattered;
mod simd;

/// Names an instruction set that must be among those tested, so that a machine that lacks it fails instead of skipping.
const EXPECTED_ISA: &str = "FACTORIZED_EMBEDDING_EXPECTED_ISA";

struct Case {
    rows: Array2<f32>,
    stored: Storage,
    ids: Vec<TokenId>,
    projection: Array2<f32>,
    bias: Option<Array1<f32>>,
    bias_weights: Option<Vec<f32>>,
}

impl Case {
    fn new(n: usize, rank: usize, dim: usize, with_bias: bool, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut number = || rng.random_range(-1.0..1.0_f32);
        let rows = Array2::from_shape_simple_fn((31, rank), &mut number);
        let projection = Array2::from_shape_simple_fn((rank, dim), &mut number);
        let bias = with_bias.then(|| Array1::from_shape_simple_fn(dim, &mut number));
        let bias_weights = with_bias.then(|| (0..31).map(|_| number()).collect());
        let ids = (0..n).map(|_| rng.random_range(0..31)).collect();
        Self { stored: Storage::F32(rows.clone()), rows, ids, projection, bias, bias_weights }
    }

    /// The same with rows stored as another type, and the rows that these stand for (scales, which belong to the
    /// projection, left out).
    fn stored_as(self, dtype: Dtype) -> Self {
        let stored = self.stored.to_dtype(dtype).expect("numbers of at most 1");
        let rows = match &stored {
            Storage::Int8 { codes, .. } => codes.mapv(f32::from),
            other => other.to_f32().into_owned(),
        };
        Self { stored, rows, ..self }
    }

    fn packed(&self) -> PackedProjection {
        PackedProjection::new(self.projection.view(), self.bias.as_ref().map(|bias| bias.view()))
    }

    fn look_up(
        &self,
        isa: Isa,
        ids: &[TokenId],
        repeated_ids: RepeatedIds,
        hot_rows: Option<&HotRows>,
        out: &mut ArrayViewMut2<'_, f32>,
    ) {
        let gathered =
            GatheredRows { rows: self.stored.numbers().into(), ids, positions: None, repeated_ids, hot_rows };
        project_rows(isa, gathered, &self.packed(), out);
    }

    fn looked_up(&self, isa: Isa, repeated_ids: RepeatedIds, hot_rows: Option<&HotRows>) -> Array2<f32> {
        let mut out = poisoned((self.ids.len(), self.projection.ncols()));
        self.look_up(isa, &self.ids, repeated_ids, hot_rows, &mut out.view_mut());
        out
    }

    /// The value of an element of row i, and a bound of the error of summing it in `f32` in any order: as many roundings as
    /// there are terms and products, each at most half an epsilon of the sum of magnitudes.
    fn expected(&self, row: usize, j: usize, bias_weight: f32) -> (f64, f64) {
        let bias = self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[j]) * f64::from(bias_weight));
        let (mut sum, mut magnitude) = (bias, bias.abs());
        for (&a, &b) in self.rows.row(row).iter().zip(self.projection.column(j)) {
            let term = f64::from(a) * f64::from(b);
            sum += term;
            magnitude += term.abs();
        }
        let roundings = 2 * (self.projection.nrows() + 1);
        (sum, roundings as f64 * 0.5 * f64::from(f32::EPSILON) * magnitude)
    }

    fn check(
        &self,
        isa: Isa,
        what: &str,
        rows: &[usize],
        bias_weight: impl Fn(usize) -> f32,
        out: ArrayView2<'_, f32>,
    ) {
        for (i, &row) in rows.iter().enumerate() {
            for j in 0..out.ncols() {
                let (expected, tolerance) = self.expected(row, j, bias_weight(i));
                let error = (f64::from(out[[i, j]]) - expected).abs();
                assert!(
                    error <= tolerance,
                    "{isa} {what} [{}, {}] · [{}, {}]: out[{i}, {j}] is {}, expected {expected} ± {tolerance:e}",
                    out.nrows(),
                    self.rows.ncols(),
                    self.rows.ncols(),
                    out.ncols(),
                    out[[i, j]],
                );
            }
        }
    }
}

/// Row counts around the tiles and the blocks, dims around the panels and the groups of panels, ranks around nothing in
/// particular: the sums run over them one by one.
fn sizes() -> impl Iterator<Item = (usize, usize, usize)> {
    let rows = (0..=13).chain([23, 24, 25, 29, 30, 31, 47, 48, 49, 53, 73]);
    let dims = (1..=17).chain([31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 129, 145]);
    let all: Vec<_> = dims.collect();
    rows.flat_map(move |n| all.clone().into_iter().map(move |dim| (n, 1 + (7 * n + 3 * dim) % 37, dim)))
}

#[test]
fn the_instruction_set_that_must_be_tested_is_there() {
    let Ok(expected) = std::env::var(EXPECTED_ISA) else { return };
    let supported: Vec<String> = Isa::supported().map(|isa| isa.to_string()).collect();
    assert!(supported.contains(&expected), "{EXPECTED_ISA} is {expected}, this machine has {supported:?}");
}

fn poisoned(shape: (usize, usize)) -> Array2<f32> {
    Array2::from_elem(shape, f32::NAN)
}

const DTYPES: [Dtype; 4] = [Dtype::F32, Dtype::F16, Dtype::Bf16, Dtype::Int8];

#[test]
fn gathered_rows_are_the_naive_sums() {
    for isa in Isa::supported() {
        for (n, rank, dim) in sizes() {
            let case = Case::new(n, rank, dim, (n + dim) % 2 == 0, 1).stored_as(DTYPES[(n + dim) / 2 % 4]);
            let rows: Vec<usize> = case.ids.iter().map(|&id| id as usize).collect();
            let out = case.looked_up(isa, RepeatedIds::Compute, None);
            case.check(isa, "contiguous", &rows, |_| 1.0, out.view());

            // Every other column, rows in reverse, of a wider array: nothing else may be touched.
            for repeated_ids in [RepeatedIds::Compute, RepeatedIds::Copy] {
                let mut wide = poisoned((n, 2 * dim + 1));
                let mut strided = wide.slice_mut(s![..;-1, 1..;2]);
                case.look_up(isa, &case.ids, repeated_ids, None, &mut strided);
                assert_eq!(strided, out, "{isa} strided [{n}, {rank}, {dim}]");
                assert!(wide.slice(s![.., ..;2]).iter().all(|value| value.is_nan()));
            }

            // Contiguous rows with a gap between them.
            let mut padded = poisoned((n, dim + 3));
            case.look_up(isa, &case.ids, RepeatedIds::Compute, None, &mut padded.slice_mut(s![.., ..dim]));
            assert_eq!(padded.slice(s![.., ..dim]), out, "{isa} padded [{n}, {rank}, {dim}]");
            assert!(padded.slice(s![.., dim..]).iter().all(|value| value.is_nan()));
        }
    }
}

#[test]
fn every_type_at_every_rank_and_dim_gives_the_naive_sums() {
    for isa in Isa::supported() {
        for dtype in DTYPES {
            for rank in (1..=34).chain([47, 48, 49, 63, 64, 65, 127, 128, 129]) {
                for (n, dim) in [(1, 1), (5, 16), (7, 33), (30, 63), (2, 64), (25, 129)] {
                    let case = Case::new(n, rank, dim, rank % 2 == 0, 5).stored_as(dtype);
                    let rows: Vec<usize> = case.ids.iter().map(|&id| id as usize).collect();
                    let what = format!("{dtype} rows");
                    case.check(isa, &what, &rows, |_| 1.0, case.looked_up(isa, RepeatedIds::Compute, None).view());
                }
            }
        }
    }
}

#[test]
fn rows_in_order_take_their_own_weight_of_the_bias() {
    for isa in Isa::supported() {
        for (_, rank, dim) in sizes() {
            for with_bias in [false, true] {
                let case = Case::new(0, rank, dim, with_bias, 2);
                let rows: Vec<usize> = (0..31).collect();
                let mut out = poisoned((31, dim));
                let weights = case.bias_weights.as_deref();
                project(isa, case.stored.numbers(), weights, &case.packed(), &mut out.view_mut());
                let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
                case.check(isa, "in order", &rows, weight, out.view());
            }
        }
    }
}

#[test]
fn the_bits_of_a_row_depend_on_nothing_but_the_row() {
    for isa in Isa::supported() {
        for (rank, dim) in [(1, 1), (5, 16), (33, 40), (64, 384), (17, 143)] {
            for dtype in DTYPES {
                let case = Case::new(0, rank, dim, true, 3).stored_as(dtype);
                let look_up = |ids: &[TokenId]| {
                    let mut out = poisoned((ids.len(), dim));
                    case.look_up(isa, ids, RepeatedIds::Compute, None, &mut out.view_mut());
                    out
                };
                let alone = look_up(&[7]);
                for n in (1..32).chain([47, 48, 49, 72, 79]) {
                    for position in [0, n / 2, n - 1] {
                        let mut ids = vec![3; n];
                        ids[position] = 7;
                        let what = format!("{isa} {dtype} {position} of {n}, [{rank}, {dim}]");
                        assert_eq!(look_up(&ids).row(position), alone.row(0), "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn copied_and_hot_rows_have_the_bits_of_computed_ones() {
    for isa in Isa::supported() {
        let chunks = [(CHUNK - 1, 3, 5), (CHUNK, 3, 5), (CHUNK + 1, 3, 5), (70_000, 2, 17), (500, 96, 200)];
        for (n, rank, dim) in sizes().chain(chunks) {
            let case = Case::new(n, rank, dim, true, 4);
            let computed = case.looked_up(isa, RepeatedIds::Compute, None);
            let hot_ids = [3, 17, 0];
            let mut hot = poisoned((3, dim));
            case.look_up(isa, &hot_ids, RepeatedIds::Compute, None, &mut hot.view_mut());
            let hot = HotRows::new(&hot_ids, hot.into_raw_vec_and_offset().0, 31, dim);
            for repeated_ids in [RepeatedIds::Copy, RepeatedIds::Automatic, RepeatedIds::Compute] {
                for hot_rows in [None, Some(&hot)] {
                    let out = case.looked_up(isa, repeated_ids, hot_rows);
                    assert_eq!(out, computed, "{isa} {repeated_ids:?} [{n}, {rank}, {dim}]");
                }
            }
        }
    }
}

/// The bits of a product are those of one thread, however many share it.
#[cfg(feature = "rayon")]
#[test]
fn threads_change_no_bit() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    let pools = [1, 2, 3, 5].map(pool);
    for isa in Isa::supported() {
        // Enough work for several threads.
        for (n, rank, dim) in [(3000, 60, 100), (9000, 33, 70), (100, 31, 5000)] {
            let case = Case::new(n, rank, dim, true, 6);
            let look_up = |pool: &rayon::ThreadPool| {
                pool.install(|| [RepeatedIds::Compute, RepeatedIds::Copy].map(|ids| case.looked_up(isa, ids, None)))
            };
            let [alone, together @ ..] = pools.each_ref().map(look_up);
            for out in together {
                assert_eq!(out, alone, "{isa} [{n}, {rank}, {dim}]");
            }
        }
    }
}
