//! Changes of safetensors files that keep the parts of a file apart: plain changes of bytes rarely get past its header.
//!
//! The length of the header is made to fit its text, and mostly the data are made as long as the header says. One change in
//! eight is one of plain bytes.

use libfuzzer_sys::fuzzer_mutate;

const LENGTH: usize = 8;
/// Numbers at which something may change.
const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "2",
    "16",
    "64",
    "257",
    "8192",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
];

pub(crate) fn safetensors(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let Some((header, tensors)) = split(&data[..size]).filter(|_| seed % 8 != 0) else {
        return fuzzer_mutate(data, size, max_size);
    };
    let (mut header, mut tensors) = (header.to_vec(), tensors.to_vec());
    match seed / 8 % 4 {
        0 => tensors = mutated(tensors, max_size),
        1 => replace_number(&mut header, seed / 128),
        _ => header = mutated(header, max_size),
    }
    if seed / 32 % 4 != 0 {
        let end = last_end(&header).filter(|end| *end <= max_size);
        tensors.resize(end.unwrap_or(tensors.len()), 0);
    }
    let file = [&(header.len() as u64).to_le_bytes()[..], &header, &tensors].concat();
    if file.len() > max_size {
        return fuzzer_mutate(data, size, max_size);
    }
    data[..file.len()].copy_from_slice(&file);
    file.len()
}

fn split(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u64::from_le_bytes(*file.first_chunk()?);
    file[LENGTH..].split_at_checked(usize::try_from(length).ok()?)
}

fn mutated(mut bytes: Vec<u8>, max_size: usize) -> Vec<u8> {
    let len = bytes.len();
    bytes.resize((2 * len + 64).min(max_size).max(len), 0);
    let max = bytes.len();
    let len = fuzzer_mutate(&mut bytes, len, max);
    bytes.truncate(len);
    bytes
}

/// Puts another number in place of one of those in the header.
fn replace_number(header: &mut Vec<u8>, seed: u32) {
    let is_start = |at: &usize| header[*at].is_ascii_digit() && (*at == 0 || !header[*at - 1].is_ascii_digit());
    let starts: Vec<usize> = (0..header.len()).filter(is_start).collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[seed as usize % starts.len()];
    let digits = header[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = String::from_utf8_lossy(&header[start..start + digits]).into_owned();
    let number = NUMBERS[seed as usize / 64 % NUMBERS.len()];
    let new = match (seed / 32 % 4, text.parse::<u64>()) {
        (0, Ok(old)) => old.wrapping_add(1).to_string(),
        (1, Ok(old)) => old.wrapping_sub(1).to_string(),
        _ => number.to_owned(),
    };
    header.splice(start..start + digits, new.into_bytes());
}

/// The largest end of a tensor.
fn last_end(header: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(header).ok()?;
    let ends = text.split("data_offsets\":[").skip(1);
    ends.filter_map(|rest| rest.split(']').next()?.split(',').nth(1)?.trim().parse().ok()).max()
}
