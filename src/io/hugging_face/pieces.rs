//! Files of tensors, written from pieces of another file.

use std::{cmp::Reverse, path::Path};

use safetensors::{Dtype as FileDtype, tensor::TensorInfo};

use super::{
    checkpoint::Shard,
    replacement::{blocks, rounded_rows, to_bytes},
    stored::FORMAT,
};
use crate::{
    Dtype, Embedding, Error, Result,
    io::{
        atomic_file::AtomicFile,
        positioned::PositionedFile,
        safetensors::{
            file_dtype,
            header::Header,
            rows::read_header,
            tensors::{Tensor, write_numbers},
        },
    },
};

/// Bytes that are copied at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A tensor of a new file.
pub(super) struct Piece<'a> {
    pub(super) name: String,
    dtype: FileDtype,
    shape: Vec<usize>,
    bytes: usize,
    source: Source<'a>,
}

enum Source<'a> {
    /// Bytes of the file that is copied, from this one on.
    Copied(u64),
    Tensor(Tensor<'a>),
    Rows(Box<dyn Embedding>, Dtype),
}

impl<'a> Piece<'a> {
    /// A tensor of a file as it stands there.
    pub(super) fn copied(shard: &Shard, name: &str, tensor: &TensorInfo) -> Self {
        // `Header::parse` has checked that all offsets lie within the file.
        let (start, end) = tensor.data_offsets;
        let source = Source::Copied((shard.header.data_start + start) as u64);
        Self { name: name.to_owned(), dtype: tensor.dtype, shape: tensor.shape.clone(), bytes: end - start, source }
    }

    pub(super) fn of_tensor((name, tensor): (String, Tensor<'a>)) -> Self {
        let (dtype, shape) = (tensor.dtype, tensor.shape.clone());
        let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        Self { name, dtype, shape, bytes, source: Source::Tensor(tensor) }
    }

    /// The rows of a layer as numbers of this type.
    pub(super) fn of_rows(name: String, layer: Box<dyn Embedding>, dtype: Dtype, shape: Vec<usize>) -> Self {
        let bytes = layer.vocab_size() * layer.dim() * dtype.size();
        Self { name, dtype: file_dtype(dtype), shape, bytes, source: Source::Rows(layer, dtype) }
    }

    /// Whether it is not a tensor of the file that is copied.
    pub(super) fn is_new(&self) -> bool {
        !matches!(self.source, Source::Copied(_))
    }

    /// Bytes of its numbers.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Writes a file of these tensors beside the metadata: `source` is the file that tensors are copied from. `progress` is told
/// how many bytes were written since it was called last.
///
/// # Errors
/// [`InvalidFile`](Error::InvalidFile) for a source whose tensors are not where they were when it was opened,
/// [`Io`](Error::Io), and those of the layers and of `progress`.
pub(super) fn write(
    source: &Shard,
    target: &Path,
    metadata: impl IntoIterator<Item = (String, String)>,
    mut pieces: Vec<Piece<'_>>,
    progress: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<()> {
    // Where some are narrower than others, those before them begin at multiples of their size, which some readers need.
    pieces.sort_by_key(|piece| Reverse(piece.dtype.bitsize()));
    let mut header = Header { metadata: metadata.into_iter().collect(), ..Header::default() };
    let mut start = 0;
    for Piece { name, dtype, shape, bytes, .. } in &pieces {
        let data_offsets = (start, start + bytes);
        header.tensors.insert(name.clone(), TensorInfo { dtype: *dtype, shape: shape.clone(), data_offsets });
        start += bytes;
    }
    let source = unchanged(source)?;
    let mut file = AtomicFile::create(target)?;
    file.write(|file| file.write_all(&header.to_bytes()?))?;
    for piece in pieces {
        match piece.source {
            Source::Copied(start) => copy(&source, start, piece.bytes as u64, &mut file, progress)?,
            Source::Tensor(tensor) => {
                file.write(|file| write_numbers(tensor.numbers, file))?;
                progress(piece.bytes)?;
            }
            Source::Rows(layer, dtype) => {
                for ids in blocks(layer.vocab_size()) {
                    let bytes = to_bytes(&rounded_rows(layer.as_ref(), &ids, dtype)?, dtype);
                    file.write(|file| file.write_all(&bytes))?;
                    progress(bytes.len())?;
                }
            }
        }
    }
    file.commit()
}

/// The file of a shard, if its tensors are still where they were.
fn unchanged(shard: &Shard) -> Result<PositionedFile> {
    let file = PositionedFile::open(&shard.path)?;
    let header = read_header(&shard.path, &file)?;
    if !header.has_places_of(&shard.header) {
        let reason = "its tensors are no longer those that were there when it was opened".to_owned();
        return Err(Error::InvalidFile { path: shard.path.clone(), format: FORMAT, reason });
    }
    Ok(file)
}

/// Copies a whole file.
pub(super) fn copy_file(source: &Path, target: &Path, progress: &mut dyn FnMut(usize) -> Result<()>) -> Result<()> {
    let source = PositionedFile::open(source)?;
    let mut file = AtomicFile::create(target)?;
    copy(&source, 0, source.len(), &mut file, progress)?;
    file.commit()
}

fn copy(
    source: &PositionedFile,
    start: u64,
    len: u64,
    file: &mut AtomicFile,
    progress: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<()> {
    let mut piece = vec![0; usize::try_from(len).map_or(PIECE_BYTES, |len| len.min(PIECE_BYTES))];
    let end = start + len;
    let mut offset = start;
    while offset < end {
        // No more than a piece, which fits.
        let bytes = &mut piece[..(end - offset).min(PIECE_BYTES as u64) as usize];
        source.read_exact_at(bytes, offset)?;
        file.write(|file| file.write_all(bytes))?;
        offset += bytes.len() as u64;
        progress(bytes.len())?;
    }
    Ok(())
}
