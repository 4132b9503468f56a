//! The promises, each with the tolerance that follows from storing factors as f32.

use factorized_embedding::{BlockFactors, BlockwiseSvd, Decompose, Decomposition, Factors, RowGroups, RowWeights};
use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::support::{
    compare::{Expected, assert_close, widened},
    eigenvalues::{eigenvalues, gram},
};

/// ε of the numbers that factors are stored in.
const EPSILON: f64 = f32::EPSILON as f64;

/// A table, and what its rows weigh.
pub(crate) struct Weighted<'a> {
    pub(crate) table: ArrayView2<'a, f32>,
    pub(crate) weights: Option<Vec<f64>>,
}

impl<'a> Weighted<'a> {
    pub(crate) fn plain(table: &'a Array2<f32>) -> Self {
        Self { table: table.view(), weights: None }
    }

    /// Weights as words have them: a few large ones, many small ones, some zero.
    pub(crate) fn by_counts(table: &'a Array2<f32>) -> Self {
        let weights = weights(table.nrows()).to_vec();
        Self { table: table.view(), weights: Some(weights) }
    }

    /// Decomposed with these groups and this budget.
    pub(crate) fn decompose(&self, groups: &RowGroups, bytes: usize) -> Decomposition<BlockFactors> {
        self.decompose_with(BlockwiseSvd::new(groups.clone(), bytes))
    }

    pub(crate) fn decompose_with(&self, method: BlockwiseSvd) -> Decomposition<BlockFactors> {
        let method = match &self.weights {
            Some(_) => method.with_row_weights(weights(self.table.nrows())),
            None => method,
        };
        method.decompose(self.table).expect("a finite table and a budget for it")
    }

    /// Σ w·x² of an array of the table's shape.
    pub(crate) fn energy(&self, array: &Array2<f64>) -> f64 {
        let weight = |row| self.weights.as_ref().map_or(1.0, |weights| weights[row]);
        array.rows().into_iter().enumerate().map(|(row, entries)| weight(row) * entries.dot(&entries)).sum()
    }

    /// σ² of the rows of each group, never increasing, by Jacobi's rotations.
    pub(crate) fn energies(&self, group_of: &[u8], num_groups: usize) -> Vec<Array1<f64>> {
        let of_group = |group| {
            let rows: Vec<usize> = (0..group_of.len()).filter(|&row| usize::from(group_of[row]) == group).collect();
            let weights = self.weights.as_ref().map(|weights| rows.iter().map(|&row| weights[row]).collect::<Vec<_>>());
            let values = eigenvalues(gram(self.table.select(Axis(0), &rows).view(), weights.as_deref()));
            values.iter().take(rows.len()).map(|value| value.max(0.0)).collect()
        };
        (0..num_groups).map(of_group).collect()
    }

    /// ‖E − Ê‖ / ‖E‖ in f64, and by how much rounding the factors and their products can move it.
    pub(crate) fn relative_error(&self, factors: &BlockFactors) -> (f64, f64) {
        let table = widened(self.table);
        let total = self.energy(&table).sqrt();
        if total == 0.0 {
            return (0.0, 0.0);
        }
        let residual = &table - &product(factors, |array| array);
        let magnitudes = product(factors, |array| array.mapv(f64::abs));
        let terms = factors.ranks().into_iter().max().unwrap_or(0) + 4;
        (self.energy(&residual).sqrt() / total, terms as f64 * EPSILON * self.energy(&magnitudes).sqrt() / total)
    }

    /// How far energies may be off: sums over rows, rotations, and what counts as zero.
    pub(crate) fn floor(&self) -> f64 {
        (self.table.nrows() + 25 * self.table.ncols()) as f64 * f64::EPSILON * self.energy(&widened(self.table))
    }
}

pub(crate) fn weights(len: usize) -> RowWeights {
    let counts: Vec<f64> = (0..len).map(|i| if i % 4 == 3 { 0.0 } else { 1000.0 / (1.0 + i as f64) }).collect();
    RowWeights::new(counts).expect("counts that are not negative")
}

/// Row i in group i mod `num_groups`, or fewer groups where there are fewer rows.
pub(crate) fn interleaved(vocab_size: usize, num_groups: usize) -> RowGroups {
    let group = |row: usize| u8::try_from(row % num_groups).expect("few groups");
    RowGroups::from_group_of((0..vocab_size).map(group).collect::<Vec<_>>()).expect("rows")
}

/// Bytes of everything: more than any rank can use.
pub(crate) fn plenty(table: ArrayView2<'_, f32>, groups: &RowGroups) -> usize {
    let (vocab_size, dim) = table.dim();
    vocab_size + groups.sizes().iter().map(|rows| rows.min(&dim) * direction_bytes(*rows, dim)).sum::<usize>()
}

/// Bytes of a direction of a group.
pub(crate) fn direction_bytes(rows: usize, dim: usize) -> usize {
    4 * (rows + dim)
}

/// What holds without refinement and means, whatever the budget.
pub(crate) fn check(name: &str, weighted: &Weighted<'_>, groups: &RowGroups, bytes: usize) {
    let decomposition = weighted.decompose(groups, bytes);
    let factors = &decomposition.factors;
    let name = &format!("{name}, {bytes} bytes, ranks {:?}", factors.ranks());
    assert!(factors.size_in_bytes() <= bytes, "{name}: {} bytes", factors.size_in_bytes());
    assert_eq!(factors.group_of(), groups.group_of(), "{name}");
    for block in factors.blocks().iter().flatten() {
        check_directions(name, block);
        assert!(block.diagonal().is_none() && block.bias().is_none(), "{name}: {block:?}");
    }
    let energies = weighted.energies(groups.group_of(), groups.num_groups());
    check_spectrum(name, weighted, groups, &energies, &decomposition);

    let plain = Weighted { table: weighted.table, weights: None };
    let (actual, tolerance) = plain.relative_error(factors);
    let reported = decomposition.relative_error;
    assert!((reported - actual).abs() <= tolerance, "{name}: reported error {reported}, not {actual}");
    let reported = match (&weighted.weights, decomposition.weighted_relative_error) {
        (None, None) => reported,
        (Some(_), Some(error)) => error,
        (_, error) => panic!("{name}: weighted error {error:?}"),
    };
    let (actual, tolerance) = weighted.relative_error(factors);
    assert!((reported - actual).abs() <= tolerance, "{name}: reported weighted error {reported}, not {actual}");

    // What is lost is the energy of the directions that are dropped.
    let total = weighted.energy(&widened(weighted.table));
    let lost = lost(&energies, &factors.ranks());
    let expected = if total == 0.0 { 0.0 } else { (lost / total).sqrt() };
    let floor = if total == 0.0 { 0.0 } else { weighted.floor() / total };
    let tolerance = tolerance + floor.sqrt().min(floor / expected.max(f64::MIN_POSITIVE));
    assert!((reported - expected).abs() <= tolerance, "{name}: error {reported}, dropped energy {expected}");
}

/// The energy of the directions beyond these ranks.
pub(crate) fn lost(energies: &[Array1<f64>], ranks: &[usize]) -> f64 {
    energies.iter().zip(ranks).map(|(energies, &rank)| energies.iter().skip(rank).rev().sum::<f64>()).sum()
}

/// V is orthonormal, and the entry of largest magnitude in each row is positive.
pub(crate) fn check_directions(name: &str, factors: &Factors) {
    let v = factors.v();
    let magnitudes = widened(v).abs();
    let expected = Expected::new(Array2::eye(v.nrows()), 1 + v.ncols(), &magnitudes.dot(&magnitudes.t()));
    assert_close(&format!("{name}: V·Vᵀ"), v.dot(&v.t()).view(), &expected);
    for row in v.rows() {
        let largest = row.fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        let smallest = row.fold(f32::INFINITY, |a, &b| a.min(b));
        assert!(largest >= -smallest, "{name}: the largest entry of {row} is negative");
    }
}

/// All singular values of all groups, and what their directions take.
fn check_spectrum(
    name: &str,
    weighted: &Weighted<'_>,
    groups: &RowGroups,
    energies: &[Array1<f64>],
    decomposition: &Decomposition<BlockFactors>,
) {
    let spectrum = &decomposition.spectrum;
    let (vocab_size, dim) = weighted.table.dim();
    assert_eq!(spectrum.shape(), [vocab_size, dim]);
    assert!(spectrum.is_complete(), "{name}");
    let values = spectrum.singular_values();
    let mut expected: Vec<f64> = energies.iter().flatten().copied().collect();
    expected.sort_by(|a, b| b.total_cmp(a));
    assert_eq!(values.len(), expected.len(), "{name}: number of singular values");
    assert!(values.windows(2).into_iter().all(|pair| pair[0] >= pair[1]), "{name}: {values} increase");
    for (value, expected) in values.iter().zip(&expected) {
        assert!((value * value - expected).abs() <= weighted.floor(), "{name}: σ² {} is not {expected}", value * value);
    }
    let total = weighted.energy(&widened(weighted.table));
    assert!((spectrum.total_energy() - total).abs() <= weighted.floor(), "{name}: total energy");
    assert_eq!(spectrum.bytes_at(0), vocab_size, "{name}: a byte a row");
    assert_eq!(spectrum.bytes_at(values.len()), plenty(weighted.table, groups), "{name}: bytes of everything");
    assert_eq!(spectrum.bytes_at(usize::MAX), plenty(weighted.table, groups), "{name}: bytes beyond everything");
}

fn product(factors: &BlockFactors, map: impl Fn(Array2<f64>) -> Array2<f64>) -> Array2<f64> {
    let mut dense = Array2::zeros((factors.vocab_size(), factors.dim()));
    for (group, block) in factors.blocks().iter().enumerate() {
        let Some(block) = block else { continue };
        let mut rows = map(widened(block.u().view())).dot(&map(widened(block.v())));
        if let Some(bias) = block.bias() {
            rows += &map(widened(bias.insert_axis(Axis(0))));
        }
        for (&id, row) in factors.ids_of(group).iter().zip(rows.rows()) {
            dense.row_mut(id as usize).assign(&row);
        }
    }
    dense
}
