//! Files.

mod atomic_file;
#[cfg(feature = "word-vectors")]
mod byte_stream;
#[cfg(any(feature = "npy", feature = "safetensors"))]
mod file_rows;
#[cfg(feature = "safetensors")]
pub mod hugging_face;
#[cfg(feature = "npy")]
pub mod npy;
#[cfg(any(feature = "npy", feature = "safetensors"))]
mod positioned;
mod regular_file;
#[cfg(feature = "safetensors")]
pub mod safetensors;
#[cfg(feature = "word-vectors")]
pub mod vocabulary;
#[cfg(feature = "word-vectors")]
pub mod word_vectors;
