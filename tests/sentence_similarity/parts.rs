//! Rank correlation, and files of comma-separated values.

use crate::{
    csv::{Record, records},
    spearman::{ranks, spearman},
};

#[test]
fn equal_numbers_have_the_mean_of_their_ranks() {
    assert_eq!(ranks(&[]), [0.0; 0]);
    assert_eq!(ranks(&[7.0]), [1.0]);
    assert_eq!(ranks(&[0.3, 0.1, 0.2]), [3.0, 1.0, 2.0]);
    assert_eq!(ranks(&[5.0, 1.0, 5.0, 0.0, 5.0]), [4.0, 2.0, 4.0, 1.0, 4.0]);
    assert_eq!(ranks(&[2.0; 4]), [2.5; 4]);
    assert_eq!(ranks(&[0.0, -0.0, 1.0]), [1.5, 1.5, 3.0]);
}

#[test]
fn correlation_is_of_ranks_not_of_numbers() {
    let close = |a: &[f64], b: &[f64], expected: f64| {
        let actual = spearman(a, b);
        assert!((actual - expected).abs() < 1e-12, "{actual}, expected {expected}");
    };
    close(&[1.0, 2.0, 3.0], &[1.0, 10.0, 1e9], 1.0);
    close(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0], -1.0);
    // Without ties: 1 − 6 Σ d² / (n (n² − 1)), with d = 0, 1, 1, 1, 1, 2.
    close(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[1.0, 3.0, 2.0, 4.0, 7.0, 3.5], 1.0 - 6.0 * 8.0 / 210.0);
    // With ties: ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4 have covariance 4.5 and squares 4.5 and 5.
    close(&[1.0, 2.0, 2.0, 3.0], &[1.0, 3.0, 2.0, 4.0], 4.5 / (4.5_f64 * 5.0).sqrt());
    assert!(spearman(&[1.0, 1.0], &[1.0, 2.0]).is_nan());
}

fn fields(text: &str) -> Vec<Vec<String>> {
    records(text).expect("valid values").into_iter().map(|record| record.fields).collect()
}

#[test]
fn quoted_fields_hold_commas_quotes_and_line_ends() {
    assert_eq!(fields("a,b,1\nc,d,2\n"), [["a", "b", "1"], ["c", "d", "2"]]);
    assert_eq!(fields("a,b,1\r\nc,d,2"), [["a", "b", "1"], ["c", "d", "2"]]);
    assert_eq!(fields("\"a, b\",\"say \"\"so\"\"\",1\n"), [["a, b", "say \"so\"", "1"]]);
    assert_eq!(fields("\"\",,\"\"\"\"\n"), [["", "", "\""]]);
    assert_eq!(fields("\u{feff}5'2\" tall,b,1"), [["5'2\" tall", "b", "1"]]);
    assert_eq!(fields("a,b,"), [["a", "b", ""]]);
    let expected = [(1, ["two\nlines", "b"]), (4, ["c", "d"])];
    let expected = expected.map(|(line, fields)| Record { line, fields: fields.map(str::to_owned).to_vec() });
    assert_eq!(records("\"two\nlines\",b\n\nc,d\n"), Ok(expected.into()));
    assert_eq!(records("\n\r\n"), Ok(vec![]));
}

#[test]
fn quotes_that_make_no_sense_are_refused() {
    assert_eq!(records("a,b\n\"c,d\n"), Err("line 2: a quote is not closed".to_owned()));
    let behind = "line 1: something stands behind a closed quote, expected a comma";
    assert_eq!(records("\"a\"b,c\n"), Err(behind.to_owned()));
}
