//! Groups less their means.

use factorized_embedding::{BlockwiseSvd, Factors, MeanRemoval, RowGroups};
use ndarray::{Array2, Axis, concatenate};

use super::checks::{Weighted, direction_bytes, interleaved};
use crate::support::{compare::widened, random};

#[test]
fn means_that_are_far_apart_become_biases() {
    let spread = random::normal((60, 6), 101) * 0.1;
    let (first, second) = (&spread.slice(ndarray::s![..30, ..]) + 3.0, &spread.slice(ndarray::s![30.., ..]) - 2.0);
    let table = concatenate![Axis(0), first, second];
    let groups = RowGroups::from_group_of([vec![0; 30], vec![1; 30]].concat()).expect("rows");
    let weighted = Weighted::by_counts(&table);
    // A direction and a mean for each group: without means, the one direction is that of the mean.
    let bytes = 60 + 2 * (direction_bytes(30, 6) + 4 * 6);
    let method = BlockwiseSvd::new(groups, bytes);
    let without = weighted.decompose_with(method.clone());
    let centred = weighted.decompose_with(method.with_mean_removal(MeanRemoval::IfBetter));
    assert_eq!(centred.factors.ranks(), [1, 1]);
    assert_eq!(centred.factors.size_in_bytes(), bytes);
    assert!(centred.weighted_relative_error < without.weighted_relative_error, "{centred:?}, {without:?}");
    let weights = weighted.weights.as_ref().expect("weights");
    for (group, block) in centred.factors.blocks().iter().enumerate() {
        let bias = block.as_ref().and_then(Factors::bias).expect("a mean");
        let rows = centred.factors.ids_of(group);
        let weight: f64 = rows.iter().map(|&id| weights[id as usize]).sum();
        for (column, &bias) in bias.iter().enumerate() {
            let sum: f64 = rows.iter().map(|&id| weights[id as usize] * f64::from(table[[id as usize, column]])).sum();
            approx::assert_relative_eq!(f64::from(bias), sum / weight, max_relative = 1e-6);
        }
    }
    // The spectrum is that of the rest, relative to the table as it was.
    let total = weighted.energy(&widened(table.view()));
    approx::assert_relative_eq!(centred.spectrum.total_energy(), total, max_relative = 1e-12);
    assert!(centred.spectrum.error_at(0) < 0.1, "{:?}", centred.spectrum.error_curve());
    assert_eq!(centred.spectrum.bytes_at(0), 60 + 2 * 4 * 6, "a byte a row, and the means");
}

#[test]
fn means_that_would_not_pay_stay() {
    // Pairs of opposite rows have no mean.
    let half = random::normal((20, 5), 102);
    let table = concatenate![Axis(0), half, -&half];
    let method = BlockwiseSvd::new(interleaved(40, 1), 800);
    let weighted = Weighted::plain(&table);
    assert_eq!(
        weighted.decompose_with(method.clone().with_mean_removal(MeanRemoval::IfBetter)),
        weighted.decompose_with(method)
    );
}

#[test]
fn equal_rows_are_one_direction() {
    let table = random::normal((1, 5), 103).broadcast((12, 5)).expect("rows").to_owned();
    let weighted = Weighted::plain(&table);
    for mean_removal in [MeanRemoval::Never, MeanRemoval::IfBetter, MeanRemoval::Always] {
        let method = BlockwiseSvd::new(interleaved(12, 2), usize::MAX).with_mean_removal(mean_removal);
        let decomposition = weighted.decompose_with(method);
        assert_eq!(decomposition.factors.ranks(), [1, 1]);
        assert!(decomposition.relative_error < 1e-6);
    }
    let zeros = Array2::zeros((4, 3));
    let method = BlockwiseSvd::new(interleaved(4, 2), 1000).with_mean_removal(MeanRemoval::IfBetter);
    assert_eq!(Weighted::plain(&zeros).decompose_with(method).factors.ranks(), [0, 0]);
}
