//! Files.

mod file_rows;
#[cfg(feature = "safetensors")]
pub mod hugging_face;
#[cfg(feature = "npy")]
pub mod npy;
mod positioned;
#[cfg(feature = "safetensors")]
pub mod safetensors;
