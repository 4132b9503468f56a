//! Medians as a Markdown table.

use std::fmt::Write;

use serde_json::Value;

/// A line a workload, a column a contender: microseconds.
pub(crate) fn markdown(results: &[Value]) -> String {
    let mut contenders: Vec<&str> = Vec::new();
    let mut workloads: Vec<(&str, u64)> = Vec::new();
    for result in results {
        let (workload, contender) = (text(result, "workload"), text(result, "contender"));
        let workload = (workload, result["threads"].as_u64().unwrap_or_default());
        if !contenders.contains(&contender) {
            contenders.push(contender);
        }
        if !workloads.contains(&workload) {
            workloads.push(workload);
        }
    }
    let mut table = format!("| medians in µs | threads | {} |\n", contenders.join(" | "));
    let _ = writeln!(table, "| --- | ---: |{}", " ---: |".repeat(contenders.len()));
    for (workload, threads) in workloads {
        let _ = write!(table, "| {workload} | {threads} |");
        for contender in &contenders {
            let result = results.iter().find(|result| {
                text(result, "workload") == workload
                    && result["threads"] == threads
                    && text(result, "contender") == *contender
            });
            let median = result.and_then(|result| result["median_us"].as_f64());
            let _ = write!(table, " {} |", median.map_or("".to_owned(), |median| format!("{median:.1}")));
        }
        table.push('\n');
    }
    table
}

fn text<'a>(result: &'a Value, key: &str) -> &'a str {
    result[key].as_str().unwrap_or_default()
}
