//! Sets of words that rules ask for by name.

use super::embedded::WORD_SET_NAMES;
use super::{Catalog, Text, WordSet};

impl Catalog {
    /// The words of a set; the catalog's own are sorted. Empty only where a user's row says so.
    pub fn words(&self, set: WordSet) -> &[Text] {
        let row = self.inner.word_sets.get(WORD_SET_NAMES[set as usize]);
        row.map_or(&[], |row| row.words.get())
    }

    /// Whether `word` is one of a set.
    pub fn has_word(&self, set: WordSet, word: &str) -> bool {
        // A user's row need not be sorted.
        self.words(set).iter().any(|known| *known == *word)
    }

    /// The first word of a set that `text` holds anywhere.
    pub fn word_in(&self, set: WordSet, text: &str) -> Option<&'static str> {
        let mut words = self.words(set).iter().map(|word| word.get());
        words.find(|word| text.contains(word))
    }

    /// Whether `text` begins with a word of a set.
    pub fn begins_with_word(&self, set: WordSet, text: &str) -> bool {
        self.words(set).iter().any(|word| text.starts_with(&**word))
    }

    /// Whether `text` ends with a word of a set.
    pub fn ends_with_word(&self, set: WordSet, text: &str) -> bool {
        self.words(set).iter().any(|word| text.ends_with(&**word))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::embedded::EVERY_WORD_SET;
    use super::*;

    #[test]
    fn words_are_sorted_and_unique() {
        let catalog = Catalog::default();
        for set in EVERY_WORD_SET {
            let words = catalog.words(set);
            assert!(!words.is_empty(), "{set:?}");
            let is_sorted = words.is_sorted_by(|one, next| **one < **next);
            assert!(is_sorted, "{set:?}");
        }
    }

    #[test]
    fn every_set_is_asked_for() {
        let mut code = String::new();
        read_code(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut code,
        );
        for set in EVERY_WORD_SET {
            let name = format!("WordSet::{set:?}");
            let asked = code
                .match_indices(&name)
                .any(|(at, _)| !code[at + name.len()..].starts_with(char::is_alphanumeric));
            assert!(asked, "{name}");
        }
    }

    /// Adds the sources below `folder`.
    fn read_code(folder: &Path, code: &mut String) {
        for entry in std::fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                read_code(&path, code);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                code.push_str(&std::fs::read_to_string(&path).expect("it is text"));
            }
        }
    }

    #[test]
    fn words_stand_in_at_the_begin_and_at_the_end() {
        let catalog = Catalog::default();
        let set = WordSet::ToolchainHosts;
        let url = "https://go.dev/dl/go1.22.tar.gz";
        assert_eq!(catalog.word_in(set, url), Some("go.dev/dl"));
        assert_eq!(catalog.word_in(set, "https://example.com"), None);
        let two = "curl sh.rustup.rs; curl go.dev/dl";
        assert_eq!(catalog.word_in(set, two), Some("go.dev/dl"));
        assert!(catalog.begins_with_word(set, "go.dev/dl/go1.22.tar.gz"));
        assert!(!catalog.begins_with_word(set, url));
        assert!(catalog.ends_with_word(set, "https://go.dev/dl"));
        assert!(!catalog.ends_with_word(set, url));
    }
}
