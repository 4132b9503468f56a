//! A trained dense table is decomposed for its error, and then trained on as factors for its task.

use factorized_embedding::{
    Decompose, DenseEmbedding, FactorizedEmbedding, Rank, RowWeights, Shape, TokenId, TruncatedSvd,
    train::{Backward, Optimizer, Schedule, TrainableEmbedding},
};

use crate::support::random;

const VOCAB_SIZE: usize = 200;
const DIM: usize = 32;
const RANK: usize = 16;
const STEPS: u64 = 400;
const BATCH: usize = 128;

/// A token and the one behind it, of a language in which each token has three successors, the frequent ones above all.
fn batch(seed: u64) -> (Vec<TokenId>, Vec<TokenId>) {
    let frequent = |ids: Vec<TokenId>| ids.into_iter().map(|id| id * id / VOCAB_SIZE as TokenId);
    let inputs: Vec<TokenId> = frequent(random::ids(BATCH, VOCAB_SIZE, seed)).collect();
    let choices = random::ids(BATCH, 3, seed + 1_000_000);
    let next = |(id, choice): (&TokenId, TokenId)| (7 * id + 31 * (choice + 1)) % VOCAB_SIZE as TokenId;
    let targets = inputs.iter().zip(choices).map(next).collect();
    (inputs, targets)
}

/// A language model without a model: a token's vector is the hidden state that predicts the next one, through a head of its own.
struct Model<'a, L: TrainableEmbedding> {
    layer: L,
    head: &'a DenseEmbedding<'static>,
    optimizer: L::Optimizer,
}

impl<'a, L: TrainableEmbedding> Model<'a, L> {
    fn new(layer: L, head: &'a DenseEmbedding<'static>) -> Self {
        Self { layer, head, optimizer: L::optimizer(Optimizer::adam()).expect("valid settings") }
    }

    fn train(&mut self, steps: u64, learning_rate: f64) {
        let schedule = Schedule::constant(learning_rate).expect("a learning rate");
        let schedule = schedule.with_warm_up(steps / 10).with_cosine_decay(steps, 0.0).expect("a learning rate");
        for step in 0..steps {
            let (inputs, targets) = batch(step);
            let hidden = self.layer.lookup(&inputs).expect("ids of the vocabulary");
            let loss = Backward::new(self.head).cross_entropy(hidden.view(), &targets, None).expect("finite states");
            let gradients = Backward::new(&self.layer).lookup(&inputs, loss.hidden.view()).expect("shapes that fit");
            let rate = schedule.learning_rate(step);
            self.layer.step(&mut self.optimizer, &gradients, rate).expect("finite gradients");
        }
    }

    fn loss(&self) -> f64 {
        let losses = (0..10).map(|i| {
            let (inputs, targets) = batch(2_000_000 + i);
            let hidden = self.layer.lookup(&inputs).expect("ids of the vocabulary");
            Backward::new(self.head).cross_entropy_loss(hidden.view(), &targets, None).expect("finite states")
        });
        losses.sum::<f64>() / 10.0
    }
}

#[test]
fn a_tenth_of_the_steps_makes_up_for_much_of_a_decomposition() {
    let head = DenseEmbedding::new(random::normal((VOCAB_SIZE, DIM), 1)).expect("finite numbers");
    let start = DenseEmbedding::new(random::normal((VOCAB_SIZE, DIM), 2) * 0.02).expect("finite numbers");
    let mut dense = Model::new(start, &head);
    let untrained = dense.loss();
    dense.train(STEPS, 0.03);
    let trained = dense.loss();

    let counts = RowWeights::from_ids(VOCAB_SIZE, (0..STEPS).flat_map(|step| batch(step).0)).expect("ids");
    let counts = counts.with_smoothing(1.0).expect("a number that is not negative");
    let table = dense.layer.to_array();
    let svd = TruncatedSvd::new(Rank::Fixed(RANK)).with_row_weights(counts);
    let factors = svd.decompose(table.view()).expect("a finite table").factors;
    let mut factorized = Model::new(FactorizedEmbedding::new(factors.balanced().expect("finite numbers")), &head);
    let decomposed = factorized.loss();
    factorized.train(STEPS / 10, 0.03);
    let recovered = factorized.loss();
    let mut unbalanced = Model::new(FactorizedEmbedding::new(factors), &head);
    unbalanced.train(STEPS / 10, 0.03);
    let unbalanced = unbalanced.loss();

    let shape = Shape { vocab_size: VOCAB_SIZE, rank: RANK, dim: DIM };
    let random = || FactorizedEmbedding::random(shape, 0.02, &mut random::rng(3)).expect("a valid shape");
    let [briefly, fully] = [STEPS / 10, STEPS].map(|steps| {
        let mut model = Model::new(random(), &head);
        model.train(steps, 0.03);
        model.loss()
    });

    let losses = format!(
        "{untrained} untrained, {trained} dense, {decomposed} decomposed, {recovered} recovered, {unbalanced} \
         without being balanced; \
         from random factors {briefly} after as many steps, {fully} after all"
    );
    assert!(trained < 0.6 * untrained, "the dense table has learnt: {losses}");
    assert!(decomposed > trained + 0.1, "the decomposition has lost something: {losses}");
    assert!(recovered < briefly - 0.5, "what was learnt before helps: {losses}");
    assert!(recovered < unbalanced - 0.2, "what is balanced learns sooner: {losses}");
    let left = (recovered - fully) / (decomposed - fully);
    assert!(left < 0.6, "{left} of what factors of this rank need not lose is still lost: {losses}");
}
