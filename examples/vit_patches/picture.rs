//! A picture: a sky above a hill with a sun, and a chequered house.

use ndarray::Array3;

/// Red, green and blue between −1 and 1, as vision transformers are given them: \[3, side, side\]
pub(crate) fn draw(side: usize) -> Array3<f32> {
    let unit = |i: usize| (i as f32 + 0.5) / side as f32;
    Array3::from_shape_fn((3, side, side), |(channel, row, column)| {
        2.0 * colour(unit(column), unit(row))[channel] - 1.0
    })
}

/// At a place from the left and from above, both between 0 and 1.
fn colour(x: f32, y: f32) -> [f32; 3] {
    let is_near = |x0: f32, y0: f32, radius: f32| (x - x0).hypot(y - y0) < radius;
    if (0.55..0.85).contains(&x) && (0.45..0.8).contains(&y) {
        let is_dark = (((x - 0.55) * 20.0) as i32 + ((y - 0.45) * 20.0) as i32) % 2 == 0;
        return if is_dark { [0.55, 0.2, 0.15] } else { [0.85, 0.75, 0.6] };
    }
    if y > 0.7 - 0.1 * (4.0 * x).sin() {
        let grass = 0.5 + 0.1 * (90.0 * x).sin() * (70.0 * y).cos();
        return [0.2 * grass, grass, 0.3 * grass];
    }
    if is_near(0.22, 0.2, 0.1) {
        return [1.0, 0.9, 0.4];
    }
    [0.35 + 0.3 * y, 0.55 + 0.3 * y, 0.95]
}
