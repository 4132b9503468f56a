//! A real table under the bytes of several ranks.

use factorized_embedding::{
    BlockFactors, BlockwiseSvd, Decompose, Decomposition, MeanRemoval, Rank, RowGroups, RowWeights, Shape,
    TruncatedSvd, io::safetensors::load_table,
};
use ndarray::{Array1, Array2};

fn glove() -> (Array2<f32>, RowWeights) {
    let data = |name| format!("{}/examples/data/{name}", env!("CARGO_MANIFEST_DIR"));
    let table =
        load_table(data("glove50-top10k-f16.safetensors"), "weight").expect("a valid file").to_array().into_owned();
    let counts: Array1<u64> = ndarray_npy::read_npy(data("glove50-top10k.freq.npy")).expect("a valid file");
    let counts = counts.mapv(|count| count as f64).to_vec();
    let weights = RowWeights::new(counts).and_then(|weights| weights.with_smoothing(1.0));
    (table, weights.expect("counts that are not negative"))
}

#[test]
fn the_weighted_error_is_lower_than_that_of_the_weighted_svd() {
    let (table, weights) = glove();
    let (vocab_size, dim) = table.dim();
    let groups = RowGroups::by_frequency(&weights, 6).expect("a number of groups");
    for rank in [2, 5, 12, 25, 40] {
        let bytes = Rank::bytes(Shape { vocab_size, rank, dim });
        let svd = TruncatedSvd::new(Rank::Bytes(bytes)).with_row_weights(weights.clone());
        let svd = svd.decompose(table.view()).expect("a finite table").weighted_relative_error;
        let method = BlockwiseSvd::new(groups.clone(), bytes).with_row_weights(weights.clone());
        let decompose = |method: BlockwiseSvd| -> (f64, Decomposition<BlockFactors>) {
            let decomposition = method.decompose(table.view()).expect("a finite table");
            assert!(decomposition.factors.size_in_bytes() <= bytes, "{decomposition:?}");
            (decomposition.weighted_relative_error.expect("weights"), decomposition)
        };
        let (blockwise, decomposition) = decompose(method.clone());
        assert!(blockwise < svd.expect("weights"), "rank {rank}: {decomposition:?}, the SVD's error is {svd:?}");
        let (centred, decomposition) = decompose(method.clone().with_mean_removal(MeanRemoval::IfBetter));
        assert!(centred < blockwise, "rank {rank}: {decomposition:?}, with means {blockwise}");
        let (refined, decomposition) = decompose(method.with_mean_removal(MeanRemoval::IfBetter).with_refinement(4));
        assert!(refined < centred, "rank {rank}: {decomposition:?}, without refinement {centred}");
    }
}
