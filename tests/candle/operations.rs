//! Gradients of each operation, against candle's of the same operation on the whole table.

use candle_core::{Device, Module, Result, Tensor, Var};
use candle_nn::loss;
use factorized_embedding::{
    DenseEmbedding, Embedding, FactorizedEmbedding, Pooling,
    candle::{AutogradEmbedding, to_tensor},
    train::{Backward, FactorOptimizer, Gradients, Optimizer, TableOptimizer, Trainable},
};
use ndarray::{Array2, ArrayView2};

use crate::{
    plain::{DIM, Plain, RANK, VOCAB_SIZE, array, assert_close, bridged, factors, ids},
    support::random::normal,
};

/// With repeated ids, in two dimensions.
const IDS: [u32; 6] = [3, 0, 3, 10, 7, 3];

fn weights(shape: (usize, usize), seed: u64) -> Tensor {
    to_tensor(normal(shape, seed).view()).expect("a tensor")
}

#[test]
fn lookups_have_the_gradients_of_plain_variables() -> Result<()> {
    let (embedding, plain) = (bridged(factors()), Plain::new(&factors())?);
    let ids = ids(&IDS, &[2, 3]);
    let weights = weights((6, DIM), 5).reshape((2, 3, DIM))?;
    let vectors = embedding.forward(&ids)?;
    assert_eq!(vectors.dims(), [2, 3, DIM]);
    assert_close("vectors", &array(&vectors), &array(&plain.lookup(&ids)?));
    (vectors.sqr()? * &weights)?.sum_all()?.backward()?;
    let expected = (plain.lookup(&ids)?.sqr()? * &weights)?.sum_all()?.backward()?;
    let gradients = embedding.take_gradients().expect("gradients");
    assert_eq!(gradients.u.as_ref().and_then(|u| u.ids()), Some(&[0, 3, 7, 10][..]), "sparse rows");
    plain.assert_gradients("lookup", &gradients, &expected);
    assert!(embedding.take_gradients().is_none(), "they were taken");
    Ok(())
}

/// What backward hands over need not be row-major.
#[test]
fn gradients_of_any_layout_are_read() -> Result<()> {
    let (embedding, plain) = (bridged(factors()), Plain::new(&factors())?);
    let ids = ids(&IDS, &[6]);
    let right = weights((6, 4), 6);
    embedding.forward(&ids)?.t()?.matmul(&right)?.sqr()?.sum_all()?.backward()?;
    let expected = plain.lookup(&ids)?.t()?.matmul(&right)?.sqr()?.sum_all()?.backward()?;
    plain.assert_gradients("transposed", &embedding.take_gradients().expect("gradients"), &expected);
    Ok(())
}

#[test]
fn bags_have_the_gradients_of_plain_variables() -> Result<()> {
    let (embedding, plain) = (bridged(factors()), Plain::new(&factors())?);
    let weights = weights((2, DIM), 7);
    for pooling in [Pooling::Sum, Pooling::Mean, Pooling::Max] {
        // A maximum that is there twice has its gradient twice in candle.
        let bags = if pooling == Pooling::Max { [3, 0, 7, 10, 7, 1] } else { IDS };
        let ids = ids(&bags, &[2, 3]);
        let pooled = embedding.bag(&ids, pooling)?;
        let vectors = plain.lookup(&ids)?;
        let expected = match pooling {
            Pooling::Sum => vectors.sum(1)?,
            Pooling::Mean => vectors.mean(1)?,
            Pooling::Max => vectors.max(1)?,
        };
        assert_close("vectors", &array(&pooled), &array(&expected));
        (pooled * &weights)?.sum_all()?.backward()?;
        let expected = (expected * &weights)?.sum_all()?.backward()?;
        plain.assert_gradients(&format!("{pooling:?}"), &embedding.take_gradients().expect("gradients"), &expected);
    }
    Ok(())
}

#[test]
fn tied_logits_have_the_gradients_of_plain_variables() -> Result<()> {
    let (embedding, plain) = (bridged(factors()), Plain::new(&factors())?);
    let hidden = Var::from_tensor(&weights((4, DIM), 8))?;
    let targets = ids(&[3, 0, 10, 3], &[4]);
    let logits = embedding.logits(&hidden)?;
    assert_close("logits", &array(&logits), &array(&plain.logits(&hidden)?));
    let store = loss::cross_entropy(&logits, &targets)?.backward()?;
    let expected = loss::cross_entropy(&plain.logits(&hidden)?, &targets)?.backward()?;
    plain.assert_gradients("logits", &embedding.take_gradients().expect("gradients"), &expected);
    let of_hidden = |store: &candle_core::backprop::GradStore| array(store.get(&hidden).expect("a gradient"));
    assert_close("hidden", &of_hidden(&store), &of_hidden(&expected));
    assert_eq!(embedding.logits(&hidden.reshape((2, 2, DIM))?)?.dims(), [2, 2, VOCAB_SIZE]);
    Ok(())
}

/// The scale of the loss, as of a mean over micro-batches, reaches all gradients.
#[test]
fn the_fused_cross_entropy_has_the_gradients_of_plain_variables() -> Result<()> {
    let (embedding, plain) = (bridged(factors()), Plain::new(&factors())?);
    let hidden = Var::from_tensor(&weights((4, DIM), 8))?;
    let targets = ids(&[3, 0, 10, 3], &[4]);
    for scale in [1.0, 0.25] {
        let loss = embedding.cross_entropy(&hidden, &targets, None)?;
        let plain_loss = loss::cross_entropy(&plain.logits(&hidden)?, &targets)?;
        assert_close("loss", &array(&loss.reshape((1, 1))?), &array(&plain_loss.reshape((1, 1))?));
        let alone = embedding.cross_entropy_loss(&hidden, &targets, None)?;
        assert_eq!(loss.to_scalar::<f32>()?, alone as f32);
        let store = (loss * scale)?.backward()?;
        let expected = (plain_loss * scale)?.backward()?;
        plain.assert_gradients("cross-entropy", &embedding.take_gradients().expect("gradients"), &expected);
        let of_hidden = |store: &candle_core::backprop::GradStore| array(store.get(&hidden).expect("a gradient"));
        assert_close("hidden", &of_hidden(&store), &of_hidden(&expected));
    }
    Ok(())
}

#[test]
fn ignored_targets_count_for_nothing() -> Result<()> {
    let embedding = bridged(factors());
    let hidden = weights((4, DIM), 8);
    let all = embedding.cross_entropy(&hidden, &ids(&[3, 99, 10, 99], &[4]), Some(99))?;
    let some = hidden.index_select(&ids(&[0, 2], &[2]), 0)?;
    let counted = embedding.cross_entropy(&some, &ids(&[3, 10], &[2]), None)?;
    assert_eq!(all.to_scalar::<f32>()?, counted.to_scalar::<f32>()?);
    Ok(())
}

/// A head and a lookup of a layer with padding: rows of the head's gradient are all but one.
#[test]
fn tied_layers_with_padding_have_the_sum_of_both_gradients() -> Result<()> {
    let layer = FactorizedEmbedding::new(factors()).with_padding_id(3)?;
    let backward = Backward::new(&layer);
    let embedding = AutogradEmbedding::new(layer.clone(), FactorOptimizer::new(Optimizer::sgd())?)?;
    let targets = [1, 2, 3, 4, 5, 6];
    embedding.cross_entropy(&embedding.forward(&ids(&IDS, &[6]))?, &ids(&targets, &[6]), None)?.backward()?;
    let head = backward.cross_entropy(layer.lookup(&IDS)?.view(), &targets, None)?;
    let mut expected = head.gradients;
    expected.add(&backward.lookup(&IDS, head.hidden.view())?)?;
    let gradients = embedding.take_gradients().expect("gradients");
    assert_eq!(gradients.u.as_ref().and_then(|u| u.ids()).map(<[u32]>::len), Some(VOCAB_SIZE - 1));
    assert_eq!(gradients, expected);
    Ok(())
}

/// A hidden state that no variable stands behind: the head is trained all the same.
#[test]
fn heads_learn_from_constants() -> Result<()> {
    let (embedding, plain) = (bridged(factors()), Plain::new(&factors())?);
    let hidden = weights((4, DIM), 8);
    embedding.logits(&hidden)?.sqr()?.sum_all()?.backward()?;
    let expected = plain.logits(&hidden)?.sqr()?.sum_all()?.backward()?;
    plain.assert_gradients("constants", &embedding.take_gradients().expect("gradients"), &expected);
    Ok(())
}

/// A dense table: its rows are its gradient's.
#[test]
fn dense_tables_have_the_gradients_of_a_plain_variable() -> Result<()> {
    let table = normal((VOCAB_SIZE, DIM), 9);
    let layer = DenseEmbedding::new(table.clone())?;
    let embedding = AutogradEmbedding::new(layer, TableOptimizer::new(Optimizer::sgd())?)?;
    let plain = Var::from_tensor(&to_tensor(table.view())?)?;
    let (ids, weights) = (ids(&IDS, &[6]), weights((6, DIM), 5));
    ((embedding.forward(&ids)? * &weights)?.sqr()?.sum_all()?).backward()?;
    let store = ((plain.index_select(&ids, 0)? * &weights)?.sqr()?.sum_all()?).backward()?;
    let gradient = embedding.take_gradients().expect("gradients");
    let expected = array(store.get(&plain).expect("a gradient"));
    let used = [0, 3, 7, 10];
    assert_eq!(gradient.ids(), Some(&used[..]));
    let expected = Array2::from_shape_fn((used.len(), DIM), |(i, j)| expected[[used[i] as usize, j]]);
    assert_close("table", &gradient.values().to_owned(), &expected);
    Ok(())
}

#[test]
fn padding_has_no_vector_and_no_gradient() -> Result<()> {
    let layer = FactorizedEmbedding::new(factors()).with_padding_id(3)?;
    let embedding = AutogradEmbedding::new(layer, FactorOptimizer::new(Optimizer::sgd())?)?;
    let vectors = embedding.forward(&ids(&IDS, &[6]))?;
    assert_eq!(vectors.get(0)?.to_vec1::<f32>()?, [0.0; DIM]);
    vectors.sqr()?.sum_all()?.backward()?;
    let gradients = embedding.take_gradients().expect("gradients");
    assert_eq!(gradients.u.as_ref().and_then(|u| u.ids()), Some(&[0, 7, 10][..]));
    Ok(())
}

#[test]
fn frozen_parts_have_no_gradient() -> Result<()> {
    let embedding = bridged(factors()).with_trainable(Trainable { u: false, diagonal: false, ..Trainable::default() });
    embedding.forward(&ids(&IDS, &[6]))?.sqr()?.sum_all()?.backward()?;
    let gradients = embedding.take_gradients().expect("gradients");
    assert!(gradients.u.is_none() && gradients.diagonal.is_none());
    assert!(gradients.v.is_some() && gradients.bias.is_some());
    Ok(())
}

#[test]
fn frequencies_divide_the_gradients_of_rows() -> Result<()> {
    let embedding = bridged(factors()).scale_grad_by_freq();
    let grad_out = normal((6, DIM), 5);
    (embedding.forward(&ids(&IDS, &[6]))? * to_tensor(grad_out.view())?)?.sum_all()?.backward()?;
    let layer = FactorizedEmbedding::new(factors());
    let expected = Backward::new(&layer).scale_grad_by_freq().lookup(&IDS, grad_out.view())?;
    assert_eq!(embedding.take_gradients(), Some(expected));
    Ok(())
}

/// Half precision in, half precision back, through candle's own conversions.
#[test]
fn other_floating_point_types_are_converted() -> Result<()> {
    let embedding = bridged(factors());
    let hidden = Var::from_tensor(&weights((2, DIM), 8).to_dtype(candle_core::DType::F16)?)?;
    let logits = embedding.logits(&hidden)?;
    assert_eq!(logits.dtype(), candle_core::DType::F32);
    let store = logits.sum_all()?.backward()?;
    let gradient = store.get(&hidden).expect("a gradient");
    assert_eq!(gradient.dtype(), candle_core::DType::F16);
    let sums = FactorizedEmbedding::new(factors()).soft_lookup(Array2::ones((2, VOCAB_SIZE)).view())?;
    // f16 has 11 significant bits.
    let difference = array(gradient) - &sums;
    assert!(difference.iter().zip(&sums).all(|(difference, sum)| difference.abs() <= (sum.abs() + 1e-3) / 1024.0));
    Ok(())
}

#[test]
fn no_ids_give_no_vectors() -> Result<()> {
    let embedding = bridged(factors());
    let vectors = embedding.forward(&Tensor::zeros((2, 0), candle_core::DType::U32, &Device::Cpu)?)?;
    assert_eq!(vectors.dims(), [2, 0, DIM]);
    let bags = embedding.bag(&Tensor::zeros((2, 0), candle_core::DType::U32, &Device::Cpu)?, Pooling::Mean)?;
    assert_eq!(bags.to_vec2::<f32>()?, [[0.0; DIM]; 2]);
    Ok(())
}

/// The layer computes what it computes without candle, to the bit.
#[test]
fn outputs_are_those_of_the_layer() -> Result<()> {
    let embedding = bridged(factors());
    let layer = FactorizedEmbedding::new(factors());
    let same = |tensor: Tensor, expected: ArrayView2<'_, f32>| assert_eq!(array(&tensor), expected);
    same(embedding.forward(&ids(&IDS, &[6]))?, layer.lookup(&IDS)?.view());
    let hidden = normal((4, DIM), 8);
    same(embedding.logits(&to_tensor(hidden.view())?)?, layer.logits(hidden.view())?.view());
    assert_eq!(embedding.layer().rank(), RANK);
    Ok(())
}
