//! Words and their ids.

use std::{collections::HashMap, fmt};

use crate::{Error, Result, TokenId};

/// Which word has which id: the word at place i of the list is the word of row i of the table.
///
/// # Examples
///
/// ```
/// use factorized_embedding::Vocabulary;
///
/// let vocabulary = Vocabulary::new(["the", "cat"])?;
/// assert_eq!(vocabulary.id("cat"), Some(1));
/// assert_eq!(vocabulary.word(0), Some("the"));
/// assert_eq!(vocabulary.id("dog"), None);
/// # Ok::<(), factorized_embedding::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    words: Vec<String>,
    ids: HashMap<String, TokenId>,
}

/// What becomes of a word that a vocabulary does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
pub enum OutOfVocabulary {
    /// It is an error.
    Refuse,
    /// It gets this id. That need not be one of a word: a table may have a row for what is unknown behind those of the words.
    Id(TokenId),
}

impl Vocabulary {
    /// The words in the order of their ids.
    ///
    /// # Errors
    /// [`DuplicateWord`](Error::DuplicateWord), [`VocabularyTooLarge`](Error::VocabularyTooLarge).
    pub fn new<W: Into<String>>(words: impl IntoIterator<Item = W>) -> Result<Self> {
        let mut vocabulary = Self::default();
        for word in words {
            vocabulary.push(word)?;
        }
        Ok(vocabulary)
    }

    /// Adds a word and returns its id, the next free one.
    ///
    /// # Errors
    /// [`DuplicateWord`](Error::DuplicateWord), [`VocabularyTooLarge`](Error::VocabularyTooLarge).
    pub fn push(&mut self, word: impl Into<String>) -> Result<TokenId> {
        let word = word.into();
        let second = match TokenId::try_from(self.words.len()) {
            Ok(id) if id < TokenId::MAX => id,
            _ => return Err(Error::VocabularyTooLarge { vocab_size: self.words.len() + 1 }),
        };
        if let Some(&first) = self.ids.get(&word) {
            return Err(Error::DuplicateWord { word, first, second });
        }
        self.words.push(word.clone());
        self.ids.insert(word, second);
        Ok(second)
    }

    /// How many words there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are no words.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The id of a word, if it has one.
    #[must_use]
    pub fn id(&self, word: &str) -> Option<TokenId> {
        self.ids.get(word).copied()
    }

    /// The ids of words, in their order.
    ///
    /// # Shapes
    /// `words` \[n\] → \[n\]
    ///
    /// # Errors
    /// [`UnknownWord`](Error::UnknownWord), if such words are to be refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use factorized_embedding::{OutOfVocabulary, Vocabulary};
    ///
    /// let vocabulary = Vocabulary::new(["the", "cat", "<unk>"])?;
    /// assert_eq!(vocabulary.encode(&["the", "cat"], OutOfVocabulary::Refuse)?, [0, 1]);
    /// assert_eq!(vocabulary.encode(&["the", "dog"], OutOfVocabulary::Id(2))?, [0, 2]);
    /// assert!(vocabulary.encode(&["the", "dog"], OutOfVocabulary::Refuse).is_err());
    /// # Ok::<(), factorized_embedding::Error>(())
    /// ```
    pub fn encode<W: AsRef<str>>(&self, words: &[W], unknown: OutOfVocabulary) -> Result<Vec<TokenId>> {
        let id = |(position, word): (usize, &W)| match (self.id(word.as_ref()), unknown) {
            (Some(id), _) | (None, OutOfVocabulary::Id(id)) => Ok(id),
            (None, OutOfVocabulary::Refuse) => Err(Error::UnknownWord { word: word.as_ref().to_owned(), position }),
        };
        words.iter().enumerate().map(id).collect()
    }

    /// The word of an id, if it has one.
    #[must_use]
    pub fn word(&self, id: TokenId) -> Option<&str> {
        self.words.get(id as usize).map(String::as_str)
    }

    /// The words in the order of their ids.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vocabulary({} words)", self.words.len())
    }
}
