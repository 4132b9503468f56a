//! Checkpoints with a table in factors or codes, and back.

use std::path::Path;

use safetensors::Dtype as FileDtype;

use super::{
    Checkpoint, Replacement, TableErrors,
    annotation::{annotated, without_annotation},
    job::Job,
    pieces::Piece,
    stored::{FORMAT, key, original_metadata},
};
use crate::{Dtype, Embedding, Error, Result, io::safetensors::table_dtype};

const TABLE: &str = "F32, F16 or BF16 [vocab_size, dim] or [1, vocab_size, dim]";

/// How a checkpoint was written.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SavedTable {
    /// The table.
    pub name: String,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// The type of its numbers where it is dense.
    pub dtype: Dtype,
    /// Bytes of what stands for the table in the checkpoint that was read, and in the one that was written.
    pub table_bytes: [usize; 2],
    /// Bytes of all files that hold tensors, of the one and of the other.
    pub file_bytes: [u64; 2],
}

impl Checkpoint {
    /// Writes the checkpoint to a new folder with a table in factors or codes.
    ///
    /// Every other tensor keeps its bytes, every other file is copied, and `config.json` says what was done:
    /// see [the layout](super#layout). A sharded checkpoint keeps its shards. Of a checkpoint that was opened as a file, and not as
    /// a folder, only the files of tensors and `config.json` are written. The folder is there whole or not at all, and nothing is
    /// overwritten.
    ///
    /// Tensors are copied piece by piece, whatever their size. `progress` is told how many bytes of tensors are written, and of how
    /// many, and ends the work with an error.
    ///
    /// # Errors
    /// [`TensorNotFound`](Error::TensorNotFound), [`UnsuitableTensor`](Error::UnsuitableTensor),
    /// [`CompressedTable`](Error::CompressedTable) where a table is kept as factors or codes already,
    /// [`ShapeMismatch`](Error::ShapeMismatch) for the replacement of another table, [`NonFinite`](Error::NonFinite) where the
    /// type of the table cannot hold what comes back, [`InvalidFile`](Error::InvalidFile) where names of the new tensors are
    /// taken, [`Io`](Error::Io), also where `folder` is there already, and those of `progress`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "decompose")]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use factorized_embedding::{
    ///     Decompose, Rank, TruncatedSvd,
    ///     io::hugging_face::{Checkpoint, Replacement},
    /// };
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let (model, small, whole) = (folder.path().join("model"), folder.path().join("small"), folder.path().join("whole"));
    /// # std::fs::create_dir(&model)?;
    /// # let numbers: Vec<u8> = (0..600).flat_map(|i| ((i * i) as f32 * 0.1).sin().to_le_bytes()).collect();
    /// # let table = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![60, 10], &numbers)?;
    /// # safetensors::serialize_to_file([("wte.weight", table)], None, &model.join("model.safetensors"))?;
    /// let checkpoint = Checkpoint::open(&model)?;
    /// let table = checkpoint.token_table()?.name;
    /// let decomposition = TruncatedSvd::new(Rank::Fixed(4)).decompose(checkpoint.table(&table)?.to_array().view())?;
    /// let replacement = Replacement::factors("svd", decomposition.factors);
    /// let (_, errors) = checkpoint.save_with(&table, &replacement, &small, |_, _| Ok(()))?;
    /// assert!((errors.relative_error - decomposition.relative_error).abs() < 1e-6);
    ///
    /// let compressed = Checkpoint::open(&small)?;
    /// assert_eq!(compressed.factors(&table)?.rank(), 4); // or `embedding`, whatever it is kept as
    /// compressed.restore(&whole, |_, _| Ok(()))?; // a dense table again, for everybody else
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "decompose"))]
    /// # fn main() {}
    /// ```
    pub fn save_with(
        &self,
        name: &str,
        replacement: &Replacement,
        folder: impl AsRef<Path>,
        progress: impl FnMut(u64, u64) -> Result<()>,
    ) -> Result<(SavedTable, TableErrors)> {
        if let Some(compressed) = self.compressed.keys().next() {
            return Err(Error::CompressedTable { path: self.path.clone(), name: compressed.clone() });
        }
        let shard = self.shard_of(name)?;
        let table = self.table(name)?;
        let info = self.info(name).ok_or_else(|| self.not_found(name))?;
        let Some(dtype) = table_dtype(info).filter(|_| info.dtype != FileDtype::I8) else {
            return Err(self.file_of(name)?.unsuitable(name, info, TABLE));
        };
        self.check_free(name)?;
        let errors = replacement.errors(&table, dtype)?;
        let config = self
            .members
            .clone()
            .map(|members| annotated(members, name, replacement, errors).map_err(|reason| self.invalid_config(reason)));
        let config = config.transpose()?;
        let original = original_metadata(&info.shape, dtype).map(|(part, value)| (key(name, part), value));
        replacement.with_parts(name, |tensors, metadata| {
            let parts: Vec<Piece<'_>> = tensors.into_iter().map(Piece::of_tensor).collect();
            let part_bytes = parts.iter().map(Piece::bytes).sum();
            let metadata = self.shards[shard].header.metadata.clone().into_iter().chain(metadata).chain(original);
            let pieces = self.pieces(shard, |other| other == name, parts);
            let job = Job { checkpoint: self, shard, metadata: metadata.collect(), pieces, config };
            let file_bytes = job.write(folder.as_ref(), progress)?;
            let table_bytes = [table.size_in_bytes(), part_bytes];
            let shape = [table.vocab_size(), table.dim()];
            Ok((SavedTable { name: name.to_owned(), shape, dtype, table_bytes, file_bytes }, errors))
        })
    }

    /// Writes the checkpoint to a new folder with its table dense again: of the name, the shape and the type that it had, where
    /// every library finds it. The rest is written as [`save_with`](Self::save_with) writes it, without what that has added.
    ///
    /// # Errors
    /// [`InvalidFile`](Error::InvalidFile) where no table is kept as factors or codes, what is kept does not fit together, or a file
    /// has other tensors than when it was opened,
    /// [`NonFinite`](Error::NonFinite) for a number that the type cannot hold, [`Io`](Error::Io), also where `folder` is there
    /// already, and those of `progress`.
    pub fn restore(
        &self,
        folder: impl AsRef<Path>,
        progress: impl FnMut(u64, u64) -> Result<()>,
    ) -> Result<SavedTable> {
        let invalid = |reason| Error::InvalidFile { path: self.path.clone(), format: FORMAT, reason };
        let Some((name, &shard)) = self.compressed.first_key_value().filter(|_| self.compressed.len() == 1) else {
            return Err(invalid(format!(
                "{} of its tables are kept as factors or codes, expected 1",
                self.compressed.len()
            )));
        };
        if self.has(name) {
            return Err(invalid(format!("there is a tensor {name:?} beside the parts that are kept in its place")));
        }
        let original = self.original(name)?;
        let layer = self.embedding(name)?;
        let (shape, dtype) = ([layer.vocab_size(), layer.dim()], original.dtype);
        if shape != original.matrix {
            let expected = original.matrix;
            return Err(invalid(format!("the parts of {name:?} make a table {shape:?}, expected {expected:?}")));
        }
        let prefix = key(name, "");
        let metadata = self.shards[shard].header.metadata.clone().into_iter();
        let metadata = metadata.filter(|(key, _)| !key.starts_with(&prefix)).collect();
        let is_part = |other: &str| other.starts_with(&prefix);
        let part_bytes = self.bytes_of(shard, is_part);
        let table = Piece::of_rows(name.clone(), layer, dtype, original.shape);
        let table_bytes = [part_bytes, table.bytes()];
        let pieces = self.pieces(shard, is_part, vec![table]);
        let config = self.members.clone().map(without_annotation);
        let job = Job { checkpoint: self, shard, metadata, pieces, config };
        let file_bytes = job.write(folder.as_ref(), progress)?;
        Ok(SavedTable { name: name.clone(), shape, dtype, table_bytes, file_bytes })
    }

    /// The tensors of a file in their order, with others in place of some of them.
    fn pieces<'a>(&self, shard: usize, is_replaced: impl Fn(&str) -> bool, parts: Vec<Piece<'a>>) -> Vec<Piece<'a>> {
        let shard = &self.shards[shard];
        let mut tensors: Vec<_> = shard.header.tensors.iter().collect();
        tensors.sort_by_key(|(_, tensor)| tensor.data_offsets);
        let place = tensors.iter().position(|(name, _)| is_replaced(name)).unwrap_or(tensors.len());
        let kept = tensors.iter().filter(|(name, _)| !is_replaced(name));
        let mut pieces: Vec<Piece<'a>> = kept.map(|(name, tensor)| Piece::copied(shard, name, tensor)).collect();
        pieces.splice(place..place, parts);
        pieces
    }

    fn bytes_of(&self, shard: usize, is_counted: impl Fn(&str) -> bool) -> usize {
        let tensors = self.shards[shard].header.tensors.iter().filter(|(name, _)| is_counted(name));
        tensors.map(|(_, tensor)| tensor.data_offsets.1 - tensor.data_offsets.0).sum()
    }

    /// No names are taken that the parts of a table may have.
    fn check_free(&self, name: &str) -> Result<()> {
        let prefix = key(name, "");
        for shard in &self.shards {
            let mut names = shard.header.tensors.keys().chain(shard.header.metadata.keys());
            if let Some(taken) = names.find(|name| name.starts_with(&prefix)) {
                let reason = format!("{taken:?} has a name that parts of {name:?} would have");
                return Err(Error::InvalidFile { path: shard.path.clone(), format: FORMAT, reason });
            }
        }
        Ok(())
    }

    fn invalid_config(&self, reason: String) -> Error {
        Error::InvalidFile { path: self.config_path(), format: super::config::FORMAT, reason }
    }
}
