//! Words and their ids.

use factorized_embedding::{Error, OutOfVocabulary, TokenId, Vocabulary};

const WORDS: [&str; 5] = ["the", "", "Grüße", "naïve\n", "THE"];

#[test]
fn words_and_ids_lead_to_each_other() {
    let vocabulary = Vocabulary::new(WORDS).expect("five different words");
    assert_eq!((vocabulary.len(), vocabulary.is_empty()), (5, false));
    for (id, word) in (0..).zip(WORDS) {
        assert_eq!(vocabulary.id(word), Some(id));
        assert_eq!(vocabulary.word(id), Some(word));
    }
    assert!(vocabulary.words().eq(WORDS));
    assert_eq!(vocabulary.words().len(), 5);
}

#[test]
fn what_is_not_there_has_no_id_and_no_word() {
    let vocabulary = Vocabulary::new(WORDS).expect("five different words");
    assert_eq!(vocabulary.id("The"), None);
    assert_eq!(vocabulary.word(5), None);
    assert_eq!(vocabulary.word(TokenId::MAX), None);
    assert!(Vocabulary::default().is_empty());
    assert_eq!(Vocabulary::default().word(0), None);
}

#[test]
fn a_new_word_gets_the_next_id() {
    let mut vocabulary = Vocabulary::default();
    assert_eq!(vocabulary.push("a").expect("a new word"), 0);
    assert_eq!(vocabulary.push(String::from("b")).expect("a new word"), 1);
    assert_eq!(vocabulary, Vocabulary::new(["a", "b"]).expect("two different words"));
    assert_ne!(vocabulary, Vocabulary::new(["b", "a"]).expect("two different words"));
}

#[test]
fn a_word_that_is_there_already_changes_nothing() {
    let mut vocabulary = Vocabulary::new(["a", "b"]).expect("two different words");
    match vocabulary.push("a") {
        Err(Error::DuplicateWord { word, first: 0, second: 2 }) => assert_eq!(word, "a"),
        other => panic!("{other:?}"),
    }
    assert_eq!(vocabulary, Vocabulary::new(["a", "b"]).expect("two different words"));
    assert_eq!(vocabulary.push("c").expect("a new word"), 2);
}

#[test]
fn words_are_encoded_in_their_order() {
    let vocabulary = Vocabulary::new(WORDS).expect("five different words");
    for unknown in [OutOfVocabulary::Refuse, OutOfVocabulary::Id(17)] {
        assert_eq!(vocabulary.encode(&["THE", "", "the", ""], unknown).expect("words that are there"), [4, 1, 0, 1]);
        assert_eq!(vocabulary.encode::<String>(&[], unknown).expect("no words"), [0; 0]);
    }
}

#[test]
fn unknown_words_are_refused_or_get_the_id_that_was_said() {
    let vocabulary = Vocabulary::new(WORDS).expect("five different words");
    let words = ["the", "The", "dog"].map(String::from);
    match vocabulary.encode(&words, OutOfVocabulary::Refuse) {
        Err(Error::UnknownWord { word, position: 1 }) => assert_eq!(word, "The"),
        other => panic!("{other:?}"),
    }
    assert_eq!(vocabulary.encode(&words, OutOfVocabulary::Id(2)).expect("an id for all"), [0, 2, 2]);
    // A row behind those of the words.
    assert_eq!(vocabulary.encode(&words, OutOfVocabulary::Id(5)).expect("an id for all"), [0, 5, 5]);
}
