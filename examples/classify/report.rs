//! What is printed.

use std::io::Write;

use crate::{
    sentences::{Labelled, Sentences},
    support::{
        Result,
        books::BOOKS,
        text::{Align, grouped, write_table},
    },
    table::DIM,
    training::Run,
};

pub(crate) fn write_introduction(sentences: &Sentences, out: &mut impl Write) -> Result<()> {
    let titles = BOOKS.map(|book| format!("{} ({})", book.title, book.author)).join(", ");
    let size = |part: &Labelled| format!("{} sentences of {} words", grouped(part.len()), grouped(part.ids().len()));
    writeln!(out, "Who wrote this sentence? {titles}.")?;
    writeln!(out, "Training: {}; {} different words.", size(&sentences.training), grouped(sentences.vocabulary.len()))?;
    writeln!(out, "Validation, every tenth chapter: {}.", size(&sentences.validation))?;
    let majority = sentences.validation.majority();
    writeln!(out, "Word vectors of {DIM} numbers. The author with the most sentences wrote {majority:.4} of those.\n")?;
    Ok(())
}

pub(crate) fn write_runs(runs: &[Run], out: &mut impl Write) -> Result<()> {
    let header = [
        ("table", Align::Left),
        ("parameters", Align::Right),
        ("bytes to train", Align::Right),
        ("words/s", Align::Right),
        ("accuracy after each epoch", Align::Left),
    ];
    let rows: Vec<_> = runs
        .iter()
        .map(|run| {
            let accuracies: Vec<_> = run.accuracies.iter().map(|accuracy| format!("{accuracy:.4}")).collect();
            [
                run.kind.to_string(),
                grouped(run.model.table.layer().num_parameters()),
                grouped(run.bytes),
                grouped(run.words_per_second as usize),
                accuracies.join("  "),
            ]
        })
        .collect();
    write_table(out, header, &rows)?;
    writeln!(out, "\n(bytes to train: parameters, Adam's moments, and the largest gradients)\n")?;
    Ok(())
}
