//! Factors from and to variables.

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use factorized_embedding::{
    Dtype, Factors, Shape,
    candle::{factors_from_builder, factors_to_variables},
};

use crate::plain::{DIM, RANK, VOCAB_SIZE, factors, refusal};

fn builder(variables: &VarMap) -> VarBuilder<'static> {
    VarBuilder::from_varmap(variables, DType::F32, &Device::Cpu)
}

fn without_vectors() -> Factors {
    Factors::new(factors().u().to_owned(), factors().v().to_owned()).expect("shapes that multiply")
}

#[test]
fn factors_come_back_as_they_went() -> Result<()> {
    let variables = VarMap::new();
    for (prefix, factors) in [("", factors()), ("a.b", without_vectors())] {
        factors_to_variables(&factors, &variables, prefix)?;
        let builder = builder(&variables);
        let builder = if prefix.is_empty() { builder } else { builder.pp("a").pp("b") };
        assert_eq!(factors_from_builder(factors.shape(), &builder)?, factors);
    }
    assert_eq!(variables.all_vars().len(), 6);
    Ok(())
}

/// Whoever holds a variable sees the new numbers; parts that are gone are gone.
#[test]
fn variables_that_are_there_are_set() -> Result<()> {
    let variables = VarMap::new();
    factors_to_variables(&factors(), &variables, "e")?;
    let held = variables.data().lock().expect("no thread has failed")["e.v"].clone();
    let halved = Factors::new(factors().u().into_owned() / 2.0, factors().v().to_owned() / 2.0)?;
    factors_to_variables(&halved, &variables, "e")?;
    assert_eq!(held.to_vec2::<f32>()?[0], halved.v().row(0).to_vec());
    assert_eq!(factors_from_builder(halved.shape(), &builder(&variables).pp("e"))?, halved);
    assert_eq!(variables.all_vars().len(), 2);
    Ok(())
}

#[test]
fn factors_go_through_a_file_of_candles() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors");
    let variables = VarMap::new();
    factors_to_variables(&factors(), &variables, "embedding")?;
    variables.save(&path)?;
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu)?;
    let builder = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    assert_eq!(factors_from_builder(factors().shape(), &builder.pp("embedding"))?, factors());
    Ok(())
}

#[test]
fn narrow_factors_become_variables_of_f32() -> Result<()> {
    let narrow = factors().to_dtype(Dtype::F16)?;
    let variables = VarMap::new();
    factors_to_variables(&narrow, &variables, "")?;
    assert_eq!(factors_from_builder(narrow.shape(), &builder(&variables))?, narrow.to_dtype(Dtype::F32)?);
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_changes() -> Result<()> {
    let variables = VarMap::new();
    let other = Var::zeros((RANK, DIM + 1), DType::F32, &Device::Cpu)?;
    variables.data().lock().expect("no thread has failed").insert("v".to_owned(), other);
    let error = refusal(factors_to_variables(&factors(), &variables, ""));
    assert_eq!(error, "the variable v has shape [3, 6], expected [3, 5]");
    assert_eq!(variables.all_vars().len(), 1, "nothing was made");

    let shape = Shape { vocab_size: VOCAB_SIZE, rank: RANK, dim: DIM };
    let error = refusal(factors_from_builder(shape, &builder(&variables).pp("model")));
    assert_eq!(error, "there is no tensor u below “model”");
    assert_eq!(variables.all_vars().len(), 1, "nothing was made by asking");

    let variables = VarMap::new();
    factors_to_variables(&factors(), &variables, "")?;
    let wrong = Shape { rank: RANK + 1, ..shape };
    assert!(factors_from_builder(wrong, &builder(&variables)).is_err(), "another rank");
    let infinite = Tensor::full(f32::INFINITY, (RANK, DIM), &Device::Cpu)?;
    variables.data().lock().expect("no thread has failed")["v"].set(&infinite)?;
    assert!(factors_from_builder(shape, &builder(&variables)).is_err(), "numbers that are not finite");
    Ok(())
}
