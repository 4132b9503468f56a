use half::{bf16, f16};
use ndarray::{Array2, array};

use super::{Dtype, Rows};

/// All rows, in reverse order, into contiguous and into strided rows.
fn read_back(rows: &Rows<'_>) -> Array2<f32> {
    let [n, columns] = rows.shape();
    let mut contiguous = Array2::from_elem((n, columns), f32::NAN);
    rows.copy_rows_into((0..n).rev(), contiguous.rows_mut().into_iter());
    let mut strided = Array2::from_elem((columns, n), f32::NAN).reversed_axes();
    rows.copy_rows_into((0..n).rev(), strided.rows_mut().into_iter());
    assert_eq!(contiguous, strided);
    contiguous
}

fn bytes_of(values: &[f32], dtype: Dtype) -> Vec<u8> {
    values
        .iter()
        .flat_map(|&value| match dtype {
            Dtype::F32 => value.to_le_bytes().to_vec(),
            Dtype::F16 => f16::from_f32(value).to_le_bytes().to_vec(),
            Dtype::Bf16 => bf16::from_f32(value).to_le_bytes().to_vec(),
            Dtype::Int8 => (value as i8).to_le_bytes().to_vec(),
        })
        .collect()
}

#[test]
fn every_dtype_and_width_reads_back_at_every_alignment() {
    for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16, Dtype::Int8] {
        for columns in [1, 2, 3, 7, 8, 63, 64, 65, 130] {
            // Small multiples of ⅛ are exact in all types of fractions, small integers in all.
            let step = if dtype == Dtype::Int8 { 4.0 } else { 0.125 };
            let values: Vec<f32> = (0..3 * columns).map(|i| ((i % 31) as f32 - 8.0) * step).collect();
            let expected = Array2::from_shape_fn((3, columns), |(i, j)| values[(2 - i) * columns + j]);
            for shift in 0..4 {
                let mut shifted = vec![0; shift];
                shifted.extend(bytes_of(&values, dtype));
                let rows = Rows::from_bytes(&shifted[shift..], dtype, [3, columns]).expect("the lengths agree");
                assert_eq!(read_back(&rows), expected, "{dtype} × {columns} columns, {shift} bytes off");
                if let Some(view) = rows.as_view() {
                    assert_eq!(view, expected.slice(ndarray::s![..;-1, ..]));
                }
            }
        }
    }
}

#[test]
fn arrays_of_any_strides_read_back() {
    let array = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    let expected = array![[4.0, 5.0, 6.0], [1.0, 2.0, 3.0]];
    assert_eq!(read_back(&Rows::Array(array.view().into())), expected);
    assert_eq!(read_back(&Rows::Array(array.t().to_owned().reversed_axes().into())), expected);
}

#[test]
fn special_values_survive_widening() {
    let values = [f32::INFINITY, -0.0, f32::NEG_INFINITY, 65504.0];
    let rows = Rows::from_bytes(bytes_of(&values, Dtype::F16), Dtype::F16, [1, 4]).expect("the lengths agree");
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&read_back(&rows).into_raw_vec_and_offset().0), bits(&values));
}

#[test]
fn bytes_of_another_length_are_refused() {
    let error = Rows::from_bytes(vec![0; 15], Dtype::F32, [2, 2]).expect_err("15 bytes are not 4 numbers");
    assert_eq!(
        error.to_string(),
        "bytes of a table [vocab_size · dim · size of a number] has shape [15], expected [16]"
    );
    assert!(Rows::from_bytes(vec![0; 16], Dtype::F32, [usize::MAX, 2]).is_err());
}
