//! Some pairs of sentences, with every table.

use std::{io::Write, path::PathBuf};

use factorized_embedding::quantize::Level;
use ndarray::Array2;

use crate::{
    model::Model,
    support::{
        Result,
        text::{Align, grouped, write_table},
    },
    tables::{self, Recipe},
};

const RECIPES: [Recipe; 6] = [
    Recipe::Dense,
    Recipe::WeightedSvd(4.0),
    Recipe::Quantized(Level::Scalar, 8.0),
    Recipe::Quantized(Level::Scalar, 16.0),
    Recipe::Quantized(Level::Scalar, 32.0),
    Recipe::Quantized(Level::Scalar, 64.0),
];
/// Of frequencies.
const EXPONENT: f64 = 0.4;
const SHOWN: [[&str; 2]; 4] = [
    ["A dog runs over the grass.", "A puppy is running in a meadow."],
    ["She plays the violin in an orchestra.", "She is a musician."],
    ["The bank raised its interest rates.", "Borrowing money has become more expensive."],
    ["The river has burst its banks.", "He forgot to buy milk."],
];

/// What the command line asks for.
pub(crate) struct Pairs {
    model: PathBuf,
    frequencies: Option<PathBuf>,
    pairs: Vec<[String; 2]>,
}

impl Pairs {
    pub(crate) fn new(model: PathBuf, frequencies: Option<PathBuf>, pairs: Vec<[String; 2]>) -> Self {
        Self { model, frequencies, pairs }
    }

    pub(crate) fn shown() -> Vec<[String; 2]> {
        SHOWN.iter().map(|pair| pair.map(str::to_owned)).collect()
    }

    pub(crate) fn run(&self, out: &mut impl Write) -> Result<()> {
        let model = Model::open(&self.model)?;
        let weights = tables::weights(&model, self.frequencies.as_deref())?;
        let sentences = model.tokenizer.encode(self.pairs.as_flattened())?;
        let numbers: Vec<[usize; 2]> = (0..self.pairs.len()).map(|pair| [2 * pair, 2 * pair + 1]).collect();
        let mut dense_bytes = None;
        let mut rows = Vec::new();
        for recipe in RECIPES {
            let table = recipe.make(&model.table, &weights, EXPONENT)?;
            let bytes = table.size_in_bytes();
            let vectors = model.encode(&*table, &sentences, || ())?;
            let cosines: Vec<String> =
                cosines(&vectors, &numbers).iter().map(|cosine| format!("{cosine:.4}")).collect();
            let times = *dense_bytes.get_or_insert(bytes) as f64 / bytes as f64;
            rows.push([recipe.to_string(), grouped(bytes), format!("{times:.2}"), cosines.join("  ")]);
        }
        writeln!(out, "{}: {}\n", self.model.display(), model.description())?;
        for [first, second] in &self.pairs {
            writeln!(out, "{first} | {second}")?;
        }
        writeln!(out)?;
        let header = [
            ("table", Align::Left),
            ("bytes", Align::Right),
            ("times smaller", Align::Right),
            (if self.pairs.len() == 1 { "cosine" } else { "cosine of each pair" }, Align::Left),
        ];
        write_table(out, header, &rows)?;
        Ok(())
    }
}

/// Of rows of vectors; 0 where one of them is zero.
pub(crate) fn cosines(vectors: &Array2<f32>, pairs: &[[usize; 2]]) -> Vec<f64> {
    let dot = |i: usize, j: usize| -> f64 {
        vectors.row(i).iter().zip(vectors.row(j)).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    let cosine = |&[i, j]: &[usize; 2]| {
        let norms = (dot(i, i) * dot(j, j)).sqrt();
        if norms == 0.0 { 0.0 } else { dot(i, j) / norms }
    };
    pairs.iter().map(cosine).collect()
}
