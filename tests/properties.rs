//! Properties that hold for all shapes and values.
#![cfg(all(feature = "decompose", feature = "safetensors"))]

mod support;

use factorized_embedding::{
    Bags, Decompose, DenseEmbedding, Embedding, FactorizedEmbedding, Pooling, Rank, Shape, TokenId, TruncatedSvd,
    io::safetensors::{load_factors, load_table, save_factors},
};
use ndarray::{Array1, Array2};
use proptest::prelude::*;
use support::{
    compare::{Expected, assert_close, assert_same_bits, widened},
    factor_parts::FactorParts,
    files::Folder,
    reference::{self, Bag},
};

/// Numbers of all signs and of sizes whose products neither overflow nor vanish.
fn numbers(len: usize) -> impl Strategy<Value = Vec<f32>> {
    let number = (-1.0_f32..1.0, -12_i32..12).prop_map(|(mantissa, exponent)| mantissa * 2.0_f32.powi(exponent));
    prop::collection::vec(prop_oneof![9 => number, 1 => Just(0.0)], len)
}

fn matrix(rows: usize, columns: usize) -> impl Strategy<Value = Array2<f32>> {
    numbers(rows * columns)
        .prop_map(move |values| Array2::from_shape_vec((rows, columns), values).expect("rows · columns numbers"))
}

fn vector(len: usize) -> impl Strategy<Value = Option<Array1<f32>>> {
    prop::option::of(numbers(len).prop_map(Array1::from_vec))
}

fn shapes() -> impl Strategy<Value = Shape> {
    (1_usize..20, 1_usize..40)
        .prop_flat_map(|(vocab_size, dim)| (Just(vocab_size), 1..=vocab_size.min(dim), Just(dim)))
        .prop_map(|(vocab_size, rank, dim)| Shape { vocab_size, rank, dim })
}

fn parts() -> impl Strategy<Value = FactorParts> {
    shapes()
        .prop_flat_map(|Shape { vocab_size, rank, dim }| {
            (matrix(vocab_size, rank), vector(rank), matrix(rank, dim), vector(dim))
        })
        .prop_map(|(u, diagonal, v, bias)| FactorParts { u, diagonal, v, bias })
}

/// Parts of factors, ids of their vocabulary and a hidden state.
fn inputs() -> impl Strategy<Value = (FactorParts, Vec<TokenId>, Array2<f32>)> {
    parts().prop_flat_map(|parts| {
        let last = TokenId::try_from(parts.u.nrows() - 1).expect("a small vocabulary");
        let hidden = matrix(2, parts.v.ncols());
        (Just(parts), prop::collection::vec(0..=last, 0..30), hidden)
    })
}

fn tables() -> impl Strategy<Value = Array2<f32>> {
    shapes().prop_flat_map(|Shape { vocab_size, dim, .. }| matrix(vocab_size, dim))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_factorized_layer_stands_for_its_table((parts, ids, hidden) in inputs(), split in 0.0..1.0) {
        let layer = FactorizedEmbedding::new(parts.factors());
        let (table, magnitudes) = (reference::dense(&parts), reference::dense(&parts.abs()));
        let close = |what: &str, actual: Array2<f32>, values, terms, magnitudes: Array2<f64>| {
            assert_close(what, actual.view(), &Expected::new(values, parts.terms() + terms, &magnitudes));
        };

        let rows = layer.lookup(&ids).expect("ids of the vocabulary");
        close("lookup", rows, reference::lookup(&table, &ids), 0, reference::lookup(&magnitudes, &ids));

        let middle = (split * ids.len() as f64) as usize;
        let [first, second] = [&ids[..middle], &ids[middle..]].map(|ids| ids.iter().map(|&id| (id, 1.0)).collect::<Bag>());
        let bags = [first, second];
        for pooling in [Pooling::Sum, Pooling::Mean, Pooling::Max] {
            let pooled = layer.bag(&Bags::new(&ids, &[0, middle], pooling).expect("rising offsets"));
            let pooled = pooled.expect("ids of the vocabulary");
            let expected = reference::bag(&table, &bags, pooling);
            close(&pooling.to_string(), pooled, expected, ids.len(), reference::bag(&magnitudes, &bags, pooling));
        }

        let (wide, dim) = (widened(hidden.view()), hidden.ncols());
        let logits = layer.logits(hidden.view()).expect("hidden states of the dim");
        close("logits", logits, reference::logits(&table, &wide), dim, reference::logits(&magnitudes, &wide.abs()));
        close("to_dense", parts.factors().to_dense(), table, 0, magnitudes);
    }

    #[test]
    fn the_best_ids_are_those_of_the_sorted_logits((parts, _, hidden) in inputs(), k in 0_usize..25) {
        let dense = DenseEmbedding::new(parts.factors().to_dense()).expect("finite products");
        for layer in [&FactorizedEmbedding::new(parts.factors()) as &dyn Embedding, &dense] {
            let logits = layer.logits(hidden.view()).expect("hidden states of the dim");
            let best = layer.top_k(hidden.view(), k).expect("hidden states of the dim");
            for (i, logits) in logits.rows().into_iter().enumerate() {
                let mut ids: Vec<TokenId> = (0..TokenId::try_from(logits.len()).expect("a small vocabulary")).collect();
                ids.sort_by(|&a, &b| {
                    let [of_a, of_b] = [a, b].map(|id| logits[id as usize]);
                    of_b.partial_cmp(&of_a).expect("finite logits").then(a.cmp(&b))
                });
                ids.truncate(k);
                prop_assert_eq!(best.ids.row(i).to_vec(), ids);
            }
        }
    }

    #[test]
    fn more_energy_never_takes_fewer_directions(table in tables(), a in 0.01..=1.0, b in 0.01..=1.0) {
        let decompose = |rank| TruncatedSvd::new(rank).decompose(table.view()).expect("a finite table").factors.rank();
        let (less, more) = (f64::min(a, b), f64::max(a, b));
        prop_assert!(decompose(Rank::Energy(less)) <= decompose(Rank::Energy(more)));
        // An error is the more, the less energy is kept.
        let error = |share: f64| Rank::RelativeError((1.0 - share).sqrt().min(0.999));
        prop_assert!(decompose(error(less)) <= decompose(error(more)));
    }

    #[test]
    fn more_bytes_never_make_the_error_larger(table in tables(), a in 0_usize..4000, b in 0_usize..4000) {
        let one = Rank::bytes(Shape { vocab_size: table.nrows(), rank: 1, dim: table.ncols() });
        let decompose = |bytes| {
            let decomposition = TruncatedSvd::new(Rank::Bytes(one + bytes)).decompose(table.view());
            decomposition.expect("a finite table and bytes for rank 1")
        };
        let (less, more) = (decompose(a.min(b)), decompose(a.max(b)));
        prop_assert!(less.factors.rank() <= more.factors.rank());
        // Rounding adds up to (rank + 3)·ε·‖|U|·D·|V|‖ to an error, and ‖|U|·D·|V|‖ ≤ √rank · ‖E‖ · √rank.
        let rank = more.factors.rank() as f64;
        let rounding = 2.0 * (rank + 3.0) * rank * f64::from(f32::EPSILON);
        prop_assert!(more.relative_error <= less.relative_error + rounding);
    }

    #[test]
    fn files_give_back_the_bits(parts in parts()) {
        let folder = Folder::new();
        let path = folder.path("factors.safetensors");
        let factors = parts.factors();
        save_factors(&path, &factors).expect("a writable folder");
        let loaded = load_factors(&path).expect("the file that was just saved");
        assert_same_bits("u", loaded.u().view(), factors.u().view());
        assert_same_bits("v", loaded.v(), factors.v());
        prop_assert_eq!(loaded.diagonal(), factors.diagonal());
        prop_assert_eq!(loaded.bias(), factors.bias());
        prop_assert_eq!(loaded, factors);
    }

    #[test]
    fn damaged_files_are_read_or_refused_without_panic(parts in parts(), damages in prop::collection::vec(damage(), 1..4)) {
        let folder = Folder::new();
        let path = folder.path("factors.safetensors");
        save_factors(&path, &parts.factors()).expect("a writable folder");
        let mut bytes = std::fs::read(&path).expect("the file that was just saved");
        for damage in damages {
            damage.apply(&mut bytes);
        }
        std::fs::write(&path, bytes).expect("a writable folder");
        // What is read is what factors always are; a table can be looked up in.
        if let Ok(factors) = load_factors(&path) {
            prop_assert!(factors.rank() <= factors.vocab_size().min(factors.dim()));
            prop_assert!(factors.u().iter().chain(factors.v()).all(|value| value.is_finite()));
        }
        if let Ok(table) = load_table(&path, "u") {
            prop_assert_eq!(table.lookup(&[0]).expect("at least one row").ncols(), table.dim());
        }
    }
}

/// Something that happens to a file.
#[derive(Clone, Debug)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Truncate(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    /// A digit of the header becomes another one.
    Digit(prop::sample::Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        (place(), 0_u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        place().prop_map(Damage::Truncate),
        (place(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (place(), b'0'..=b'9').prop_map(|(at, digit)| Damage::Digit(at, digit)),
    ]
}

impl Damage {
    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len() + 1)),
            Self::Insert(at, new) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, new);
            }
            Self::Flip(at, bit) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Self::Digit(at, digit) => {
                let places: Vec<usize> = (8..bytes.len().min(400)).filter(|&i| bytes[i].is_ascii_digit()).collect();
                if !places.is_empty() {
                    bytes[places[at.index(places.len())]] = digit;
                }
            }
            Self::Flip(..) => {}
        }
    }
}
