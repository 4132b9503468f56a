//! Dense and factorized tables, side by side.

use std::{hint::black_box, time::Instant};

use factorized_embedding::{
    Decompose, DenseEmbedding, Embedding, FactorizedEmbedding, Rank, Spectrum, TokenId, TruncatedSvd,
};
use ndarray::{Array2, ArrayView2};

use crate::support::Result;

const ROUNDS: usize = 9;
/// The full rank, and these parts of it.
const PARTS: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// A way to project patches.
#[derive(Debug)]
pub(crate) struct Projection {
    pub(crate) name: String,
    pub(crate) layer: Box<dyn Embedding>,
    pub(crate) flops: usize,
    /// A median.
    pub(crate) seconds: f64,
    pub(crate) table_error: f64,
    pub(crate) output_error: f64,
}

/// A table of position embeddings.
#[derive(Debug)]
pub(crate) struct Positions {
    pub(crate) name: String,
    pub(crate) layer: Box<dyn Embedding>,
    pub(crate) table_error: f64,
}

/// Both tables of the same row of theirs.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) names: [String; 2],
    pub(crate) bytes: usize,
    pub(crate) error: f64,
}

/// The dense product, the dense layer, and factors of falling ranks, compared with a convolution.
pub(crate) fn projections(
    table: &Array2<f32>,
    pixels: &Array2<f32>,
    convolution: &Array2<f64>,
) -> Result<Vec<Projection>> {
    let [size, hidden] = [table.nrows(), table.ncols()];
    let measured = |name: String, layer: Box<dyn Embedding>, table_error, flops, project: &Project<'_>| -> Result<_> {
        let outputs = project(&*layer)?.mapv(f64::from);
        let seconds = median_seconds(|| project(&*layer))?;
        let output_error = relative_error(&outputs, convolution);
        Ok(Projection { name, layer, flops, seconds, table_error, output_error })
    };
    let dense = || -> Result<_> { Ok(Box::new(DenseEmbedding::new(table.clone())?)) };
    let dense_flops = 2 * size * hidden;
    let soft_lookup = |layer: &dyn Embedding| layer.soft_lookup(pixels.view());
    let mut projections = vec![
        measured("dense, product of ndarray".to_owned(), dense()?, 0.0, dense_flops, &|_| Ok(pixels.dot(table)))?,
        measured("dense, soft lookup".to_owned(), dense()?, 0.0, dense_flops, &soft_lookup)?,
    ];
    for (layer, spectrum) in factorized(table.view())? {
        let (rank, name) = (layer.rank(), name(&layer));
        let flops = 2 * rank * (size + hidden);
        projections.push(measured(name, Box::new(layer), spectrum.error_at(rank), flops, &soft_lookup)?);
    }
    Ok(projections)
}

/// From a layer to the vectors of all patches.
type Project<'a> = dyn Fn(&dyn Embedding) -> factorized_embedding::Result<Array2<f32>> + 'a;

fn median_seconds(call: impl Fn() -> factorized_embedding::Result<Array2<f32>>) -> Result<f64> {
    let mut seconds = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        black_box(call()?);
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[ROUNDS / 2])
}

pub(crate) fn positions(table: &Array2<f32>) -> Result<Vec<Positions>> {
    let dense = DenseEmbedding::new(table.clone())?;
    let mut all = vec![Positions { name: "dense".to_owned(), layer: Box::new(dense), table_error: 0.0 }];
    for (layer, spectrum) in factorized(table.view())? {
        let (name, table_error) = (name(&layer), spectrum.error_at(layer.rank()));
        all.push(Positions { name, layer: Box::new(layer), table_error });
    }
    Ok(all)
}

/// What the first layer of the encoder is given: vectors of patches plus those of their positions.
pub(crate) fn inputs(
    projections: &[Projection],
    positions: &[Positions],
    pixels: &Array2<f32>,
    num_extra: usize,
) -> Result<Vec<Inputs>> {
    let ids: Vec<TokenId> = (num_extra..num_extra + pixels.nrows()).map(|id| id as TokenId).collect();
    let sum = |projection: &Projection, position: &Positions| -> Result<Array2<f64>> {
        let vectors = projection.layer.soft_lookup(pixels.view())? + position.layer.lookup(&ids)?;
        Ok(vectors.mapv(f64::from))
    };
    // There is one more way that is dense among the projections.
    let pairs: Vec<_> = projections[1..].iter().zip(positions).collect();
    let Some((projection, position)) = pairs.first() else { return Ok(Vec::new()) };
    let dense = sum(projection, position)?;
    pairs
        .into_iter()
        .map(|(projection, position)| {
            Ok(Inputs {
                names: [projection.name.clone(), position.name.clone()],
                bytes: projection.layer.size_in_bytes() + position.layer.size_in_bytes(),
                error: relative_error(&sum(projection, position)?, &dense),
            })
        })
        .collect()
}

/// Truncated SVDs of falling ranks, the first of which is the full one.
fn factorized(table: ArrayView2<'_, f32>) -> Result<Vec<(FactorizedEmbedding, Spectrum)>> {
    let full = table.nrows().min(table.ncols());
    let ranks = PARTS.iter().map(|part| full / part).filter(|&rank| rank > 0);
    ranks
        .map(|rank| {
            let decomposition = TruncatedSvd::new(Rank::Fixed(rank)).decompose(table)?;
            Ok((FactorizedEmbedding::new(decomposition.factors), decomposition.spectrum))
        })
        .collect()
}

fn name(layer: &FactorizedEmbedding) -> String {
    format!("factorized, rank {}", layer.rank())
}

/// ‖a − b‖ / ‖b‖, Frobenius norms.
fn relative_error(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let square = |numbers: &Array2<f64>| numbers.iter().map(|number| number * number).sum::<f64>();
    (square(&(a - b)) / square(b)).sqrt()
}
