//! Paragraphs as sentences of words.

/// A shorter one is a heading, a signature or an exclamation.
const MIN_WORDS: usize = 4;
/// What a full stop stands behind without ending a sentence.
const ABBREVIATIONS: [&str; 6] = ["Mr", "Mrs", "Dr", "St", "Messrs", "Capt"];

/// The sentences of a paragraph, as words.
pub(crate) fn sentences(paragraph: &str) -> Vec<Vec<String>> {
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
