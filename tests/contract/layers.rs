//! Every kind of layer, each with its reference.

use factorized_embedding::{DenseEmbedding, Dtype, Embedding, FactorizedEmbedding, Isa, RepeatedIds, Shape, TokenId};
use half::{bf16, f16};
use ndarray::{Array2, s};

#[cfg(feature = "safetensors")]
use super::files;
use super::subject::Reference;
use crate::support::{compare::widened, factor_parts::FactorParts, random, reference};

/// What the tables are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Numbers {
    Normal,
    /// See [`Reference::exact`].
    Integers,
}

impl Numbers {
    pub(crate) fn draw(self) -> fn((usize, usize), u64) -> Array2<f32> {
        match self {
            Self::Normal => random::normal,
            Self::Integers => random::integers,
        }
    }
}

/// Checks each kind of dense layer, without and with the padding id.
pub(crate) fn for_each_dense(
    shape: (usize, usize),
    numbers: Numbers,
    padding_id: Option<TokenId>,
    check: impl Fn(&dyn Embedding, &Reference),
) {
    let table = numbers.draw()(shape, 11);
    let run = |name: &str, layer: DenseEmbedding<'_>, stored: &Array2<f32>, dtype: Dtype| {
        assert_eq!(layer.dtype(), dtype);
        let values = widened(stored.view());
        let reference = Reference {
            name: format!("dense {name} {shape:?} of {numbers:?} numbers"),
            magnitudes: values.abs(),
            table: values,
            terms: 0,
            exact: numbers == Numbers::Integers,
            padding_id: None,
            num_parameters: shape.0 * shape.1,
            size_in_bytes: shape.0 * shape.1 * dtype.size(),
        };
        check(&layer, &reference);
        if let Some(id) = padding_id {
            let padded = layer.with_padding_id(id).expect("an id of the vocabulary");
            check(&padded, &reference.padded(id));
        }
    };

    run("owned", DenseEmbedding::new(table.clone()).expect("finite"), &table, Dtype::F32);
    run("borrowed", DenseEmbedding::new(&table).expect("finite"), &table, Dtype::F32);
    let transposed = table.t().to_owned();
    run("transposed", DenseEmbedding::new(transposed.t()).expect("finite"), &table, Dtype::F32);
    let mut spread = Array2::zeros((2 * shape.0, shape.1 + 1));
    spread.slice_mut(s![..;2, 1..]).assign(&table);
    run("spread", DenseEmbedding::new(spread.slice(s![..;2, 1..])).expect("finite"), &table, Dtype::F32);

    for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16, Dtype::Int8] {
        let (stored, bytes) = narrowed(&table, dtype);
        let shape = [shape.0, shape.1];
        let aligned =
            DenseEmbedding::from_bytes(bytes.clone(), dtype, shape).expect("as many bytes as the shape takes");
        run("of owned bytes", aligned, &stored, dtype);
        let mut shifted = vec![0xff];
        shifted.extend(&bytes);
        let unaligned = DenseEmbedding::from_bytes(&shifted[1..], dtype, shape).expect("the same bytes");
        run("of unaligned bytes", unaligned, &stored, dtype);
        #[cfg(feature = "safetensors")]
        run("mapped", files::mapped(dtype, shape, &bytes), &stored, dtype);
    }
}

/// Checks factorized layers of every instruction set of this machine, reloaded ones, those with hot rows and those of
/// narrow U, with and without diagonal and bias, without and with the padding id.
pub(crate) fn for_each_factorized(
    shape: Shape,
    numbers: Numbers,
    padding_id: Option<TokenId>,
    check: impl Fn(&dyn Embedding, &Reference),
) {
    for parts in FactorParts::draw(shape, 5, numbers.draw()).variants() {
        let fresh = FactorizedEmbedding::new(parts.factors());
        let some_ids: Vec<u32> = (0..shape.vocab_size as u32).step_by(3).collect();
        let hot = fresh.clone().with_hot_rows(&some_ids, usize::MAX).expect("ids of the vocabulary");
        let mut layers = vec![
            ("with hot rows".to_owned(), hot.with_repeated_ids(RepeatedIds::Copy)),
            ("f16".to_owned(), fresh.to_f16().expect("small numbers")),
            ("bf16".to_owned(), fresh.to_bf16().expect("small numbers")),
            ("int8".to_owned(), fresh.to_int8().expect("small numbers")),
        ];
        #[cfg(feature = "safetensors")]
        {
            layers[2..].iter_mut().for_each(|(_, layer)| *layer = files::reloaded(layer));
            layers.push(("reloaded".to_owned(), files::reloaded(&fresh)));
        }
        layers.extend(Isa::supported().map(|isa| (isa.to_string(), fresh.clone().with_isa(isa))));
        for (name, layer) in layers {
            let dtype = layer.factors().dtype();
            let stored = FactorParts { u: layer.factors().u().into_owned(), ..parts.clone() };
            // Integers of 8 bits have scales, which round even what is exact, and are numbers beside the others.
            let scales = if dtype == Dtype::Int8 { shape.rank } else { 0 };
            let reference = Reference {
                name: format!("{name} {layer:?} of {numbers:?} numbers"),
                table: reference::dense(&stored),
                magnitudes: reference::dense(&stored.abs()),
                // A scale is one factor more.
                terms: stored.terms() + usize::from(scales > 0),
                exact: numbers == Numbers::Integers && scales == 0,
                padding_id: None,
                num_parameters: stored.num_parameters() + scales,
                size_in_bytes: 4 * (stored.num_parameters() + scales) - (4 - dtype.size()) * stored.u.len(),
            };
            check(&layer, &reference);
            if let Some(id) = padding_id {
                let padded = layer.with_padding_id(id).expect("an id of the vocabulary");
                check(&padded, &reference.padded(id));
            }
        }
    }
}

/// The table as it is after rounding to a type, and its bytes.
fn narrowed(table: &Array2<f32>, dtype: Dtype) -> (Array2<f32>, Vec<u8>) {
    let bytes = |write: &dyn Fn(f32) -> Vec<u8>| table.iter().flat_map(|&value| write(value)).collect();
    match dtype {
        Dtype::F32 => (table.clone(), bytes(&|value| value.to_le_bytes().to_vec())),
        Dtype::F16 => (
            table.mapv(|value| f16::from_f32(value).to_f32()),
            bytes(&|value| f16::from_f32(value).to_le_bytes().to_vec()),
        ),
        Dtype::Bf16 => (
            table.mapv(|value| bf16::from_f32(value).to_f32()),
            bytes(&|value| bf16::from_f32(value).to_le_bytes().to_vec()),
        ),
        Dtype::Int8 => {
            (table.mapv(|value| f32::from(value as i8)), bytes(&|value| (value as i8).to_le_bytes().to_vec()))
        }
        other => unreachable!("{other} is a type that this test does not know"),
    }
}
