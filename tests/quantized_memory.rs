//! A mapped table of codes takes memory for its directions, not for its rows.
//!
//! The allocator of this binary counts the bytes that are alive, of all threads: there is one test, and no other beside it.
#![cfg(feature = "safetensors")]

#[path = "support/allocator.rs"]
mod allocator;

use std::path::Path;

use allocator::{alive, peak_of};
use factorized_embedding::{Embedding, QuantizedEmbedding, TokenId, io::safetensors::load_quantized};

const DIM: usize = 16;
const ROWS: [usize; 2] = [64_000, 640_000];
/// Bytes by which names, sizes in text and the like may differ.
const NOISE: usize = 1024;

/// A file of rows of eight bits for each number, all in group 0, in the directions of a Hadamard transform.
fn write(path: &Path, rows: usize, ranges: bool) {
    let blocks = rows.div_ceil(64);
    let scales: Vec<u8> = [0x00, 0x3c].repeat(DIM);
    let mut tensors = vec![];
    if ranges {
        tensors.push(("groups", "U32", vec![1], vec![0; 4]));
    } else {
        let offsets = (0..blocks).flat_map(|block| ((64 * DIM * block) as u32).to_le_bytes()).collect();
        tensors.push(("offsets", "U32", vec![blocks], offsets));
        tensors.push(("groups", "U8", vec![rows.div_ceil(2)], vec![0; rows.div_ceil(2)]));
    }
    tensors.push(("scales", "F16", vec![DIM], scales));
    tensors.push(("widths", "U8", vec![1, DIM / 2], vec![0x88; DIM / 2]));
    let codes: Vec<u8> = (0..rows * DIM).map(|i| (i % 251) as u8).chain([0; 16]).collect();
    tensors.push(("codes", "U8", vec![codes.len()], codes));
    let format = r#""format":"factorized-embedding-quantized","version":"1","level":"scalar""#;
    let sizes = format!(r#""vocab_size":"{rows}","rank":"{DIM}","dim":"{DIM}","log2_unit":"0","hadamard_seed":"1""#);
    let mut header = format!(r#"{{"__metadata__":{{{format},{sizes}}}"#);
    let mut data = Vec::new();
    for (name, dtype, shape, bytes) in tensors {
        let end = data.len() + bytes.len();
        header +=
            &format!(r#","{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{},{end}]}}"#, data.len());
        data.extend(bytes);
    }
    header.push('}');
    std::fs::write(path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat())
        .expect("a file");
}

/// The bytes that a layer over a mapped file keeps, and those at the peak of loading it and looking up some of its rows.
fn bytes_of(path: &Path, rows: usize) -> [usize; 2] {
    let ids: Vec<TokenId> = (0..1000).map(|i| ((i * 7919) % rows) as TokenId).collect();
    let before = alive();
    let (kept, peak) = peak_of(|| {
        let embedding = QuantizedEmbedding::new(load_quantized(path).expect("a valid file"));
        let kept = alive() - before;
        let vectors = embedding.lookup(&ids).expect("ids of the table");
        assert!(vectors.iter().any(|&number| number != 0.0));
        kept
    });
    [kept, peak]
}

#[test]
fn loading_and_looking_up_take_no_memory_for_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    for ranges in [false, true] {
        let [few, many] = ROWS.map(|rows| {
            let path = folder.path().join(format!("{rows}-{ranges}"));
            write(&path, rows, ranges);
            // What a thread keeps for its next lookup is allocated once.
            bytes_of(&path, rows);
            bytes_of(&path, rows)
        });
        for (what, few, many) in [("kept", few[0], many[0]), ("at the peak", few[1], many[1])] {
            assert!(few.abs_diff(many) <= NOISE, "{what}: {few} bytes for {} rows, {many} for {}", ROWS[0], ROWS[1]);
        }
        // Far less than a byte a row, or than the smallest of the tensors that are for rows.
        assert!(many[0] < ROWS[1] / 16, "{} bytes kept", many[0]);
    }
}
