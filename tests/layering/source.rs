//! As much of the syntax of Rust as tells which modules a source names.

use std::collections::BTreeMap;

/// The source without comments, and with empty strings and characters.
pub(crate) fn code_of(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = comment_len(rest).or_else(|| literal_len(&code, rest));
        match skipped {
            Some(len) => {
                code.push(' ');
                rest = &rest[len..];
            }
            None => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    code
}

fn comment_len(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    Some(at)
}

/// Strings, raw strings and characters; a lifetime is none.
fn literal_len(before: &str, rest: &str) -> Option<usize> {
    let quoted = |quote: char| {
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find(|&(_, c)| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        end.map_or(rest.len(), |(at, _)| at + 1)
    };
    if rest.starts_with('"') {
        return Some(quoted('"'));
    }
    if rest.starts_with('\'') {
        let mut characters = rest.chars().skip(1);
        let is_character = characters.next() == Some('\\') || characters.next() == Some('\'');
        return is_character.then(|| quoted('\''));
    }
    let hashes = rest.strip_prefix('r')?.chars().take_while(|c| *c == '#').count();
    if before.ends_with(is_word_character) || !rest[1 + hashes..].starts_with('"') {
        return None;
    }
    let start = 2 + hashes;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len()))
}

fn is_word_character(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

pub(crate) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c| !is_word_character(c)).filter(|word| !word.is_empty())
}

/// The first name of every path from the root of the crate, in a module `depth` levels below it.
pub(crate) fn crate_names(code: &str, depth: usize) -> Vec<String> {
    let mut names = names_behind("crate::", code);
    // In a module of its own within the file, such as `mod tests { … }`, there is one level more.
    let has_inner_module = code
        .split("mod ")
        .skip(1)
        .any(|module| module.trim_start_matches(is_word_character).trim_start().starts_with('{'));
    let levels = depth + usize::from(has_inner_module);
    names.extend(names_behind(&"super::".repeat(levels), code));
    names
}

fn names_behind(prefix: &str, code: &str) -> Vec<String> {
    let starts = code.match_indices(prefix).filter(|(at, _)| !code[..*at].ends_with(is_word_character));
    starts.flat_map(|(at, _)| first_names(&code[at + prefix.len()..])).filter(|name| name != "super").collect()
}

/// The first name of each path of a use tree: `a` of `a::b`, `a` and `c` of `{a::{b, d}, c}`.
fn first_names(tree: &str) -> Vec<String> {
    let tree = tree.trim_start();
    let Some(list) = tree.strip_prefix('{') else {
        let end = tree.find(|c| !is_word_character(c)).unwrap_or(tree.len());
        return vec![if end == 0 { tree.chars().take(1).collect() } else { tree[..end].to_owned() }];
    };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        if depth == 0 && (c == ',' || c == '}') {
            if !list[start..at].trim().is_empty() {
                names.extend(first_names(&list[start..at]));
            }
            start = at + 1;
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

/// Which module the names come from that the root re-exports.
pub(crate) fn re_exports(root: &str) -> BTreeMap<String, String> {
    let mut modules = BTreeMap::new();
    for statement in root.split("pub use ").skip(1) {
        let statement = statement.split(';').next().unwrap_or_default();
        let Some((module, tree)) = statement.split_once("::") else { continue };
        let names = if tree.starts_with('{') { first_names(tree) } else { vec![tree.trim().to_owned()] };
        modules.extend(names.into_iter().map(|name| (name, module.trim().to_owned())));
    }
    modules
}
