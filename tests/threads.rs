//! Whatever the number of threads, the numbers are the same to the bit.
#![cfg(feature = "rayon")]

#[path = "support/mod.rs"]
mod support;

use factorized_embedding::{
    Bags, BlockFactors, BlockwiseEmbedding, Embedding, FactorizedEmbedding, Pooling, RepeatedIds, Shape, TokenId,
};
use ndarray::{Array2, Axis};
use rayon::ThreadPool;

use support::{factor_parts::FactorParts, random};

/// Everything that a layer computes, in calls that are large enough for several threads.
fn everything(layer: &dyn Embedding, ids: &[TokenId]) -> Vec<(String, Array2<f32>)> {
    let offsets: Vec<usize> = (0..ids.len()).step_by(37).collect();
    let hidden = random::normal((100, layer.dim()), 1);
    let weights = random::normal((20, layer.vocab_size()), 2);
    let mut results = vec![("lookup".to_owned(), layer.lookup(ids).expect("ids of the vocabulary"))];
    for pooling in [Pooling::Sum, Pooling::Mean, Pooling::Max] {
        let bags = Bags::new(ids, &offsets, pooling).expect("rising offsets");
        results.push((pooling.to_string(), layer.bag(&bags).expect("ids of the vocabulary")));
    }
    results.push(("logits".to_owned(), layer.logits(hidden.view()).expect("shapes that fit")));
    results.push(("soft lookup".to_owned(), layer.soft_lookup(weights.view()).expect("shapes that fit")));
    let found = [layer.top_k(hidden.view(), 30), layer.nearest(hidden.view(), 30)];
    for (name, found) in ["top_k", "nearest"].into_iter().zip(found) {
        let found = found.expect("shapes that fit");
        results.push((format!("{name} ids"), found.ids.mapv(|id| id as f32)));
        results.push((format!("{name} scores"), found.scores));
    }
    results
}

fn check(name: &str, layer: &dyn Embedding) {
    let ids = random::ids(20_000, layer.vocab_size(), 3);
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    let compute = |pool: &ThreadPool| pool.install(|| everything(layer, &ids));
    let alone = compute(&pool(1));
    for threads in [2, 3, 7] {
        for ((what, alone), (_, together)) in alone.iter().zip(compute(&pool(threads))) {
            assert_eq!(*alone, together, "{name}: {what} with {threads} threads");
        }
    }
}

#[test]
fn threads_change_nothing() {
    let shape = Shape { vocab_size: 5000, rank: 24, dim: 100 };
    let factors = FactorParts::normal(shape, 4).factors();
    let layer = FactorizedEmbedding::new(factors).with_padding_id(11).expect("an id of the vocabulary");
    check("factorized", &layer.clone().with_repeated_ids(RepeatedIds::Compute));
    let most_used: Vec<TokenId> = (0..1000).collect();
    let hot = layer.clone().with_hot_rows(&most_used, 1 << 18).expect("ids of the vocabulary");
    check("with hot rows and repeated ids", &hot.with_repeated_ids(RepeatedIds::Copy));
    check("int8", &layer.to_int8().expect("small numbers"));
    check("dense", &layer.to_dense().expect("finite products"));
    // Of equal scores the lowest ids are found, whichever thread has them.
    let mut parts = FactorParts::normal(shape, 4);
    parts.u = parts.u.select(Axis(0), &(0..5000).map(|id| id % 50).collect::<Vec<_>>());
    check("equal rows", &FactorizedEmbedding::new(parts.factors()));
}

#[test]
fn threads_change_nothing_blockwise() {
    let block = |vocab_size, rank| Some(FactorParts::normal(Shape { vocab_size, rank, dim: 100 }, 4).factors());
    let group_of = (0..6000).map(|row| [0, 1, 0, 3, 2, 1][row % 6]).collect();
    let blocks = vec![block(2000, 3), block(2000, 24), None, block(1000, 70)];
    let layer = BlockwiseEmbedding::new(BlockFactors::new(group_of, blocks, 100).expect("factors that fit the groups"));
    check("blockwise", &layer.with_padding_id(11).expect("an id of the vocabulary"));
}

#[cfg(feature = "decompose")]
#[test]
fn threads_change_nothing_quantized() {
    use factorized_embedding::{
        QuantizedEmbedding,
        quantize::{Budget, Level, Quantizer},
    };

    let table = random::normal((5000, 100), 8);
    for level in [Level::Scalar, Level::Trellis] {
        let quantizer =
            Quantizer::new(Budget::BitsPerWeight(3.0)).with_level(level).with_groups(5).expect("a few groups");
        let factors = quantizer.quantize(table.view()).expect("a table that can be quantized").factors;
        let layer = QuantizedEmbedding::new(factors).with_padding_id(11).expect("an id of the vocabulary");
        check(&format!("{level:?}"), &layer);
    }
}

#[cfg(feature = "decompose")]
#[test]
fn threads_change_nothing_about_groups_of_rows() {
    use factorized_embedding::{BlockwiseSvd, Decompose, MeanRemoval, RowGroups, RowWeights};

    let (vocab_size, dim) = (6000, 20);
    let table = random::normal((vocab_size, dim), 7);
    let counts: Vec<f64> = (0..vocab_size).map(|id| 1000.0 / (1.0 + id as f64)).collect();
    let weights = RowWeights::new(counts).expect("positive counts");
    let groups = RowGroups::by_frequency(&weights, 4).expect("a number of groups");
    let method = BlockwiseSvd::new(groups, vocab_size * dim).with_row_weights(weights);
    let method = method.with_mean_removal(MeanRemoval::Always).with_refinement(2);
    let decompose = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
        pool.install(|| method.decompose(table.view()).expect("a finite table"))
    };
    let alone = decompose(1);
    assert!(!alone.losses.is_empty());
    for threads in [2, 3, 7] {
        assert_eq!(decompose(threads), alone, "{threads} threads");
    }
}

/// The norms of a layer's rows are computed when they are first asked for: here on a thread outside the pool, which needs the
/// pool's threads for it while all of them ask for the norms themselves. If they waited for each other, this would not end.
#[test]
fn the_first_search_may_be_many_at_once() {
    let shape = Shape { vocab_size: 20_000, rank: 100, dim: 500 };
    let layer = FactorizedEmbedding::new(FactorParts::normal(shape, 5).factors());
    let query = random::normal((1, 500), 6);
    let nearest = || layer.nearest(query.view(), 3).expect("shapes that fit");
    let found = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        let outside = threads.spawn(nearest);
        // Long enough for it to have begun, and not to be done.
        std::thread::sleep(std::time::Duration::from_millis(5));
        rayon::scope(|pool| {
            for _ in 0..8 {
                pool.spawn(|_| {
                    let result = nearest();
                    found.lock().expect("no panic").push(result);
                });
            }
        });
        let expected = outside.join().expect("no panic");
        let found = found.lock().expect("no panic");
        assert_eq!(found.len(), 8);
        assert!(found.iter().all(|found| *found == expected));
    });
}

#[test]
#[cfg(feature = "decompose")]
fn threads_change_no_decomposition() {
    use factorized_embedding::{Decompose, RandomizedSvd, Rank, RowWeights, SvdRoute, TruncatedSvd};

    let table = random::normal((9000, 20), 7);
    let weights = RowWeights::new((0..9000).map(f64::from).collect::<Vec<_>>()).expect("weights");
    let mut methods: Vec<Box<dyn Decompose + Sync>> = Vec::new();
    for route in [SvdRoute::Qr, SvdRoute::Gram, SvdRoute::GramF32] {
        methods.push(Box::new(TruncatedSvd::new(Rank::Fixed(7)).with_route(route).with_row_weights(weights.clone())));
    }
    methods.push(Box::new(RandomizedSvd::new(Rank::Fixed(7)).with_row_weights(weights)));
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    for method in methods {
        let decompose = |threads| pool(threads).install(|| method.decompose(table.view()).expect("a finite table"));
        let alone = decompose(1);
        for threads in [2, 3, 7] {
            assert_eq!(alone, decompose(threads), "{method:?} with {threads} threads");
        }
    }
}
