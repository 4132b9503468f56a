//! Decompositions of a table that is larger than memory ought to hold: file in, file out, and the memory that they take.
//!
//! Writes a safetensors file of 1,000,000 × 384 `f32` block by block, decomposes it at rank 96, writes the factors to another
//! file, and prints a line for each pass: seconds, rate, the largest anonymous memory (`RssAnon`) of the process, and the
//! relative error. The Gram route has to stay under [`MEMORY`] for as many rows as one likes, so it runs again on twice as
//! many. It asserts this, and that the errors are those that follow from how the table was drawn.
//!
//! `cargo bench --bench large -- --help` says how to choose another size or folder. The files (3 GB and 0.8 GB at a time) are
//! removed, also when something fails.

#[path = "../support/anonymous.rs"]
mod anonymous;
mod memory;
mod report;
mod routes;
mod table;

use std::path::{Path, PathBuf};

use clap::Parser;

use report::Report;
use routes::Route;
use table::LargeTable;

/// Bytes of anonymous memory that the Gram route may take.
const MEMORY: u64 = 150_000_000;
/// Rows of a quick run.
const TEST_ROWS: usize = 20_000;

/// Decomposes a table in a file, and says what memory that took.
#[derive(Parser)]
struct Arguments {
    /// Rows of the table; the Gram route decomposes a second one of twice as many.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Columns of the table.
    #[arg(long, default_value_t = 384)]
    dim: usize,
    /// Rank of the factors, at most a third of the columns.
    #[arg(long, default_value_t = 96)]
    rank: usize,
    /// Where the files stand while they are needed [default: the system's folder for temporary files].
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Only sees that everything works, on 20,000 rows.
    #[arg(long)]
    test: bool,
    /// What cargo tells every bench.
    #[arg(long, hide = true)]
    bench: bool,
    /// Runs only if this is a part of the name of this bench, "large", as others choose their groups.
    filter: Option<String>,
}

fn main() {
    let arguments = Arguments::parse();
    if arguments.filter.is_some_and(|filter| !"large".contains(&filter)) {
        return;
    }
    let Arguments { dim, rank, .. } = arguments;
    assert!(rank <= LargeTable::directions(dim), "only a third of the directions stand out of the noise");
    let rows = if arguments.test { TEST_ROWS.min(arguments.rows) } else { arguments.rows };
    let folder = arguments.folder.unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("large").tempdir_in(folder).expect("a folder to write to");

    let report = Report::begin(rank);
    // The large one first: an allocator keeps some of what other routes gave back.
    run(&report, folder.path(), LargeTable { rows: 2 * rows, dim }, rank, &[Route::Gram]);
    run(&report, folder.path(), LargeTable { rows, dim }, rank, &Route::ALL);
}

fn run(report: &Report, folder: &Path, table: LargeTable, rank: usize, routes: &[Route]) {
    let [from, to] = ["table.safetensors", "factors.safetensors"].map(|name| folder.join(name));
    let written = report::pass(1, || table.write(&from));
    report.line("(the table)", &table, "written", &written, None);
    for &route in routes {
        let first = report::pass(route.passes(), || route.basis(&from, rank));
        report.line(route.name(), &table, route.first_pass(), &first, None);
        let basis = &first.result;
        let second = report::pass(1, || routes::save(&from, &to, basis));
        let error = second.result;
        report.line(route.name(), &table, "U into a file", &second, Some(error));

        let (expected, tolerance) = (table.expected_error(rank), table.tolerance(rank));
        let slack = route.error_over_optimum();
        assert!(
            error >= expected * (1.0 - tolerance) && error <= expected * (1.0 + tolerance) * slack,
            "{}: relative error {error}, expected {expected} up to {tolerance} of it",
            route.name()
        );
        // What exact methods promise; the spectrum of the others is an upper bound.
        let promised = basis.spectrum().error_at(rank);
        let least = if slack > 1.0 { 0.0 } else { promised - 1e-5 };
        assert!(
            (least..promised + 1e-5).contains(&error),
            "{}: relative error {error}, {promised} by its spectrum",
            route.name()
        );
        for peak in [first.peak, second.peak].into_iter().flatten() {
            assert!(route != Route::Gram || peak < MEMORY, "the Gram route took {peak} bytes");
        }
    }
}
