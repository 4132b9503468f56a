//! The committed corpora of the fuzz targets, through the bodies of the targets: `fuzz/run.sh` makes and grows them.
//!
//! The allocator of this binary counts the allocations of all threads: there is one test, and no other beside it.
#![cfg(all(feature = "gzip", feature = "npy", feature = "safetensors", feature = "word-vectors"))]

#[path = "support/allocator.rs"]
mod allocator;
#[path = "../fuzz/bodies/mod.rs"]
mod bodies;

use std::{fs, path::Path};

use allocator::largest_of;

/// Of the bytes of a corpus, which has to stay small.
const MAX_CORPUS_BYTES: u64 = 64 << 10;
/// No file of a few bytes takes a larger allocation: the buffers of readers are smaller, and headers are not believed.
const MAX_ALLOCATION: usize = 4 << 20;

#[test]
fn every_input_is_a_value_or_an_error() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder of inputs").map(|entry| entry.expect("an entry"));
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&corpora), bodies::BODIES.map(|(name, _)| name), "a corpus for each target");
    for (target, body) in bodies::BODIES {
        let mut bytes = 0;
        for name in names(&corpora.join(target)) {
            let input = fs::read(corpora.join(target).join(&name)).expect("an input");
            bytes += input.len() as u64;
            let (outcome, largest) = largest_of(|| std::panic::catch_unwind(|| bodies::run(body, &input)));
            assert!(outcome.is_ok(), "{target}/{name} ends in a panic");
            assert!(largest <= MAX_ALLOCATION, "{target}/{name} allocates {largest} bytes at once");
        }
        assert!((1..=MAX_CORPUS_BYTES).contains(&bytes), "the corpus of {target} has {bytes} bytes");
    }
}
