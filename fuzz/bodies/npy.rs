//! NumPy's files of arrays.

use std::path::Path;

use factorized_embedding::{
    RowBlocks,
    io::npy::{NpyRows, load_array, load_table, save_array},
};

use super::{value, write};

pub(crate) fn check(folder: &Path, data: &[u8]) {
    let path = write(folder, "array.npy", data);
    let Some(array) = value(load_array(&path)) else {
        assert!(value(load_table(&path)).is_none(), "a table of an array that cannot be read");
        return;
    };
    let mut rows = NpyRows::open(&path).expect("an array that was read").with_block_rows(2);
    assert_eq!((rows.vocab_size(), rows.dim()), array.dim());
    let mut numbers = Vec::new();
    while let Some(block) = rows.next_block().expect("rows of the file") {
        numbers.extend(block.iter().map(|number| number.to_bits()));
    }
    assert!(array.iter().map(|number| number.to_bits()).eq(numbers), "other numbers in blocks than at once");
    value(load_table(&path));
    let again = folder.join("again.npy");
    save_array(&again, array.view()).expect("a writable folder");
    let read = load_array(&again).expect("what was just written");
    assert!(read.iter().map(|x| x.to_bits()).eq(array.iter().map(|x| x.to_bits())));
}
