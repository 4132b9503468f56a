//! The cross-entropy of a factorized layer that is its model's head, too.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, aview1, concatenate, s};

use super::{
    Backward,
    head::{Counted, Head},
    left::Left,
    weighted::{add_product, multiply, row_gradient},
};
use crate::{
    Embedding, FactorizedEmbedding, Result, TokenId, kernel,
    train::{CrossEntropy, FactorGradients},
};

pub(super) fn with_gradients(
    backward: &Backward<'_, FactorizedEmbedding>,
    hidden: ArrayView2<'_, f32>,
    targets: &[TokenId],
    ignored: Option<TokenId>,
) -> Result<CrossEntropy<FactorGradients>> {
    let counted = Counted::new(backward.layer, hidden, targets, ignored)?;
    let (isa, rank, factors) = (backward.layer.isa(), backward.layer.rank(), backward.layer.factors());
    let queries = backward.to_rank_space(counted.hidden.view());
    let head = head(backward, &counted, queries.view());
    let softmax = head.softmax()?;

    let left = Left { rank, bias: false };
    let has_bias = factors.bias().is_some();
    let mut u = backward.trainable.u.then(|| Array2::zeros((head.ids.len(), rank)));
    // W · U transposed, for the gradients W of the logits, and below it their sums, which are the weights of the
    // bias.
    let mut pooled = Array2::zeros((rank + usize::from(has_bias), queries.nrows()));
    head.gradients(&softmax, |block, rows, of_logits| {
        if let Some(u) = &mut u {
            multiply(isa, of_logits, queries.view(), &mut u.slice_mut(s![block, ..]));
        }
        add_product(isa, left.of(isa, rows.view()).view(), of_logits, &mut pooled.slice_mut(s![..rank, ..]));
    })?;
    if has_bias {
        pooled.row_mut(rank).assign(&aview1(&head.sums(&softmax)));
    }

    let mut of_hidden = Array2::zeros(counted.hidden.dim());
    let projection = factors.projection();
    let with_bias =
        factors.bias().and_then(|bias| concatenate(Axis(0), &[projection.view(), bias.insert_axis(Axis(0))]).ok());
    let mut pooled_rows = Array2::zeros((queries.nrows(), pooled.nrows()));
    kernel::transpose(isa, pooled.view(), &mut pooled_rows.view_mut());
    multiply(isa, pooled_rows.view(), with_bias.unwrap_or(projection).view(), &mut of_hidden.view_mut());

    let wanted = backward.left();
    let rows = if wanted.rank > 0 { 0 } else { rank }..if wanted.bias { rank + 1 } else { rank };
    let shared = backward.shared(wanted, backward.products(pooled.slice(s![rows, ..]), counted.hidden.view()));
    let u = u.map(|u| row_gradient(head.ids, u, backward.layer.vocab_size())).transpose()?;
    let hidden = counted.spread(of_hidden, targets.len());
    Ok(CrossEntropy { loss: softmax.loss, hidden, gradients: FactorGradients { u, ..shared } })
}

pub(super) fn loss(
    backward: &Backward<'_, FactorizedEmbedding>,
    hidden: ArrayView2<'_, f32>,
    targets: &[TokenId],
    ignored: Option<TokenId>,
) -> Result<f64> {
    let counted = Counted::new(backward.layer, hidden, targets, ignored)?;
    let queries = backward.to_rank_space(counted.hidden.view());
    Ok(head(backward, &counted, queries.view()).softmax()?.loss)
}

fn head(
    backward: &Backward<'_, FactorizedEmbedding>,
    counted: &Counted,
    queries: ArrayView2<'_, f32>,
) -> Head<impl Fn(&[TokenId]) -> Result<Array2<f32>>> {
    let of_hidden = |bias: ArrayView1<'_, f32>| counted.hidden.rows().into_iter().map(|row| row.dot(&bias)).collect();
    let constants: Option<Array1<f32>> = backward.layer.factors().bias().map(of_hidden);
    let rows = |ids: &[TokenId]| backward.layer.lookup_rank(ids);
    let constants = constants.as_ref().map(|constants| constants.view());
    Head::new(backward.layer, backward.layer.isa(), counted, (queries, constants), rows)
}
