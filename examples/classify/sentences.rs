//! Sentences as ids, those to train with and those to look at.

use std::collections::BTreeMap;

use factorized_embedding::{TokenId, Vocabulary};
use rand::{Rng, seq::SliceRandom};

use crate::{
    support::{
        Result,
        books::{BOOKS, Book, is_validation},
    },
    words::sentences,
};

/// How often a word has to occur in the text that is trained with.
const MIN_COUNT: usize = 2;
/// Stands for all other words.
const UNKNOWN: &str = "<unknown>";

/// The sentences of a chapter, each as its words in lower case.
type Chapter = Vec<Vec<String>>;

#[derive(Debug)]
pub(crate) struct Sentences {
    pub(crate) vocabulary: Vocabulary,
    pub(crate) training: Labelled,
    /// Of chapters that are not trained with.
    pub(crate) validation: Labelled,
}

/// Sentences, one after the other, and who wrote them.
#[derive(Debug, Default)]
pub(crate) struct Labelled {
    ids: Vec<TokenId>,
    /// Where each sentence begins, and the end.
    starts: Vec<usize>,
    /// Numbers of books.
    labels: Vec<usize>,
}

/// Some sentences, as bags take them.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) ids: Vec<TokenId>,
    pub(crate) offsets: Vec<usize>,
    pub(crate) labels: Vec<usize>,
}

impl Sentences {
    pub(crate) fn load() -> Result<Self> {
        let books = BOOKS.iter().map(chapters).collect::<Result<Vec<_>>>()?;
        let part = |validation: bool| {
            let books = books.iter().enumerate();
            books.flat_map(move |(label, chapters)| {
                let chapters = chapters.iter().enumerate();
                let chapters = chapters.filter(move |(number, _)| is_validation(*number) == validation);
                chapters.flat_map(|(_, chapter)| chapter).map(move |sentence| (label, sentence))
            })
        };
        let vocabulary = vocabulary(part(false).flat_map(|(_, sentence)| sentence))?;
        let training = Labelled::new(part(false), &vocabulary);
        let validation = Labelled::new(part(true), &vocabulary);
        Ok(Self { vocabulary, training, validation })
    }
}

fn chapters(book: &Book) -> Result<Vec<Chapter>> {
    let sentences = |paragraphs: &Vec<String>| paragraphs.iter().flat_map(|text| sentences(text)).collect();
    Ok(book.chapters()?.iter().map(sentences).collect())
}

/// Words by how often they occur, most frequent first, behind the one that stands for all that are not among them.
fn vocabulary<'a>(words: impl Iterator<Item = &'a String>) -> Result<Vocabulary> {
    let mut counts = BTreeMap::<&str, usize>::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    let mut words: Vec<_> = counts.into_iter().filter(|(_, count)| *count >= MIN_COUNT).collect();
    words.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(Vocabulary::new([UNKNOWN].into_iter().chain(words.into_iter().map(|(word, _)| word)))?)
}

impl Labelled {
    fn new<'a>(sentences: impl Iterator<Item = (usize, &'a Vec<String>)>, vocabulary: &Vocabulary) -> Self {
        let mut labelled = Self { starts: vec![0], ..Self::default() };
        for (label, words) in sentences {
            labelled.ids.extend(words.iter().map(|word| vocabulary.id(word).unwrap_or(0)));
            labelled.starts.push(labelled.ids.len());
            labelled.labels.push(label);
        }
        labelled
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The words of all sentences.
    pub(crate) fn ids(&self) -> &[TokenId] {
        &self.ids
    }

    /// The share of the author with the most sentences: what a guess gets right.
    pub(crate) fn majority(&self) -> f64 {
        let count = |label| self.labels.iter().filter(|&&other| other == label).count();
        let most = (0..BOOKS.len()).map(count).max().unwrap_or(0);
        most as f64 / self.len() as f64
    }

    /// All sentences in order, in batches of at most `size`.
    pub(crate) fn batches(&self, size: usize) -> impl Iterator<Item = Batch> {
        let order: Vec<usize> = (0..self.len()).collect();
        self.in_order(order, size)
    }

    /// All sentences in random order.
    pub(crate) fn shuffled(&self, size: usize, rng: &mut impl Rng) -> impl Iterator<Item = Batch> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.shuffle(rng);
        self.in_order(order, size)
    }

    fn in_order(&self, order: Vec<usize>, size: usize) -> impl Iterator<Item = Batch> {
        let mut rest = order.into_iter().peekable();
        std::iter::from_fn(move || {
            rest.peek()?;
            let mut batch = Batch::default();
            for sentence in rest.by_ref().take(size) {
                batch.offsets.push(batch.ids.len());
                batch.ids.extend(&self.ids[self.starts[sentence]..self.starts[sentence + 1]]);
                batch.labels.push(self.labels[sentence]);
            }
            Some(batch)
        })
    }
}
