//! What reports say.

use factorized_embedding::quantize::{Budget, PartBytes, Quantizer};

use crate::tables::{counts, harmonic, quantize};

#[test]
fn reports_count_what_is_there() {
    let table = harmonic(2000, 80, 1);
    let quantizer = Quantizer::new(Budget::Ratio(10.0)).with_row_weights(counts(2000)).with_groups(5).expect("groups");
    let quantization = quantize(&quantizer, &table);
    let (factors, report) = (quantization.factors, quantization.report);
    let PartBytes { codes, directions, scales, groups, mean } = report.part_bytes;
    assert_eq!(codes + directions + scales + groups + mean, factors.size_in_bytes());
    assert_eq!(report.shape, [2000, 80]);
    let ratio = 4.0 * 2000.0 * 80.0 / factors.size_in_bytes() as f64;
    assert!((report.ratio - ratio).abs() < 1e-9 && (report.bits_per_weight * ratio - 32.0).abs() < 1e-9);
    assert_eq!(report.groups.len(), 5);
    assert_eq!(report.groups.iter().map(|group| group.rows).sum::<usize>(), 2000);
    let of_rows: usize = report.groups.iter().map(|group| group.rows * group.row_bytes).sum();
    assert_eq!(of_rows + 16, codes, "and 16 bytes of padding");
    for (group, widths) in report.groups.iter().zip(factors.widths().rows()) {
        for (width, &directions) in group.directions.iter().enumerate() {
            assert_eq!(directions, widths.iter().filter(|&&other| usize::from(other) == width).count());
        }
    }
    assert!(report.groups.windows(2).all(|pair| pair[0].row_bytes >= pair[1].row_bytes), "{:?}", report.groups);
}

#[test]
fn reports_can_be_read() {
    let table = harmonic(2000, 80, 1);
    let report = quantize(&Quantizer::balanced(), &table).report;
    let text = report.to_string();
    let expected = [
        format!("{:.4}", report.relative_error),
        format!("{:.2} bits a number", report.bits_per_weight),
        format!("{:>12}", report.part_bytes.codes),
    ];
    for expected in expected {
        assert!(text.contains(&expected), "{expected} is not in\n{text}");
    }
    assert_eq!(text.lines().count(), 9 + report.groups.len() + report.advice.len(), "{text}");
}

#[test]
fn advice_holds() {
    let table = harmonic(3000, 80, 2);
    let mut kinds = [false; 2];
    for ratio in [1.5, 8.0] {
        let report = quantize(&Quantizer::new(Budget::Ratio(ratio)), &table).report;
        for advice in report.advice {
            let other = quantize(&Quantizer::new(Budget::Ratio(advice.ratio)), &table).report;
            let times = other.relative_error / report.relative_error;
            assert!((times / advice.error - 1.0).abs() < 0.1, "{advice}: {times} times the error");
            kinds[usize::from(advice.error < 1.0)] = true;
        }
    }
    assert_eq!(kinds, [true; 2], "advice of both kinds");
}
