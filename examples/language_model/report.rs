//! What is printed.

use std::io::Write;

use crate::{
    outcome::Outcome,
    plan::{CONTEXT, DIM, FEED_FORWARD_DIM, NUM_BLOCKS, NUM_HEADS, Plan},
    recovery::RANK,
    support::{
        Result,
        books::BOOKS,
        text::{Align, grouped, write_table},
    },
    text::{Text, VOCAB_SIZE},
    training,
};

pub(crate) fn write_introduction(text: &Text, plan: &Plan, trigram: f64, out: &mut impl Write) -> Result<()> {
    let titles = BOOKS.map(|book| format!("{} ({})", book.title, book.author)).join(", ");
    writeln!(out, "What is the next token? {titles}.")?;
    let [training, validation] = [&text.training, &text.validation].map(|tokens| grouped(tokens.len()));
    writeln!(
        out,
        "Training: {training} of {} byte pairs. Validation, every tenth chapter: {validation}.",
        grouped(VOCAB_SIZE)
    )?;
    writeln!(
        out,
        "A transformer of {NUM_BLOCKS} block(s), {NUM_HEADS} heads, dim {DIM}, feed-forward {FEED_FORWARD_DIM}, context {CONTEXT}, tied head."
    )?;
    let seeds = if plan.seeds.len() == 1 { "1 seed".to_owned() } else { format!("{} seeds", plan.seeds.len()) };
    let steps = grouped(plan.steps_per_epoch(text));
    writeln!(out, "Epochs: {} of {steps} steps, from {seeds}; AdamW, warm-up and cosine.", plan.epochs)?;
    writeln!(out, "A trigram with Kneser-Ney smoothing has perplexity {trigram:.2} on the same tokens.\n")?;
    Ok(())
}

pub(crate) fn write_outcomes(outcomes: &[&Outcome], out: &mut impl Write) -> Result<()> {
    let speed = if training::num_lanes() > 1 { "tokens/s, one thread" } else { "tokens/s" };
    let header = [
        ("table", Align::Left),
        ("its parameters", Align::Right),
        ("all parameters", Align::Right),
        ("bytes to train the table", Align::Right),
        ("the model", Align::Right),
        (speed, Align::Right),
        ("against dense", Align::Right),
        ("validation perplexity after each epoch", Align::Left),
    ];
    let dense = mean(outcomes, |outcome| outcome.models[0].course.last_perplexity());
    let rows: Vec<_> = outcomes[0]
        .models
        .iter()
        .enumerate()
        .map(|(i, model)| {
            let [table_bytes, bytes] = model.bytes;
            let perplexity = mean(outcomes, |outcome| outcome.models[i].course.last_perplexity());
            [
                model.table.clone(),
                grouped(model.num_table_parameters),
                grouped(model.num_parameters),
                grouped(table_bytes),
                grouped(bytes),
                grouped(mean(outcomes, |outcome| outcome.models[i].course.tokens_per_second()) as usize),
                format!("{:+.1} %", 100.0 * (perplexity / dense - 1.0)),
                (0..model.course.perplexities.len())
                    .map(|epoch| mean_and_spread(outcomes, |outcome| outcome.models[i].course.perplexities[epoch]))
                    .collect::<Vec<_>>()
                    .join("  "),
            ]
        })
        .collect();
    write_table(out, header, &rows)?;
    writeln!(out, "\n(bytes to train: parameters, moments, and the largest gradients{})", note(outcomes))?;

    let [before, after] = [
        mean_and_spread(outcomes, |outcome| outcome.recovery.before),
        mean_and_spread(outcomes, |outcome| outcome.recovery.after),
    ];
    let error = mean(outcomes, |outcome| outcome.recovery.weighted_error);
    let steps = grouped(outcomes[0].recovery.steps);
    writeln!(
        out,
        "\nThe trained dense table, decomposed to rank {RANK} (relative error weighted by frequency {error:.3}):"
    )?;
    writeln!(out, "perplexity {before}, and {after} after {steps} more steps, a tenth.\n")?;
    Ok(())
}

fn note(outcomes: &[&Outcome]) -> &'static str {
    if outcomes.len() > 1 { "; perplexities: mean ± standard deviation over the seeds" } else { "" }
}

fn mean(outcomes: &[&Outcome], number: impl Fn(&Outcome) -> f64) -> f64 {
    outcomes.iter().map(|outcome| number(outcome)).sum::<f64>() / outcomes.len() as f64
}

/// “61.20 ± 0.34”; of one seed the number alone.
fn mean_and_spread(outcomes: &[&Outcome], number: impl Fn(&Outcome) -> f64) -> String {
    let mean = mean(outcomes, &number);
    if outcomes.len() == 1 {
        return format!("{mean:.2}");
    }
    let squares: f64 = outcomes.iter().map(|outcome| (number(outcome) - mean).powi(2)).sum();
    format!("{mean:.2} ± {:.2}", (squares / (outcomes.len() - 1) as f64).sqrt())
}
