//! Three novels as sentences in chapters.

use std::{fs, path::PathBuf};

use crate::support::Result;

/// A shorter one is a heading, a signature or an exclamation.
const MIN_WORDS: usize = 4;
/// What a full stop stands behind without ending a sentence.
const ABBREVIATIONS: [&str; 6] = ["Mr", "Mrs", "Dr", "St", "Messrs", "Capt"];

/// A text in `examples/data/books`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Book {
    pub(crate) author: &'static str,
    pub(crate) title: &'static str,
    file: &'static str,
    /// How its first chapter begins: title, contents and mottoes stand before it.
    beginning: &'static str,
}

pub(crate) const BOOKS: [Book; 3] = [
    Book {
        author: "Tolstoy", title: "War and Peace", file: "war-and-peace.txt", beginning: "“Well, Prince, so Genoa"
    },
    Book { author: "Melville", title: "Moby-Dick", file: "moby-dick.txt", beginning: "Call me Ishmael." },
    Book {
        author: "Austen",
        title: "Pride and Prejudice",
        file: "pride-and-prejudice.txt",
        beginning: "It is a truth universally acknowledged",
    },
];

/// The sentences of a chapter, each as its words in lower case.
pub(crate) type Chapter = Vec<Vec<String>>;

impl Book {
    pub(crate) fn chapters(&self) -> Result<Vec<Chapter>> {
        let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "examples", "data", "books", self.file].iter().collect();
        let text = fs::read_to_string(&path).map_err(|error| {
            format!("cannot read {}: {error} (the books are in the repository, not in the package)", path.display())
        })?;
        let start = text.find(self.beginning).ok_or_else(|| {
            let (path, beginning) = (path.display(), self.beginning);
            format!("{path} does not contain “{beginning}”, expected as the beginning of its first chapter")
        })?;
        let mut chapters = vec![Chapter::new()];
        for line in text[start..].lines() {
            match chapters.last_mut() {
                Some(chapter) if !is_heading(line) => chapter.extend(sentences(line)),
                _ => chapters.push(Chapter::new()),
            }
        }
        Ok(chapters)
    }
}

/// “CHAPTER XII”, “Chapter 12”, “CHAPTER 12. The Counterpane.”
fn is_heading(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let is_number = |word: &str| {
        let number = word.trim_end_matches('.');
        number.chars().all(|digit| digit.is_ascii_digit() || "IVXLC".contains(digit))
    };
    words.next().is_some_and(|word| word.eq_ignore_ascii_case("chapter")) && words.next().is_some_and(is_number)
}

/// The sentences of a paragraph, as words.
fn sentences(paragraph: &str) -> Vec<Vec<String>> {
    let mut sentences = vec![Vec::new()];
    let mut tokens = paragraph.split_whitespace().peekable();
    while let Some(token) = tokens.next() {
        if let Some(sentence) = sentences.last_mut() {
            sentence.extend(words(token));
        }
        // “‘How so?’ said he” is one sentence.
        let goes_on = |next: &&str| next.chars().find(|c| c.is_alphabetic()).is_some_and(char::is_lowercase);
        if is_end(token) && !tokens.peek().is_some_and(goes_on) {
            sentences.push(Vec::new());
        }
    }
    sentences.retain(|sentence| sentence.len() >= MIN_WORDS);
    sentences
}

fn is_end(token: &str) -> bool {
    let token = token.trim_end_matches(['”', '’', '"', '\'', ')', ']']);
    match token.strip_suffix('.') {
        Some(word) => {
            let word = word.trim_start_matches(|c: char| !c.is_alphabetic());
            !ABBREVIATIONS.contains(&word) && word.chars().count() != 1
        }
        None => token.ends_with(['!', '?']),
    }
}

/// Letters, with apostrophes between them, in lower case; editions differ in their apostrophes.
fn words(token: &str) -> impl Iterator<Item = String> {
    let parts = token.split(|c: char| !(c.is_alphabetic() || matches!(c, '’' | '\'')));
    let trimmed = parts.map(|part| part.trim_matches(['’', '\'']));
    trimmed.filter(|part| !part.is_empty()).map(|part| part.to_lowercase().replace('’', "'"))
}
