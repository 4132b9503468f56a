//! ALBERT's table and mapping as factors.

use ndarray::{Array, Array1, Array2, Dimension};
use safetensors::Dtype as FileDtype;

use super::{Checkpoint, Family, names::albert_mapping, tables::widened};
use crate::{Error, Factors, Result};

const TABLE: &str = "F32, F16 or BF16 [vocab_size, embedding_size]";
const MAPPING: &str = "F32, F16 or BF16 [hidden_size, embedding_size]";
const BIAS: &str = "F32, F16 or BF16 [hidden_size]";

impl Checkpoint {
    /// ALBERT's token table \[`vocab_size`, E\] and the mapping to hidden states of H numbers, which are factors as they are:
    /// U is the table, in the type that it is stored in, V the transposed weight of the mapping, b its bias.
    ///
    /// Between the two, ALBERT adds position and type embeddings and normalises:
    /// [`lookup_rank`](crate::FactorizedEmbedding::lookup_rank) and [`project`](crate::FactorizedEmbedding::project) are the
    /// halves of a lookup on both sides of that. `lookup` leaves it out.
    ///
    /// # Shapes
    /// `word_embeddings.weight` \[`vocab_size`, E\], `embedding_hidden_mapping_in.weight` \[H, E\] and `.bias` \[H\] →
    /// U \[`vocab_size`, E\], V \[E, H\], b \[H\]
    ///
    /// # Errors
    /// Those of [`token_table`](Self::token_table), [`TensorNotFound`](Error::TensorNotFound) where there is no mapping,
    /// [`UnsuitableTensor`](Error::UnsuitableTensor), [`ShapeMismatch`](Error::ShapeMismatch) where the tensors do not fit
    /// together, [`RankOutOfRange`](Error::RankOutOfRange), [`NonFinite`](Error::NonFinite).
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{FactorizedEmbedding, io::hugging_face::Checkpoint};
    /// use ndarray::{Array1, Array2, Axis, Ix1, Ix2, s};
    ///
    /// /// (x − mean) / √(variance + ε) · weight + bias, row by row.
    /// fn layer_norm(rows: &mut Array2<f32>, weight: &Array1<f32>, bias: &Array1<f32>) {
    ///     for mut row in rows.rows_mut() {
    ///         let mean = row.mean().unwrap_or_default();
    ///         row -= mean;
    ///         let deviation = ((&row * &row).mean().unwrap_or_default() + 1e-12).sqrt();
    ///         row /= deviation;
    ///         row *= weight;
    ///         row += bias;
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let shapes = [
    /// #     ("albert.embeddings.word_embeddings.weight", vec![5, 2]),
    /// #     ("albert.embeddings.position_embeddings.weight", vec![4, 2]),
    /// #     ("albert.embeddings.token_type_embeddings.weight", vec![2, 2]),
    /// #     ("albert.embeddings.LayerNorm.weight", vec![2]),
    /// #     ("albert.embeddings.LayerNorm.bias", vec![2]),
    /// #     ("albert.encoder.embedding_hidden_mapping_in.weight", vec![6, 2]),
    /// #     ("albert.encoder.embedding_hidden_mapping_in.bias", vec![6]),
    /// # ];
    /// # let bytes: Vec<u8> = (0..12).flat_map(|i| (i as f32 * 0.7).sin().to_le_bytes()).collect();
    /// # let tensors = shapes.map(|(name, shape)| {
    /// #     let size = 4 * shape.iter().product::<usize>();
    /// #     (name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &bytes[..size]).expect("as many bytes"))
    /// # });
    /// # safetensors::serialize_to_file(tensors, None, &folder.path().join("model.safetensors"))?;
    /// let albert = Checkpoint::open(folder.path())?;
    /// let embedding = FactorizedEmbedding::new(albert.albert_factors()?);
    /// let array = |name: &str| albert.array(&format!("albert.embeddings.{name}"));
    /// let positions = array("position_embeddings.weight")?.into_dimensionality::<Ix2>()?;
    /// let types = array("token_type_embeddings.weight")?.into_dimensionality::<Ix2>()?;
    /// let weight = array("LayerNorm.weight")?.into_dimensionality::<Ix1>()?;
    /// let bias = array("LayerNorm.bias")?.into_dimensionality::<Ix1>()?;
    ///
    /// let ids = [3, 1, 4];
    /// let mut rows = embedding.lookup_rank(&ids)?; // [3, E]
    /// rows += &positions.slice(s![..ids.len(), ..]);
    /// rows += &types.index_axis(Axis(0), 0);
    /// layer_norm(&mut rows, &weight, &bias);
    /// let hidden = embedding.project(rows.view())?; // [3, H], what the first layer of the encoder is given
    /// assert_eq!(hidden.dim(), (3, 6));
    /// # Ok(())
    /// # }
    /// ```
    pub fn albert_factors(&self) -> Result<Factors> {
        let table = self.token_table()?;
        let not_found = || self.not_found("albert.encoder.embedding_hidden_mapping_in.weight");
        let [weight, bias] =
            albert_mapping(&table.name).filter(|_| table.family == Family::Albert).ok_or_else(not_found)?;

        let file = self.file_of(&table.name)?;
        let tensor = file.tensor(&table.name)?;
        if tensor.dtype == FileDtype::I8 || tensor.shape.len() != 2 {
            return Err(file.unsuitable(&table.name, tensor, TABLE));
        }
        let u = file.u(&table.name, "")?;
        let v: Array2<f32> = self.dimensioned(&weight, MAPPING)?;
        let bias: Array1<f32> = self.dimensioned(&bias, BIAS)?;
        let [hidden, embedding_size] = [v.nrows(), v.ncols()];
        if let Some(expected) = self.config().hidden_size.filter(|&expected| expected != hidden) {
            let name = self.config().hidden_size_name;
            return Err(self.config_mismatch(name, expected.to_string(), &weight, format!("has {hidden} rows")));
        }
        if embedding_size != table.shape[1] {
            return Err(Error::ShapeMismatch {
                what: "weight of the mapping [hidden_size, embedding_size]",
                expected: vec![hidden, table.shape[1]],
                actual: vec![hidden, embedding_size],
            });
        }
        Factors::from_storage(u, v.reversed_axes())?.with_bias(bias)
    }

    /// A tensor of so many dimensions as `D` has, widened.
    fn dimensioned<D: Dimension>(&self, name: &str, expected: &'static str) -> Result<Array<f32, D>> {
        let file = self.file_of(name)?;
        let tensor = file.tensor(name)?;
        let numbers = widened(&file, name, tensor, expected)?;
        numbers.into_dimensionality().map_err(|_| file.unsuitable(name, tensor, expected))
    }
}
