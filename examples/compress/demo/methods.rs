//! Every method side by side.

use std::{io::Write, time::Instant};

use factorized_embedding::{
    AlternatingLeastSquares, BlockwiseEmbedding, BlockwiseSvd, Decompose, DenseEmbedding, Embedding,
    FactorizedEmbedding, RandomizedSvd, Rank, RowGroups, RowWeights, Shape, SvdRoute, TruncatedSvd,
    evaluate::Evaluator,
};

use crate::{
    method::Method,
    support::{
        Result,
        text::{Align, grouped, write_table},
    },
};

/// The rank whose bytes all methods may take.
const RANK: usize = 20;
const ROW_GROUPS: usize = 6;

/// Decomposes the table by every method, weighted, and writes how long that took, what it lost and what it takes.
pub(super) fn write(dense: &DenseEmbedding<'_>, weights: &RowWeights, out: &mut impl Write) -> Result<()> {
    let table = dense.to_array();
    let table = table.view();
    let (rank, weighted) = (Rank::Fixed(RANK), || weights.clone());
    let svd = |route| TruncatedSvd::new(rank).with_route(route).with_row_weights(weighted());
    let methods: [(Method, Box<dyn Decompose>); 5] = [
        (Method::Qr, Box::new(svd(SvdRoute::Qr))),
        (Method::Gram, Box::new(svd(SvdRoute::Gram))),
        (Method::GramF32, Box::new(svd(SvdRoute::GramF32))),
        (Method::Randomized, Box::new(RandomizedSvd::new(rank).with_row_weights(weighted()))),
        (Method::Als, Box::new(AlternatingLeastSquares::new(RANK).with_row_weights(weighted()))),
    ];
    let evaluator = Evaluator::new(dense).with_row_weights(weighted());
    let mut rows = Vec::new();
    let mut add = |method: Method, start: Instant, layer: &dyn Embedding| -> Result<()> {
        let milliseconds = 1e3 * start.elapsed().as_secs_f64();
        let comparison = evaluator.compare(layer)?;
        rows.push([
            method.to_string(),
            format!("{milliseconds:.0}"),
            format!("{:.4}", comparison.relative_error),
            format!("{:.4}", comparison.weighted_relative_error.unwrap_or_default()),
            grouped(layer.size_in_bytes()),
        ]);
        Ok(())
    };
    for (name, method) in methods {
        let start = Instant::now();
        add(name, start, &FactorizedEmbedding::new(method.decompose(table)?.factors))?;
    }
    let budget = Rank::bytes(Shape { vocab_size: dense.vocab_size(), rank: RANK, dim: dense.dim() });
    let start = Instant::now();
    let method = BlockwiseSvd::new(RowGroups::by_frequency(weights, ROW_GROUPS)?, budget).with_row_weights(weighted());
    add(Method::Blockwise, start, &BlockwiseEmbedding::new(method.decompose(table)?.factors))?;

    writeln!(
        out,
        "\nEvery method, weighted, with the bytes of rank {RANK} ({ROW_GROUPS} groups of rows for blockwise):\n"
    )?;
    let header = [
        ("method", Align::Left),
        ("ms", Align::Right),
        ("relative error", Align::Right),
        ("weighted relative error", Align::Right),
        ("bytes", Align::Right),
    ];
    write_table(out, header, &rows)?;
    Ok(())
}
