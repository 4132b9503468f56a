//! What the bridge refuses, and that nothing has changed then.

use candle_core::{DType, Device, Module, Result, Tensor, Var};
use factorized_embedding::train::Trainable;

use crate::plain::{DIM, bridged, factors, ids, refusal};

fn infinite() -> Tensor {
    Tensor::from_vec(vec![f32::INFINITY; DIM], DIM, &Device::Cpu).expect("a vector")
}

#[test]
fn infinite_gradients_end_the_backward_pass() -> Result<()> {
    let embedding = bridged(factors());
    let loss = embedding.forward(&ids(&[3, 0], &[2]))?.broadcast_mul(&infinite())?.sum_all()?;
    let error = refusal(loss.backward());
    assert!(error.contains("grad_out [n, dim]"), "{error}");
    let hidden = Var::zeros((1, DIM), DType::F32, &Device::Cpu)?;
    let loss = (embedding.cross_entropy(&hidden, &ids(&[4], &[1]), None)? * f64::INFINITY)?;
    assert_eq!(refusal(loss.backward()), "∂L/∂loss of a cross-entropy is inf, expected a finite number");
    assert!(embedding.take_gradients().is_none());
    assert_eq!(embedding.layer().factors(), &factors());
    Ok(())
}

/// Gradients of other parameters are not added to each other.
#[test]
fn gradients_of_before_a_step_must_be_taken() -> Result<()> {
    let embedding = bridged(factors());
    embedding.forward(&ids(&[3], &[1]))?.sum_all()?.backward()?;
    embedding.update(|_, _| Ok::<_, candle_core::Error>(()))?;
    let error = refusal(embedding.forward(&ids(&[3], &[1]))?.sum_all()?.backward());
    assert_eq!(error, "gradients of version 0 of the embedding were not taken, expected those of version 1");
    assert!(embedding.take_gradients().is_some());
    embedding.forward(&ids(&[3], &[1]))?.sum_all()?.backward()?;
    assert!(embedding.take_gradients().is_some());
    Ok(())
}

#[test]
fn outputs_of_before_a_step_have_no_gradients() -> Result<()> {
    let embedding = bridged(factors());
    let (first, second) = (embedding.forward(&ids(&[3], &[1]))?, embedding.forward(&ids(&[4], &[1]))?);
    first.sum_all()?.backward()?;
    embedding.step(&embedding.take_gradients().expect("gradients"), 0.1)?;
    let error = refusal(second.sum_all()?.backward());
    let expected =
        "the embedding was changed between the forward and the backward pass: it is at version 1, expected 0";
    assert_eq!(error, expected);
    let hidden = Var::zeros((1, DIM), DType::F32, &Device::Cpu)?;
    let loss = embedding.cross_entropy(&hidden, &ids(&[4], &[1]), None)?;
    embedding.update(|_, _| Ok::<_, candle_core::Error>(()))?;
    assert!(loss.backward().is_err(), "gradients of a head of before a step");
    assert!(embedding.take_gradients().is_none());
    Ok(())
}

#[test]
fn outputs_of_before_a_change_that_fails_have_no_gradients() -> Result<()> {
    let embedding = bridged(factors());
    let vectors = embedding.forward(&ids(&[3], &[1]))?;
    embedding.update(|_, _| Err::<(), _>("half done")).expect_err("the error of the closure");
    let error = refusal(vectors.sum_all()?.backward());
    assert!(error.ends_with("it is at version 1, expected 0"), "{error}");
    assert!(embedding.take_gradients().is_none());
    Ok(())
}

/// An infinite number that a factor makes of finite gradients.
#[test]
fn gradients_that_a_factor_makes_infinite_are_refused() -> Result<()> {
    let embedding = bridged(factors());
    let hidden = Var::from_vec(vec![1e3_f32; DIM], (1, DIM), &Device::Cpu)?;
    let loss = (embedding.cross_entropy(&hidden, &ids(&[4], &[1]), None)? * 1e37)?;
    let error = refusal(loss.backward());
    assert!(error.contains("only finite numbers can be used"), "{error}");
    assert!(embedding.take_gradients().is_none());
    Ok(())
}

#[test]
fn gradients_of_clones_that_train_other_parts_are_not_added() -> Result<()> {
    let embedding = bridged(factors());
    let head = embedding.clone().with_trainable(Trainable { u: false, ..Trainable::default() });
    embedding.forward(&ids(&[3], &[1]))?.sum_all()?.backward()?;
    let error = refusal(head.forward(&ids(&[3], &[1]))?.sum_all()?.backward());
    assert!(error.starts_with("only one of the gradients has a part u"), "{error}");
    let gradients = embedding.take_gradients().expect("those that were there");
    assert!(gradients.u.is_some());
    Ok(())
}

#[test]
fn a_cross_entropy_has_one_backward_pass() -> Result<()> {
    let embedding = bridged(factors());
    let loss = embedding.cross_entropy(&embedding.forward(&ids(&[3], &[1]))?, &ids(&[4], &[1]), None)?;
    loss.backward()?;
    let error = refusal(loss.backward());
    assert_eq!(error, "the backward pass of a cross-entropy was made already: its gradients are gone");
    Ok(())
}

#[test]
fn shapes_that_do_not_fit_are_refused() -> Result<()> {
    let embedding = bridged(factors());
    let hidden = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
    assert_eq!(
        refusal(embedding.logits(&hidden(&[2, DIM - 1])?)),
        "hidden states have shape [2, 4], expected a last dimension of 5"
    );
    assert_eq!(
        refusal(embedding.cross_entropy(&hidden(&[2, DIM])?, &ids(&[1, 2, 3], &[3]), None)),
        "hidden states have shape [2, 5], expected [3, 5] as of the targets"
    );
    assert!(embedding.bag(&ids(&[1], &[1]), factorized_embedding::Pooling::Sum).is_err(), "ids of one dimension");
    assert!(refusal(embedding.forward(&ids(&[11], &[1]))).starts_with("id 11 at position 0 is out of range"));
    let error = embedding.cross_entropy(&hidden(&[1, DIM])?, &ids(&[11], &[1]), None);
    assert!(refusal(error).starts_with("id 11 at position 0 is out of range"));
    Ok(())
}

#[test]
fn a_step_that_is_refused_changes_nothing() -> Result<()> {
    let embedding = bridged(factors());
    embedding.forward(&ids(&[3], &[1]))?.sum_all()?.backward()?;
    let gradients = embedding.take_gradients().expect("gradients");
    let vectors = embedding.forward(&ids(&[4], &[1]))?;
    let error = refusal(embedding.step(&gradients, f64::NAN));
    assert_eq!(error, "learning_rate is NaN, expected a finite f32 that is not negative");
    assert_eq!(embedding.layer().factors(), &factors());
    vectors.sum_all()?.backward()?; // the parameters are those that it was looked up with
    Ok(())
}
