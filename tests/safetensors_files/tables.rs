//! Mapped tables.

use factorized_embedding::{Dtype, Embedding, Error, TokenId, io::safetensors::load_table};
use half::{bf16, f16};
use ndarray::Array2;

use crate::support::{
    compare::assert_same_bits,
    files::{Folder, file, header},
    random,
};

#[test]
fn tables_of_every_type_are_widened_exactly_at_every_alignment() {
    let numbers = random::normal((11, 7), 1);
    let bytes = |write: &dyn Fn(f32) -> Vec<u8>| numbers.iter().flat_map(|&number| write(number)).collect::<Vec<u8>>();
    let cases = [
        ("F32", Dtype::F32, bytes(&|number| number.to_le_bytes().into()), numbers.clone()),
        (
            "F16",
            Dtype::F16,
            bytes(&|number| f16::from_f32(number).to_le_bytes().into()),
            numbers.mapv(|number| f16::from_f32(number).to_f32()),
        ),
        (
            "BF16",
            Dtype::Bf16,
            bytes(&|number| bf16::from_f32(number).to_le_bytes().into()),
            numbers.mapv(|number| bf16::from_f32(number).to_f32()),
        ),
    ];
    let folder = Folder::new();
    let ids: Vec<TokenId> = (0..11).collect();
    for (name, dtype, data, expected) in cases {
        let (text, size) = header(None, &[("weight", name, dtype.size(), &[11, 7])]);
        assert_eq!(size, data.len());
        for spaces in 0..8 {
            let path = folder.write("table.safetensors", &file(&format!("{text}{}", " ".repeat(spaces)), &data));
            let table = load_table(path, "weight").expect("a valid file");
            assert_eq!((table.dtype(), table.vocab_size(), table.dim()), (dtype, 11, 7));
            assert_same_bits(name, table.lookup(&ids).expect("eleven rows").view(), expected.view());
            assert_same_bits(name, table.to_array().view(), expected.view());
        }
    }
}

#[test]
fn one_of_several_tensors_is_found_by_its_name() {
    let (text, size) =
        header(None, &[("first", "F32", 4, &[2, 3]), ("second", "F32", 4, &[3, 2]), ("third", "U8", 1, &[4])]);
    let mut data: Vec<u8> = (0..12_u8).flat_map(|i| f32::from(i).to_le_bytes()).collect();
    data.extend([0; 4]);
    assert_eq!(data.len(), size);
    let folder = Folder::new();
    let path = folder.write("tables.safetensors", &file(&text, &data));
    let second = load_table(&path, "second").expect("a table of that name");
    assert_eq!(second.to_array(), ndarray::array![[6.0, 7.0], [8.0, 9.0], [10.0, 11.0]]);

    let error = load_table(&path, "fourth").expect_err("there are three tensors");
    let expected = format!(r#"{} has no tensor "fourth"; it has "first", "second", "third""#, path.display());
    assert_eq!(error.to_string(), expected);
    let error = load_table(&path, "third").expect_err("bytes are no table");
    let expected =
        format!(r#"tensor "third" of {} is U8 [4], expected F32, F16, BF16 or I8 [vocab_size, dim]"#, path.display());
    assert_eq!(error.to_string(), expected);
}

#[test]
fn numbers_that_are_not_finite_are_not_looked_for() {
    let (text, _) = header(None, &[("weight", "F32", 4, &[2, 1])]);
    let data = [f32::NAN.to_le_bytes(), 1.0_f32.to_le_bytes()].concat();
    let folder = Folder::new();
    let table = load_table(folder.write("nan.safetensors", &file(&text, &data)), "weight").expect("a valid file");
    let rows: Array2<f32> = table.lookup(&[0, 1]).expect("two rows");
    assert!(rows[[0, 0]].is_nan());
    assert_eq!(rows[[1, 0]], 1.0);
}

#[test]
fn tensors_that_are_no_tables_are_refused() {
    let folder = Folder::new();
    let shapes: [(&str, usize, &[usize]); 6] = [
        ("F32", 4, &[6]),
        ("F32", 4, &[1, 2, 3]),
        ("F32", 4, &[]),
        ("F64", 8, &[2, 3]),
        ("I64", 8, &[2, 3]),
        ("I16", 2, &[2, 3]),
    ];
    for (dtype, size, shape) in shapes {
        let (text, size) = header(None, &[("weight", dtype, size, shape)]);
        let path = folder.write("other.safetensors", &file(&text, &vec![0; size]));
        match load_table(path, "weight") {
            Err(Error::UnsuitableTensor { name, dtype: actual, shape: found, .. }) => {
                assert_eq!((name.as_str(), actual.as_str(), found.as_slice()), ("weight", dtype, shape));
            }
            other => panic!("{dtype} {shape:?}: {other:?}"),
        }
    }
    for shape in [[0, 3], [3, 0], [0, 0]] {
        let (text, _) = header(None, &[("weight", "F32", 4, &shape)]);
        let path = folder.write("empty.safetensors", &file(&text, &[]));
        let error = load_table(path, "weight").expect_err("nothing in it");
        assert_eq!(error.to_string(), format!("table [vocab_size, dim] is empty: its shape is {shape:?}"));
    }
}
