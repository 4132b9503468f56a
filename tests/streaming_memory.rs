//! Decompositions of tables in blocks take memory for blocks, not for tables.
//!
//! The allocator of this binary counts the bytes that are alive, of all threads: there is one test, and no other beside it.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

#[path = "support/allocator.rs"]
mod allocator;

use std::path::Path;

use allocator::peak_of;
use factorized_embedding::{
    Basis, GramAccumulator, IteratorRows, Products, RandomizedSvd, Rank, Result, RowBlocks, SvdRoute, TruncatedSvd,
    io::safetensors::{SafetensorsRows, save_decomposed},
};
use ndarray::Array2;
use rand::{SeedableRng, rngs::ChaCha8Rng};

const DIM: usize = 64;
const RANK: usize = 8;
/// Rows of a block of the source: several of those that a method cuts off it.
const BLOCK_ROWS: usize = 4096;
/// One of them ends within a block.
const ROWS: [usize; 2] = [20_000, 80_000];
/// Bytes by which lists of nothing but numbers of rows and the like may differ.
const NOISE: usize = 4096;

fn block(first: usize, rows: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, DIM), |(i, j)| ((7 * (first + i) + 3 * j * j) % 101) as f32 / 50.0 - 1.0)
}

fn source(rows: usize) -> impl RowBlocks {
    let blocks = move || {
        let make = move |first| Ok(block(first, BLOCK_ROWS.min(rows - first)));
        (0..rows).step_by(BLOCK_ROWS).map(make)
    };
    IteratorRows::new(rows, DIM, blocks)
}

fn gram(rows: &mut dyn RowBlocks, products: Products) -> Result<Basis> {
    let mut gram = GramAccumulator::new(DIM)?.with_products(products);
    gram.update_from(rows, None, |_| Ok(()))?;
    gram.solve(Rank::Fixed(RANK))
}

/// What is alive at the same time, at most, beside two blocks of the source: the one that is read, and the one before.
struct Most {
    /// Rows that the method works on together, and how many copies of them in `f64` there are.
    rows: usize,
    copies: usize,
    /// Matrices \[dim × dim\] of `f64`.
    matrices: usize,
}

impl Most {
    fn bytes(&self) -> usize {
        2 * size_of::<f32>() * BLOCK_ROWS * DIM
            + size_of::<f64>() * DIM * (self.copies * self.rows + self.matrices * DIM)
    }
}

fn check(name: &str, most: Most, mut work: impl FnMut(usize) -> Result<()>) {
    // Products of matrices keep a scratch of a fixed size for each thread, from their first call on.
    work(ROWS[0]).expect("a finite table");
    let [few, many] = ROWS.map(|rows| {
        let (result, peak) = peak_of(|| work(rows));
        result.unwrap_or_else(|error| panic!("{name}, {rows} rows: {error}"));
        peak
    });
    assert!(many.abs_diff(few) <= NOISE, "{name}: {few} bytes for {} rows, {many} for {}", ROWS[0], ROWS[1]);
    assert!(many <= most.bytes(), "{name}: {many} bytes, {} at most", most.bytes());
}

#[test]
fn memory_does_not_grow_with_the_rows() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread pool");
    pool.install(|| {
        let rank = Rank::Fixed(RANK);
        for products in [Products::F64, Products::F32] {
            // The rows times their weights; the sums of all, of a block and of its part, and what becomes of them in `solve`.
            let most = Most { rows: 2048, copies: 1, matrices: 8 };
            check(&format!("Gram, {products:?}"), most, |rows| gram(&mut source(rows), products).map(drop));
        }
        // The rows, as the factorization takes them, and factorized; nine triangles, and the same of them together.
        let most = Most { rows: 1024, copies: 3, matrices: 4 * 9 };
        check("QR", most, |rows| TruncatedSvd::new(rank).with_route(SvdRoute::Qr).basis(&mut source(rows)).map(drop));
        // The rows and their products with directions; directions, images and what is orthogonalized, no more than dim each.
        let most = Most { rows: 512, copies: 2, matrices: 16 };
        check("randomized", most, |rows| {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            RandomizedSvd::new(rank).basis_with(&mut source(rows), &mut rng).map(drop)
        });

        let bases = ROWS.map(|rows| gram(&mut source(rows), Products::F64).expect("a finite table"));
        let basis = |rows| &bases[usize::from(rows == ROWS[1])];
        // The rows, their U, and what the factors make of it; V as it is and packed, and the buffer of a file.
        let most = || Most { rows: 512, copies: 3, matrices: 4 };
        check("U, dropped", most(), |rows| basis(rows).project(&mut source(rows), None, |_, _| Ok(())).map(drop));
        let folder = tempfile::tempdir().expect("a folder");
        check("U, into a file", most(), |rows| {
            let path = folder.path().join("factors");
            save_decomposed(path, basis(rows), &mut source(rows), None, |_| Ok(())).map(drop)
        });

        let path = |rows: usize| folder.path().join(rows.to_string());
        ROWS.iter().for_each(|&rows| write(&path(rows), rows));
        // As above, and a piece of bytes (256 KiB) for each of the two blocks.
        let most = Most { rows: 2048, copies: 2, matrices: 8 };
        check("Gram, from a file", most, |rows| {
            let mut rows = SafetensorsRows::open(path(rows), "table")?.with_block_rows(BLOCK_ROWS);
            gram(&mut rows, Products::F64).map(drop)
        });
    });
}

/// A safetensors file of the rows of the source.
fn write(path: &Path, rows: usize) {
    let header =
        format!(r#"{{"table":{{"dtype":"F32","shape":[{rows},{DIM}],"data_offsets":[0,{}]}}}}"#, 4 * rows * DIM);
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(block(0, rows).iter().flat_map(|number| number.to_le_bytes()));
    std::fs::write(path, bytes).expect("a file");
}
