//! Mapped tables: the time and the memory from opening a file to the vectors of 1,000 ids.
//!
//! Writes files of 250,000 × 384 numbers as `f32`, `f16`, `int8` and codes of 8 bits, and opens each in a process of its own, so
//! that no memory of another one counts. Prints a line for each: milliseconds for opening, for the first 1,000 random ids and
//! for 1,000 others, and the anonymous memory (`RssAnon`) of the process before the file is opened and after the lookups. It
//! asserts that this grows by less than [`MEMORY`], and that the vectors are those that were written.
//!
//! The files have just been written and stand in the system's cache: no disk is measured. `cargo bench --bench mapped --
//! --help` says how to choose another size or folder. The files (0.8 GB together) are removed.
#![allow(clippy::print_stdout, reason = "the table is what the bench is for")]

#[path = "../support/anonymous.rs"]
mod anonymous;
mod kind;
mod measure;

use std::{path::PathBuf, process::Command};

use clap::Parser;

use kind::Kind;

/// Bytes by which the anonymous memory may grow, 1.5 MB for the vectors among them.
const MEMORY: u64 = 8_000_000;
/// Ids of a lookup.
const IDS: usize = 1000;
/// Rows of a quick run.
const TEST_ROWS: usize = 5_000;

/// Opens mapped tables, and says what time and memory that takes.
#[derive(Parser)]
struct Arguments {
    /// Rows of the tables.
    #[arg(long, default_value_t = 250_000)]
    rows: usize,
    /// Columns of the tables, an even number.
    #[arg(long, default_value_t = 384)]
    dim: usize,
    /// Where the files stand while they are needed [default: the system's folder for temporary files].
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Only sees that everything works, on 5,000 rows.
    #[arg(long)]
    test: bool,
    /// What cargo tells every bench.
    #[arg(long, hide = true)]
    bench: bool,
    /// Measures this file in this process, which is new.
    #[arg(long, hide = true, requires = "kind")]
    file: Option<PathBuf>,
    /// What the file holds.
    #[arg(long, hide = true)]
    kind: Option<Kind>,
    /// Runs only if this is a part of the name of this bench, "mapped", as others choose their groups.
    filter: Option<String>,
}

fn main() {
    let arguments = Arguments::parse();
    let Arguments { rows, dim, .. } = arguments;
    if let (Some(file), Some(kind)) = (arguments.file, arguments.kind) {
        return measure::print(&file, kind, [rows, dim]);
    }
    if arguments.filter.is_some_and(|filter| !"mapped".contains(&filter)) {
        return;
    }
    let rows = if arguments.test { TEST_ROWS.min(rows) } else { rows };
    let folder = arguments.folder.unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("mapped").tempdir_in(folder).expect("a folder to write to");
    let program = std::env::current_exe().expect("the path of this program");

    println!("{rows} × {dim}, {IDS} random ids; milliseconds, and RssAnon in MB\n");
    println!(
        "{:<14} {:>9} {:>8} {:>10} {:>10} {:>8} {:>8}",
        "table", "file, MB", "open", "first ids", "other ids", "before", "after"
    );
    for kind in Kind::ALL {
        let path = folder.path().join("table.safetensors");
        kind.write(&path, [rows, dim]);
        let mut child = Command::new(&program);
        child.args(["--kind", kind.name(), "--rows", &rows.to_string(), "--dim", &dim.to_string(), "--file"]);
        let status = child.arg(&path).status().expect("this program once more");
        assert!(status.success(), "{}: see above", kind.name());
    }
}
