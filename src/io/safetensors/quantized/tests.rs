//! Files of made-up factors: what is saved is what is loaded, and no other bytes are.

use half::f16;
use ndarray::array;
use rand::{SeedableRng, rngs::ChaCha8Rng};

use super::{super::header::Header, load_quantized, save_quantized};
use crate::{
    QuantizedFactors,
    factors::{
        BasisCode, CodedBasis, Level, QuantizedParts, Rotation, RowGroupIds, RowScales, SharedBytes, header_bytes,
        made_up::MadeUp,
    },
};

const SMALL: MadeUp = MadeUp {
    level: Level::Scalar,
    vocab_size: 131,
    rank: 9,
    dim: 13,
    num_groups: 5,
    ranges: false,
    row_scale_bits: Some(6),
    max_width: 8,
};

fn parts(made_up: MadeUp) -> QuantizedParts {
    made_up.parts(&mut ChaCha8Rng::seed_from_u64(1))
}

/// The bytes of the file of factors, which are loaded from it again.
#[track_caller]
fn round_trip(parts: QuantizedParts) -> Vec<u8> {
    let factors = QuantizedFactors::new(parts).expect("parts that fit together");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("factors.safetensors");
    save_quantized(&path, &factors).expect("a writable folder");
    let loaded = load_quantized(&path).expect("the file that was just saved");
    assert_eq!(loaded, factors);
    let bytes = std::fs::read(&path).expect("the file that was just saved");
    let header = bytes.len() - factors.size_in_bytes();
    let max = QuantizedFactors::max_header_bytes(factors.vocab_size(), factors.dim());
    assert!(header <= max && max <= QuantizedFactors::MAX_HEADER_BYTES, "{header} bytes of header, at most {max}");
    save_quantized(&path, &loaded).expect("a writable folder");
    assert!(std::fs::read(&path).expect("the file that was just saved") == bytes, "other bytes when saved again");
    assert!(bytes.ends_with(factors.codes()), "the codes and their padding are the end of the file");
    bytes
}

fn load(bytes: &[u8]) -> crate::Result<QuantizedFactors> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("factors.safetensors");
    std::fs::write(&path, bytes).expect("a writable folder");
    load_quantized(&path)
}

#[test]
fn all_kinds_of_factors_come_back() {
    for level in [Level::Scalar, Level::Trellis] {
        for ranges in [false, true] {
            for row_scale_bits in [None, Some(1), Some(8)] {
                for [vocab_size, rank, dim] in [[1, 1, 1], [2, 1, 3], [64, 8, 8], [65, 7, 8], [131, 40, 41]] {
                    let num_groups = 1 + vocab_size % 7;
                    let parts =
                        parts(MadeUp { level, vocab_size, rank, dim, num_groups, ranges, row_scale_bits, ..SMALL });
                    round_trip(QuantizedParts { mean: None, ..parts.clone() });
                    round_trip(parts);
                }
            }
        }
    }
    round_trip(parts(MadeUp { num_groups: 16, ..SMALL }));
    // Rows of no bits at all.
    round_trip(parts(MadeUp { max_width: 0, ..SMALL }));
}

#[test]
fn a_hadamard_transform_comes_back() {
    for seed in [0, 7, u64::MAX] {
        let dim = SMALL.dim;
        let parts = parts(MadeUp { rank: dim, ..SMALL });
        round_trip(QuantizedParts { rotation: Rotation::Hadamard { seed, dim }, ..parts });
    }
}

#[test]
fn settings_come_back_to_the_last_bit() {
    for (unit, min, step) in [
        (f32::MIN_POSITIVE, -149.0, f32::from_bits(1)),
        (1.0, 0.1, 1.0 / 3.0),
        (1.0, -0.0, 0.0),
        (2.0_f32.powi(100), -2.345_678e-30, 4.0),
    ] {
        let mut parts = parts(MadeUp { row_scale_bits: Some(4), ..SMALL });
        parts.unit = unit;
        let scales = parts.row_scales.as_mut().expect("row scales of four bits");
        (scales.min, scales.step) = (min, step);
        let bits = [min.to_bits(), step.to_bits()];
        let loaded = load(&round_trip(parts)).expect("a valid file");
        let scales = loaded.row_scales().expect("row scales");
        assert_eq!((loaded.unit(), [scales.min.to_bits(), scales.step.to_bits()]), (unit, bits));
    }
}

/// The bytes of the longest header whose numbers are no longer than this one.
fn longest_header(number: u64) -> usize {
    let bytes = round_trip(parts(MadeUp { level: Level::Trellis, ..SMALL }));
    let header = Header::parse(&bytes, bytes.len() as u64).expect("a valid header");
    let mut json = serde_json::to_value(header).expect("JSON");
    for (name, entry) in json.as_object_mut().expect("an object") {
        if name == "__metadata__" {
            for name in ["vocab_size", "rank", "dim"] {
                entry[name] = number.to_string().into();
            }
            entry["log2_unit"] = "-126".into();
            entry["row_scales"] = "8 -1.23456789e-45 1.23456789e-45".into();
        } else {
            let numbers = |len| vec![number; len].into();
            entry["shape"] = numbers(entry["shape"].as_array().map_or(0, Vec::len));
            entry["data_offsets"] = numbers(2);
        }
    }
    8 + json.to_string().len().next_multiple_of(8)
}

#[test]
fn no_shape_makes_the_header_longer_than_its_limit() {
    for digits in [5, 7, 12, 19] {
        let number = 10_u64.pow(digits) - 1;
        assert_eq!(longest_header(number), header_bytes(number as usize), "numbers of {digits} digits");
    }
    assert_eq!(longest_header(u64::MAX), QuantizedFactors::MAX_HEADER_BYTES);
}

/// The factors of the golden file: a group whose rows are numbers by themselves, a trellis and a scale, one of short rows without
/// a trellis, one of rows of no bits and one that is all trellis. Their bits are those of a linear congruential generator.
fn golden() -> QuantizedFactors {
    let (vocab_size, rank, dim) = (70_usize, 11_usize, 13);
    let widths = array![
        [8, 5, 4, 4, 4, 4, 4, 4, 4, 3, 1],
        [4, 3, 2, 2, 0, 1, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [4, 4, 4, 4, 3, 3, 3, 2, 2, 2, 1],
    ];
    let row_bytes = [7, 3, 0, 5];
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let mut half = |max: f32| f16::from_f32(max * f32::from(random()) / 256.0);
    let mean = (0..dim).map(|_| half(2.0)).collect();
    let basis_scales = (0..rank).map(|_| half(0.125)).collect();
    let scales = (0..widths.iter().filter(|&&width| width > 0).count()).map(|_| half(4.0)).collect();
    let codes = (0..(rank * dim * 5).div_ceil(8)).map(|_| random()).collect();
    let kinds = (0..rank).map(|i| if i % 3 == 1 { BasisCode::LloydMax } else { BasisCode::Uniform }).collect();
    let basis = CodedBasis { dim, bits: 5, kinds, scales: basis_scales, codes };
    let groups: Vec<usize> = (0..vocab_size).map(|_| usize::from(random() % 4)).collect();
    let numbers: Vec<u8> = groups.chunks(2).map(|pair| (pair[0] + 16 * pair[1]) as u8).collect();
    let bytes = |groups: &[usize]| groups.iter().map(|&group| row_bytes[group]).sum::<usize>();
    let offsets: Vec<u8> = [0, bytes(&groups[..64]) as u32].into_iter().flat_map(u32::to_le_bytes).collect();
    let codes: Vec<u8> = (0..bytes(&groups)).map(|_| random()).chain([0; 16]).collect();
    let row_groups = RowGroupIds::Numbers { numbers: SharedBytes::new(numbers), offsets: SharedBytes::new(offsets) };
    QuantizedFactors::new(QuantizedParts {
        level: Level::Trellis,
        vocab_size,
        unit: 0.25,
        mean: Some(mean),
        rotation: Rotation::Basis(basis),
        widths,
        scales,
        row_scales: Some(RowScales { bits: 6, min: -1.1, step: 0.043 }),
        row_groups,
        codes: SharedBytes::new(codes),
    })
    .expect("parts that fit together")
}

/// `save_quantized` wrote this file when the format was made; it must always be read, and version 1 always be written so.
#[test]
fn the_golden_file_of_version_1_is_read_and_written() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/quantized-factors-v1.safetensors");
    assert_eq!(load_quantized(path).expect("a file of version 1"), golden());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let saved = folder.path().join("factors.safetensors");
    save_quantized(&saved, &golden()).expect("a writable folder");
    let [saved, golden] = [saved.as_path(), path.as_ref()].map(|path| std::fs::read(path).expect("a file"));
    assert!(saved == golden, "other bytes than those of the golden file");
}

/// The page on the format shows a file: its bytes are those that are written, and its rows are those that are read.
#[test]
fn the_example_of_the_page_is_written_and_decoded_as_it_says() {
    let page = include_str!("../../../../docs/quantized-format.md");
    let (_, example) = page.split_once("## Example").expect("an example");
    let blocks: Vec<&str> = example.split("```").skip(1).step_by(2).collect();
    let header = blocks[0].trim_start_matches("json").trim();
    let hex = |word: &&str| word.len() == 2 && word.chars().all(|c| c.is_ascii_hexdigit());
    // What is meant by the bytes stands behind two spaces or more.
    let bytes_of = |line: &'static str| {
        let bytes = line.get(9..).unwrap_or_default().split("  ").next().unwrap_or_default();
        bytes.split(' ').filter(hex).map(|byte| u8::from_str_radix(byte, 16).expect("two digits"))
    };
    let data = blocks[1].lines().flat_map(bytes_of);
    let padded = header.len().next_multiple_of(8);
    let mut file = (padded as u64).to_le_bytes().to_vec();
    file.extend(format!("{header:<padded$}").bytes().chain(data));

    let factors = load(&file).expect("the file of the page");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("factors.safetensors");
    save_quantized(&path, &factors).expect("a writable folder");
    assert!(std::fs::read(path).expect("the file") == file, "other bytes than those of the page");
    let table = factors.to_factors().expect("two directions of five rows").to_dense();
    let printed: Vec<String> = table
        .rows()
        .into_iter()
        .enumerate()
        .map(|(id, row)| format!("row {id} {:>8.4} {:>8.4}", row[0], row[1]))
        .collect();
    assert_eq!(blocks[2].trim_start_matches("text").trim().lines().collect::<Vec<_>>(), printed);
}
