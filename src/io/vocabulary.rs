//! Files of words, one in each line.
//!
//! Lines end with a line feed and nothing else (other characters that some programs take for line ends are parts of words), and
//! `\n`, `\t`, `\r` and `\\` stand for a line feed, a tab, a carriage return and a backslash. Words are UTF-8. The word of line
//! i + 1 has the id i.
//!
//! # Examples
//!
//! ```
//! use factorized_embedding::{Vocabulary, io::vocabulary::{load_vocabulary, save_vocabulary}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("vocab.txt");
//! let vocabulary = Vocabulary::new(["the", "line\nfeed"])?;
//! save_vocabulary(&path, &vocabulary)?;
//! assert_eq!(std::fs::read_to_string(&path)?, "the\nline\\nfeed\n");
//! assert_eq!(load_vocabulary(&path)?, vocabulary);
//! # Ok(())
//! # }
//! ```

use std::{
    io::{self, Write},
    path::Path,
};

use super::{atomic_file::AtomicFile, byte_stream::ByteStream};
use crate::{Error, Result, Vocabulary};

const FORMAT: &str = "vocabulary";
/// Longer lines are refused.
const MAX_LINE_BYTES: usize = 1 << 20;
/// What stands for characters that a line does not hold as they are.
const ESCAPES: [(char, char); 4] = [('n', '\n'), ('t', '\t'), ('r', '\r'), ('\\', '\\')];

/// Reads a file of words. A file without bytes has no words. With feature `gzip`, one that is compressed by gzip is read as well.
///
/// # Errors
/// [`Io`](Error::Io), [`MissingFeature`](Error::MissingFeature), [`InvalidRecord`](Error::InvalidRecord) with the number of a line
/// that repeats a word, is no UTF-8, has a backslash that stands for nothing or is longer than 1 MiB,
/// [`VocabularyTooLarge`](Error::VocabularyTooLarge).
pub fn load_vocabulary(path: impl AsRef<Path>) -> Result<Vocabulary> {
    let mut stream = ByteStream::open(path.as_ref())?;
    let mut vocabulary = Vocabulary::default();
    let mut line = Vec::new();
    while !stream.is_at_end()? {
        let invalid = |reason| Error::InvalidRecord {
            path: path.as_ref().to_owned(),
            format: FORMAT,
            record: "line",
            number: vocabulary.len() + 1,
            reason,
        };
        if !stream.read_until(b'\n', MAX_LINE_BYTES, &mut line)? && line.len() == MAX_LINE_BYTES {
            return Err(invalid(format!("has no end within {MAX_LINE_BYTES} bytes")));
        }
        let text = std::str::from_utf8(&line).map_err(|_| invalid("is not UTF-8".to_owned()))?;
        let word = unescaped(text).map_err(invalid)?;
        if let Some(first) = vocabulary.id(&word) {
            return Err(invalid(format!("repeats the word of line {}", u64::from(first) + 1)));
        }
        vocabulary.push(word)?;
    }
    Ok(vocabulary)
}

/// Writes a file of words, beside its place, and renames it when it is whole.
///
/// # Errors
/// [`Io`](Error::Io).
pub fn save_vocabulary(path: impl AsRef<Path>, vocabulary: &Vocabulary) -> Result<()> {
    let mut file = AtomicFile::create(path.as_ref())?;
    file.write(|out| vocabulary.words().try_for_each(|word| write_escaped(word, out)))?;
    file.commit()
}

fn unescaped(text: &str) -> std::result::Result<String, String> {
    let mut word = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            word.push(character);
            continue;
        }
        let code = characters.next();
        let Some((_, plain)) = ESCAPES.iter().find(|(escape, _)| Some(*escape) == code) else {
            let found = code.map_or("its end".to_owned(), |code| format!("{code:?}"));
            return Err(format!(r"has a \ before {found}, expected n, t, r or \"));
        };
        word.push(*plain);
    }
    Ok(word)
}

fn write_escaped(word: &str, out: &mut dyn Write) -> io::Result<()> {
    for character in word.chars() {
        match ESCAPES.iter().find(|(_, plain)| *plain == character) {
            Some((escape, _)) => write!(out, "\\{escape}")?,
            None => write!(out, "{character}")?,
        }
    }
    out.write_all(b"\n")
}
