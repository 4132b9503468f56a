//! Gradients in f64, so short that they cannot be wrong: central differences, and the chain rule from the gradient of
//! the whole table. Never optimised.

use factorized_embedding::{
    TokenId,
    train::{FactorGradients, RowGradient},
};
use ndarray::{Array1, Array2, ArrayView1, Axis};

use crate::support::factor_parts::FactorParts;

/// U, D, V and b, those that there are; vectors as matrices of one row.
pub(crate) type Parts = [Option<Array2<f64>>; 4];

pub(crate) const NAMES: [&str; 4] = ["u", "diagonal", "v", "bias"];

fn matrix(vector: ArrayView1<'_, f32>) -> Array2<f64> {
    vector.mapv(f64::from).insert_axis(Axis(0))
}

pub(crate) fn parts(parts: &FactorParts) -> Parts {
    let vector = |vector: &Option<Array1<f32>>| vector.as_ref().map(|vector| matrix(vector.view()));
    let FactorParts { u, diagonal, v, bias } = parts;
    [Some(u.mapv(f64::from)), vector(diagonal), Some(v.mapv(f64::from)), vector(bias)]
}

/// U · diag(D) · V + 1·bᵀ, with a zero row where the padding id is.
pub(crate) fn table([u, diagonal, v, bias]: &Parts, padding_id: Option<TokenId>) -> Array2<f64> {
    let (u, v) = (u.as_ref().expect("U"), v.as_ref().expect("V"));
    let mut u = u.clone();
    if let Some(diagonal) = diagonal {
        u *= diagonal;
    }
    let mut table = u.dot(v);
    if let Some(bias) = bias {
        table += bias;
    }
    if let Some(id) = padding_id {
        table.row_mut(id as usize).fill(0.0);
    }
    table
}

/// The gradients of the parts from that of the table, whose padding row counts for nothing.
pub(crate) fn chain(parts: &Parts, table: &Array2<f64>, padding_id: Option<TokenId>) -> Parts {
    let [u, diagonal, v, bias] = parts;
    let (u, v) = (u.as_ref().expect("U"), v.as_ref().expect("V"));
    let mut table = table.clone();
    if let Some(id) = padding_id {
        table.row_mut(id as usize).fill(0.0);
    }
    let scales = diagonal.clone().unwrap_or_else(|| Array2::ones((1, u.ncols())));
    let of_u = table.dot(&v.t()) * &scales;
    let products = u.t().dot(&table);
    let of_diagonal = (&products * v).sum_axis(Axis(1)).insert_axis(Axis(0));
    let of_bias = table.sum_axis(Axis(0)).insert_axis(Axis(0));
    let of_v = products * scales.t();
    [Some(of_u), diagonal.as_ref().map(|_| of_diagonal), Some(of_v), bias.as_ref().map(|_| of_bias)]
}

/// (L(x + h) − L(x − h)) / 2h for every number x of an array.
pub(crate) fn central_differences(array: &Array2<f64>, loss: impl Fn(&Array2<f64>) -> f64) -> Array2<f64> {
    const STEP: f64 = 1e-5;
    Array2::from_shape_fn(array.dim(), |index| {
        let at = |step: f64| {
            let mut array = array.clone();
            array[index] += step;
            loss(&array)
        };
        (at(STEP) - at(-STEP)) / (2.0 * STEP)
    })
}

/// The central differences of each part.
pub(crate) fn differences(parts: &Parts, loss: impl Fn(&Parts) -> f64) -> Parts {
    std::array::from_fn(|i| {
        parts[i].as_ref().map(|part| {
            central_differences(part, |changed| {
                let mut parts = parts.clone();
                parts[i] = Some(changed.clone());
                loss(&parts)
            })
        })
    })
}

/// The gradient of all rows.
pub(crate) fn whole(gradient: &RowGradient, rows: usize) -> Array2<f32> {
    let values = gradient.values();
    let Some(ids) = gradient.ids() else { return values.to_owned() };
    let mut whole = Array2::zeros((rows, values.ncols()));
    for (&id, row) in ids.iter().zip(values.rows()) {
        whole.row_mut(id as usize).assign(&row);
    }
    whole
}

/// The gradients as whole matrices.
pub(crate) fn gradients(gradients: &FactorGradients, vocab_size: usize) -> [Option<Array2<f32>>; 4] {
    let FactorGradients { u, diagonal, v, bias, .. } = gradients;
    let vector = |vector: &Option<Array1<f32>>| vector.clone().map(|vector| vector.insert_axis(Axis(0)));
    [u.as_ref().map(|u| whole(u, vocab_size)), vector(diagonal), v.clone(), vector(bias)]
}

pub(crate) fn abs(parts: &Parts) -> Parts {
    parts.clone().map(|part| part.map(|part| part.abs()))
}
