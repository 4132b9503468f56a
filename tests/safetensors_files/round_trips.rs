//! What is saved is what is loaded, bit for bit.

use factorized_embedding::{
    Dtype, Factors, Shape,
    io::safetensors::{MAX_HEADER_BYTES, load_factors, save_factors},
};
use ndarray::{Array1, Array2, Axis, array, s};

use crate::support::{
    compare::assert_same_bits,
    factor_parts::FactorParts,
    files::{Folder, METADATA, file, header, le_bytes, longest_header},
};

#[track_caller]
fn assert_same_factors(actual: &Factors, expected: &Factors) {
    assert_same_bits("u", actual.u().view(), expected.u().view());
    assert_same_bits("v", actual.v(), expected.v());
    for (name, actual, expected) in
        [("diagonal", actual.diagonal(), expected.diagonal()), ("bias", actual.bias(), expected.bias())]
    {
        assert_eq!(actual.is_some(), expected.is_some(), "{name}");
        if let (Some(actual), Some(expected)) = (actual, expected) {
            assert_same_bits(name, actual.insert_axis(Axis(0)), expected.insert_axis(Axis(0)));
        }
    }
}

#[track_caller]
fn assert_round_trip(factors: &Factors) -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.path("factors.safetensors");
    save_factors(&path, factors).expect("a writable folder");
    assert_same_factors(&load_factors(&path).expect("the file that was just saved"), factors);
    std::fs::read(&path).expect("the file that was just saved")
}

#[test]
fn every_combination_of_parts_comes_back() {
    for shape in [
        Shape { vocab_size: 1, rank: 1, dim: 1 },
        Shape { vocab_size: 7, rank: 3, dim: 5 },
        Shape { vocab_size: 3, rank: 3, dim: 40 },
        Shape { vocab_size: 300, rank: 2, dim: 2 },
    ] {
        for parts in FactorParts::normal(shape, 1).variants() {
            let factors = parts.factors();
            let bytes = assert_round_trip(&factors);
            assert!(bytes.len() > factors.size_in_bytes());
            assert!(bytes.len() <= factors.size_in_bytes() + MAX_HEADER_BYTES);
        }
    }
}

#[test]
fn special_values_keep_their_bits() {
    let least = f32::from_bits(1);
    let factors = Factors::new(
        array![[-0.0, least], [f32::MAX, f32::MIN], [f32::MIN_POSITIVE, -least]],
        array![[0.0, -0.0], [-f32::MIN_POSITIVE, 1.0 + f32::EPSILON]],
    );
    let factors = factors.and_then(|factors| factors.with_diagonal(array![-0.0, least]));
    let factors = factors.and_then(|factors| factors.with_bias(array![f32::MIN, -0.0]));
    assert_round_trip(&factors.expect("finite factors"));
}

#[test]
fn parts_of_any_strides_come_back() {
    let parts = FactorParts::normal(Shape { vocab_size: 6, rank: 3, dim: 4 }, 2);
    let reversed = |vector: &Array1<f32>| vector.clone().slice_move(s![..;-1]);
    let column_major = |array: &Array2<f32>| array.t().to_owned().reversed_axes();
    let strided = FactorParts {
        u: column_major(&parts.u),
        diagonal: parts.diagonal.as_ref().map(reversed),
        v: column_major(&parts.v).slice_move(s![.., ..;-1]),
        bias: parts.bias.as_ref().map(reversed),
    };
    assert!(strided.bias.as_ref().expect("a bias").as_slice().is_none(), "the strides are what is tested");
    assert_round_trip(&strided.factors());
}

#[test]
fn the_same_factors_give_the_same_bytes() {
    let parts = FactorParts::normal(Shape { vocab_size: 20, rank: 3, dim: 5 }, 3);
    assert_eq!(assert_round_trip(&parts.factors()), assert_round_trip(&parts.factors()));
}

#[test]
fn the_data_begin_at_a_multiple_of_eight_bytes() {
    for vocab_size in [1, 10, 100, 1000] {
        let bytes = assert_round_trip(&FactorParts::normal(Shape { vocab_size, rank: 1, dim: 3 }, 4).factors());
        let length = u64::from_le_bytes(*bytes.first_chunk().expect("at least 8 bytes"));
        assert_eq!(length % 8, 0, "a vocabulary of {vocab_size}");
    }
}

#[test]
fn no_shape_makes_the_header_longer_than_its_limit() {
    // Integers have scales, a tensor more.
    let factors = FactorParts::normal(Shape { vocab_size: 3, rank: 2, dim: 4 }, 5).factors();
    let bytes = assert_round_trip(&factors.to_dtype(Dtype::Int8).expect("small numbers"));
    let longest = longest_header(&bytes, 4);
    assert_eq!(longest.matches(&u64::MAX.to_string()).count(), 9, "all offsets but the first: {longest}");
    assert_eq!(longest.matches('[').count(), 10, "five shapes and five pairs of offsets: {longest}");
    assert!(["u_scales", "diagonal", "bias"].iter().all(|name| longest.contains(name)), "all parts: {longest}");
    assert!(8 + longest.len().next_multiple_of(8) <= MAX_HEADER_BYTES, "{} bytes: {longest}", longest.len());
}

/// Readers that cast bytes in place need numbers at multiples of their size.
#[test]
fn tensors_begin_at_multiples_of_the_size_of_their_numbers() {
    let factors = FactorParts::normal(Shape { vocab_size: 5, rank: 3, dim: 3 }, 6).factors();
    for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16, Dtype::Int8] {
        let bytes = assert_round_trip(&factors.to_dtype(dtype).expect("small numbers"));
        let file = safetensors::SafeTensors::deserialize(&bytes).expect("a valid file");
        let start = bytes.as_ptr().addr();
        for (name, tensor) in file.tensors() {
            let size = tensor.dtype().bitsize() / 8;
            assert_eq!((tensor.data().as_ptr().addr() - start) % size, 0, "{name} beside a U of {dtype}");
        }
    }
}

#[test]
fn unaligned_data_are_read() {
    let parts = FactorParts::normal(Shape { vocab_size: 5, rank: 2, dim: 3 }, 6);
    let (text, _) = header(Some(METADATA), &[("u", "F32", 4, &[5, 2]), ("v", "F32", 4, &[2, 3])]);
    let data = le_bytes(parts.u.iter().chain(&parts.v));
    let expected = Factors::new(parts.u, parts.v).expect("shapes that multiply");
    let folder = Folder::new();
    for spaces in 0..8 {
        let path = folder.write("unaligned.safetensors", &file(&format!("{text}{}", " ".repeat(spaces)), &data));
        assert_same_factors(&load_factors(&path).expect("a valid file"), &expected);
    }
}

#[test]
fn tensors_may_stand_in_any_order_and_beside_others() {
    let parts = FactorParts::normal(Shape { vocab_size: 5, rank: 2, dim: 3 }, 7);
    let (text, _) = header(
        Some(r#"{"version":"1","author":"somebody","format":"factorized-embedding"}"#),
        &[("v", "F32", 4, &[2, 3]), ("notes", "U8", 1, &[8]), ("u", "F32", 4, &[5, 2])],
    );
    let data = [le_bytes(&parts.v), vec![7; 8], le_bytes(&parts.u)].concat();
    let path = Folder::new();
    let path = path.write("other.safetensors", &file(&text, &data));
    let expected = Factors::new(parts.u, parts.v).expect("shapes that multiply");
    assert_same_factors(&load_factors(path).expect("a valid file"), &expected);
}

/// The factors of the golden file, from numbers that every machine rounds the same way.
fn golden() -> Factors {
    let number = |start: usize| move |i: usize| ((start + i) as f32).sqrt() - 3.0;
    let matrix = |shape: (usize, usize), start| {
        Array1::from_shape_fn(shape.0 * shape.1, number(start)).into_shape_with_order(shape)
    };
    let u = matrix((6, 2), 0).expect("12 numbers");
    let v = matrix((2, 3), 20).expect("6 numbers");
    let factors = Factors::new(u, v).expect("shapes that multiply");
    let factors = factors.with_diagonal(array![2.5, -0.0]).expect("a diagonal of the rank");
    factors.with_bias(Array1::from_shape_fn(3, number(30))).expect("a bias of the dim")
}

/// `save_factors` wrote this file when the format was made; it must always be read, and version 1 always be written so.
#[test]
fn the_golden_file_of_version_1_is_read_and_written() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/factors-v1.safetensors");
    assert_same_factors(&load_factors(path).expect("a file of version 1"), &golden());
    assert_eq!(assert_round_trip(&golden()), std::fs::read(path).expect("the golden file"));
}
