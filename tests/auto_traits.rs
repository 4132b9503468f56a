//! What the types promise by themselves: threads, copies, comparisons, and a `Debug` that says shapes and not numbers.
#![cfg(all(feature = "decompose", feature = "safetensors", feature = "word-vectors"))]

use std::fmt::Debug;

use factorized_embedding::{
    AlternatingLeastSquares, ArrayRows, Bags, BlockFactors, BlockwiseEmbedding, BlockwiseSvd, ChainedRows, Decompose,
    Decomposition, DenseEmbedding, Dtype, Embedding, EmbeddingExt, Error, FactorizedEmbedding, Factors, IteratorRows,
    Observations, OutOfVocabulary, Pooling, QuantizedEmbedding, QuantizedFactors, Rank, Result, RowBlocks, RowGroups,
    RowWeights, Shape, TokenCounts, TopK, TruncatedSvd, Vocabulary,
    evaluate::{Comparison, Cost, Evaluator},
    io::{
        hugging_face::{
            Checkpoint, Family, LoraEmbedding, ModelConfig, OutputHead, Replacement, SavedTable, TableErrors,
            TokenTable,
        },
        safetensors::{FactorsWriter, SafetensorsRows},
        word_vectors::{DuplicateWords, WordVectorFormat, WordVectorReader, WordVectors},
    },
    quantize::{
        Budget, Level, PartBytes, Quantization, QuantizationReport, Quantizer, RotationChoice, RowScale, WaterFilling,
    },
    train::{
        ArrayOptimizer, Backward, CrossEntropy, FactorGradients, FactorOptimizer, GradientCovariance, Gradients,
        Momentum, Optimizer, OptimizerState, RowGradient, Schedule, TableOptimizer, Trainable,
    },
};
use ndarray::Array2;

fn factors(vocab_size: usize) -> Factors {
    let matrix = |shape| Array2::from_shape_fn(shape, |(i, j)| (i + j) as f32);
    Factors::new(matrix((vocab_size, 3)), matrix((3, 4))).expect("shapes that multiply")
}

#[test]
fn every_type_can_be_sent_to_and_shared_between_threads() {
    fn check<T: Send + Sync + ?Sized>() {}
    check::<AlternatingLeastSquares>();
    check::<ArrayOptimizer>();
    check::<Bags<'_>>();
    check::<BlockFactors>();
    check::<BlockwiseEmbedding>();
    check::<BlockwiseSvd>();
    check::<Decomposition<BlockFactors>>();
    check::<ArrayRows<'_>>();
    check::<Bags<'_>>();
    check::<ChainedRows<Box<dyn RowBlocks + Send + Sync>>>();
    check::<Checkpoint>();
    check::<Comparison>();
    check::<Cost>();
    check::<Decomposition>();
    check::<DenseEmbedding<'_>>();
    check::<Dtype>();
    check::<Error>();
    check::<Evaluator<'_>>();
    check::<FactorizedEmbedding>();
    check::<Factors>();
    check::<LoraEmbedding>();
    check::<Observations>();
    check::<FactorGradients>();
    check::<FactorOptimizer>();
    check::<FactorsWriter>();
    check::<IteratorRows<std::iter::Empty<Result<Array2<f32>>>, fn() -> std::iter::Empty<Result<Array2<f32>>>>>();
    #[cfg(feature = "npy")]
    check::<factorized_embedding::io::npy::NpyRows>();
    #[cfg(feature = "candle")]
    check::<factorized_embedding::candle::AutogradEmbedding<FactorizedEmbedding>>();
    check::<Optimizer>();
    check::<OptimizerState>();
    check::<Pooling>();
    check::<Quantization>();
    check::<QuantizedEmbedding>();
    check::<QuantizedFactors>();
    check::<Quantizer>();
    check::<Rank>();
    check::<Replacement>();
    check::<RowGradient>();
    check::<RowGroups>();
    check::<RowWeights>();
    check::<SafetensorsRows>();
    check::<Schedule>();
    check::<Shape>();
    check::<TableOptimizer>();
    check::<TokenCounts>();
    check::<TokenTable>();
    check::<TopK>();
    check::<TruncatedSvd>();
    check::<Vocabulary>();
    check::<WordVectorReader>();
    check::<WordVectors>();
    check::<dyn Embedding>();
    check::<Box<dyn Embedding>>();
}

#[test]
fn every_type_can_be_copied_and_compared_where_that_makes_sense() {
    fn small<T: Copy + PartialEq>() {}
    fn large<T: Clone + PartialEq>() {}
    fn layer<T: Clone + Embedding>() {}
    small::<Bags<'_>>();
    small::<Budget>();
    small::<Cost>();
    small::<Dtype>();
    small::<DuplicateWords>();
    small::<Family>();
    small::<Level>();
    small::<Momentum>();
    small::<Optimizer>();
    small::<OutOfVocabulary>();
    small::<PartBytes>();
    small::<Pooling>();
    small::<Rank>();
    small::<RotationChoice>();
    small::<RowScale>();
    small::<Schedule>();
    small::<Shape>();
    small::<TableErrors>();
    small::<WordVectorFormat>();
    small::<WordVectorReader>();
    large::<BlockFactors>();
    large::<AlternatingLeastSquares>();
    large::<ArrayOptimizer>();
    large::<ArrayRows<'_>>();
    large::<BlockwiseSvd>();
    large::<ChainedRows<ArrayRows<'_>>>();
    large::<Comparison>();
    large::<Decomposition>();
    large::<Decomposition<BlockFactors>>();
    large::<FactorGradients>();
    large::<FactorOptimizer>();
    large::<Factors>();
    large::<ModelConfig>();
    large::<Observations>();
    large::<OptimizerState>();
    large::<OutputHead>();
    large::<Quantization>();
    large::<QuantizationReport>();
    large::<QuantizedFactors>();
    large::<Quantizer>();
    large::<RowGradient>();
    large::<RowGroups>();
    large::<RowWeights>();
    large::<SavedTable>();
    large::<TableOptimizer>();
    large::<TokenCounts>();
    large::<TokenTable>();
    large::<TopK>();
    large::<TruncatedSvd>();
    large::<Vocabulary>();
    large::<WaterFilling>();
    large::<WordVectors>();
    layer::<BlockwiseEmbedding>();
    layer::<DenseEmbedding<'_>>();
    layer::<FactorizedEmbedding>();
    layer::<QuantizedEmbedding>();
}

#[test]
fn errors_are_errors_of_any_thread() {
    fn check<T: std::error::Error + Send + Sync + 'static>() {}
    check::<Error>();
    assert!(size_of::<Result<()>>() <= 128, "results are passed about by value");
}

#[test]
fn owned_layers_need_nothing_that_lives_elsewhere() {
    fn check<T: 'static>(_: T) {}
    check(DenseEmbedding::new(factors(5).to_dense()).expect("finite"));
    check(FactorizedEmbedding::new(factors(5)));
}

#[test]
fn layers_of_all_kinds_fit_into_one_box() {
    let table = factors(5).to_dense();
    let layers: Vec<Box<dyn Embedding + '_>> =
        vec![Box::new(DenseEmbedding::new(&table).expect("finite")), Box::new(FactorizedEmbedding::new(factors(5)))];
    for layer in &layers {
        // Methods of the trait and of its extension, through the box.
        assert_eq!(
            layer.lookup(&[3]).expect("an id of the vocabulary").row(0),
            table.row(3),
            "small integers are exact"
        );
        let rows = layer.lookup_array(&ndarray::array![[0, 4]]).expect("ids of the vocabulary");
        assert_eq!(rows.shape(), [1, 2, 4]);
    }
}

#[test]
fn layers_answer_in_several_threads_at_once() {
    let layer: &dyn Embedding = &FactorizedEmbedding::new(factors(2000));
    let query = Array2::ones((1, 4));
    // The first search of each thread may be the one that computes the norms.
    let found: Vec<TopK> = std::thread::scope(|scope| {
        let search = || layer.nearest(query.view(), 5).expect("a query of the dim");
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(search)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]));
}

/// Says something, and no more about many numbers than about few.
#[track_caller]
fn assert_short<T: Debug>(expected: &str, value: &T) {
    assert_eq!(format!("{value:?}"), expected);
    assert!(expected.len() < 160);
}

#[test]
fn large_things_print_their_shapes() {
    assert_short("Factors(u [2000, 3], v [3, 4])", &factors(2000));
    let full =
        factors(2000).with_diagonal(ndarray::Array1::ones(3)).and_then(|f| f.with_bias(ndarray::Array1::ones(4)));
    let full = full.expect("vectors of the rank and the dim");
    assert_short("Factors(u [2000, 3], diagonal [3], v [3, 4], bias [4])", &full);
    let blocks = BlockFactors::new(vec![0; 2000], vec![Some(full), None], 4).expect("one block of all rows");
    assert_short("BlockFactors([2000, 4], ranks [3, 0])", &blocks);
    let layer = BlockwiseEmbedding::new(blocks).with_padding_id(7).expect("an id of the vocabulary");
    assert_short("BlockwiseEmbedding(BlockFactors([2000, 4], ranks [3, 0]), padding id 7)", &layer);
    let layer = FactorizedEmbedding::new(factors(2000));
    assert_short("FactorizedEmbedding(Factors(u [2000, 3], v [3, 4]))", &layer);
    let layer = layer.with_padding_id(7).expect("an id of the vocabulary");
    assert_short("FactorizedEmbedding(Factors(u [2000, 3], v [3, 4]), padding id 7)", &layer);
    let dense = layer.to_dense().expect("finite");
    assert_short("DenseEmbedding(f32 [2000, 4], padding id 7)", &dense);
    let halves = DenseEmbedding::from_bytes(vec![0; 800], Dtype::Bf16, [100, 4]).expect("800 bytes");
    assert_short("DenseEmbedding(bf16 [100, 4])", &halves);
    let table = Array2::from_shape_fn((2000, 4), |(i, j)| ((7 * i + j) as f32).sin());
    let codes = Quantizer::balanced().quantize(table.view()).expect("a budget for something").factors;
    let bytes = codes.size_in_bytes();
    assert_short(&format!("QuantizedFactors([2000, 4], rank {}, scalar, {bytes} bytes)", codes.rank()), &codes);
    let layer = QuantizedEmbedding::new(codes.clone()).with_padding_id(7).expect("an id of the vocabulary");
    assert_short(&format!("QuantizedEmbedding({codes:?}, padding id 7)"), &layer);
    let weights = RowWeights::new(vec![1.0; 2000]).and_then(|weights| weights.with_smoothing(0.5)).expect("positive");
    assert_short("RowWeights(2000 counts, smoothing 0.5, exponent 1)", &weights);
    assert_short("TokenCounts(2000 ids)", &TokenCounts::new(2000).expect("a vocabulary"));
    let groups = RowGroups::by_frequency(&weights, 6).expect("a number of groups");
    assert_short("RowGroups(2000 rows in 6 groups)", &groups);
    let method = BlockwiseSvd::new(groups, 2076);
    assert_short(
        "BlockwiseSvd { groups: RowGroups(2000 rows in 6 groups), byte_budget: 2076, row_weights: None, max_rounds: 0, \
         mean_removal: Never }",
        &method,
    );
    assert_short("Vocabulary(2 words)", &Vocabulary::new(["a", "b"]).expect("two different words"));
    let svd = TruncatedSvd::new(Rank::Fixed(1)).with_row_weights(weights);
    let decomposition = svd.decompose(Array2::zeros((2000, 4)).view()).expect("a finite table");
    assert_short(
        "Decomposition(Factors(u [2000, 1], diagonal [1], v [1, 4]), 4 singular values, relative error 0.000000, \
         weighted 0.000000)",
        &decomposition,
    );
    let all = Array2::from_elem((2000, 4), true);
    let known = Observations::from_mask(Array2::zeros((2000, 4)).view(), all.view()).expect("a finite table");
    assert_short("Observations(8000 entries of [2000, 4])", &known);
    let als = AlternatingLeastSquares::new(2).with_warm_start(factors(2000));
    assert!(format!("{als:?}").ends_with("warm_start: Some(Factors(u [2000, 3], v [3, 4])) }"), "{als:?}");
}

#[test]
fn sources_and_sinks_print_their_shapes() {
    let table = factors(2000).to_dense();
    let rows = || ArrayRows::new(table.view());
    assert_short("ArrayRows([2000, 4])", &rows());
    assert_short("IteratorRows([2000, 4])", &IteratorRows::new(2000, 4, std::iter::empty));
    assert_short("ChainedRows(2 sources, [4000, 4])", &ChainedRows::new([rows(), rows()]).expect("the same dim"));

    let glove = Checkpoint::open("examples/data/glove50-top10k-f16.safetensors").expect("a shipped table");
    assert_short("Checkpoint(examples/data/glove50-top10k-f16.safetensors, 1 tensors in 1 files)", &glove);
    let kept = "Factorized(FactorizedEmbedding(Factors(u [2000, 3], v [3, 4])))";
    let printed = format!("Replacement {{ layer: {kept}, method: \"svd\", row_weights: None }}");
    assert_short(&printed, &Replacement::factors("svd", factors(2000)));
    let glove = SafetensorsRows::open("examples/data/glove50-top10k-f16.safetensors", "weight");
    assert_short("SafetensorsRows(f16 [10000, 50])", &glove.expect("a shipped table"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("factors.safetensors");
    let writer = FactorsWriter::create(&path, 2000, Array2::ones((3, 4))).expect("a writable folder");
    let begun = format!("FactorsWriter(u [0 of 2000, 3], v [3, 4], {})", path.display());
    assert_eq!(format!("{writer:?}"), begun);
    let writer = writer.with_diagonal(ndarray::Array1::ones(3)).and_then(|w| w.with_bias(ndarray::Array1::ones(4)));
    let mut writer = writer.expect("vectors of the rank and the dim");
    writer.write_rows(Array2::ones((500, 3)).view()).expect("rows of U");
    let half = format!("FactorsWriter(u [500 of 2000, 3], diagonal [3], v [3, 4], bias [4], {})", path.display());
    assert_eq!(format!("{writer:?}"), half);
    #[cfg(feature = "npy")]
    {
        let path = folder.path().join("table.npy");
        ndarray_npy::write_npy(&path, &table).expect("a writable folder");
        let rows = factorized_embedding::io::npy::NpyRows::open(path).expect("a valid file");
        assert_short("NpyRows(<f4 [2000, 4])", &rows);
    }
}

#[test]
fn optimizers_print_what_they_remember() {
    let mut layer = FactorizedEmbedding::new(factors(2000));
    let mut optimizer = FactorOptimizer::new(Optimizer::adam()).expect("a valid rule");
    let rule = "Adam { betas: [0.9, 0.999], epsilon: 1e-8 }";
    assert_short(&format!("FactorOptimizer(OptimizerState({rule}))"), &optimizer);
    let mut gradients = FactorGradients::default();
    assert_short("FactorGradients()", &gradients);
    gradients.u = Some(RowGradient::of_rows(vec![7], Array2::ones((1, 3))).expect("one id"));
    gradients.v = Some(Array2::ones((3, 4)));
    assert_short("FactorGradients(u RowGradient(1 rows × 3), v [3, 4])", &gradients);
    gradients.v = None;
    optimizer.step(&mut layer, &gradients, 0.1).expect("shapes that fit");
    let tensors = "u.first_moment [2000, 3], u.second_moment [2000, 3]";
    assert_short(&format!("FactorOptimizer(OptimizerState({rule}, {tensors}))"), &optimizer);
    let covariance = GradientCovariance::new(300, 0.5).expect("a decay");
    assert_short("GradientCovariance([300, 300], decay 0.5)", &covariance);
    let of_table = TableOptimizer::new(Optimizer::rowwise_adagrad()).expect("a valid rule");
    let rule = "RowwiseAdagrad { initial_accumulator: 0.0, epsilon: 1e-8 }";
    assert_short(&format!("TableOptimizer(OptimizerState({rule}))"), &of_table);
    let momentum = Optimizer::Sgd { momentum: Momentum::Polyak(0.5) };
    let mut of_array = ArrayOptimizer::new(momentum).expect("a valid rule");
    of_array.step(&mut ndarray::arr1(&[1.0; 50]), &ndarray::arr1(&[1.0; 50]), 0.1).expect("the same shape");
    let rule = "Sgd { momentum: Polyak(0.5) }";
    assert_short(&format!("ArrayOptimizer(OptimizerState({rule}, array.momentum [50]))"), &of_array);
}

#[test]
fn choices_print_their_names() {
    assert_short("Energy(0.95)", &Rank::Energy(0.95));
    assert_short("Mean", &Pooling::Mean);
    assert_short("Bf16", &Dtype::Bf16);
    assert_short("Shape { vocab_size: 3, rank: 1, dim: 2 }", &Shape { vocab_size: 3, rank: 1, dim: 2 });
    assert_eq!([Dtype::F32, Dtype::F16, Dtype::Bf16].map(|dtype| dtype.to_string()), ["f32", "f16", "bf16"]);
}

#[test]
fn gradients_are_as_other_types() {
    fn shared<T: Send + Sync + ?Sized>() {}
    fn large<T: Clone + PartialEq + Send + Sync>() {}
    fn small<T: Copy + PartialEq + Send + Sync>() {}
    shared::<Backward<'_, FactorizedEmbedding>>();
    shared::<Backward<'_, DenseEmbedding<'_>>>();
    shared::<dyn Gradients + Send + Sync>();
    large::<CrossEntropy<FactorGradients>>();
    large::<FactorGradients>();
    large::<GradientCovariance>();
    large::<RowGradient>();
    small::<Trainable>();

    let layer = FactorizedEmbedding::new(factors(2000));
    let backward = Backward::new(&layer);
    let prefix =
        "Backward { layer: FactorizedEmbedding(Factors(u [2000, 3], v [3, 4])), trainable: Trainable { u: true,";
    assert!(format!("{backward:?}").starts_with(prefix), "{backward:?}");
    let gradients = backward.lookup(&[7, 5, 7], Array2::ones((3, 4)).view()).expect("shapes that fit");
    assert_short("FactorGradients(u RowGradient(2 rows × 3), v [3, 4])", &gradients);
    let mut result = backward.cross_entropy(Array2::zeros((1, 4)).view(), &[3], None).expect("shapes that fit");
    result.loss = 0.5;
    let printed =
        "CrossEntropy(loss 0.5, hidden [1, 4], FactorGradients(u RowGradient(2000 rows, all there are × 3), v [3, 4]))";
    assert_short(printed, &result);
}
