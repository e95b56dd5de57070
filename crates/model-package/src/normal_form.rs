//! Texts that Unicode defines as equal: `é` is one character or `e` with a combining accent, by the keyboard and the file system.

use std::{borrow::Cow, collections::HashMap};

use icu_normalizer::ComposingNormalizerBorrowed;

use super::field::MAX_NAME_LENGTH;

/// In bytes. Longer texts are no spelling of a name: a character decomposes into at most four, of four bytes each.
const MAX_LENGTH: usize = 16 * MAX_NAME_LENGTH;

/// Finds known texts by any of their spellings. Compare texts directly first: this is for those that differ.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spellings {
    /// By normal form (NFC), the numbers of the texts outside ASCII. `None` if texts with different numbers share one: a package may tell
    /// them apart, and another spelling of them is ambiguous.
    numbers: HashMap<String, Option<usize>>,
}

impl Spellings {
    pub(crate) fn new<'a>(texts: impl Iterator<Item = (&'a str, usize)>) -> Self {
        let mut numbers = HashMap::new();
        for (text, number) in texts.filter(|(text, _)| !text.is_ascii()) {
            let known = numbers.entry(normal_form(text).into_owned()).or_insert(Some(number));
            *known = known.filter(|known| *known == number);
        }
        Self { numbers }
    }

    /// The number of the text with the same normal form.
    pub(crate) fn find(&self, text: &str) -> Option<usize> {
        if self.numbers.is_empty() || text.len() > MAX_LENGTH || text.is_ascii() {
            return None;
        }
        self.numbers.get(&*normal_form(text)).copied().flatten()
    }
}

fn normal_form(text: &str) -> Cow<'_, str> {
    const { ComposingNormalizerBorrowed::new_nfc() }.normalize(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_by_each_of_its_spellings() {
        // The Angstrom sign, the letter, and A with a ring.
        let spellings = ["\u{212b}", "\u{c5}", "A\u{30a}"];
        for known in spellings {
            let texts = Spellings::new([("A", 1), (known, 2)].into_iter());
            assert_eq!(spellings.map(|text| texts.find(text)), [Some(2); 3], "{known:?}");
            assert_eq!(["A", "\u{e5}", ""].map(|text| texts.find(text)), [None; 3]);
        }
    }

    #[test]
    fn a_spelling_of_two_known_texts_is_ambiguous_unless_they_stand_for_the_same() {
        let texts = Spellings::new([("\u{c5}", 1), ("A\u{30a}", 2)].into_iter());
        assert_eq!(texts.find("\u{212b}"), None);
        let texts = Spellings::new([("\u{c5}", 1), ("A\u{30a}", 1)].into_iter());
        assert_eq!(texts.find("\u{212b}"), Some(1));
    }
}
