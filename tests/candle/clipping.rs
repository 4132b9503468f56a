//! One norm for the variables of a model and its embeddings.

use candle_core::{Module, Result, Var, backprop::GradStore};
use factorized_embedding::{
    FactorizedEmbedding,
    candle::{AutogradEmbedding, clip_global_norm, to_tensor},
    train::{FactorGradients, Gradients},
};

use crate::{
    plain::{DIM, array, assert_close, bridged, factors, ids, refusal},
    support::random::normal,
};

type Parts = (AutogradEmbedding<FactorizedEmbedding>, Vec<Var>, GradStore, FactorGradients);

fn gradients() -> Result<Parts> {
    let embedding = bridged(factors());
    let weight = Var::from_tensor(&to_tensor(normal((DIM, 2), 5).view())?)?;
    let unused = Var::from_tensor(&to_tensor(normal((2, 2), 6).view())?)?;
    let store = embedding.forward(&ids(&[1, 2, 1], &[3]))?.matmul(&weight)?.sqr()?.sum_all()?.backward()?;
    let gradients = embedding.take_gradients().expect("gradients");
    Ok((embedding, vec![weight, unused], store, gradients))
}

#[test]
fn both_sides_are_scaled_by_one_factor() -> Result<()> {
    let (_, variables, mut store, mut gradients) = gradients()?;
    let before = (array(store.get(&variables[0]).expect("a gradient")), gradients.clone());
    let squares: f64 = before.0.iter().map(|&number| f64::from(number).powi(2)).sum();
    let expected = (squares + before.1.squared_norm()).sqrt();
    let norm = clip_global_norm(&mut store, &variables, &mut [&mut gradients], expected / 2.0)?;
    assert!((norm - expected).abs() < 1e-9 * expected, "{norm}, expected {expected}");
    let v = |gradients: &FactorGradients| gradients.v.clone().expect("a gradient");
    assert_close("weight", &array(store.get(&variables[0]).expect("a gradient")), &(before.0 / 2.0));
    assert_close("V", &v(&gradients), &(v(&before.1) / 2.0));
    assert!(store.get(&variables[1]).is_none(), "a variable without gradient stays without");
    Ok(())
}

#[test]
fn small_gradients_stay() -> Result<()> {
    let (_, variables, mut store, mut gradients) = gradients()?;
    let before = (array(store.get(&variables[0]).expect("a gradient")), gradients.clone());
    let norm = clip_global_norm(&mut store, &variables, &mut [&mut gradients], 1e9)?;
    assert!(norm > 0.0);
    assert_eq!((array(store.get(&variables[0]).expect("a gradient")), gradients), before);
    Ok(())
}

#[test]
fn what_cannot_be_clipped_is_refused_and_stays() -> Result<()> {
    let (_, variables, mut store, mut gradients) = gradients()?;
    let of_variable = |store: &GradStore| array(store.get(&variables[0]).expect("a gradient"));
    let (before, of_variable_before) = (gradients.clone(), of_variable(&store));
    let refused = refusal(clip_global_norm(&mut store, &variables, &mut [&mut gradients], -1.0));
    assert_eq!(of_variable(&store), of_variable_before);
    assert_eq!(refused, "max_norm is -1, expected a positive number");
    let infinite = (variables[0].as_tensor() * f64::INFINITY)?;
    store.insert(&variables[0], infinite);
    let refused = refusal(clip_global_norm(&mut store, &variables, &mut [&mut gradients], 1.0));
    assert_eq!(refused, "the norm of the gradients of the variables is inf, expected a finite number");
    assert_eq!(gradients, before);
    Ok(())
}
