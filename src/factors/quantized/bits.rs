//! Numbers of a few bits in a string of bits: bit i is bit i % 8 of byte i / 8, and the lowest bit of a number stands first.

/// The number in the `width` bits from `start` on, of at most 16 bits.
pub(crate) fn read_bits(bytes: &[u8], start: usize, width: usize) -> u32 {
    debug_assert!(width <= 16);
    let first = start / 8;
    let window = (0..3).fold(0, |window, i| window | u32::from(bytes.get(first + i).copied().unwrap_or(0)) << (8 * i));
    (window >> (start % 8)) & ((1 << width) - 1)
}

/// Writes a number of at most 16 bits into the `width` bits from `start` on, which are zeros.
pub(crate) fn write_bits(bytes: &mut [u8], start: usize, width: usize, number: u32) {
    debug_assert!(width <= 16 && number < 1 << width);
    let window = number << (start % 8);
    for (byte, part) in bytes[start / 8..].iter_mut().zip(window.to_le_bytes()) {
        *byte |= part;
    }
}

#[cfg(test)]
mod tests {
    use super::{read_bits, write_bits};

    #[test]
    fn what_is_written_is_read() {
        for width in 1..=16_usize {
            let numbers: Vec<u32> = (0..40_u32).map(|i| i.wrapping_mul(0x9e37_79b9) >> (32 - width as u32)).collect();
            for offset in 0..8_usize {
                let mut bytes = vec![0_u8; usize::div_ceil(offset + 40 * width, 8)];
                for (i, &number) in numbers.iter().enumerate() {
                    write_bits(&mut bytes, offset + i * width, width, number);
                }
                let read = (0..40).map(|i| read_bits(&bytes, offset + i * width, width));
                assert!(read.eq(numbers.iter().copied()), "{width} bits from bit {offset} on");
                assert_eq!(read_bits(&bytes, 0, offset), 0);
            }
        }
    }

    #[test]
    fn the_lowest_bit_stands_first() {
        let mut bytes = [0; 2];
        write_bits(&mut bytes, 6, 3, 0b110);
        assert_eq!(bytes, [0b1000_0000, 0b1]);
    }
}
