//! The files of a model, and which tensor is where.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use safetensors::tensor::TensorInfo;

use super::{
    ModelConfig,
    config::{self, CONFIG},
    json::Members,
};
use crate::{
    Error, Result,
    io::{
        positioned::PositionedFile,
        safetensors::{
            File,
            header::Header,
            index::{self, INDEX, SINGLE, is_there},
            rows::read_header,
            tensors::{FACTORS, QUANTIZED},
        },
    },
};

/// What the metadata of a table that is kept as factors or codes end with: they name the format.
const FORMAT_SUFFIX: &str = ".format";

/// A model as it lies on the disk: its tensors, in one file or several, and what `config.json` says of it.
///
/// Opening reads headers only. Tables are [mapped](crate::io::safetensors#memory-maps) when they are asked for.
///
/// # Examples
///
/// ```
/// use factorized_embedding::{Embedding, io::hugging_face::Checkpoint};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let numbers: Vec<u8> = (0..12).flat_map(|i| (i as f32).to_le_bytes()).collect();
/// # let table = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![4, 3], &numbers)?;
/// # safetensors::serialize_to_file([("wte.weight", table)], None, &folder.path().join("model.safetensors"))?;
/// # std::fs::write(folder.path().join("config.json"), r#"{"model_type": "gpt2", "vocab_size": 4, "n_embd": 3}"#)?;
/// let checkpoint = Checkpoint::open(folder.path())?;
/// let table = checkpoint.token_table()?;
/// assert_eq!((table.name.as_str(), table.shape), ("wte.weight", [4, 3]));
/// let embedding = checkpoint.embedding(&table.name)?;
/// assert_eq!(embedding.lookup(&[1])?, ndarray::array![[3.0, 4.0, 5.0]]);
/// # Ok(())
/// # }
/// ```
pub struct Checkpoint {
    /// As it was given.
    pub(super) path: PathBuf,
    /// The folder that is copied with the checkpoint, if it was opened as a folder.
    pub(super) folder: Option<PathBuf>,
    /// The index of a checkpoint of several files.
    pub(super) index: Option<PathBuf>,
    pub(super) shards: Vec<Shard>,
    /// The shard of every tensor.
    tensors: BTreeMap<String, usize>,
    /// The shard of every table that is kept as factors or codes.
    pub(super) compressed: BTreeMap<String, usize>,
    /// The whole of `config.json`.
    pub(super) members: Option<Members>,
    config: ModelConfig,
}

/// One of the files that hold tensors.
pub(super) struct Shard {
    /// Its path below the folder of the checkpoint.
    pub(super) name: PathBuf,
    pub(super) path: PathBuf,
    pub(super) header: Header,
}

impl Shard {
    fn open(name: PathBuf, path: PathBuf) -> Result<Self> {
        let header = read_header(&path, &PositionedFile::open(&path)?)?;
        Ok(Self { name, path, header })
    }

    /// Bytes of the whole file.
    pub(super) fn file_bytes(&self) -> u64 {
        // No larger than the file: the header was checked against it.
        let ends = self.header.tensors.values().map(|tensor| tensor.data_offsets.1);
        self.header.data_start as u64 + ends.max().unwrap_or_default() as u64
    }
}

impl Checkpoint {
    /// Opens a folder, the index of a sharded checkpoint (any name that ends with `.json`) or a single file.
    ///
    /// In a folder, the tensors are in `model.safetensors.index.json` and the files that it names, or else in
    /// `model.safetensors`. `config.json` is read if it is in the same folder.
    ///
    /// # Errors
    /// [`Io`](Error::Io), also for a shard that is missing, [`InvalidFile`](Error::InvalidFile) of a shard, the index or
    /// `config.json`, [`TensorNotFound`](Error::TensorNotFound) where the index names a tensor that its shard lacks.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let folder = path.is_dir().then(|| path.clone());
        let file = match &folder {
            Some(folder) => Some(folder.join(INDEX)).filter(|index| is_there(index)).unwrap_or(folder.join(SINGLE)),
            None => path.clone(),
        };
        let index = file.extension().is_some_and(|extension| extension == "json").then(|| file.clone());
        let (shards, tensors) = match &index {
            Some(index) => open_shards(index)?,
            None => open_single(&file)?,
        };
        let compressed = compressed_tables(&shards);

        let config_path = file.with_file_name(CONFIG);
        let members = is_there(&config_path).then(|| Members::read(&config_path, config::FORMAT)).transpose()?;
        let config = members.as_ref().map(|members| ModelConfig::new(&config_path, members)).transpose()?;
        let config = config.unwrap_or_default();
        Ok(Self { path, folder, index, shards, tensors, compressed, members, config })
    }

    /// The path that was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `config.json` says; nothing where there is none.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The names and shapes of all tensors, by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.keys().filter_map(|name| Some((name.as_str(), self.info(name)?.shape.as_slice())))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub(super) fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.shards[*self.tensors.get(name)?].header.tensors.get(name)
    }

    /// The path of `config.json`, for errors.
    pub(super) fn config_path(&self) -> PathBuf {
        match &self.folder {
            Some(folder) => folder.join(CONFIG),
            None => self.path.with_file_name(CONFIG),
        }
    }

    /// The number of the file that holds a tensor.
    ///
    /// # Errors
    /// [`TensorNotFound`](Error::TensorNotFound), [`CompressedTable`](Error::CompressedTable).
    pub(super) fn shard_of(&self, name: &str) -> Result<usize> {
        match self.tensors.get(name) {
            Some(&shard) => Ok(shard),
            None if self.compressed.contains_key(name) => {
                Err(Error::CompressedTable { path: self.path.clone(), name: name.to_owned() })
            }
            None => Err(self.not_found(name)),
        }
    }

    pub(super) fn not_found(&self, name: &str) -> Error {
        let available = self.compressed.keys().chain(self.tensors.keys()).cloned().collect();
        Error::TensorNotFound { path: self.path.clone(), name: name.to_owned(), available }
    }

    /// The mapped file that holds a tensor.
    ///
    /// # Errors
    /// Those of [`shard_of`](Self::shard_of), [`Io`](Error::Io), [`InvalidFile`](Error::InvalidFile).
    pub(super) fn file_of(&self, name: &str) -> Result<File> {
        File::open(&self.shards[self.shard_of(name)?].path)
    }
}

type Tensors = BTreeMap<String, usize>;

fn open_single(path: &Path) -> Result<(Vec<Shard>, Tensors)> {
    let name = path.file_name().map_or_else(PathBuf::new, PathBuf::from);
    let shard = Shard::open(name, path.to_owned())?;
    let tensors = shard.header.tensors.keys().map(|tensor| (tensor.clone(), 0)).collect();
    Ok((vec![shard], tensors))
}

fn open_shards(index: &Path) -> Result<(Vec<Shard>, Tensors)> {
    let weight_map = index::weight_map(index)?;
    let mut numbers = BTreeMap::new();
    let mut shards = Vec::new();
    for (tensor, name) in &weight_map {
        let path = index::shard_path(index, tensor, name)?;
        // As paths: `a/b` and `a//b` are one file.
        let name = Path::new(name);
        if !numbers.contains_key(name) {
            numbers.insert(name, shards.len());
            shards.push(Shard::open(name.to_owned(), path)?);
        }
    }
    let tensors = weight_map.iter().map(|(tensor, name)| {
        let number = numbers[Path::new(name)];
        let shard: &Shard = &shards[number];
        match shard.header.tensors.contains_key(tensor) {
            true => Ok((tensor.clone(), number)),
            false => Err(Error::TensorNotFound {
                path: shard.path.clone(),
                name: tensor.clone(),
                available: shard.header.tensors.keys().cloned().collect(),
            }),
        }
    });
    let tensors = tensors.collect::<Result<_>>()?;
    Ok((shards, tensors))
}

/// The tables whose parts stand in place of them, by the metadata that name a format of this crate.
fn compressed_tables(shards: &[Shard]) -> BTreeMap<String, usize> {
    let of_shard = |(number, shard): (usize, &Shard)| {
        let named = shard
            .header
            .metadata
            .iter()
            .filter(|(_, format)| [FACTORS.name, QUANTIZED.name].contains(&format.as_str()));
        named.filter_map(|(name, _)| Some((name.strip_suffix(FORMAT_SUFFIX)?.to_owned(), number))).collect::<Vec<_>>()
    };
    shards.iter().enumerate().flat_map(of_shard).collect()
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tensors, files) = (self.tensors.len(), self.shards.len());
        write!(f, "Checkpoint({}, {tensors} tensors in {files} files)", self.path.display())
    }
}
