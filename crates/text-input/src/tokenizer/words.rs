//! How a text is split before the model sees it.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{Alphabetic, GeneralCategory, GeneralCategoryGroup, JoinControl},
};
use serde::Deserialize;
use serde_json::Value;
use unicode_categories::UnicodeCategories;

use super::{
    UnsupportedTokenizer,
    file::{component, entries},
};

const PART: &str = "pre_tokenizer";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Splitter {
    /// At whitespace and around punctuation.
    Bert,
    /// At whitespace.
    Whitespace,
    /// Runs of word characters and runs of others, without whitespace.
    Words,
    /// GPT-2's expression. The space before a word belongs to it.
    ByteLevel { prefix_space: bool },
}

impl Splitter {
    pub(super) fn new(written: &Value) -> Result<Self, UnsupportedTokenizer> {
        #[derive(Deserialize)]
        struct ByteLevel {
            add_prefix_space: bool,
            #[serde(default = "yes")]
            use_regex: bool,
        }
        fn yes() -> bool {
            true
        }
        let (name, object) = component(written, PART)?;
        Ok(match name.as_str() {
            "BertPreTokenizer" => Self::Bert,
            "WhitespaceSplit" => Self::Whitespace,
            "Whitespace" => Self::Words,
            "ByteLevel" => {
                let ByteLevel { add_prefix_space, use_regex } = entries(object, PART)?;
                if !use_regex {
                    return Err(UnsupportedTokenizer::Entry { part: PART, entry: "use_regex = false" });
                }
                Self::ByteLevel { prefix_space: add_prefix_space }
            }
            _ => return Err(UnsupportedTokenizer::Component { part: PART, name }),
        })
    }

    /// Calls `word` with each part of the text until it returns `false`. Returns whether all parts were passed.
    pub(super) fn split(self, text: &str, mut word: impl FnMut(&str) -> bool) -> bool {
        match self {
            Self::Bert => text.split(char::is_whitespace).all(|part| {
                let mut rest = part;
                while let Some((at, mark)) = rest.char_indices().find(|(_, c)| is_punctuation(*c)) {
                    let (before, after) = (&rest[..at], at + mark.len_utf8());
                    if !(before.is_empty() || word(before)) || !word(&rest[at..after]) {
                        return false;
                    }
                    rest = &rest[after..];
                }
                rest.is_empty() || word(rest)
            }),
            Self::Whitespace => text.split(char::is_whitespace).all(|part| part.is_empty() || word(part)),
            Self::Words => text.split(char::is_whitespace).all(|part| {
                let mut rest = part;
                while let Some(first) = rest.chars().next() {
                    let is_word = is_word(first);
                    let end = rest.find(|c| self::is_word(c) != is_word).unwrap_or(rest.len());
                    if !word(&rest[..end]) {
                        return false;
                    }
                    rest = &rest[end..];
                }
                true
            }),
            Self::ByteLevel { .. } => {
                let mut rest = text;
                while !rest.is_empty() {
                    let (part, after) = rest.split_at(gpt2_word(rest));
                    if !word(part) {
                        return false;
                    }
                    rest = after;
                }
                true
            }
        }
    }
}

fn is_punctuation(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_punctuation() } else { c.is_punctuation() }
}

/// `\w` as UTS #18 defines it.
fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    CodePointSetData::new::<Alphabetic>().contains(c)
        || GeneralCategoryGroup::Mark.contains(category)
        || matches!(category, GeneralCategory::DecimalNumber | GeneralCategory::ConnectorPunctuation)
        || CodePointSetData::new::<JoinControl>().contains(c)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

fn class(c: char) -> Class {
    match c {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        '0'..='9' => Class::Number,
        _ if c.is_whitespace() => Class::Space,
        _ if c.is_ascii() => Class::Other,
        _ => {
            let category = CodePointMapData::<GeneralCategory>::new().get(c);
            if GeneralCategoryGroup::Letter.contains(category) {
                Class::Letter
            } else if GeneralCategoryGroup::Number.contains(category) {
                Class::Number
            } else {
                Class::Other
            }
        }
    }
}

/// The length of the first match of `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
fn gpt2_word(text: &str) -> usize {
    for suffix in ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"] {
        if text.starts_with(suffix) {
            return suffix.len();
        }
    }
    let after_space = text.strip_prefix(' ').unwrap_or(text);
    let run = |text: &str, kind: Class| text.find(|c| class(c) != kind).unwrap_or(text.len());
    match after_space.chars().next().map(class) {
        Some(kind) if kind != Class::Space => text.len() - after_space.len() + run(after_space, kind),
        _ => {
            let end = run(text, Class::Space);
            // The last space of several belongs to what follows.
            match text[..end].char_indices().next_back() {
                Some((last, _)) if end < text.len() && last > 0 => last,
                _ => end,
            }
        }
    }
}
