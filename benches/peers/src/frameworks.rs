//! Tensors of the frameworks, made once.

use burn::tensor::{Device as BurnDevice, Int, Tensor as Burn, TensorData};
use candle_core::{Device, Tensor as Candle};
use factorized_embedding::TokenId;
use ndarray::{Array2, ArrayView2};

pub(crate) fn candle(array: ArrayView2<'_, f32>) -> Candle {
    Candle::from_iter(array.iter().copied(), &Device::Cpu).and_then(|flat| flat.reshape(array.dim())).expect("a tensor")
}

pub(crate) fn candle_ids(ids: &[TokenId]) -> Candle {
    Candle::from_slice(ids, ids.len(), &Device::Cpu).expect("a tensor")
}

pub(crate) fn from_candle(tensor: &Candle) -> Array2<f32> {
    let shape = tensor.dims2().expect("two dimensions");
    let numbers = tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("numbers");
    Array2::from_shape_vec(shape, numbers).expect("as many numbers as the shape says")
}

pub(crate) fn burn(array: ArrayView2<'_, f32>) -> Burn<2> {
    let (rows, cols) = array.dim();
    Burn::from_data(TensorData::new(array.iter().copied().collect::<Vec<f32>>(), [rows, cols]), &BurnDevice::flex())
}

/// Ids of bags of `len`, \[bags, len\].
pub(crate) fn burn_ids(ids: &[TokenId], len: usize) -> Burn<2, Int> {
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    let shape = [ids.len() / len, len];
    Burn::from_data(TensorData::new(ids, shape), &BurnDevice::flex())
}

pub(crate) fn from_burn(tensor: &Burn<2>) -> Array2<f32> {
    let numbers = tensor.clone().into_data().try_into_vec().expect("numbers");
    let [rows, cols] = tensor.dims();
    Array2::from_shape_vec((rows, cols), numbers).expect("as many numbers as the shape says")
}
