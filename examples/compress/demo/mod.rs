//! What compression does to GloVe word vectors: sizes, errors and what is left of the analogies.

mod analogies;
mod data;
mod figure;
mod methods;
mod neighbours;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use factorized_embedding::{
    Decompose, DenseEmbedding, Embedding, FactorizedEmbedding, Rank, RowWeights, TruncatedSvd,
    evaluate::{Comparison, Evaluator},
};
use ndarray::ArrayView2;

use crate::support::{
    Result, outputs, plot, progress,
    text::{Align, grouped, write_table},
};
use analogies::Analogies;
use data::Glove;
use figure::SizeFigure;

const RANKS: [usize; 9] = [5, 10, 15, 20, 25, 30, 35, 40, 45];
/// The rank whose neighbours are shown.
const SHOWN_RANK: usize = 20;
const SHOWN_WORDS: [&str; 5] = ["river", "france", "guitar", "quickly", "doctor"];
/// Added to every count, so that words that the counted text does not have weigh something.
const SMOOTHING: f64 = 1.0;

/// Whether the SVD is weighted by how often each word occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Plain,
    Weighted,
}

impl Method {
    const ALL: [Self; 2] = [Self::Plain, Self::Weighted];

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Weighted => "weighted",
        }
    }

    fn decompose(self, rank: usize, table: ArrayView2<'_, f32>, weights: &RowWeights) -> Result<FactorizedEmbedding> {
        let svd = TruncatedSvd::new(Rank::Fixed(rank));
        let svd = match self {
            Self::Plain => svd,
            Self::Weighted => svd.with_row_weights(weights.clone()),
        };
        Ok(FactorizedEmbedding::new(svd.decompose(table)?.factors))
    }
}

/// One compressed layer and what was measured on it.
#[derive(Debug)]
struct Measured {
    method: Method,
    layer: FactorizedEmbedding,
    comparison: Comparison,
    accuracy: f64,
}

pub(crate) fn run(plot: Option<&Path>, out: &mut impl Write) -> Result<()> {
    let figures = figure_paths(plot)?;
    let glove = Glove::load()?;
    let weights = RowWeights::new(glove.counts.as_slice())?.with_smoothing(SMOOTHING)?;
    let analogies = Analogies::new(&glove.questions, &glove.vocabulary)?;

    let progress = progress::rounds(RANKS.len() * Method::ALL.len());
    let dense_accuracy = analogies.accuracy(&glove.dense)?;
    let evaluator = Evaluator::new(&glove.dense).with_row_weights(weights.clone());
    let table = glove.dense.to_array();
    let mut measured = Vec::new();
    for rank in RANKS {
        for method in Method::ALL {
            progress.set_message(format!("rank {rank}, {}", method.name()));
            let layer = method.decompose(rank, table.view(), &weights)?;
            let comparison = evaluator.compare(&layer)?;
            let accuracy = analogies.accuracy(&layer)?;
            measured.push(Measured { method, layer, comparison, accuracy });
            progress.inc(1);
        }
    }
    progress.finish_and_clear();

    write_sizes(&glove.dense, dense_accuracy, &measured, analogies.len(), out)?;
    methods::write(&glove.dense, &weights, out)?;
    let shown = |method| measured.iter().find(|row| row.method == method && row.layer.rank() == SHOWN_RANK);
    if let (Some(plain), Some(weighted)) = (shown(Method::Plain), shown(Method::Weighted)) {
        writeln!(out, "\nNearest words, in the dense table and in both of rank {SHOWN_RANK}:\n")?;
        let layers: [(&str, &dyn Embedding); 3] =
            [("dense", &glove.dense), ("plain", &plain.layer), ("weighted", &weighted.layer)];
        neighbours::write(&SHOWN_WORDS, layers, &glove.vocabulary, out)?;
    }

    let figure = SizeFigure::new(&glove.dense, dense_accuracy, &measured, analogies.len());
    writeln!(out)?;
    for path in &figures {
        plot::save(&figure, path)?;
        writeln!(out, "plot  {}", path.display())?;
    }
    Ok(())
}

/// The file that was asked for, or both kinds in a folder of their own.
fn figure_paths(plot: Option<&Path>) -> Result<Vec<PathBuf>> {
    if let Some(path) = plot {
        plot::check(path)?;
        outputs::check([].into_iter(), [path.to_owned()].iter())?;
        return Ok(vec![path.to_owned()]);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/compress");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    Ok(["glove.png", "glove.svg"].map(|name| folder.join(name)).to_vec())
}

fn write_sizes(
    dense: &DenseEmbedding<'_>,
    dense_accuracy: f64,
    measured: &[Measured],
    num_questions: usize,
    out: &mut impl Write,
) -> Result<()> {
    let (words, dim) = (grouped(dense.vocab_size()), dense.dim());
    writeln!(out, "GloVe vectors of {words} words in {dim} dimensions, as 32-bit floats, and their truncated SVDs.")?;
    writeln!(
        out,
        "The weight of a word is how often it occurs in public-domain books and speeches, plus {SMOOTHING}."
    )?;
    writeln!(out, "Accuracy is that of {} analogy questions (a is to b as c is to ?).\n", grouped(num_questions))?;

    let full_bytes = dense.size_in_bytes();
    let row = |rank: String, method: &str, bytes: usize, measures: [Option<f64>; 3]| {
        let measure = |measure: Option<f64>| measure.map_or(String::new(), |measure| format!("{measure:.4}"));
        let [error, weighted_error, accuracy] = measures.map(measure);
        let smaller = format!("{:.2}", full_bytes as f64 / bytes as f64);
        [rank, method.to_owned(), grouped(bytes), smaller, error, weighted_error, accuracy]
    };
    let mut rows = vec![row(String::new(), "dense", full_bytes, [Some(0.0), Some(0.0), Some(dense_accuracy)])];
    for Measured { method, layer, comparison, accuracy } in measured {
        let measures = [Some(comparison.relative_error), comparison.weighted_relative_error, Some(*accuracy)];
        rows.push(row(layer.rank().to_string(), method.name(), layer.size_in_bytes(), measures));
    }
    let header = [
        ("rank", Align::Right),
        ("SVD", Align::Left),
        ("bytes", Align::Right),
        ("times smaller", Align::Right),
        ("relative error", Align::Right),
        ("weighted relative error", Align::Right),
        ("analogy accuracy", Align::Right),
    ];
    write_table(out, header, &rows)?;
    Ok(())
}
