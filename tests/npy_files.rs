//! Whole tables in files of NumPy.
#![cfg(feature = "npy")]

mod support;

use factorized_embedding::{
    DenseEmbedding, Dtype, Embedding, Error, FactorizedEmbedding, Factors,
    io::npy::{load_array, load_table, save_array, save_table},
};
use ndarray::{Array2, ShapeBuilder, array, s};
use ndarray_npy::{read_npy, write_npy};
use support::{files::Folder, random};

#[test]
fn arrays_of_any_strides_come_back_to_the_bit() {
    let folder = Folder::new();
    let path = folder.path("table.npy");
    for shape in [(1, 1), (3, 5), (2000, 7)] {
        let table = random::normal(shape, 1);
        for view in [table.view(), table.slice(s![..;-1, ..]), table.t()] {
            save_array(&path, view).expect("a writable folder");
            assert_eq!(load_array(&path).expect("a valid file"), view);
            assert_eq!(read_npy::<_, Array2<f32>>(&path).expect("an array of NumPy"), view);
            assert_eq!(folder.names(), ["table.npy"]);
        }
    }
}

#[test]
fn files_of_other_programs_are_read() {
    let folder = Folder::new();
    let path = folder.path("table.npy");
    let table = random::normal((1500, 6), 2);
    let mut columns = Array2::zeros((1500, 6).f());
    columns.assign(&table);
    write_npy(&path, &columns).expect("a writable folder");
    assert_eq!(load_array(&path).expect("a valid file"), table);
    // More than is read at a time.
    let large = Array2::from_shape_fn((70_000, 65).f(), |(i, j)| (100 * i + j) as f32);
    write_npy(&path, &large).expect("a writable folder");
    assert_eq!(load_array(&path).expect("a valid file"), large);
    write_npy(&path, &table.mapv(f64::from)).expect("a writable folder");
    assert_eq!(load_table(&path).expect("a valid file").to_array(), table);
}

#[test]
fn layers_of_every_kind_are_written_as_they_are_looked_up() {
    let factors = Factors::new(random::normal((2500, 2), 3), random::normal((2, 5), 4)).expect("shapes that multiply");
    let layer = FactorizedEmbedding::new(factors).with_padding_id(1030).expect("an id of the vocabulary");
    let folder = Folder::new();
    let path = folder.path("table.npy");
    save_table(&path, &layer).expect("a writable folder");
    let ids: Vec<u32> = (0..2500).collect();
    assert_eq!(load_array(&path).expect("a valid file"), layer.lookup(&ids).expect("ids of the vocabulary"));
}

#[test]
fn what_is_no_table_is_neither_written_nor_read() {
    let folder = Folder::new();
    let path = folder.write("table.npy", b"what was there");
    match save_array(&path, Array2::zeros((0, 3)).view()) {
        Err(Error::Empty { shape, .. }) => assert_eq!(shape, [0, 3]),
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read(&path).expect("the file"), b"what was there");
    assert!(matches!(load_array(&path), Err(Error::InvalidFile { format: "npy", .. })));
    match save_array(folder.path("missing/table.npy"), array![[1.0]].view()) {
        Err(Error::Io { action: "find the folder", .. }) => {}
        other => panic!("{other:?}"),
    }
    save_array(&path, array![[1.0, f32::NAN]].view()).expect("arrays hold what they hold");
    assert!(load_array(&path).expect("a valid file")[[0, 1]].is_nan());
    match load_table(&path) {
        Err(Error::NonFinite { index, .. }) => assert_eq!(index, [0, 1]),
        other => panic!("{other:?}"),
    }
    let nan = DenseEmbedding::from_bytes(f32::NAN.to_le_bytes(), Dtype::F32, [1, 1]).expect("one number");
    save_table(&path, &nan).expect("tables, too");
    assert_eq!(folder.names(), ["table.npy"]);
}
