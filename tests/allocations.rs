//! Calls that write into the caller's array allocate nothing after the first on a thread.
//!
//! The allocator of this binary counts what each thread asks for; the layers work on this thread alone, in a pool of one.
#![cfg(feature = "rayon")]

#[path = "support/allocator.rs"]
mod allocator;

use allocator::allocations_of;
use factorized_embedding::{
    Bags, BlockFactors, BlockwiseEmbedding, DenseEmbedding, Embedding, FactorizedEmbedding, Factors, Pooling,
    RepeatedIds, TokenId,
};
#[cfg(feature = "decompose")]
use factorized_embedding::{
    QuantizedEmbedding,
    quantize::{Budget, Level, Quantizer},
};
use ndarray::{Array1, Array2, ArrayViewMut2, s};

const VOCAB_SIZE: usize = 700;
const RANK: usize = 40;
/// Beyond the pieces of 128 columns of products with a whole table.
const DIM: usize = 150;

fn numbers(shape: (usize, usize)) -> Array2<f32> {
    Array2::from_shape_fn(shape, |(i, j)| ((7 * i + 3 * j) % 101) as f32 / 50.0 - 1.0)
}

fn ids(len: usize) -> Vec<TokenId> {
    (0..len as TokenId).map(|i| i * i % VOCAB_SIZE as TokenId).collect()
}

/// Calls once, then counts what the second call allocates.
#[track_caller]
fn assert_allocates_nothing(what: &str, out: &mut Array2<f32>, mut call: impl FnMut(ArrayViewMut2<'_, f32>)) {
    call(out.view_mut());
    let ((), allocations) = allocations_of(|| call(out.view_mut()));
    assert_eq!(allocations, 0, "allocations of {what}");
}

fn check_layer(name: &str, layer: &dyn Embedding) {
    // More ids than are planned at a time.
    for n in [1, 5, 64, 33_000] {
        let ids = ids(n);
        let mut out = Array2::zeros((n, DIM));
        assert_allocates_nothing(&format!("{name}: lookup of {n}"), &mut out, |out| {
            layer.lookup_into(&ids, out).expect("ids of the vocabulary");
        });
        let mut wide = Array2::zeros((n, 2 * DIM));
        assert_allocates_nothing(&format!("{name}: strided lookup of {n}"), &mut wide, |mut out| {
            layer.lookup_into(&ids, out.slice_mut(s![.., ..;2])).expect("ids of the vocabulary");
        });
        let offsets: Vec<usize> = (0..n).step_by(100).collect();
        let weights = vec![0.5; n];
        let mut out = Array2::zeros((offsets.len(), DIM));
        for pooling in [Pooling::Sum, Pooling::Mean, Pooling::Max] {
            let mut bags = Bags::new(&ids, &offsets, pooling).expect("rising offsets");
            if pooling == Pooling::Sum {
                bags = bags.with_weights(&weights).expect("a weight for each id");
            }
            assert_allocates_nothing(&format!("{name}: {pooling} of {n}"), &mut out, |out| {
                layer.bag_into(&bags, out).expect("ids of the vocabulary");
            });
        }
    }
    for n in [1, 30] {
        let (hidden, mut out) = (numbers((n, DIM)), Array2::zeros((n, VOCAB_SIZE)));
        assert_allocates_nothing(&format!("{name}: logits of {n}"), &mut out, |out| {
            layer.logits_into(hidden.view(), out).expect("shapes that fit");
        });
        let (weights, mut out) = (numbers((n, VOCAB_SIZE)), Array2::zeros((n, DIM)));
        assert_allocates_nothing(&format!("{name}: soft lookup of {n}"), &mut out, |out| {
            layer.soft_lookup_into(weights.view(), out).expect("shapes that fit");
        });
    }
}

/// Three groups, one of them of rank 0.
fn blockwise() -> BlockwiseEmbedding {
    let bias = Array1::linspace(0.0, 1.0, DIM);
    let block = |rows, rank| Factors::new(numbers((rows, rank)), numbers((rank, DIM)));
    let blocks = [block(VOCAB_SIZE / 7, RANK), block(4 * VOCAB_SIZE / 7, 3).and_then(|block| block.with_bias(bias))];
    let mut blocks: Vec<_> = blocks.into_iter().map(|block| Some(block.expect("shapes that fit"))).collect();
    blocks.push(None);
    let group_of = (0..VOCAB_SIZE).map(|row| [0, 1, 2, 1, 1, 2, 1][row % 7]).collect();
    let layer = BlockwiseEmbedding::new(BlockFactors::new(group_of, blocks, DIM).expect("factors that fit the groups"));
    layer.with_padding_id(3).expect("an id of the vocabulary")
}

/// Four groups.
#[cfg(feature = "decompose")]
fn quantized(level: Level) -> QuantizedEmbedding {
    let quantizer = Quantizer::new(Budget::BitsPerWeight(4.0)).with_level(level).with_groups(4).expect("a few groups");
    let table =
        Array2::from_shape_fn((VOCAB_SIZE, DIM), |(i, j)| ((i * i + 31 * j * i + 7 * j) % 97) as f32 / 48.0 - 1.0);
    let factors = quantizer.quantize(table.view()).expect("a table that can be quantized").factors;
    QuantizedEmbedding::new(factors).with_padding_id(3).expect("an id of the vocabulary")
}

#[test]
fn calls_into_the_callers_arrays_allocate_nothing() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread pool");
    pool.install(|| {
        let bias = Array1::linspace(0.0, 1.0, DIM);
        let factors = Factors::new(numbers((VOCAB_SIZE, RANK)), numbers((RANK, DIM)));
        let factors = factors.and_then(|factors| factors.with_bias(bias)).expect("shapes that fit");
        let layer = FactorizedEmbedding::new(factors).with_padding_id(3).expect("an id of the vocabulary");
        let hot = layer.clone().with_hot_rows(&ids(50), 1 << 20).expect("ids of the vocabulary");
        assert!(hot.num_hot_rows() > 20);
        for repeated_ids in [RepeatedIds::Compute, RepeatedIds::Copy, RepeatedIds::Automatic] {
            check_layer(&format!("{repeated_ids:?}"), &layer.clone().with_repeated_ids(repeated_ids));
            check_layer(&format!("hot, {repeated_ids:?}"), &hot.clone().with_repeated_ids(repeated_ids));
        }
        check_layer("f16", &layer.to_f16().expect("small numbers"));
        check_layer("int8", &layer.to_int8().expect("small numbers"));
        check_layer("dense", &layer.to_dense().expect("finite products"));
        for repeated_ids in [RepeatedIds::Compute, RepeatedIds::Copy, RepeatedIds::Automatic] {
            check_layer(&format!("blockwise, {repeated_ids:?}"), &blockwise().with_repeated_ids(repeated_ids));
        }
        check_layer("blockwise int8", &blockwise().to_int8().expect("small numbers"));
        #[cfg(feature = "decompose")]
        for level in [Level::Scalar, Level::Trellis] {
            let layer = quantized(level);
            for repeated_ids in [RepeatedIds::Compute, RepeatedIds::Copy, RepeatedIds::Automatic] {
                check_layer(&format!("{level:?}, {repeated_ids:?}"), &layer.clone().with_repeated_ids(repeated_ids));
            }
        }
        let table = numbers((VOCAB_SIZE, DIM));
        check_layer("borrowed", &DenseEmbedding::new(&table).expect("finite numbers"));

        let ids = ids(300);
        let (mut rank_rows, mut out) = (Array2::zeros((300, RANK)), Array2::zeros((300, DIM)));
        assert_allocates_nothing("lookup in rank space", &mut rank_rows, |out| {
            layer.lookup_rank_into(&ids, out).expect("ids of the vocabulary");
        });
        assert_allocates_nothing("projection", &mut out, |out| {
            layer.project_into(rank_rows.view(), out).expect("shapes that fit");
        });
    });
}

#[test]
fn the_allocator_counts() {
    let ((), allocations) = allocations_of(|| drop(std::hint::black_box(vec![0_u8; 100])));
    assert_eq!(allocations, 1);
}
