//! Low-rank updates of embedding tables, as PEFT saves them.

use std::{fmt, path::Path};

use ndarray::{Array2, ArrayViewMut2, Axis};

use super::{json::Members, tables::widened};
use crate::{Embedding, Error, FactorizedEmbedding, Factors, Result, TokenId, embedding::check, io::safetensors::File};

const FORMAT: &str = "PEFT adapter configuration";
const CONFIG: &str = "adapter_config.json";
const MODEL: &str = "adapter_model.safetensors";
const A: &str = "lora_embedding_A";
const B: &str = "lora_embedding_B";
const EXPECTED_A: &str = "F32, F16 or BF16 [r, vocab_size]";
const EXPECTED_B: &str = "F32, F16 or BF16 [dim, r]";
/// Rows that are worked with at a time.
const BLOCK_ROWS: usize = 1024;

/// A LoRA update (Hu et al. 2021) of an embedding table: E + s·(B·A)ᵀ, kept apart from the table E or merged into it.
///
/// The scale s is α / r, or α / √r for rank-stabilised updates (`use_rslora`).
///
/// # Examples
///
/// ```
/// use factorized_embedding::{DenseEmbedding, Embedding, io::hugging_face::LoraEmbedding};
/// use ndarray::array;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let bytes = |numbers: &[f32]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
/// # let (a, b) = (bytes(&[1.0, 0.0, 2.0]), bytes(&[1.0, -1.0]));
/// # let view = |shape, data| safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, data);
/// # let tensors = [
/// #     ("base_model.model.wte.lora_embedding_A", view(vec![1, 3], &a)?),
/// #     ("base_model.model.wte.lora_embedding_B", view(vec![2, 1], &b)?),
/// # ];
/// # safetensors::serialize_to_file(tensors, None, &folder.path().join("adapter_model.safetensors"))?;
/// # std::fs::write(folder.path().join("adapter_config.json"), r#"{"r": 1, "lora_alpha": 4}"#)?;
/// let update = LoraEmbedding::open(folder.path())?; // A = [1 0 2], B = [1 −1]ᵀ, α = 4
/// let base = DenseEmbedding::new(array![[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])?;
/// assert_eq!(update.lookup(&base, &[2])?, array![[11.0, -5.0]]); // apart: the base may be mapped, or codes
/// let merged = DenseEmbedding::new(update.merge(&base)?)?;
/// assert_eq!(merged.lookup(&[2])?, array![[11.0, -5.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LoraEmbedding {
    layer: FactorizedEmbedding,
    module: String,
}

impl LoraEmbedding {
    /// Opens the folder of an adapter: `adapter_config.json` and the one embedding that `adapter_model.safetensors` updates.
    ///
    /// # Shapes
    /// `….lora_embedding_A` \[r, `vocab_size`\] and `….lora_embedding_B` \[dim, r\] → U = Aᵀ \[`vocab_size`, r\], V = s·Bᵀ
    /// \[r, dim\]
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`InvalidFile`](Error::InvalidFile), also for settings that change the formula (`use_dora`,
    /// `alpha_pattern`), [`TensorNotFound`](Error::TensorNotFound), [`AmbiguousTokenTable`](Error::AmbiguousTokenTable) where
    /// several embeddings are updated, [`UnsuitableTensor`](Error::UnsuitableTensor),
    /// [`ConfigMismatch`](Error::ConfigMismatch) for another r than that of the tensors,
    /// [`ShapeMismatch`](Error::ShapeMismatch), [`RankOutOfRange`](Error::RankOutOfRange), [`NonFinite`](Error::NonFinite).
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let config_path = folder.join(CONFIG);
        let settings = Settings::read(&config_path)?;
        let path = folder.join(MODEL);
        let file = File::open(&path)?;
        let name_a = only_update(&file, &path)?;
        let module = name_a.trim_end_matches(A).trim_end_matches('.').to_owned();
        let name_b = format!("{}{B}", name_a.trim_end_matches(A));

        let a = matrix(&file, &name_a, EXPECTED_A)?;
        let b = matrix(&file, &name_b, EXPECTED_B)?;
        let rank = a.nrows();
        if let Some(expected) = settings.rank.filter(|&expected| expected != rank) {
            return Err(Error::ConfigMismatch {
                path: config_path,
                setting: "r",
                value: expected.to_string(),
                tensor: name_a,
                actual: format!("has {rank} rows"),
            });
        }
        if b.ncols() != rank {
            return Err(Error::ShapeMismatch {
                what: "lora_embedding_B [dim, r]",
                expected: vec![b.nrows(), rank],
                actual: vec![b.nrows(), b.ncols()],
            });
        }
        let scale = settings.scale(rank);
        let factors =
            Factors::new(a.reversed_axes(), b.reversed_axes().mapv(|number| (f64::from(number) * scale) as f32))?;
        Ok(Self { layer: FactorizedEmbedding::new(factors), module })
    }

    /// The name of the updated embedding as PEFT has it, such as `base_model.model.model.embed_tokens`.
    #[must_use]
    pub fn module(&self) -> &str {
        &self.module
    }

    /// The update by itself: U = Aᵀ, V = s·Bᵀ.
    #[must_use]
    pub fn factors(&self) -> &Factors {
        self.layer.factors()
    }

    /// The rows of the updated table: those of `base`, however it is stored, plus those of the update. The padding id of
    /// `base` gives a zero row.
    ///
    /// # Shapes
    /// `ids` \[n\] → \[n, dim\]
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) for the base of another update, [`IdOutOfRange`](Error::IdOutOfRange).
    pub fn lookup(&self, base: &dyn Embedding, ids: &[TokenId]) -> Result<Array2<f32>> {
        self.check(base)?;
        check::ids(ids, base.vocab_size())?;
        let mut out = Array2::zeros((ids.len(), base.dim()));
        self.lookup_into(base, ids, out.view_mut())?;
        Ok(out)
    }

    /// [`lookup`](Self::lookup) into an array of the caller's.
    ///
    /// # Shapes
    /// `ids` \[n\], `out` \[n, dim\]
    ///
    /// # Errors
    /// Those of [`lookup`](Self::lookup), and [`ShapeMismatch`](Error::ShapeMismatch) for `out`.
    pub fn lookup_into(&self, base: &dyn Embedding, ids: &[TokenId], mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        self.check(base)?;
        base.lookup_into(ids, out.view_mut())?;
        let updates = self.layer.lookup(ids)?;
        for ((id, mut row), update) in ids.iter().zip(out.rows_mut()).zip(updates.rows()) {
            if base.padding_id() != Some(*id) {
                row += &update;
            }
        }
        Ok(())
    }

    /// The whole updated table \[`vocab_size`, dim\].
    ///
    /// # Errors
    /// [`ShapeMismatch`](Error::ShapeMismatch) for the base of another update.
    pub fn merge(&self, base: &dyn Embedding) -> Result<Array2<f32>> {
        self.check(base)?;
        let mut table = Array2::zeros((base.vocab_size(), base.dim()));
        for (block, out) in table.axis_chunks_iter_mut(Axis(0), BLOCK_ROWS).enumerate() {
            let first = (block * BLOCK_ROWS) as TokenId;
            let ids: Vec<TokenId> = (first..first + out.nrows() as TokenId).collect();
            self.lookup_into(base, &ids, out)?;
        }
        Ok(table)
    }

    fn check(&self, base: &dyn Embedding) -> Result<()> {
        let (expected, actual) = ([self.layer.vocab_size(), self.layer.dim()], [base.vocab_size(), base.dim()]);
        if expected == actual {
            return Ok(());
        }
        let what = "base of the update [vocab_size, dim]";
        Err(Error::ShapeMismatch { what, expected: expected.to_vec(), actual: actual.to_vec() })
    }
}

impl fmt::Debug for LoraEmbedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoraEmbedding({:?}, {:?})", self.module, self.factors())
    }
}

/// What `adapter_config.json` says of the scale.
struct Settings {
    /// Where it is the same for all modules.
    rank: Option<usize>,
    alpha: f64,
    rank_stabilised: bool,
}

impl Settings {
    fn read(path: &Path) -> Result<Self> {
        let members = Members::read(path, FORMAT)?;
        let read = || {
            let flag = |name| members.value::<bool>(name, "true or false").map(Option::unwrap_or_default);
            let has_entries = |name: &str| match members.get(name).filter(|text| *text != "null") {
                Some(text) => {
                    Members::parse(text).map(|entries| !entries.is_empty()).ok_or(format!("{name} is no object"))
                }
                None => Ok(false),
            };
            if flag("use_dora")? {
                return Err("use_dora is true, which is another update than that of low rank".to_owned());
            }
            if has_entries("alpha_pattern")? {
                return Err("alpha_pattern gives modules a scale of their own, which is not supported".to_owned());
            }
            let rank = members.value::<usize>("r", "a whole number")?;
            let alpha = members.value::<f64>("lora_alpha", "a number")?.ok_or("it has no lora_alpha")?;
            if !alpha.is_finite() {
                return Err(format!("lora_alpha is {alpha}, expected a finite number"));
            }
            let same_rank = !has_entries("rank_pattern")?;
            Ok(Self { rank: rank.filter(|_| same_rank), alpha, rank_stabilised: flag("use_rslora")? })
        };
        read().map_err(|reason| Error::InvalidFile { path: path.to_owned(), format: FORMAT, reason })
    }

    fn scale(&self, rank: usize) -> f64 {
        let rank = rank as f64;
        self.alpha / if self.rank_stabilised { rank.sqrt() } else { rank }
    }
}

/// The name of the one matrix A.
fn only_update(file: &File, path: &Path) -> Result<String> {
    let names: Vec<String> = file.names().filter(|name| is_update(name)).cloned().collect();
    match names.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Error::TensorNotFound {
            path: path.to_owned(),
            name: A.to_owned(),
            available: file.names().cloned().collect(),
        }),
        _ => Err(Error::AmbiguousTokenTable { path: path.to_owned(), names }),
    }
}

fn is_update(name: &str) -> bool {
    name.strip_suffix(A).is_some_and(|module| module.is_empty() || module.ends_with('.'))
}

fn matrix(file: &File, name: &str, expected: &'static str) -> Result<Array2<f32>> {
    let tensor = file.tensor(name)?;
    let numbers = widened(file, name, tensor, expected)?;
    numbers.into_dimensionality().map_err(|_| file.unsuitable(name, tensor, expected))
}
