//! Gradients add up until they are taken.

use candle_core::{Module, Result};

use crate::plain::{Plain, bridged, factors, ids};

#[test]
fn a_table_that_is_used_twice_has_the_sum_of_both_gradients() -> Result<()> {
    let (embedding, plain) = (bridged(factors()), Plain::new(&factors())?);
    let (inputs, targets) = (ids(&[3, 0, 3], &[3]), ids(&[1, 2, 10], &[3]));
    // As in a language model, whose head is the table: gradients of rows, and of all of them.
    embedding.cross_entropy(&embedding.forward(&inputs)?, &targets, None)?.backward()?;
    let logits = plain.logits(&plain.lookup(&inputs)?)?;
    let expected = candle_nn::loss::cross_entropy(&logits, &targets)?.backward()?;
    plain.assert_gradients("tied", &embedding.take_gradients().expect("gradients"), &expected);
    Ok(())
}

#[test]
fn micro_batches_add_up() -> Result<()> {
    let (embedding, plain) = (bridged(factors()), Plain::new(&factors())?);
    let parts = [ids(&[3, 0], &[2]), ids(&[0, 7, 10], &[3])];
    for part in &parts {
        embedding.forward(part)?.sqr()?.sum_all()?.backward()?;
    }
    let loss = |part| plain.lookup(part)?.sqr()?.sum_all();
    let expected = (loss(&parts[0])? + loss(&parts[1])?)?.backward()?;
    plain.assert_gradients("micro-batches", &embedding.take_gradients().expect("gradients"), &expected);
    Ok(())
}

#[test]
fn clones_are_one_layer() -> Result<()> {
    let embedding = bridged(factors());
    let clone = embedding.clone();
    clone.forward(&ids(&[3], &[1]))?.sum_all()?.backward()?;
    let gradients = embedding.take_gradients().expect("those of the clone");
    assert!(clone.take_gradients().is_none());
    embedding.step(&gradients, 0.5)?;
    assert_eq!(clone.layer().factors(), embedding.layer().factors());
    assert_ne!(clone.layer().factors(), &factors());
    Ok(())
}
