//! Factors that are written block by block.

use factorized_embedding::{
    Error, Factors, Result, Shape,
    io::safetensors::{FactorsWriter, load_factors, save_factors},
};
use ndarray::{Array1, Array2, array, s};

use crate::support::{factor_parts::FactorParts, files::Folder};

const SHAPE: Shape = Shape { vocab_size: 9, rank: 2, dim: 4 };
const NAME: &str = "factors.safetensors";

fn writer(folder: &Folder, parts: &FactorParts) -> FactorsWriter {
    let writer = FactorsWriter::create(folder.path(NAME), parts.u.nrows(), parts.v.clone()).expect("a writable folder");
    let writer = match &parts.diagonal {
        Some(diagonal) => writer.with_diagonal(diagonal.clone()).expect("a diagonal of the rank"),
        None => writer,
    };
    match &parts.bias {
        Some(bias) => writer.with_bias(bias.clone()).expect("a bias of the dim"),
        None => writer,
    }
}

/// A folder with factors in it, and their bytes.
fn folder() -> (Folder, Vec<u8>) {
    let folder = Folder::new();
    save_factors(folder.path(NAME), &FactorParts::normal(SHAPE, 7).factors()).expect("a writable folder");
    let bytes = std::fs::read(folder.path(NAME)).expect("the file");
    (folder, bytes)
}

/// The old file is as it was, and there is no other.
#[track_caller]
fn assert_untouched(folder: &Folder, old: &[u8]) {
    assert_eq!(folder.names(), [NAME]);
    assert_eq!(std::fs::read(folder.path(NAME)).expect("the file"), old);
}

#[test]
fn the_file_is_the_one_that_is_saved_whole() {
    for shape in [
        SHAPE,
        Shape { vocab_size: 1, rank: 1, dim: 1 },
        Shape { vocab_size: 300, rank: 7, dim: 7 },
        Shape { vocab_size: 3, rank: 3, dim: 4000 },
    ] {
        for parts in FactorParts::normal(shape, 1).variants() {
            let whole = Folder::new();
            save_factors(whole.path(NAME), &parts.factors()).expect("a writable folder");
            let expected = std::fs::read(whole.path(NAME)).expect("the file");
            for block_rows in [1, 2, 7, shape.vocab_size, 1000] {
                let folder = Folder::new();
                let mut writer = writer(&folder, &parts);
                for start in (0..shape.vocab_size).step_by(block_rows) {
                    assert_eq!(writer.rows_written(), start);
                    let end = (start + block_rows).min(shape.vocab_size);
                    writer.write_rows(parts.u.slice(s![start..end, ..])).expect("rows of U");
                    writer.write_rows(parts.u.slice(s![start..start, ..])).expect("no rows");
                    assert!(!folder.path(NAME).exists(), "the file is there when it is finished");
                }
                writer.finish().expect("all rows");
                assert_eq!(folder.names(), [NAME]);
                assert_eq!(std::fs::read(folder.path(NAME)).expect("the file"), expected, "blocks of {block_rows}");
            }
        }
    }
}

#[test]
fn parts_of_any_strides_are_written_row_by_row() {
    let parts = FactorParts::normal(SHAPE, 2);
    let (reversed_u, reversed_v) = (parts.u.slice(s![..;-1, ..;-1]), parts.v.slice(s![..;-1, ..;-1]));
    let columns = |array: ndarray::ArrayView2<'_, f32>| array.t().as_standard_layout().into_owned().reversed_axes();
    let expected = Factors::new(reversed_u.to_owned(), reversed_v.to_owned()).expect("shapes that multiply");
    let diagonal = Array1::from_vec(vec![1.0, 2.0]);
    let expected = expected.with_diagonal(diagonal.slice(s![..;-1]).to_owned()).expect("a diagonal of the rank");
    for by_column in [false, true] {
        let folder = Folder::new();
        let v = if by_column { columns(reversed_v) } else { reversed_v.to_owned() };
        let mut reversed_diagonal = diagonal.clone();
        reversed_diagonal.invert_axis(ndarray::Axis(0));
        let writer = FactorsWriter::create(folder.path(NAME), 9, v).expect("a writable folder");
        let mut writer = writer.with_diagonal(reversed_diagonal).expect("a diagonal of the rank");
        let columns = columns(reversed_u);
        writer.write_rows(if by_column { columns.view() } else { reversed_u }).expect("rows of U");
        writer.finish().expect("all rows");
        assert_eq!(load_factors(folder.path(NAME)).expect("a valid file"), expected);
    }
}

#[test]
fn the_old_file_stays_until_the_new_one_is_whole() {
    let (folder, old) = folder();
    let parts = FactorParts::normal(SHAPE, 3);
    let mut unfinished = writer(&folder, &parts);
    drop(unfinished);
    assert_untouched(&folder, &old);
    unfinished = writer(&folder, &parts);
    unfinished.write_rows(parts.u.view()).expect("rows of U");
    assert_eq!(std::fs::read(folder.path(NAME)).expect("the file"), old);
    drop(unfinished);
    assert_untouched(&folder, &old);

    let mut finished = writer(&folder, &parts);
    finished.write_rows(parts.u.view()).expect("rows of U");
    finished.finish().expect("all rows");
    assert_eq!(folder.names(), [NAME]);
    assert_eq!(load_factors(folder.path(NAME)).expect("a valid file"), parts.factors());
}

#[track_caller]
fn assert_mismatch(result: Result<()>, rows: usize, columns: usize) {
    let expected = format!("rows of u [vocab_size, rank] has shape [{rows}, {columns}], expected [9, 2]");
    assert_eq!(result.expect_err("another number of rows or columns").to_string(), expected);
}

#[test]
fn rows_that_do_not_add_up_are_refused() {
    let (folder, old) = folder();
    let parts = FactorParts::normal(SHAPE, 4);
    assert_mismatch(writer(&folder, &parts).finish(), 0, 2);
    assert_untouched(&folder, &old);

    let mut short = writer(&folder, &parts);
    short.write_rows(parts.u.slice(s![..8, ..])).expect("rows of U");
    assert_mismatch(short.finish(), 8, 2);
    assert_untouched(&folder, &old);

    let mut long = writer(&folder, &parts);
    long.write_rows(parts.u.slice(s![..8, ..])).expect("rows of U");
    assert_mismatch(long.write_rows(parts.u.slice(s![..2, ..])), 10, 2);
    assert_mismatch(long.write_rows(Array2::zeros((1, 3)).view()), 9, 3);
    assert_mismatch(long.write_rows(Array2::zeros((0, 1)).view()), 8, 1);
    assert_eq!(long.rows_written(), 8, "nothing of these rows was written");
    long.write_rows(parts.u.slice(s![8.., ..])).expect("the last row");
    assert_mismatch(long.write_rows(parts.u.slice(s![..1, ..])), 10, 2);
    long.finish().expect("all rows");
    assert_eq!(load_factors(folder.path(NAME)).expect("a valid file"), parts.factors());
}

#[test]
fn numbers_that_are_not_finite_are_refused_with_their_place_in_u() {
    let (folder, old) = folder();
    let parts = FactorParts::normal(SHAPE, 5);
    let mut writer = writer(&folder, &parts);
    writer.write_rows(parts.u.slice(s![..5, ..])).expect("rows of U");
    let mut rest = parts.u.slice(s![5.., ..]).to_owned();
    rest[[2, 1]] = f32::NAN;
    let message = "u [vocab_size, rank] holds NaN at [7, 1]: only finite numbers can be used";
    assert_eq!(writer.write_rows(rest.view()).expect_err("NaN").to_string(), message);
    assert_eq!(writer.rows_written(), 5);
    assert_mismatch(writer.finish(), 5, 2);
    assert_untouched(&folder, &old);
}

#[test]
fn parts_that_are_no_factors_are_refused_before_anything_is_written() {
    let folder = Folder::new();
    let create = |vocab_size, v: Array2<f32>| FactorsWriter::create(folder.path(NAME), vocab_size, v);
    let refused = |result: Result<FactorsWriter>| result.expect_err("no factors").to_string();
    let range = "rank 3 is out of range 1..=2, where 2 is the smaller of vocab_size 2 and dim 4";
    assert_eq!(refused(create(2, Array2::zeros((3, 4)))), range);
    let range = "rank 0 is out of range 1..=2, where 2 is the smaller of vocab_size 2 and dim 4";
    assert_eq!(refused(create(2, Array2::zeros((0, 4)))), range);
    let empty = "factorized table [vocab_size, dim] is empty: its shape is [0, 4]";
    assert_eq!(refused(create(0, Array2::zeros((1, 4)))), empty);
    let many = "a vocabulary of 4294967296 is too large: token ids name at most 4294967295 rows";
    assert_eq!(refused(create(1 << 32, Array2::zeros((1, 4)))), many);
    let infinite = "v [rank, dim] holds inf at [0, 1]: only finite numbers can be used";
    assert_eq!(refused(create(2, array![[1.0, f32::INFINITY]])), infinite);
    let writer = || create(9, Array2::ones((2, 4))).expect("a writable folder");
    let diagonal = |diagonal| refused(writer().with_diagonal(diagonal));
    assert_eq!(diagonal(array![1.0]), "diagonal [rank] has shape [1], expected [2]");
    assert_eq!(diagonal(array![1.0, f32::NAN]), "diagonal [rank] holds NaN at [1]: only finite numbers can be used");
    let bias = |bias| refused(writer().with_bias(bias));
    assert_eq!(bias(array![1.0]), "bias [dim] has shape [1], expected [4]");
    let mut begun = writer();
    begun.write_rows(Array2::ones((3, 2)).view()).expect("rows of U");
    let late = "rows written before the other parts is 3, expected 0";
    assert_eq!(refused(begun.with_bias(Array1::ones(4))), late);
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}

#[test]
fn where_nothing_can_be_written_is_known_at_the_start() {
    let folder = Folder::new();
    let refused = |path| match FactorsWriter::create(path, 9, Array2::ones((2, 4))) {
        Err(Error::Io { action, .. }) => action,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(folder.path("missing/factors.safetensors")), "find the folder");
    assert_eq!(refused(folder.path("")), "replace");
}
