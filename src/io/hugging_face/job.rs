//! All files of a new checkpoint.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{
    Checkpoint,
    annotation::changed_index,
    config::CONFIG,
    json::Members,
    new_folder::{NewFolder, failed, files_below},
    pieces::{self, Piece},
};
use crate::{Error, Result, io::safetensors::index};

/// A checkpoint of which one file changes.
pub(super) struct Job<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    /// The number of the file that changes.
    pub(super) shard: usize,
    /// Of the file that changes.
    pub(super) metadata: Vec<(String, String)>,
    pub(super) pieces: Vec<Piece<'a>>,
    /// The whole of `config.json`, where there is one.
    pub(super) config: Option<String>,
}

impl Job<'_> {
    /// Writes the folder. Returns the bytes of all files of tensors before and after.
    ///
    /// # Errors
    /// [`Io`](Error::Io), those of the tensors and of `progress`.
    pub(super) fn write(self, folder: &Path, mut progress: impl FnMut(u64, u64) -> Result<()>) -> Result<[u64; 2]> {
        let (checkpoint, source) = (self.checkpoint, self.checkpoint.folder.as_deref());
        let index = self.index()?;
        let others = source.map(|source| self.other_files(source)).transpose()?.unwrap_or_default();
        let new = NewFolder::create(folder, source)?;
        if let Some((name, text)) = index {
            new.write(&name, &text)?;
        }
        if let Some(config) = &self.config {
            new.write(Path::new(CONFIG), config)?;
        }
        if let Some(source) = source {
            others.iter().try_for_each(|name| new.copy(&source.join(name), name))?;
        }

        let changed = self.shard;
        let unchanged = checkpoint.shards.iter().enumerate().filter(|(number, _)| *number != changed);
        let unchanged: u64 = unchanged.map(|(_, shard)| shard.file_bytes()).sum();
        let total = unchanged + self.pieces.iter().map(|piece| piece.bytes() as u64).sum::<u64>();
        let (mut written, mut file_bytes) = (0, [0, 0]);
        let mut step = |bytes: usize| {
            written += bytes as u64;
            progress(written, total)
        };
        let mut parts = Some((self.metadata, self.pieces));
        for (number, shard) in checkpoint.shards.iter().enumerate() {
            let target = new.place(&shard.name)?;
            match parts.take_if(|_| number == changed) {
                Some((metadata, pieces)) => pieces::write(shard, &target, metadata, pieces, &mut step)?,
                None => pieces::copy_file(&shard.path, &target, &mut step)?,
            }
            file_bytes[0] += shard.file_bytes();
            file_bytes[1] += fs::metadata(&target).map_err(failed("read", &target))?.len();
        }
        new.commit()?;
        Ok(file_bytes)
    }

    /// The files of the folder that are neither tensors nor what is written anew.
    fn other_files(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let shards = self.checkpoint.shards.iter().map(|shard| shard.name.as_path());
        let index = self.checkpoint.index.iter().filter_map(|index| index.file_name()).map(Path::new);
        let config = self.config.iter().map(|_| Path::new(CONFIG));
        let own: BTreeSet<&Path> = shards.chain(index).chain(config).collect();
        let mut files = files_below(folder)?;
        files.retain(|name| !own.contains(name.as_path()));
        Ok(files)
    }

    /// The name and the text of the index, where there is one.
    fn index(&self) -> Result<Option<(PathBuf, String)>> {
        let Some(path) = &self.checkpoint.index else { return Ok(None) };
        let shard = &self.checkpoint.shards[self.shard];
        let bytes = |bytes: usize| bytes as u64;
        let added: u64 = self.pieces.iter().filter(|piece| piece.is_new()).map(|piece| bytes(piece.bytes())).sum();
        let names: BTreeSet<&str> = self.pieces.iter().map(|piece| piece.name.as_str()).collect();
        let removed = shard.header.tensors.iter().filter(|(name, _)| !names.contains(name.as_str()));
        let removed: u64 = removed.map(|(_, tensor)| bytes(tensor.data_offsets.1 - tensor.data_offsets.0)).sum();

        let mut weight_map = index::weight_map(path)?;
        let file = shard.name.to_string_lossy();
        weight_map.retain(|name, other| Path::new(other) != shard.name || names.contains(name.as_str()));
        let new = self.pieces.iter().filter(|piece| piece.is_new());
        weight_map.extend(new.map(|piece| (piece.name.clone(), file.clone().into_owned())));
        let entries = weight_map.iter().map(|(name, file)| (name.as_str(), file.as_str()));
        let text = changed_index(Members::read(path, index::FORMAT)?, entries, added, removed);
        let text = text.map_err(|error| Error::InvalidFile {
            path: path.clone(),
            format: index::FORMAT,
            reason: error.to_string(),
        })?;
        Ok(path.file_name().map(|name| (PathBuf::from(name), text)))
    }
}
