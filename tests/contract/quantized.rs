//! Quantized layers, each with its reference.

use factorized_embedding::{
    Embedding, Isa, QuantizedEmbedding, QuantizedFactors, RepeatedIds, TokenId,
    io::safetensors::{load_quantized, save_quantized},
    quantize::{Budget, Level, Quantizer, RotationChoice, RowScale},
};
use ndarray::Array2;

use super::subject::Reference;
use crate::support::random;

/// Both levels, one group and several, with and without scales of rows, directions of the table and of a transform.
fn quantizers((vocab_size, dim): (usize, usize)) -> Vec<(&'static str, Quantizer)> {
    // About six bits a number, and what groups, scales and directions take.
    let bytes = QuantizedFactors::max_header_bytes(vocab_size, dim) + (vocab_size + dim) * dim + 2 * vocab_size + 100;
    let quantizer = |groups| Quantizer::new(Budget::Bytes(bytes)).with_groups(groups).expect("a few groups");
    vec![
        ("one group", quantizer(1).with_row_scale(RowScale::Never).with_rotation(RotationChoice::Svd)),
        ("scaled", quantizer(3).with_row_scale(RowScale::Always).with_rotation(RotationChoice::Svd)),
        ("trellis", quantizer(2).with_level(Level::Trellis).with_rotation(RotationChoice::Svd)),
        ("transformed", quantizer(4).with_rotation(RotationChoice::Hadamard)),
    ]
}

/// Checks quantized layers of every instruction set of this machine, reloaded ones and those with hot rows, without and with
/// the padding id.
pub(crate) fn for_each_quantized(
    shape: (usize, usize),
    padding_id: Option<TokenId>,
    check: impl Fn(&dyn Embedding, &Reference),
) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("factors.safetensors");
    let table = random::normal(shape, 51);
    for (kind, quantizer) in quantizers(shape) {
        let factors = quantizer.quantize(table.view()).expect("a table that can be quantized").factors;
        let fresh = QuantizedEmbedding::new(factors);
        save_quantized(&path, fresh.factors()).expect("a writable folder");
        let reloaded = QuantizedEmbedding::new(load_quantized(&path).expect("the file that was just saved"));
        let some_ids: Vec<TokenId> = (0..shape.0 as TokenId).step_by(3).collect();
        let hot = fresh.clone().with_hot_rows(&some_ids, usize::MAX).expect("ids of the vocabulary");
        let mut layers = vec![
            ("reloaded".to_owned(), reloaded),
            ("with hot rows".to_owned(), hot.with_repeated_ids(RepeatedIds::Copy)),
        ];
        layers.extend(Isa::supported().map(|isa| (isa.to_string(), fresh.clone().with_isa(isa))));
        for (name, layer) in layers {
            let reference = reference(format!("{name} {kind} {layer:?}"), layer.factors());
            check(&layer, &reference);
            if let Some(id) = padding_id {
                let padded = layer.with_padding_id(id).expect("an id of the vocabulary");
                check(&padded, &reference.padded(id));
            }
        }
    }
}

/// The table of the factors as they are decoded, one row after the other.
fn reference(name: String, factors: &QuantizedFactors) -> Reference {
    let shape = (factors.vocab_size(), factors.dim());
    let (mut table, mut magnitudes) = (Array2::zeros(shape), Array2::zeros(shape));
    let decoded = factors.to_factors().expect("no more directions than rows");
    let (u, v) = (decoded.u().mapv(f64::from), decoded.v().mapv(f64::from));
    table += &u.dot(&v);
    magnitudes += &u.abs().dot(&v.abs());
    if let Some(bias) = decoded.bias() {
        table += &bias.mapv(f64::from);
        magnitudes += &bias.mapv(f64::from).abs();
    }
    Reference {
        name,
        table,
        magnitudes,
        // Those of the sum, the mean, and the factors σ and the scale of the row.
        terms: factors.rank() + 3,
        exact: false,
        padding_id: None,
        num_parameters: factors.num_parameters(),
        size_in_bytes: factors.size_in_bytes(),
    }
}
