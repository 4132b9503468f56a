//! Checkpoints are copied piece by piece: what their other tensors take on the disk is not taken in memory.
//!
//! The allocator of this binary counts the bytes that are alive, of all threads: there is one test, and no other beside it.
#![cfg(feature = "safetensors")]

#[path = "support/allocator.rs"]
mod allocator;
#[path = "support/mod.rs"]
mod support;

use std::fs::OpenOptions;

use allocator::peak_of;
use factorized_embedding::{
    Factors,
    io::hugging_face::{Checkpoint, Replacement},
};
use ndarray::Array2;
use support::files::{Folder, file, header};

const ROWS: usize = 2_000;
const DIM: usize = 16;
/// Numbers of the other tensor.
const OTHERS: [usize; 2] = [1 << 20, 8 << 20];
/// Bytes by which names and sizes in digits may differ.
const NOISE: usize = 4096;

/// Bytes at the peak of compressing and of restoring.
fn peaks(other: usize) -> [usize; 2] {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("model")).expect("a writable folder");
    let (text, size) = header(None, &[("wte.weight", "F32", 4, &[ROWS, DIM]), ("other", "F32", 4, &[other])]);
    let path = folder.write("model/model.safetensors", &file(&text, &[]));
    // Zeros that nobody has written.
    let sparse = OpenOptions::new().write(true).open(path).expect("the file");
    sparse.set_len((8 + text.len() + size) as u64).expect("a writable file");

    let checkpoint = Checkpoint::open(folder.path("model")).expect("a valid checkpoint");
    let factors = Factors::new(Array2::zeros((ROWS, 2)), Array2::zeros((2, DIM))).expect("factors");
    let replacement = Replacement::factors("made up", factors);
    let (small, whole) = (folder.path("small"), folder.path("whole"));
    let (_, compress) =
        peak_of(|| checkpoint.save_with("wte.weight", &replacement, &small, |_, _| Ok(())).expect("space"));
    let compressed = Checkpoint::open(&small).expect("what was just written");
    let (_, restore) = peak_of(|| compressed.restore(&whole, |_, _| Ok(())).expect("space"));
    assert_eq!(Checkpoint::open(&whole).expect("what was just written").tensors().count(), 2);
    [compress, restore]
}

#[test]
fn other_tensors_are_never_in_memory() {
    // What a thread keeps for its next call is allocated now.
    peaks(1);
    let [few, many] = OTHERS.map(peaks);
    for ((few, many), what) in few.iter().zip(many).zip(["compressing", "restoring"]) {
        assert!(many <= few + NOISE, "{what}: {few} bytes for {} numbers, {many} for {}", OTHERS[0], OTHERS[1]);
    }
}
