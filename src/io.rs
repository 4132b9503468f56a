//! Files.

mod file_rows;
#[cfg(feature = "npy")]
pub mod npy;
mod positioned;
#[cfg(feature = "safetensors")]
pub mod safetensors;
