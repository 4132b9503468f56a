//! Files that are no quantized factors: each is refused with its reason, and nothing panics.

use std::panic::catch_unwind;

use factorized_embedding::{Error, QuantizedFactors, Result, io::safetensors::load_quantized};
use proptest::prelude::*;
use safetensors::SafeTensors;

use crate::{
    quantized::golden_bytes,
    support::files::{Folder, file},
};

fn load(bytes: &[u8]) -> Result<QuantizedFactors> {
    let folder = Folder::new();
    load_quantized(folder.write("hostile.safetensors", bytes))
}

/// The message, with `PATH` for the path.
#[track_caller]
fn refused(bytes: &[u8]) -> String {
    let folder = Folder::new();
    let path = folder.write("hostile.safetensors", bytes);
    let error = load_quantized(&path).expect_err("the file holds no quantized factors");
    error.to_string().replace(&path.display().to_string(), "PATH")
}

#[track_caller]
fn assert_invalid(bytes: &[u8], reason: &str) {
    let format = "PATH is not a valid factorized-embedding-quantized file: ";
    let message = refused(bytes);
    assert_eq!(message.strip_prefix(format), Some(reason), "{message}");
}

/// A file split into its header, without what fills it up, and its data.
fn split(bytes: &[u8]) -> (&str, &[u8]) {
    let length = u64::from_le_bytes(*bytes.first_chunk().expect("a length"));
    let (header, data) = bytes[8..].split_at(usize::try_from(length).expect("a short header"));
    (std::str::from_utf8(header).expect("JSON").trim_end(), data)
}

/// The golden file with something else in its header.
#[track_caller]
fn with_header(from: &str, to: &str) -> Vec<u8> {
    let golden = golden_bytes();
    let (header, data) = split(&golden);
    assert_eq!(header.matches(from).count(), 1, "{from} in {header}");
    file(&header.replace(from, to), data)
}

/// The golden file with other bytes in a tensor, or other tensors: `data` are names, types, shapes and bytes.
fn with_tensors(change: impl FnOnce(&mut Vec<Tensor>)) -> Vec<u8> {
    let golden = golden_bytes();
    let tensors = SafeTensors::deserialize(&golden).expect("a valid file");
    let mut tensors: Vec<Tensor> = tensors
        .tensors()
        .into_iter()
        .map(|(name, tensor)| Tensor {
            name,
            dtype: tensor.dtype().to_string(),
            shape: tensor.shape().to_vec(),
            data: tensor.data().to_vec(),
        })
        .collect();
    change(&mut tensors);
    let (header, _) = split(&golden);
    let (metadata, _) = header.split_once("},").expect("metadata and tensors");
    let (mut header, mut data) = (format!("{metadata}}}"), Vec::new());
    for tensor in &tensors {
        let start = data.len();
        data.extend(&tensor.data);
        let Tensor { name, dtype, shape, .. } = tensor;
        header +=
            &format!(r#","{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{}]}}"#, data.len());
    }
    file(&(header + "}"), &data)
}

struct Tensor {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl Tensor {
    /// A list of as many bytes.
    fn set(&mut self, data: Vec<u8>) {
        (self.shape, self.data) = (vec![data.len()], data);
    }

    /// A list of numbers of 16 bits.
    fn set_halves(&mut self, bits: &[u16]) {
        (self.shape, self.data) = (vec![bits.len()], bits.iter().flat_map(|bits| bits.to_le_bytes()).collect());
    }

    /// A list of numbers of 32 bits.
    fn set_words(&mut self, words: &[u32]) {
        self.dtype = "U32".to_owned();
        (self.shape, self.data) = (vec![words.len()], words.iter().flat_map(|word| word.to_le_bytes()).collect());
    }
}

fn with_tensor(name: &str, change: impl FnOnce(&mut Tensor)) -> Vec<u8> {
    with_tensors(|tensors| change(tensors.iter_mut().find(|tensor| tensor.name == name).expect(name)))
}

#[test]
fn the_file_that_the_others_differ_from_is_valid() {
    let golden = load(&golden_bytes()).expect("a valid file");
    assert_eq!(load(&with_tensors(|_| ())).expect("the same tensors in another order"), golden);
    let more = |tensors: &mut Vec<Tensor>| {
        tensors.push(Tensor { name: "notes".to_owned(), dtype: "U8".to_owned(), shape: vec![1], data: vec![7] });
    };
    assert_eq!(load(&with_tensors(more)).expect("a tensor more"), golden);
}

#[test]
fn other_formats_and_versions_are_refused() {
    assert_eq!(
        refused(&with_header(r#""version":"1""#, r#""version":"2""#)),
        r#"PATH has format version "2", this crate reads version 1"#
    );
    assert_invalid(&with_header(r#""version":"1","#, ""), "its metadata name no version");
    assert_invalid(
        &with_header("-quantized", "-quantised"),
        r#"its metadata say format "factorized-embedding-quantised""#,
    );
    assert_invalid(&with_header(r#""format":"factorized-embedding-quantized","#, ""), "its metadata name no format");
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let refused = |from: &str, to: &str, reason: &str| assert_invalid(&with_header(from, to), reason);
    for (name, value) in
        [("dim", "13"), ("rank", "11"), ("vocab_size", "70"), ("log2_unit", "-2"), ("level", "trellis")]
    {
        let entry = format!(r#""{name}":"{value}","#);
        refused(&entry, "", &format!("its metadata name no {name}"));
    }
    refused(r#","window_bits":"10""#, "", "its metadata name no window_bits");
    refused(r#""window_bits":"10""#, r#""window_bits":"8""#, r#"its metadata say window_bits "8", expected 10 to 10"#);
    let level = r#"its metadata say level "Trellis", expected "scalar" or "trellis""#;
    refused(r#""level":"trellis""#, r#""level":"Trellis""#, level);
    for value in ["", "0", "070", "+70", "70 ", "-1", "7e1", "4294967296"] {
        let reason = format!("its metadata say vocab_size {value:?}, expected 1 to {}", u32::MAX);
        refused(r#""vocab_size":"70""#, &format!(r#""vocab_size":"{value}""#), &reason);
    }
    for value in ["-127", "128", "-2.0"] {
        let reason = format!("its metadata say log2_unit {value:?}, expected -126 to 127");
        refused(r#""log2_unit":"-2""#, &format!(r#""log2_unit":"{value}""#), &reason);
    }
    for value in ["0", "9", "256"] {
        let reason = format!("its metadata say basis_bits {value:?}, expected 1 to 8");
        refused(r#""basis_bits":"5""#, &format!(r#""basis_bits":"{value}""#), &reason);
    }
    refused(r#""basis_bits":"5","#, "", "its metadata name neither basis_bits nor hadamard_seed");
    let both = r#""basis_bits":"5","hadamard_seed":"1""#;
    refused(r#""basis_bits":"5""#, both, "its metadata name both basis_bits and hadamard_seed");
    refused(r#""basis_bits":"5""#, r#""hadamard_seed":"1""#, "11 directions of a Hadamard transform, expected 13");
    for value in
        ["", "6", "6 -1.1e0", "6 -1.1 4.3e-2", "6 -1.1e0 4.3e-2 1", "06 -1.1e0 4.3e-2", "6 nan 4.3e-2", "256 0e0 0e0"]
    {
        let reason = format!("its metadata say row_scales {value:?}, expected \"bits min step\"");
        refused("6 -1.1e0 4.3e-2", value, &reason);
    }
    for value in [
        "9 -1.1e0 4.3e-2",
        "0 -1.1e0 4.3e-2",
        "6 inf 4.3e-2",
        "6 -1.1e0 -4.3e-2",
        "6 NaN 4.3e-2",
        "6 -1.5e2 1e0",
        "6 0e0 inf",
    ] {
        let [bits, min, step] = [0, 1, 2].map(|i| value.split(' ').nth(i).expect("three numbers"));
        refused("6 -1.1e0 4.3e-2", value, &format!("row scales of {bits} bits from 2^{min} on in steps of 2^{step}"));
    }
    refused("6 -1.1e0 4.3e-2", "6 1.27e2 1e0", "the row scales are beyond the range of f32");
}

#[test]
fn sizes_that_contradict_each_other_are_refused() {
    let refused = |from: &str, to: &str, reason: &str| assert_invalid(&with_header(from, to), reason);
    refused(r#""dim":"13""#, r#""dim":"14""#, "90 bytes of directions, expected 97");
    refused(r#""dim":"13""#, r#""dim":"10""#, "11 directions of 10 numbers");
    let too_large = format!("a table of 70 × {} numbers is too large to be addressed", usize::MAX);
    refused(r#""dim":"13""#, &format!(r#""dim":"{}""#, usize::MAX), &too_large);
    refused(r#""rank":"11""#, r#""rank":"13""#, "6 bytes of widths for each group, expected those of rank 13");
    refused(r#""rank":"11""#, r#""rank":"12""#, "90 bytes of directions, expected 98");
    let no_groups = |widths: &mut Tensor| (widths.shape, widths.data) = (vec![0, 1 << 62], Vec::new());
    assert_invalid(&with_tensor("widths", no_groups), "widths of 0 groups, expected 1 to 16");
    let rows = "34 bytes of group numbers and 8 of offsets for 70 rows, expected [35, 8]";
    assert_invalid(&with_tensor("groups", |groups| groups.set(vec![0; 34])), rows);
    refused(
        r#""vocab_size":"70""#,
        r#""vocab_size":"71""#,
        "35 bytes of group numbers and 8 of offsets for 71 rows, expected [36, 8]",
    );
    assert_invalid(&with_tensor("mean", |mean| mean.set_halves(&[0; 12])), "a mean of 12 numbers, expected 13");
    assert_invalid(
        &with_tensor("scales", |scales| scales.set_halves(&[0; 38])),
        "27 scales for 28 directions of groups",
    );
    assert_invalid(&with_tensor("scales", |scales| scales.set_halves(&[0; 3])), "3 scales for 11 directions");
    assert_invalid(&with_tensor("codes", |codes| codes.set(vec![0; 269])), "269 bytes of codes, expected 270");
    assert_invalid(&with_tensor("codes", |codes| codes.set(vec![])), "0 bytes of codes, expected 270");
    assert_invalid(&with_tensor("basis", |basis| basis.set(vec![])), "0 bytes of directions, expected 90");
}

#[test]
fn missing_and_unsuitable_tensors_are_named() {
    for name in ["basis", "codes", "groups", "offsets", "scales", "widths"] {
        let message = refused(&with_tensors(|tensors| tensors.retain(|tensor| tensor.name != name)));
        assert!(message.starts_with(&format!("PATH has no tensor {name:?}; it has ")), "{message}");
    }
    for (name, dtype, expected) in [
        ("basis", "I8", "U8 [bytes]"),
        ("codes", "I8", "U8 [bytes]"),
        ("groups", "I8", "U8 [(vocab_size + 1) / 2] or U32 [groups]"),
        ("mean", "BF16", "F16 [dim]"),
        ("offsets", "I32", "U32 [(vocab_size + 63) / 64]"),
        ("scales", "BF16", "F16 [scales]"),
        ("widths", "I8", "U8 [groups, (rank + 1) / 2]"),
    ] {
        let message = refused(&with_tensor(name, |tensor| tensor.dtype = dtype.to_owned()));
        assert!(message.starts_with(&format!("tensor {name:?} of PATH is {dtype} [")), "{message}");
        assert!(message.ends_with(&format!("], expected {expected}")), "{message}");
        // The same bytes in one dimension more.
        let message = refused(&with_tensor(name, |tensor| tensor.shape.push(1)));
        assert!(message.ends_with(&format!("], expected {expected}")), "{message}");
    }
}

#[test]
fn groups_and_places_that_cannot_be_are_refused() {
    let beyond = with_tensor("groups", |groups| groups.data[34] = 0x40);
    assert_invalid(&beyond, "a row in a group beyond the 4 that there are");
    assert_invalid(
        &with_tensor("groups", |groups| groups.data[0] |= 4),
        "a row in a group beyond the 4 that there are",
    );
    assert_invalid(
        &with_tensor("offsets", |offsets| offsets.data[0] = 1),
        "row 0 is said to begin at another byte than 0",
    );
    let message = refused(&with_tensor("offsets", |offsets| offsets.data[7] = 1));
    assert!(message.contains("row 64 is said to begin at another byte than "), "{message}");
    // Row 69 of the golden file is not in group 0, which is what stands behind an odd number of rows.
    let last = split(&with_header(r#""vocab_size":"70""#, r#""vocab_size":"69""#)).0.to_owned();
    let message = refused(&file(&last, split(&golden_bytes()).1));
    assert!(message.ends_with("a group number behind the last row"), "{message}");

    let ranges = |first_rows: &[u32]| with_tensor("groups", |groups| groups.set_words(first_rows));
    let order = "the ranges of rows do not follow each other from row 0 on";
    assert_invalid(&ranges(&[1, 2, 3, 4]), order);
    assert_invalid(&ranges(&[0, 7, 6, 9]), order);
    assert_invalid(&ranges(&[0, 7, 8, 71]), "a range begins behind the 70 rows");
    assert_invalid(&ranges(&[0, 7, 8]), "3 ranges of rows for 4 groups");
    assert_invalid(&ranges(&[]), "0 ranges of rows for 4 groups");
    assert_invalid(&ranges(&[0, 70, 70, 70]), "270 bytes of codes, expected 506");
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let half = |name: &str, index: usize, bits: u16| {
        with_tensor(name, |tensor| tensor.data[2 * index..][..2].copy_from_slice(&bits.to_le_bytes()))
    };
    assert_invalid(&half("mean", 12, 0x7c00), "inf in the mean");
    assert_invalid(&half("scales", 0, 0xfc00), "-inf in the scales of the directions");
    assert_invalid(&half("scales", 38, 0x7e00), "NaN in the scales");
    let unit = |bytes: &[u8]| {
        let (header, data) = split(bytes);
        file(&header.replace(r#""log2_unit":"-2""#, r#""log2_unit":"127""#), data)
    };
    assert_invalid(&unit(&half("mean", 0, 0x4000)), "the numbers of the mean are beyond the range of f32");
    assert_invalid(&unit(&half("scales", 0, 0x4000)), "the directions are beyond the range of f32");
    let widths = |byte: usize, bits: u8| with_tensor("widths", |widths| widths.data[byte] = bits);
    assert_invalid(&widths(0, 0x59), "codes of 9 bits");
    assert_invalid(&widths(5, 0x11), "widths behind those of the last direction");
    assert_invalid(&widths(12, 0x01), "28 scales for 29 directions of groups");
    assert_invalid(&with_tensor("basis", |basis| basis.data[91] |= 8), "a bit behind those of the last direction");
    assert_invalid(&with_tensor("codes", |codes| codes.data[269] = 1), "the codes do not end with zeros");
    assert_invalid(&with_tensor("codes", |codes| codes.data[254] = 1), "the codes do not end with zeros");
    let groups = |groups: usize| {
        with_tensor("widths", move |widths| (widths.shape, widths.data) = (vec![groups, 6], vec![0; 6 * groups]))
    };
    assert_invalid(&groups(0), "widths of 0 groups, expected 1 to 16");
    assert_invalid(&groups(17), "widths of 17 groups, expected 1 to 16");
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let golden = golden_bytes();
    for len in 0..golden.len() {
        let result = catch_unwind(|| load(&golden[..len]).map(drop));
        assert!(matches!(result, Ok(Err(Error::InvalidFile { .. }))), "the first {len} bytes: {result:?}");
    }
    assert!(load(&[golden.as_slice(), b"\0"].concat()).is_err(), "one byte too many");
}

/// Either the file is refused, or it holds factors that can be decoded: nothing panics, and no number is made up of what is not
/// in the file.
fn assert_refused_or_whole(bytes: &[u8]) {
    let Ok(factors) = load(bytes) else { return };
    let whole = factors.to_factors().expect("finite numbers, and no more directions than rows");
    assert_eq!((whole.vocab_size(), whole.rank(), whole.dim()), (factors.vocab_size(), factors.rank(), factors.dim()));
}

proptest! {
    #[test]
    fn corrupt_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = golden_bytes();
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        assert_refused_or_whole(&bytes);
    }

    /// Headers that are JSON still, most of them.
    #[test]
    fn corrupt_numbers_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), b'0'..=b'9'), 1..4)) {
        let mut bytes = golden_bytes();
        let header = split(&bytes).0.len();
        let digits: Vec<usize> = (8..8 + header).filter(|&i| bytes[i].is_ascii_digit()).collect();
        for (index, digit) in changes {
            bytes[digits[index.index(digits.len())]] = digit;
        }
        assert_refused_or_whole(&bytes);
    }

    #[test]
    fn corrupt_tensors_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 1..4)) {
        let mut bytes = golden_bytes();
        let start = bytes.len() - split(&bytes).1.len();
        for (index, bit) in changes {
            let index = start + index.index(bytes.len() - start);
            bytes[index] ^= 1 << bit;
        }
        assert_refused_or_whole(&bytes);
    }
}
