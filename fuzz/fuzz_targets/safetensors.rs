//! See `bodies/safetensors.rs`.
#![no_main]

#[path = "../bodies/mod.rs"]
mod bodies;
#[path = "../mutate.rs"]
mod mutate;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::run(bodies::safetensors::check, data));
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::safetensors(data, size, max_size, seed)
});
