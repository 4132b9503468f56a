//! What quantized factors keep of word vectors: analogies, and errors where words are frequent.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

use std::{collections::HashMap, fs, path::PathBuf};

use factorized_embedding::{
    DenseEmbedding, Embedding, QuantizedEmbedding, RowWeights, TokenId,
    evaluate::{Comparison, Evaluator},
    io::safetensors::load_table,
    quantize::{Budget, Level, Quantizer, RowScale},
};
use ndarray::{Array1, Array2, Axis};
use ndarray_npy::read_npy;

struct Glove {
    dense: DenseEmbedding<'static>,
    weights: RowWeights,
    /// a is to b as c is to d \[a, b, c, d\].
    questions: Vec<[TokenId; 4]>,
}

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "examples", "data", name].iter().collect()
}

impl Glove {
    fn load() -> Self {
        let read = |name: &str| fs::read_to_string(path(name)).expect("a file of the repository");
        let words = read("glove50-top10k.vocab.txt");
        let ids: HashMap<&str, TokenId> = words.split('\n').zip(0..).collect();
        let analogies = read("analogies-top10k.txt");
        let questions = analogies.lines().filter(|line| !line.starts_with(':')).map(|line| {
            let ids: Vec<TokenId> = line.split(' ').map(|word| ids[word]).collect();
            ids.try_into().expect("four words")
        });
        let counts: Array1<u64> = read_npy(path("glove50-top10k.freq.npy")).expect("counts");
        let counts: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
        let weights = RowWeights::new(counts).and_then(|weights| weights.with_smoothing(1.0)).expect("weights");
        let table = load_table(path("glove50-top10k-f16.safetensors"), "weight").expect("a table");
        let dense = DenseEmbedding::new(table.to_array().into_owned()).expect("a table");
        Self { dense, weights, questions: questions.collect() }
    }

    /// The share of questions whose answer is nearest to b − a + c, by cosine, of all words but these.
    fn analogies(&self, layer: &dyn Embedding) -> f64 {
        let unit = |place: usize| -> Array2<f32> {
            let ids: Vec<TokenId> = self.questions.iter().map(|question| question[place]).collect();
            let mut rows = layer.lookup(&ids).expect("known words");
            for mut row in rows.axis_iter_mut(Axis(0)) {
                let norm = row.dot(&row).sqrt().max(f32::MIN_POSITIVE);
                row /= norm;
            }
            rows
        };
        let nearest = layer.nearest((unit(1) - unit(0) + unit(2)).view(), 4).expect("nearest words");
        let right = self.questions.iter().zip(nearest.ids.rows()).filter(|([a, b, c, d], nearest)| {
            let answer = nearest.iter().find(|id| ![a, b, c].contains(id));
            answer == Some(d)
        });
        right.count() as f64 / self.questions.len() as f64
    }

    /// No scales of rows, frequencies to a power.
    fn quantized(&self, ratio: f64, level: Level, exponent: f64) -> QuantizedEmbedding {
        let weights = self.weights.clone().with_exponent(exponent).expect("an exponent");
        let quantizer = Quantizer::new(Budget::Ratio(ratio));
        let quantizer = quantizer.with_row_weights(weights).with_level(level).with_row_scale(RowScale::Never);
        let factors = quantizer.quantize(self.dense.to_array().view()).expect("room for codes").factors;
        QuantizedEmbedding::new(factors)
    }

    fn compare(&self, layer: &dyn Embedding) -> Comparison {
        let evaluator = Evaluator::new(&self.dense).with_row_weights(self.weights.clone()).with_samples(1);
        evaluator.compare(layer).expect("the same shape")
    }
}

#[test]
fn analogies_survive_where_truncation_loses_them() {
    let glove = Glove::load();
    let dense = glove.analogies(&glove.dense);
    assert!((0.585..0.586).contains(&dense), "{dense}");
    for (ratio, level, least) in
        [(8.0, Level::Scalar, 0.575), (16.0, Level::Scalar, 0.45), (16.0, Level::Trellis, 0.49)]
    {
        let share = glove.analogies(&glove.quantized(ratio, level, 0.5));
        assert!(share >= least, "{ratio} times smaller, {level:?}: {share}, expected {least}");
    }
}

#[test]
fn frequent_words_are_kept_better() {
    let glove = Glove::load();
    let [without, with] = [0.0, 0.5].map(|exponent| glove.compare(&glove.quantized(16.0, Level::Scalar, exponent)));
    assert!(without.relative_error < with.relative_error, "{without} {with}");
    assert!(with.weighted_relative_error < without.weighted_relative_error, "{without} {with}");
}
