//! What a new process needs for a table.
#![allow(clippy::print_stdout, reason = "the table is what the bench is for")]

use std::{path::Path, time::Instant};

use factorized_embedding::TokenId;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

use crate::{IDS, MEMORY, anonymous::anonymous, kind::Kind};

/// Opens a table, looks up ids twice and prints a line.
pub(crate) fn print(path: &Path, kind: Kind, [rows, dim]: [usize; 2]) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut draw = || -> Vec<TokenId> { (0..IDS).map(|_| rng.random_range(0..rows as TokenId)).collect() };
    let ids = [draw(), draw()];
    let before = anonymous();

    let start = Instant::now();
    let layer = kind.open(path).expect("a file that was just written");
    let mut milliseconds = vec![start.elapsed().as_secs_f64() * 1e3];
    let vectors = ids.each_ref().map(|ids| {
        let start = Instant::now();
        let vectors = layer.lookup(ids).expect("ids of the table");
        milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
        vectors
    });
    let after = anonymous();

    assert_eq!([layer.vocab_size(), layer.dim()], [rows, dim]);
    for (ids, vectors) in ids.iter().zip(&vectors) {
        if kind == Kind::Codes {
            assert!(vectors.iter().all(|number| number.is_finite()) && vectors.iter().any(|&number| number != 0.0));
            continue;
        }
        for (&id, vector) in ids.iter().zip(vectors.rows()) {
            let written = |column| f32::from(Kind::number(id as usize, column));
            assert!(vector.iter().enumerate().all(|(column, &number)| number == written(column)), "row {id}");
        }
    }
    let megabytes = |bytes: Option<u64>| bytes.map_or("?".to_owned(), |bytes| format!("{:.1}", bytes as f64 / 1e6));
    let file = path.metadata().expect("the file").len() as f64 / 1e6;
    print!("{:<14} {file:>9.1}", kind.name());
    println!(
        " {:>8.2} {:>10.2} {:>10.2} {:>8} {:>8}",
        milliseconds[0],
        milliseconds[1],
        milliseconds[2],
        megabytes(before),
        megabytes(after)
    );
    let grown = after.zip(before).map_or(0, |(after, before)| after.saturating_sub(before));
    assert!(grown < MEMORY, "anonymous memory has grown by {grown} bytes");
}
