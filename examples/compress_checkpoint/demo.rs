//! The whole way there and back, on a small checkpoint.

use std::{
    f32::consts::TAU,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use factorized_embedding::{
    Embedding,
    evaluate::Evaluator,
    io::{hugging_face::Checkpoint, safetensors::load_table},
};
use safetensors::{Dtype, serialize_to_file, tensor::TensorView};

use crate::{
    arguments::Method,
    budget::{Budget, Target},
    compress::Compression,
    restore::Restoration,
    support::{Result, frequencies::Frequencies, text::grouped},
};

const TABLE: &str = "embeddings.word_embeddings.weight";
/// What is asked of each method.
const METHODS: [(Method, f64); 2] = [(Method::Svd, 4.0), (Method::Quantized, 8.0)];
const POSITIONS: usize = 128;

pub(crate) fn run(out: &mut impl Write) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let model = folder.path().join("model");
    make_model(&model)?;
    writeln!(out, "A small checkpoint, named like BERT: GloVe vectors as its token table, and some other tensors.\n")?;
    for (method, ratio) in METHODS {
        let [small, whole] = ["small", "whole"].map(|name| folder.path().join(format!("{}-{name}", method.name())));
        let frequencies =
            Frequencies { path: Some(shipped("glove50-top10k.freq.npy")), smoothing: 1.0, ..Frequencies::default() };
        writeln!(out, "== {} at a ratio of {ratio}\n", method.name())?;
        let target = Target::FileSize(Budget::Ratio(ratio));
        let model = model.clone();
        let job = Compression { model, out: small.clone(), tensor: None, method, target, level: None, frequencies };
        job.run(out)?;
        writeln!(out, "\n{}\n", fs::read_to_string(small.join("config.json"))?.trim_end())?;
        Restoration { model: small, out: whole.clone() }.run(out)?;
        compare(&job.model, &whole, out)?;
    }
    Ok(())
}

/// The table of GloVe vectors in a folder as a library would have saved it.
fn make_model(folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    let glove = load_table(shipped("glove50-top10k-f16.safetensors"), "weight")?;
    let (vocab_size, dim) = (glove.vocab_size(), glove.dim());
    let halves: Vec<u8> =
        glove.to_array().iter().flat_map(|&number| half::f16::from_f32(number).to_le_bytes()).collect();
    // Sine waves, as in "Attention is all you need".
    let wave = |i: usize| ((i / dim) as f32 * TAU / (1.0 + (i % dim) as f32)).sin();
    let numbers = |len: usize, number: &dyn Fn(usize) -> f32| -> Vec<u8> {
        (0..len).flat_map(|i| number(i).to_le_bytes()).collect()
    };
    let positions = numbers(POSITIONS * dim, &wave);
    let ones = numbers(dim, &|_| 1.0);
    let dense = numbers(dim * dim, &|i| wave(3 * i) / 7.0);
    let tensors = [
        ("embeddings.LayerNorm.weight", TensorView::new(Dtype::F32, vec![dim], &ones)?),
        ("embeddings.position_embeddings.weight", TensorView::new(Dtype::F32, vec![POSITIONS, dim], &positions)?),
        (TABLE, TensorView::new(Dtype::F16, vec![vocab_size, dim], &halves)?),
        ("pooler.dense.weight", TensorView::new(Dtype::F32, vec![dim, dim], &dense)?),
    ];
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    serialize_to_file(tensors, Some(metadata), &folder.join("model.safetensors"))?;
    let config = format!(
        "{{\n  \"hidden_size\": {dim},\n  \"model_type\": \"bert\",\n  \"tie_word_embeddings\": true,\n  \
         \"vocab_size\": {vocab_size}\n}}\n"
    );
    fs::write(folder.join("config.json"), config)?;
    fs::copy(shipped("glove50-top10k.vocab.txt"), folder.join("vocab.txt"))?;
    Ok(())
}

/// Looks at what came back.
fn compare(model: &Path, restored: &Path, out: &mut impl Write) -> Result<()> {
    let (before, after) = (Checkpoint::open(model)?, Checkpoint::open(restored)?);
    if !before.tensors().eq(after.tensors()) {
        return Err("other tensors came back than went in".into());
    }
    let mut unchanged = 0;
    for (name, _) in before.tensors().filter(|(name, _)| *name != TABLE) {
        if before.array(name)? != after.array(name)? {
            return Err(format!("{name} came back with other numbers").into());
        }
        unchanged += 1;
    }
    for name in ["config.json", "vocab.txt"] {
        if fs::read(model.join(name))? != fs::read(restored.join(name))? {
            return Err(format!("{name} came back with other bytes").into());
        }
    }
    let (table, restored) = (before.table(TABLE)?, after.table(TABLE)?);
    let comparison = Evaluator::new(&table).compare(&restored)?;
    writeln!(out, "\nBack again: {unchanged} other tensors, config.json and vocab.txt as they were, and the table")?;
    let shape = format!("{} × {}", grouped(restored.vocab_size()), restored.dim());
    writeln!(out, "{shape}, {}, relative error {:.6}\n", restored.dtype(), comparison.relative_error)?;
    Ok(())
}

fn shipped(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "examples", "data", name].iter().collect()
}
