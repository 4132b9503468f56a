//! Three novels in chapters, to train models with.

use std::{fs, path::PathBuf};

use super::Result;

/// One chapter in so many is for validation.
const VALIDATION: usize = 10;

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

impl Book {
    /// The paragraphs of each chapter, without headings.
    pub(crate) fn chapters(&self) -> Result<Vec<Vec<String>>> {
        let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "examples", "data", "books", self.file].iter().collect();
        let text = fs::read_to_string(&path).map_err(|error| {
            format!("cannot read {}: {error} (the books are in the repository, not in the package)", path.display())
        })?;
        let start = text.find(self.beginning).ok_or_else(|| {
            let (path, beginning) = (path.display(), self.beginning);
            format!("{path} does not contain “{beginning}”, expected as the beginning of its first chapter")
        })?;
        let mut chapters = vec![Vec::new()];
        for line in text[start..].lines().filter(|line| !line.trim().is_empty() && !is_part(line)) {
            match chapters.last_mut() {
                Some(chapter) if !is_heading(line) => chapter.push(line.to_owned()),
                _ => chapters.push(Vec::new()),
            }
        }
        Ok(chapters)
    }
}

/// Whether the chapter of this number is not to be trained with.
pub(crate) fn is_validation(chapter: usize) -> bool {
    chapter % VALIDATION == VALIDATION - 1
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

/// “BOOK TWO: 1805”, “SECOND EPILOGUE”, “Epilogue”
fn is_part(line: &str) -> bool {
    let mut words = line.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    words.clone().count() == 2 && line.starts_with("BOOK ")
        || words.clone().count() <= 2 && words.any(|word| word.eq_ignore_ascii_case("epilogue"))
}
