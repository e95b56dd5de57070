//! Tokens that are found in a text before the model splits it: `[MASK]`, or words that were added to a vocabulary.

use std::borrow::Cow;

use super::{UnsupportedTokenizer, file::AddedToken, normalizer::Normalizer};

/// Added tokens of one kind. At each position, the longest match wins.
#[derive(Clone, Debug, Default)]
pub(super) struct AddedTokens {
    /// By first byte, the longest first.
    tokens: Vec<AddedToken>,
}

/// A part of a text.
pub(super) enum Part<'t> {
    Text(&'t str),
    Token(u32),
}

impl AddedTokens {
    /// Tokens that are matched in the text as sent, and tokens that are matched in the normalized text.
    ///
    /// Special tokens are ordinary text unless `special` is set.
    pub(super) fn new(
        tokens: Vec<AddedToken>,
        special: bool,
        normalizer: Option<&Normalizer>,
    ) -> Result<(Self, Self), UnsupportedTokenizer> {
        let active = tokens.into_iter().filter(|token| !token.content.is_empty() && (special || !token.special));
        let (mut normalized, mut raw): (Vec<_>, Vec<_>) = active.partition(|token| token.normalized);
        if raw.iter().chain(&normalized).any(|token| token.single_word) {
            return Err(UnsupportedTokenizer::Entry { part: "added_tokens", entry: "single_word" });
        }
        for token in &mut normalized {
            if let Some(normalizer) = normalizer {
                token.content = normalizer.normalize(Cow::Borrowed(&token.content)).into_owned();
            }
        }
        for tokens in [&mut raw, &mut normalized] {
            tokens.retain(|token| !token.content.is_empty());
            tokens.sort_by_key(|token| std::cmp::Reverse(token.content.len()));
        }
        Ok((Self { tokens: raw }, Self { tokens: normalized }))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Calls `part` with the parts of a text until it returns `false`. Returns whether all parts were passed.
    pub(super) fn split<'t>(&self, text: &'t str, mut part: impl FnMut(Part<'t>) -> bool) -> bool {
        // The end of what has been passed on, and where to look.
        let (mut done, mut at) = (0, 0);
        while !self.is_empty() && at < text.len() {
            let rest = &text.as_bytes()[at..];
            let Some(token) = self.tokens.iter().find(|token| rest.starts_with(token.content.as_bytes())) else {
                at += 1;
                continue;
            };
            let (mut start, mut end) = (at, at + token.content.len());
            if token.lstrip {
                start = text[..start].trim_end().len().max(done);
            }
            if token.rstrip {
                end = text.len() - text[end..].trim_start().len();
            }
            if (done < start && !part(Part::Text(&text[done..start]))) || !part(Part::Token(token.id)) {
                return false;
            }
            (done, at) = (end, end.max(at + 1));
        }
        done == text.len() || part(Part::Text(&text[done..]))
    }
}
