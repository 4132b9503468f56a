//! Blockwise layers, each with its reference.

use factorized_embedding::{
    BlockFactors, BlockwiseEmbedding, Dtype, Embedding, Factors, Isa, RepeatedIds, Shape, TokenId,
};
use ndarray::Array2;

use super::{layers::Numbers, subject::Reference};
use crate::support::{factor_parts::FactorParts, random, reference};

/// Rows in groups: the group of each row, and the rank of each group where its rows and the dim allow it.
struct Grouping {
    name: &'static str,
    group_of: Vec<u8>,
    ranks: Vec<usize>,
}

/// One group; groups side by side, and mixed; groups without rows and of rank 0 first, in the middle and last.
fn groupings(vocab_size: usize) -> [Grouping; 5] {
    let of = |group: &dyn Fn(usize) -> usize| (0..vocab_size).map(|row| group(row) as u8).collect();
    let random: Vec<usize> = random::ids(vocab_size, 6, 61).into_iter().map(|group| group as usize).collect();
    [
        Grouping { name: "one group", group_of: of(&|_| 0), ranks: vec![3] },
        Grouping { name: "side by side", group_of: of(&|row| (3 * row / vocab_size).min(2)), ranks: vec![17, 4, 1] },
        Grouping { name: "interleaved", group_of: of(&|row| [1, 3, 1, 4][row % 4]), ranks: vec![2, 5, 0, 2, 9] },
        Grouping { name: "mixed", group_of: of(&|row| random[row]), ranks: vec![0, 7, 1, 3, 20, 0] },
        Grouping { name: "all zero", group_of: of(&|row| row % 2), ranks: vec![0, 0] },
    ]
}

/// The parts of each group's factors: with and without diagonal and bias in turn.
fn parts(grouping: &Grouping, dim: usize, numbers: Numbers) -> Vec<Option<FactorParts>> {
    let part = |(group, &rank): (usize, &usize)| {
        let vocab_size = grouping.group_of.iter().filter(|&&of| usize::from(of) == group).count();
        let rank = rank.min(vocab_size).min(dim);
        let shape = Shape { vocab_size, rank, dim };
        (rank > 0).then(|| FactorParts::draw(shape, group as u64, numbers.draw()).variants()[(group + dim) % 4].clone())
    };
    grouping.ranks.iter().enumerate().map(part).collect()
}

/// Checks blockwise layers of every instruction set of this machine, and those of narrow U, without and with the padding id.
pub(crate) fn for_each_blockwise(
    (vocab_size, dim): (usize, usize),
    numbers: Numbers,
    padding_id: Option<TokenId>,
    check: impl Fn(&dyn Embedding, &Reference),
) {
    for grouping in groupings(vocab_size) {
        let parts = parts(&grouping, dim, numbers);
        let blocks = parts.iter().map(|parts| parts.as_ref().map(FactorParts::factors)).collect();
        let factors = BlockFactors::new(grouping.group_of.clone(), blocks, dim).expect("factors that fit the groups");
        let fresh = BlockwiseEmbedding::new(factors);
        let mut layers = vec![
            ("with repeats copied".to_owned(), fresh.clone().with_repeated_ids(RepeatedIds::Copy)),
            ("f16".to_owned(), fresh.to_f16().expect("small numbers")),
            ("bf16".to_owned(), fresh.to_bf16().expect("small numbers")),
        ];
        if numbers == Numbers::Normal {
            // Scales round what is exact: a row that a bias cancels would have a direction where the reference has none.
            layers.push(("int8".to_owned(), fresh.to_int8().expect("small numbers")));
        }
        layers.extend(Isa::supported().map(|isa| (isa.to_string(), fresh.clone().with_isa(isa))));
        for (name, layer) in layers {
            let name = format!("{name} {} {layer:?} of {numbers:?} numbers", grouping.name);
            let reference = reference(name, layer.factors(), &parts, numbers);
            check(&layer, &reference);
            if let Some(id) = padding_id {
                let padded = layer.with_padding_id(id).expect("an id of the vocabulary");
                check(&padded, &reference.padded(id));
            }
        }
    }
}

fn reference(name: String, factors: &BlockFactors, parts: &[Option<FactorParts>], numbers: Numbers) -> Reference {
    let shape = (factors.vocab_size(), factors.dim());
    let mut reference = Reference {
        name,
        table: Array2::zeros(shape),
        magnitudes: Array2::zeros(shape),
        terms: 0,
        exact: numbers == Numbers::Integers,
        padding_id: None,
        num_parameters: 0,
        // A byte for the group of each row.
        size_in_bytes: shape.0,
    };
    for (group, (block, parts)) in factors.blocks().iter().zip(parts).enumerate() {
        let (Some(block), Some(parts)) = (block, parts) else { continue };
        let stored = FactorParts { u: block.u().into_owned(), ..parts.clone() };
        let (table, magnitudes) = (reference::dense(&stored), reference::dense(&stored.abs()));
        let rows = (0..shape.0).filter(|&row| usize::from(factors.group_of()[row]) == group);
        for (i, row) in rows.enumerate() {
            reference.table.row_mut(row).assign(&table.row(i));
            reference.magnitudes.row_mut(row).assign(&magnitudes.row(i));
        }
        // Integers of 8 bits have scales: numbers beside the others, and a factor more.
        let scales = num_scales(block);
        // A sum of rows has the terms of every group.
        reference.terms += stored.terms() + usize::from(scales > 0);
        reference.num_parameters += stored.num_parameters() + scales;
        reference.size_in_bytes += 4 * (stored.num_parameters() + scales) - (4 - block.dtype().size()) * stored.u.len();
    }
    reference
}

fn num_scales(block: &Factors) -> usize {
    if block.dtype() == Dtype::Int8 { block.rank() } else { 0 }
}
