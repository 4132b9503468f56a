//! A trained layer is the layer over its new parameters.

use factorized_embedding::{
    DenseEmbedding, Embedding, Error, FactorizedEmbedding, Factors, Shape, TokenId,
    train::{Backward, FactorGradients, FactorOptimizer, Optimizer, RowGradient, TableOptimizer},
};
use ndarray::{Array2, Axis, s};

use crate::{
    drawn::{factor_gradients, layer, row_gradient},
    support::{compare::assert_same_bits, factor_parts::FactorParts, random},
};

const SHAPE: Shape = Shape { vocab_size: 40, rank: 5, dim: 18 };

/// Everything that reads the parameters in a way of its own: lookups, logits, norms, rank space.
fn everything(layer: &dyn Embedding) -> Vec<Array2<f32>> {
    let hidden = random::normal((3, SHAPE.dim), 1);
    let nearest = layer.nearest(hidden.view(), 4).expect("queries of the dim");
    vec![
        layer.lookup(&random::ids(100, SHAPE.vocab_size, 2)).expect("ids of the vocabulary"),
        layer.logits(hidden.view()).expect("hidden states of the dim"),
        nearest.scores,
        nearest.ids.mapv(|id| id as f32),
    ]
}

#[track_caller]
fn assert_same(actual: &dyn Embedding, expected: &dyn Embedding) {
    for (actual, expected) in everything(actual).iter().zip(everything(expected)) {
        assert_same_bits("trained", actual.view(), expected.view());
    }
}

/// The gradients of a lookup, which read diag(D) · V by columns.
fn gradients_of_lookup(layer: &FactorizedEmbedding) -> FactorGradients {
    let ids = random::ids(20, SHAPE.vocab_size, 3);
    Backward::new(layer).lookup(&ids, random::normal((20, SHAPE.dim), 4).view()).expect("ids of the vocabulary")
}

fn without(parts: &[&str], mut gradients: FactorGradients) -> FactorGradients {
    for part in parts {
        match *part {
            "u" => gradients.u = None,
            "diagonal" => gradients.diagonal = None,
            "v" => gradients.v = None,
            _ => gradients.bias = None,
        }
    }
    gradients
}

#[test]
fn a_trained_layer_reads_its_new_factors() {
    let hot: Vec<TokenId> = vec![3, 30, 17];
    for frozen in [&[][..], &["u"], &["diagonal", "v", "bias"], &["u", "v", "bias"], &["u", "diagonal", "v"]] {
        let mut layer = layer(SHAPE, 3).with_hot_rows(&hot, usize::MAX).expect("ids of the vocabulary");
        let (before, _) = (everything(&layer), gradients_of_lookup(&layer));
        let mut optimizer = FactorOptimizer::new(Optimizer::adam()).expect("a valid rule");
        let gradients = without(frozen, factor_gradients(SHAPE, Some(vec![3, 5, 17]), 4));
        optimizer.step(&mut layer, &gradients, 0.1).expect("shapes that fit");
        assert_eq!(layer.num_hot_rows(), 0, "they are dropped");
        assert_ne!(everything(&layer), before, "without {frozen:?}");
        assert_same(&layer, &FactorizedEmbedding::new(layer.factors().clone()));
        let rank_rows = random::normal((4, SHAPE.rank), 5);
        let fresh = FactorizedEmbedding::new(layer.factors().clone());
        let projected = |layer: &FactorizedEmbedding| layer.project(rank_rows.view()).expect("rows of the rank");
        assert_same_bits("projected", projected(&layer).view(), projected(&fresh).view());
        assert_eq!(gradients_of_lookup(&layer), gradients_of_lookup(&fresh));
    }
}

#[test]
fn parts_without_a_gradient_stay_and_are_not_remembered() {
    let names = ["u", "diagonal", "v", "bias"];
    for trained in names {
        let frozen: Vec<&str> = names.into_iter().filter(|name| *name != trained).collect();
        let mut layer = layer(SHAPE, 3);
        let before = layer.factors().clone();
        let mut optimizer = FactorOptimizer::new(Optimizer::adam()).expect("a valid rule");
        let gradients = without(&frozen, factor_gradients(SHAPE, None, 4));
        optimizer.step(&mut layer, &gradients, 0.1).expect("shapes that fit");
        let after = layer.factors();
        let changed = [
            after.u() != before.u(),
            after.diagonal() != before.diagonal(),
            after.v() != before.v(),
            after.bias() != before.bias(),
        ];
        assert_eq!(changed, names.map(|name| name == trained));
        assert_eq!(optimizer.state().steps().collect::<Vec<_>>(), [(trained, 1)]);
    }
}

#[test]
fn layers_without_a_diagonal_or_a_bias_are_trained_too() {
    for parts in FactorParts::normal(SHAPE, 6).variants() {
        let mut layer = FactorizedEmbedding::new(parts.factors());
        let mut gradients = factor_gradients(SHAPE, Some(vec![1, 2]), 7);
        gradients.diagonal = gradients.diagonal.filter(|_| parts.diagonal.is_some());
        gradients.bias = gradients.bias.filter(|_| parts.bias.is_some());
        let mut optimizer = FactorOptimizer::new(Optimizer::adagrad()).expect("a valid rule");
        optimizer.step(&mut layer, &gradients, 0.1).expect("shapes that fit");
        assert_same(&layer, &FactorizedEmbedding::new(layer.factors().clone()));
    }
}

#[test]
fn the_other_parts_are_trained_beside_a_narrow_u() {
    let layer = layer(SHAPE, 3);
    for narrow in [layer.to_f16(), layer.to_bf16(), layer.to_int8()] {
        let mut narrow = narrow.expect("small numbers");
        let (before, u) = (everything(&narrow), narrow.factors().u().into_owned());
        let rank_rows = random::normal((4, SHAPE.rank), 5);
        let project = |layer: &FactorizedEmbedding| layer.project(rank_rows.view()).expect("rows of the rank");
        let projected = project(&narrow);
        let mut optimizer = FactorOptimizer::new(Optimizer::adam()).expect("a valid rule");
        let gradients = without(&["u"], factor_gradients(SHAPE, None, 4));
        optimizer.step(&mut narrow, &gradients, 0.1).expect("shapes that fit");
        assert_ne!(everything(&narrow), before);
        assert_ne!(project(&narrow), projected);
        assert_eq!(narrow.factors().u(), u);
        let fresh = FactorizedEmbedding::new(narrow.factors().clone());
        assert_same(&narrow, &fresh);
        assert_same_bits("projected", project(&narrow).view(), project(&fresh).view());
    }
}

#[test]
fn nothing_trained_is_nothing_changed() {
    let mut layer = layer(SHAPE, 3).with_hot_rows(&[3, 5], usize::MAX).expect("ids of the vocabulary");
    let before = layer.factors().clone();
    let mut optimizer = FactorOptimizer::new(Optimizer::adam()).expect("a valid rule");
    optimizer.step(&mut layer, &FactorGradients::default(), 0.1).expect("nothing to do");
    assert_eq!((layer.factors(), layer.num_hot_rows()), (&before, 2));
    assert_eq!(optimizer.state().steps().count(), 0);
    let error = optimizer.step(&mut layer, &FactorGradients::default(), -1.0).expect_err("no learning rate");
    assert!(matches!(error, Error::InvalidSetting { .. }), "{error}");
}

/// Other directions, fewer and more of them: nothing is left of what was derived from the old ones.
#[test]
#[cfg(feature = "decompose")]
fn a_layer_of_another_rank_reads_its_new_factors() {
    type Change = fn(&mut FactorOptimizer, &mut FactorizedEmbedding) -> factorized_embedding::Result<()>;
    let changes: [Change; 3] = [
        |optimizer, layer| optimizer.orthonormalize(layer).map(drop),
        |optimizer, layer| optimizer.shrink_rank(layer, 3).map(drop),
        |optimizer, layer| optimizer.grow_rank(layer, 7, &mut random::rng(1)),
    ];
    for change in changes {
        let mut layer = layer(SHAPE, 3);
        let before = gradients_of_lookup(&layer);
        let mut optimizer = FactorOptimizer::new(Optimizer::sgd()).expect("a valid rule");
        change(&mut optimizer, &mut layer).expect("a rank of the dim");
        let fresh = FactorizedEmbedding::new(layer.factors().clone());
        assert_same(&layer, &fresh);
        assert_eq!(gradients_of_lookup(&layer), gradients_of_lookup(&fresh));
        assert_ne!(gradients_of_lookup(&layer), before);
    }
}

#[test]
fn a_table_with_more_rows_is_trained_on() {
    let (shape, grown) = ((20, 6), (22, 6));
    let table = random::normal(grown, 8);
    let mut optimizer = TableOptimizer::new(Optimizer::adam()).expect("a valid rule");
    let mut layer = DenseEmbedding::new(table.slice(s![..20, ..]).to_owned()).expect("a finite table");
    optimizer.step(&mut layer, &row_gradient(Some(vec![3, 7]), shape, 9), 0.1).expect("shapes that fit");
    let before = optimizer.state().clone();
    let mut layer = DenseEmbedding::new(table).expect("a finite table");
    let gradient = row_gradient(Some(vec![3, 21]), grown, 10);
    assert!(optimizer.step(&mut layer, &gradient, 0.1).is_err(), "of 20 rows");
    optimizer.grow_vocabulary(22).expect("more rows");
    for ((name, old), (_, new)) in before.tensors().zip(optimizer.state().tensors()) {
        assert_eq!(new.shape(), [22, 6], "{name}");
        assert_eq!(new.slice_axis(Axis(0), (..20).into()), old, "{name}");
        assert!(new.slice_axis(Axis(0), (20..).into()).iter().all(|&number| number == 0.0), "{name}");
    }
    optimizer.step(&mut layer, &gradient, 0.1).expect("rows that are there");
    let state = optimizer.state().clone();
    for rows in [21, usize::MAX] {
        assert!(optimizer.grow_vocabulary(rows).is_err(), "{rows} rows");
        assert_eq!(optimizer.state(), &state);
    }
}

#[test]
fn a_trained_table_is_read_anew() {
    let shape = (SHAPE.vocab_size, SHAPE.dim);
    // By rows and by columns.
    for table in [random::normal(shape, 8), random::normal((shape.1, shape.0), 8).reversed_axes()] {
        let mut layer = DenseEmbedding::new(table.clone()).expect("a finite table");
        let before = everything(&layer);
        let gradient = row_gradient(Some(vec![0, 7, 39]), shape, 9);
        let mut optimizer = TableOptimizer::new(Optimizer::sgd()).expect("a valid rule");
        optimizer.step(&mut layer, &gradient, 0.5).expect("shapes that fit");
        assert_ne!(everything(&layer), before);
        let mut expected = table;
        for (row, values) in [0, 7, 39].into_iter().zip(gradient.values().rows()) {
            expected.row_mut(row).scaled_add(-0.5, &values);
        }
        assert_same_bits("table", layer.to_array().view(), expected.view());
        assert_same(&layer, &DenseEmbedding::new(expected).expect("a finite table"));
    }
}

#[test]
fn narrow_and_borrowed_parameters_are_made_trainable() {
    let layer = layer(SHAPE, 3).with_padding_id(4).expect("an id of the vocabulary");
    for narrow in [layer.to_f16(), layer.to_bf16(), layer.to_int8()] {
        let narrow = narrow.expect("small numbers");
        let mut wide = narrow.to_f32();
        assert_eq!(wide.factors().u(), narrow.factors().u());
        assert_eq!(wide.padding_id(), Some(4));
        let mut optimizer = FactorOptimizer::new(Optimizer::sgd()).expect("a valid rule");
        optimizer.step(&mut wide, &factor_gradients(SHAPE, None, 4), 0.1).expect("f32");
    }
    let table = random::normal((6, 3), 1);
    let borrowed = DenseEmbedding::new(&table).expect("a finite table").with_padding_id(2).expect("an id");
    let mut owned = borrowed.into_owned();
    assert_eq!(owned.padding_id(), Some(2));
    let mut optimizer = TableOptimizer::new(Optimizer::sgd()).expect("a valid rule");
    optimizer.step(&mut owned, &row_gradient(None, (6, 3), 4), 0.1).expect("f32 of its own");
    assert_ne!(owned.to_array(), table);
}

/// A row that becomes very short in the direction of the query is nearest to it, but not by the length that it had.
#[test]
fn nearest_neighbours_are_found_by_the_new_norms() {
    let table = random::normal((300, 6), 10);
    let query = random::normal((1, 6), 11);
    let gradient = &table.slice(s![7..8, ..]) - &(&query * 1e-3);
    let gradient = RowGradient::of_rows(vec![7], gradient).expect("one id");
    let find = |layer: &dyn Embedding| layer.nearest(query.view(), 1).expect("a query of the dim").ids[[0, 0]];

    let mut dense = DenseEmbedding::new(table.clone()).expect("a finite table");
    assert_ne!(find(&dense), 7);
    TableOptimizer::new(Optimizer::sgd()).and_then(|mut by| by.step(&mut dense, &gradient, 1.0)).expect("it fits");
    assert_eq!(find(&dense), 7);

    for with_v in [false, true] {
        let factors = Factors::new(table.clone(), Array2::eye(6)).expect("shapes that multiply");
        let mut layer = FactorizedEmbedding::new(factors);
        assert_ne!(find(&layer), 7);
        let mut gradients = FactorGradients::default();
        gradients.u = Some(gradient.clone());
        gradients.v = with_v.then(|| Array2::zeros((6, 6)));
        FactorOptimizer::new(Optimizer::sgd())
            .and_then(|mut by| by.step(&mut layer, &gradients, 1.0))
            .expect("it fits");
        assert_eq!(find(&layer), 7);
    }
}
