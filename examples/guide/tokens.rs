//! Which tokens lose how much.

use std::io::Write;

use factorized_embedding::TokenId;

use crate::{
    input::Input,
    markdown::{header, write_heading, write_table},
    sizes::{CLOSER, Measured},
    support::{Result, text::grouped},
};

/// Shares of the vocabulary at which groups of tokens end.
const ENDS: [(f64, &str); 4] =
    [(0.01, "most frequent 1 %"), (0.1, "next 9 %"), (0.5, "next 40 %"), (1.0, "rarest half")];

/// The tokens of each group.
fn groups(input: &Input) -> Vec<(&'static str, &[TokenId])> {
    let mut start = 0;
    let mut groups = Vec::new();
    for (share, name) in ENDS {
        let end = (share * input.most_used.len() as f64).round() as usize;
        groups.push((name, &input.most_used[start..end]));
        start = end;
    }
    groups.retain(|(_, ids)| !ids.is_empty());
    groups
}

/// The rarer half of the tokens.
pub(crate) fn rarest(input: &Input) -> &[TokenId] {
    groups(input).pop().map_or(&[], |(_, ids)| ids)
}

/// Writes the errors of groups of tokens, of files of one size.
pub(crate) fn write(input: &Input, measured: &[Measured], out: &mut impl Write) -> Result<()> {
    write_heading(
        out,
        "Frequent and rare tokens",
        &format!("Relative error of the tokens of each group, at {CLOSER}×."),
    )?;
    let groups = groups(input);
    let all: f64 = input.counts.iter().sum();
    let share = |ids: &[TokenId]| 100.0 * ids.iter().map(|&id| input.counts[id as usize]).sum::<f64>() / all;
    let of_text = groups.iter().map(|(_, ids)| format!("{:.1} %", share(ids)));
    let of_tokens = groups.iter().map(|(_, ids)| grouped(ids.len()));
    let mut rows: Vec<Vec<String>> = vec![
        ["tokens".to_owned()].into_iter().chain(of_tokens).collect(),
        ["share of the counted text".to_owned()].into_iter().chain(of_text).collect(),
    ];
    for made in measured.iter().filter(|made| made.ratio == CLOSER) {
        let cells = groups.iter().map(|(_, ids)| format!("{:.3}", made.losses.error_of(ids)));
        rows.push([made.scheme.name()].into_iter().chain(cells).collect());
    }
    write_table(out, &header("", &groups, |(name, _)| (*name).to_owned()), &rows)
}
