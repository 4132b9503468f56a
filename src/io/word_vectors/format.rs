//! Which formats there are, and how they are told apart.

use std::{fmt, path::Path};

use super::text;
use crate::{Error, Result, io::byte_stream::ByteStream};

/// The format of a file of words and vectors: see [`io::word_vectors`](super).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum WordVectorFormat {
    /// Lines of a word and its numbers.
    GloveText,
    /// A header, then lines of a word and its numbers. It is the format of fastText's `.vec` files, too.
    #[cfg_attr(feature = "serde", serde(rename = "word2vec_text"))]
    Word2VecText,
    /// A header, then words in text and numbers in binary.
    #[cfg_attr(feature = "serde", serde(rename = "word2vec_binary"))]
    Word2VecBinary,
}

/// Bytes behind a header that are looked at.
const SAMPLE_BYTES: usize = 1024;

impl WordVectorFormat {
    /// The format of a file, by what stands at its beginning: a first line of two whole numbers is a header, and characters that
    /// no text has are those of binary numbers.
    ///
    /// GloVe text of one dimension whose first word is a number cannot be told from a header; say what it is instead.
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`MissingFeature`](Error::MissingFeature), [`InvalidFile`](Error::InvalidFile) when it begins like none
    /// of them.
    pub fn detect(path: impl AsRef<Path>) -> Result<Self> {
        let mut stream = ByteStream::open(path.as_ref())?;
        let mut line = Vec::new();
        stream.read_until(b'\n', text::MAX_LINE_BYTES, &mut line)?;
        if Header::parse(&line).is_some() {
            let mut sample = [0; SAMPLE_BYTES];
            let len = stream.read(&mut sample)?;
            return Ok(if is_text(&sample[..len]) { Self::Word2VecText } else { Self::Word2VecBinary });
        }
        if text::dim_of(&line).is_some() {
            return Ok(Self::GloveText);
        }
        Err(Error::InvalidFile {
            path: stream.path().to_owned(),
            format: "word vector",
            reason: "its first line is neither a header of two whole numbers nor a word with numbers behind it"
                .to_owned(),
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::GloveText => "GloVe text",
            Self::Word2VecText => "word2vec text",
            Self::Word2VecBinary => "word2vec binary",
        }
    }

    /// What errors count.
    pub(super) fn record(self) -> &'static str {
        match self {
            Self::GloveText | Self::Word2VecText => "line",
            Self::Word2VecBinary => "row",
        }
    }

    /// The number of the line or row of the first word.
    pub(super) fn first_record(self) -> usize {
        match self {
            Self::GloveText | Self::Word2VecBinary => 1,
            Self::Word2VecText => 2,
        }
    }
}

impl fmt::Display for WordVectorFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// UTF-8, the last character of which may be cut, without control characters but those of lines.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    text.bytes().all(|byte| !byte.is_ascii_control() || b"\n\t\r".contains(&byte))
}

/// The first line of the formats of word2vec.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) vocab_size: u64,
    pub(super) dim: u64,
}

impl Header {
    /// Two whole numbers with a space or a tab between them.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text::trimmed(line)).ok()?;
        let (vocab_size, dim) = text.split_once([' ', '\t'])?;
        let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
        Some(Self { vocab_size: number(vocab_size)?, dim: number(dim)? })
    }
}
