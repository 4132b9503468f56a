//! Every layer is a module.

use candle_core::{DType, Device, Module, Result, Tensor};
use factorized_embedding::{
    BlockFactors, BlockwiseEmbedding, DenseEmbedding, Embedding, FactorizedEmbedding, QuantizedEmbedding, candle,
    quantize::{Budget, Quantizer},
};

use crate::{
    plain::{DIM, VOCAB_SIZE, array, factors, ids, refusal},
    support::random::normal,
};

#[track_caller]
fn check(layer: &(impl Embedding + Module)) -> Result<()> {
    let all: Vec<u32> = (0..VOCAB_SIZE as u32).chain([4, 4]).collect();
    let expected = layer.lookup(&all)?;
    let flat = ids(&all, &[13]);
    for dtype in [DType::U8, DType::U32, DType::I64] {
        assert_eq!(array(&layer.forward(&flat.to_dtype(dtype)?)?), expected, "{dtype:?}");
    }
    let scalar = layer.forward(&flat.get(4)?)?;
    assert_eq!(scalar.to_vec1::<f32>()?, expected.row(4).to_vec());
    let cube = layer.forward(&ids(&all[..8], &[2, 2, 2]))?;
    assert_eq!(cube.dims(), [2, 2, 2, DIM]);
    assert_eq!(array(&cube), expected.slice(ndarray::s![..8, ..]));
    assert_eq!(layer.forward(&flat.reshape((13, 1))?.t()?)?.dims(), [1, 13, DIM]);
    let dynamic: &dyn Embedding = layer;
    assert_eq!(array(&dynamic.forward(&flat)?), expected);
    let hidden = normal((3, DIM), 4);
    let logits = candle::logits(layer, &candle::to_tensor(hidden.view())?.reshape((3, 1, DIM))?)?;
    assert_eq!(logits.dims(), [3, 1, VOCAB_SIZE]);
    assert_eq!(array(&logits), layer.logits(hidden.view())?);
    Ok(())
}

#[test]
fn every_layer_is_a_module() -> Result<()> {
    let factorized = FactorizedEmbedding::new(factors());
    let dense = factorized.to_dense()?;
    let table = dense.to_array().into_owned();
    check(&factorized)?;
    check(&factorized.to_f16()?)?;
    check(&dense)?;
    check(&DenseEmbedding::new(table.view())?)?;
    check(&BlockwiseEmbedding::new(BlockFactors::new(vec![0; VOCAB_SIZE], vec![Some(factors())], DIM)?))?;
    check(&QuantizedEmbedding::new(Quantizer::new(Budget::RelativeError(0.1)).quantize(table.view())?.factors))
}

#[test]
fn what_is_no_id_is_refused() -> Result<()> {
    let layer = FactorizedEmbedding::new(factors());
    let refused = |ids: Tensor| refusal(layer.forward(&ids));
    assert_eq!(refused(ids(&[0, 11], &[2])), "id 11 at position 1 is out of range for a vocabulary of 11 (ids 0..=10)");
    assert_eq!(
        refused(Tensor::new(&[0_i64, -1], &Device::Cpu)?),
        "-1 at position 1 is not a token id (0..=4294967295)"
    );
    assert_eq!(refused(Tensor::new(&[0_f32], &Device::Cpu)?), "ids are of type f32, expected integers");
    let hidden = Tensor::zeros((2, DIM + 1), DType::F32, &Device::Cpu)?;
    assert_eq!(
        refusal(candle::logits(&layer, &hidden)),
        "hidden states have shape [2, 6], expected a last dimension of 5"
    );
    Ok(())
}
