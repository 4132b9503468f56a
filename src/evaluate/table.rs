//! A comparison as a table.

use std::fmt;

use super::{Comparison, Cost};

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![["".to_owned(), "reference".to_owned(), "candidate".to_owned()]];
        let mut costs = |name: &str, value: &dyn Fn(&Cost) -> String| {
            rows.push([name.to_owned(), value(&self.reference), value(&self.candidate)]);
        };
        costs("parameters", &|cost| grouped(cost.num_parameters));
        costs("bytes", &|cost| grouped(cost.size_in_bytes));
        costs("lookup, ns a token", &|cost| format!("{:.1}", cost.lookup_nanoseconds));
        let mut measure = |name: &str, value: String| rows.push([name.to_owned(), String::new(), value]);
        measure("times smaller than f32", format!("{:.2}", self.ratio));
        measure("relative error", format!("{:.4}", self.relative_error));
        if let Some(error) = self.weighted_relative_error {
            measure("weighted relative error", format!("{error:.4}"));
        }
        measure("mean cosine", format!("{:.4}", self.mean_cosine));
        measure("least cosine", format!("{:.4}", self.min_cosine));
        measure("recall of 10 neighbours", format!("{:.4}", self.neighbour_recall));

        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2)];
        let lines = rows.iter().map(|[name, reference, candidate]| {
            format!("{name:<0$}  {reference:>1$}  {candidate:>2$}", widths[0], widths[1], widths[2])
        });
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

/// 1234567 as 1,234,567.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
