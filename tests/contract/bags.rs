//! Bags: sums, means and maxima, with weights, empty bags and padding.

use factorized_embedding::{Bags, Embedding, Pooling, TokenId};
use ndarray::s;

use super::subject::Reference;
use crate::support::{
    compare::{assert_close, assert_same_bits},
    output::{LAYOUTS, Output},
    random,
    reference::Bag,
};

const POOLINGS: [Pooling; 3] = [Pooling::Sum, Pooling::Mean, Pooling::Max];

/// Empty bags at the start, in the middle and at the end; sizes around tiles of 64 rows.
const SIZES: [usize; 13] = [0, 1, 2, 0, 0, 5, 63, 64, 65, 3, 129, 4, 0];

pub(crate) fn check(layer: &dyn Embedding, reference: &Reference) {
    let bags = List::new(&SIZES, reference);
    for pooling in POOLINGS {
        bags_are_pooled(layer, reference, &bags, pooling);
        each_bag_has_the_bits_that_it_has_alone(layer, reference, &bags, pooling);
    }
    weights_scale_the_rows_of_a_sum(layer, reference, &bags);
    padding_does_not_count(layer, reference);
    no_bags_are_no_rows(layer, reference);
}

/// Bags as the crate takes them and as the reference does.
struct List {
    ids: Vec<TokenId>,
    offsets: Vec<usize>,
    weights: Vec<f32>,
}

impl List {
    fn new(sizes: &[usize], reference: &Reference) -> Self {
        let total = sizes.iter().sum();
        let mut ids = random::ids(total, reference.vocab_size(), 21);
        if let Some(id) = reference.padding_id {
            // Some padding, more than chance would bring; the bag of two ends as nothing but padding.
            ids.iter_mut().step_by(5).for_each(|other| *other = id);
            ids[1..3].fill(id);
        }
        let mut weights: Vec<f32> = reference.draw((1, total), 22).into_iter().collect();
        weights.iter_mut().step_by(7).for_each(|weight| *weight = 0.0);
        let offsets = sizes.iter().scan(0, |end, size| {
            let start = *end;
            *end += size;
            Some(start)
        });
        Self { ids, offsets: offsets.collect(), weights }
    }

    fn bags(&self, weight: impl Fn(usize) -> f64) -> Vec<Bag> {
        let ends = self.offsets.iter().skip(1).copied().chain([self.ids.len()]);
        let bag = |(&start, end)| (start..end).map(|i| (self.ids[i], weight(i))).collect();
        self.offsets.iter().zip(ends).map(bag).collect()
    }

    fn unweighted(&self) -> Vec<Bag> {
        self.bags(|_| 1.0)
    }

    fn weighted(&self) -> Vec<Bag> {
        self.bags(|i| f64::from(self.weights[i]))
    }
}

fn bags_are_pooled(layer: &dyn Embedding, reference: &Reference, list: &List, pooling: Pooling) {
    let name = format!("{}, {pooling}", reference.name);
    let bags = Bags::new(&list.ids, &list.offsets, pooling).expect("rising offsets");
    let pooled = layer.bag(&bags).expect("ids of the vocabulary");
    assert_close(&name, pooled.view(), &reference.bag(&list.unweighted(), pooling));
    for layout in LAYOUTS {
        let mut out = Output::new(layout, pooled.dim());
        layer.bag_into(&bags, out.view_mut()).expect("ids of the vocabulary and a fitting output");
        assert_same_bits(&format!("{name}, {layout:?}"), out.written().view(), pooled.view());
    }
}

fn each_bag_has_the_bits_that_it_has_alone(
    layer: &dyn Embedding,
    reference: &Reference,
    list: &List,
    pooling: Pooling,
) {
    let together = layer.bag(&Bags::new(&list.ids, &list.offsets, pooling).expect("rising offsets"));
    let together = together.expect("ids of the vocabulary");
    for (i, bag) in list.unweighted().into_iter().enumerate() {
        let ids: Vec<TokenId> = bag.into_iter().map(|(id, _)| id).collect();
        let alone = layer.bag(&Bags::new(&ids, &[0], pooling).expect("one bag")).expect("ids of the vocabulary");
        let what = format!("{}: {pooling} of bag {i} against the same bag alone", reference.name);
        assert_same_bits(&what, together.slice(s![i..=i, ..]), alone.view());
    }
}

fn weights_scale_the_rows_of_a_sum(layer: &dyn Embedding, reference: &Reference, list: &List) {
    let name = format!("{}, weighted sum", reference.name);
    let bags = Bags::new(&list.ids, &list.offsets, Pooling::Sum).expect("rising offsets");
    let bags = bags.with_weights(&list.weights).expect("a weight for each id");
    let pooled = layer.bag(&bags).expect("ids of the vocabulary");
    assert_close(&name, pooled.view(), &reference.bag(&list.weighted(), Pooling::Sum));
    for layout in LAYOUTS {
        let mut out = Output::new(layout, pooled.dim());
        layer.bag_into(&bags, out.view_mut()).expect("ids of the vocabulary and a fitting output");
        assert_same_bits(&format!("{name}, {layout:?}"), out.written().view(), pooled.view());
    }
}

fn padding_does_not_count(layer: &dyn Embedding, reference: &Reference) {
    let (Some(padding), Some(&other)) = (reference.padding_id, reference.candidates().first()) else { return };
    let ids = [padding, padding, padding, other, padding, other];
    for pooling in POOLINGS {
        let pooled = layer.bag(&Bags::new(&ids, &[0, 2], pooling).expect("rising offsets"));
        let pooled = pooled.expect("ids of the vocabulary");
        let name = format!("{}, {pooling}", reference.name);
        assert!(pooled.row(0).iter().all(|&value| value == 0.0), "{name}: nothing but padding");
        let bag = vec![(other, 1.0), (other, 1.0)];
        assert_close(&name, pooled.slice(s![1.., ..]), &reference.bag(&[bag], pooling));
    }
    // What a padding id weighs does not matter, whatever it is.
    let bags = Bags::new(&ids, &[0, 2], Pooling::Sum).expect("rising offsets");
    let weights = [f32::NAN, f32::INFINITY, f32::NAN, 1.0, f32::NAN, 1.0];
    let pooled = layer.bag(&bags.with_weights(&weights).expect("a weight for each id")).expect("ids of the vocabulary");
    let expected = reference.bag(&[vec![], vec![(other, 1.0), (other, 1.0)]], Pooling::Sum);
    assert_close(&reference.name, pooled.view(), &expected);
}

fn no_bags_are_no_rows(layer: &dyn Embedding, reference: &Reference) {
    for pooling in POOLINGS {
        let pooled = layer.bag(&Bags::new(&[], &[], pooling).expect("no bags")).expect("no ids");
        assert_eq!(pooled.dim(), (0, reference.dim()), "{}: no bags", reference.name);
    }
}
