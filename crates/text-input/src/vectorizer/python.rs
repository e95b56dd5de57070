//! The classes of characters of Python's `str` and `re`.

use icu_normalizer::{DecomposingNormalizerBorrowed, properties::CanonicalCombiningClassMapBorrowed};
use icu_properties::{
    CodePointMapData,
    props::{GeneralCategory, GeneralCategoryGroup},
};

/// `\w`: a letter, a number or an underscore. Combining marks do not count.
pub(super) fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    GeneralCategoryGroup::Letter.union(GeneralCategoryGroup::Number).contains(category)
}

/// `\d`
pub(super) fn is_digit(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_digit();
    }
    CodePointMapData::<GeneralCategory>::new().get(c) == GeneralCategory::DecimalNumber
}

/// `\s` and `str.isspace`: also the separators of files, groups, records and units.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// scikit-learn's `strip_accents_unicode`.
pub(super) fn strip_accents(text: &str) -> String {
    let classes = CanonicalCombiningClassMapBorrowed::new();
    let is_base = |c: &char| classes.get_u8(*c) == 0;
    DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(text.chars()).filter(is_base).collect()
}

/// scikit-learn's `strip_accents_ascii`.
pub(super) fn strip_to_ascii(text: &str) -> String {
    DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(text.chars()).filter(char::is_ascii).collect()
}
