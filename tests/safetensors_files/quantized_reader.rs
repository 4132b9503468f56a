//! A reader of files of quantized factors, by the page on their format (docs/quantized-format.md) and as plain as that:
//! what the crate reads is compared with it.

use factorized_embedding::quantize::Level;
use half::f16;
use ndarray::{Array1, Array2};
use safetensors::{SafeTensors, tensor::Metadata};

/// What a file says, in `f64`, but for what the rows are multiplied with.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// The coordinates of each row \[`vocab_size`, rank\].
    pub(crate) coordinates: Array2<f64>,
    /// unit · V̂ \[rank, dim\], where it is not a Hadamard transform.
    pub(crate) directions: Option<Array2<f64>>,
    /// unit · μ \[dim\]
    pub(crate) mean: Option<Array1<f64>>,
}

/// A number of so many bits, the lowest first.
fn bits(bytes: &[u8], start: usize, width: usize) -> usize {
    (0..width).map(|i| usize::from(bytes[(start + i) / 8] >> ((start + i) % 8) & 1) << i).sum()
}

/// Decodes a valid file.
pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    let file = SafeTensors::deserialize(bytes).expect("a safetensors file");
    let (_, header): (usize, Metadata) = SafeTensors::read_metadata(bytes).expect("a safetensors file");
    let metadata = header.metadata().as_ref().expect("metadata");
    assert_eq!((&*metadata["format"], &*metadata["version"]), ("factorized-embedding-quantized", "1"));
    let number = |name: &str| metadata[name].parse::<usize>().expect("a number");
    let [vocab_size, rank, dim] = ["vocab_size", "rank", "dim"].map(number);
    let unit = metadata["log2_unit"].parse::<f64>().expect("a number").exp2();
    let data = |name: &str| file.tensor(name).expect(name).data();
    let halves = |name: &str| -> Vec<f64> {
        data(name).chunks(2).map(|pair| f16::from_le_bytes([pair[0], pair[1]]).to_f64()).collect()
    };
    let row_scales = metadata.get("row_scales").map(|text| {
        let numbers: Vec<f64> =
            text.split(' ').map(|number| f64::from(number.parse::<f32>().expect("a number"))).collect();
        let scale =
            move |code: usize| if code == 0 { 0.0 } else { (numbers[1] + numbers[2] * (code - 1) as f64).exp2() };
        (text.split(' ').next().expect("bits").parse::<usize>().expect("a number"), scale)
    });

    let mut scales = halves("scales").into_iter();
    let directions = metadata.get("basis_bits").map(|text| {
        let width: usize = text.parse().expect("a number");
        let scales: Vec<f64> = scales.by_ref().take(rank).collect();
        let (codes, kinds) = data("basis").split_at((rank * dim * width).div_ceil(8));
        Array2::from_shape_fn((rank, dim), |(direction, column)| {
            let code = bits(codes, (direction * dim + column) * width, width);
            let level = match bits(kinds, direction, 1) {
                0 => code as f64 - f64::from((1_u32 << width) - 1) / 2.0,
                _ => f64::from(Level::Scalar.codebook(width as u8)[code]),
            };
            unit * scales[direction] * level
        })
    });

    let num_groups = file.tensor("widths").expect("widths").shape()[0];
    let widths: Vec<Vec<usize>> = (0..num_groups)
        .map(|group| (0..rank).map(|i| bits(&data("widths")[group * rank.div_ceil(2)..], 4 * i, 4)).collect())
        .collect();
    let sigma: Vec<Vec<f64>> = widths
        .iter()
        .map(|widths| {
            widths.iter().map(|&width| if width == 0 { 0.0 } else { scales.next().expect("a scale") }).collect()
        })
        .collect();
    let has_offsets = file.tensor("offsets").is_ok();
    let group_of = |row: usize| match has_offsets {
        true => bits(data("groups"), 4 * row, 4),
        false => data("groups").chunks(4).filter(|first| bits(first, 0, 32) <= row).count() - 1,
    };

    let mut coordinates = Array2::zeros((vocab_size, rank));
    let mut rest = data("codes");
    for row in 0..vocab_size {
        if has_offsets && row % 64 == 0 {
            let place = data("codes").len() - rest.len();
            assert_eq!(bits(&data("offsets")[row / 64 * 4..], 0, 32), place, "row {row}");
        }
        let group = group_of(row);
        let widths = &widths[group];
        let narrow: usize = widths.iter().filter(|&&width| width <= 4).sum();
        let trellis = if metadata["level"] == "trellis" && narrow >= 32 { narrow } else { 0 };
        let total: usize = widths.iter().sum();
        let row_scale_bits = row_scales.as_ref().map_or(0, |(width, _)| if total == 0 { 0 } else { *width });
        let (codes, behind) = rest.split_at((total + row_scale_bits).div_ceil(8));
        rest = behind;
        let row_scale = match &row_scales {
            Some((_, scale)) if total > 0 => scale(bits(codes, total, row_scale_bits)),
            _ => 1.0,
        };
        let mut end = 0;
        for width in (1..=8).rev() {
            for (direction, _) in widths.iter().enumerate().filter(|&(_, &other)| other == width) {
                end += width;
                let is_step = trellis > 0 && width <= 4;
                let level = if is_step {
                    let circle = total - trellis;
                    let window = number("window_bits");
                    let bit = |i: usize| bits(codes, circle + (end - circle + trellis - window + i) % trellis, 1) << i;
                    Level::Trellis.codebook(width as u8)[(0..window).map(bit).sum::<usize>()]
                } else {
                    Level::Scalar.codebook(width as u8)[bits(codes, end - width, width)]
                };
                coordinates[[row, direction]] = row_scale * sigma[group][direction] * f64::from(level);
            }
        }
    }
    assert_eq!(rest, [0; 16], "padding");
    let mean = file.tensor("mean").ok().map(|_| halves("mean").into_iter().map(|number| unit * number).collect());
    Decoded { coordinates, directions, mean }
}
