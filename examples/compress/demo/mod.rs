//! What compression does to GloVe word vectors: sizes, errors and what is left of the analogies.

mod analogies;
mod data;
mod figure;
mod methods;
mod neighbours;
mod sizes;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use factorized_embedding::{DenseEmbedding, Dtype, Embedding, RowWeights, quantize::Level};

use crate::support::{Result, outputs, plot, schemes::Scheme, text::grouped};
use analogies::Analogies;
use data::Glove;
use figure::SizeFigure;

/// The layers whose neighbours are shown beside those of the table.
const SHOWN: [(Scheme, f64); 2] = [(Scheme::Svd(Dtype::F32), 8.0), (Scheme::Quantized(Level::Scalar), 8.0)];
const SHOWN_WORDS: [&str; 5] = ["river", "france", "guitar", "quickly", "doctor"];
/// Power of the weights that codes are made for: between frequent words, which weigh most, and analogies, which ask for rare ones.
const CODE_EXPONENT: f64 = 0.5;
/// Added to every count, so that words that the counted text does not have weigh something.
const SMOOTHING: f64 = 1.0;

pub(crate) fn run(plot: Option<&Path>, out: &mut impl Write) -> Result<()> {
    let figures = figure_paths(plot)?;
    let glove = Glove::load()?;
    let weights = RowWeights::new(glove.counts.as_slice())?.with_smoothing(SMOOTHING)?;
    let analogies = Analogies::new(&glove.questions, &glove.vocabulary)?;
    let dense_accuracy = analogies.accuracy(&glove.dense)?;
    let measured = sizes::measure(&glove.dense, &weights, &analogies)?;

    write_introduction(&glove.dense, analogies.len(), out)?;
    sizes::write(glove.dense.size_in_bytes(), dense_accuracy, &measured, out)?;
    methods::write(&glove.dense, &weights, out)?;

    let shown = SHOWN.map(|(scheme, ratio)| {
        measured.iter().find(|layer| layer.scheme == scheme && layer.ratio == ratio).map(|layer| (scheme.name(), layer))
    });
    if let [Some((first, a)), Some((second, b))] = &shown {
        let dense = ("dense", &glove.dense as &dyn Embedding);
        let layers = [dense, (first, a.layer.as_ref()), (second, b.layer.as_ref())];
        writeln!(out, "\nNearest words, in the dense table and in files {} times smaller:\n", a.ratio)?;
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

fn write_introduction(dense: &DenseEmbedding<'_>, num_questions: usize, out: &mut impl Write) -> Result<()> {
    let (words, dim) = (grouped(dense.vocab_size()), dense.dim());
    writeln!(out, "GloVe vectors of {words} words in {dim} dimensions, as 32-bit floats and in smaller files.")?;
    writeln!(
        out,
        "The weight of a word is how often it occurs in public-domain books and speeches, plus {SMOOTHING}; to the power {CODE_EXPONENT} where it is quantized."
    )?;
    writeln!(out, "Accuracy is that of {} analogy questions (a is to b as c is to ?).\n", grouped(num_questions))?;
    Ok(())
}
