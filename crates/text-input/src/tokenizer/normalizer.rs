//! Normalizes the characters of a text before it is split.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use unicode_categories::UnicodeCategories;
use unicode_normalization_alignments::UnicodeNormalization;

use super::{
    UnsupportedTokenizer,
    file::{component, entries, sequence},
};

const PART: &str = "normalizer";

#[derive(Clone, Debug)]
pub(super) enum Normalizer {
    Bert(Bert),
    Lowercase,
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    StripAccents,
    Sequence(Vec<Normalizer>),
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Bert {
    clean_text: bool,
    handle_chinese_chars: bool,
    strip_accents: Option<bool>,
    lowercase: bool,
}

impl Normalizer {
    pub(super) fn new(written: &Value) -> Result<Self, UnsupportedTokenizer> {
        let (name, object) = component(written, PART)?;
        Ok(match name.as_str() {
            "BertNormalizer" => Self::Bert(entries(object, PART)?),
            "Lowercase" => Self::Lowercase,
            "NFC" => Self::Nfc,
            "NFD" => Self::Nfd,
            "NFKC" => Self::Nfkc,
            "NFKD" => Self::Nfkd,
            "StripAccents" => Self::StripAccents,
            "Sequence" => {
                let parts = sequence(&object, "normalizers", PART)?;
                Self::Sequence(parts.iter().map(Self::new).collect::<Result<_, _>>()?)
            }
            _ => return Err(UnsupportedTokenizer::Component { part: PART, name }),
        })
    }

    pub(super) fn normalize<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        match self {
            Self::Bert(bert) => bert.normalize(text),
            Self::Lowercase => lowercase(text),
            // ASCII is its own normal form.
            Self::Nfc | Self::Nfd | Self::Nfkc | Self::Nfkd | Self::StripAccents if text.is_ascii() => text,
            Self::Nfc => text.nfc().map(|(c, _)| c).collect(),
            Self::Nfd => text.nfd().map(|(c, _)| c).collect(),
            Self::Nfkc => text.nfkc().map(|(c, _)| c).collect(),
            Self::Nfkd => text.nfkd().map(|(c, _)| c).collect(),
            Self::StripAccents => text.chars().filter(|c| !is_combining_mark(*c)).collect(),
            Self::Sequence(parts) => parts.iter().fold(text, |text, part| part.normalize(text)),
        }
    }
}

fn is_combining_mark(c: char) -> bool {
    unicode_normalization_alignments::char::is_combining_mark(c)
}

impl Bert {
    fn normalize<'t>(self, text: Cow<'t, str>) -> Cow<'t, str> {
        let text = if self.clean_text { clean(text) } else { text };
        let text = if self.handle_chinese_chars { space_chinese(text) } else { text };
        let text = if self.strip_accents.unwrap_or(self.lowercase) && !text.is_ascii() {
            text.nfd().map(|(c, _)| c).filter(|c| !c.is_mark_nonspacing()).collect()
        } else {
            text
        };
        if self.lowercase { lowercase(text) } else { text }
    }
}

/// Removes control characters and makes every whitespace a space.
fn clean(text: Cow<'_, str>) -> Cow<'_, str> {
    let is_clean = |byte: u8| (b' '..0x7f).contains(&byte);
    if text.bytes().all(is_clean) {
        return text;
    }
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => cleaned.push(c),
            '\t' | '\n' | '\r' => cleaned.push(' '),
            '\0' | '\u{fffd}' => {}
            _ if c.is_other() => {}
            _ if c.is_whitespace() => cleaned.push(' '),
            _ => cleaned.push(c),
        }
    }
    cleaned.into()
}

/// Surrounds each Chinese character by spaces.
fn space_chinese(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.chars().any(is_chinese) {
        return text;
    }
    let mut spaced = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if is_chinese(c) {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    spaced.into()
}

/// The blocks that BERT's own code lists.
fn is_chinese(c: char) -> bool {
    matches!(c,
        '\u{4E00}'..='\u{9FFF}' | '\u{3400}'..='\u{4DBF}' | '\u{20000}'..='\u{2A6DF}' | '\u{2A700}'..='\u{2B73F}'
        | '\u{2B740}'..='\u{2B81F}' | '\u{2B920}'..='\u{2CEAF}' | '\u{F900}'..='\u{FAFF}' | '\u{2F800}'..='\u{2FA1F}')
}

/// Lowercases each character by itself: a final sigma is no exception.
fn lowercase(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.is_ascii() {
        let mut text = text;
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            text.to_mut().make_ascii_lowercase();
        }
        return text;
    }
    text.chars().flat_map(char::to_lowercase).collect()
}
