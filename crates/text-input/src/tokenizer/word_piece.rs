//! BERT's WordPiece: takes the longest known beginning of a word, then the longest known continuation, until the word ends.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::{UnsupportedTokenizer, file::ModelEntry, ids::Ids};

type Map = HashMap<Box<str>, u32, FixedState>;

#[derive(Clone, Debug)]
pub(super) struct WordPiece {
    words: Map,
    /// Without their prefix.
    continuations: Map,
    /// The longest entry of both, in bytes.
    longest: usize,
    unknown: u32,
    max_characters: usize,
}

impl WordPiece {
    pub(super) fn new(entry: ModelEntry) -> Result<Self, UnsupportedTokenizer> {
        let prefix = entry.continuing_subword_prefix.unwrap_or_else(|| "##".to_owned());
        let unknown = entry.unk_token.unwrap_or_else(|| "[UNK]".to_owned());
        let vocabulary = entry.vocab.0;
        let longest = vocabulary.iter().map(|(word, _)| word.len()).max().unwrap_or_default();
        let continued = |(word, id): &(Box<str>, u32)| Some((word.strip_prefix(prefix.as_str())?.into(), *id));
        let continuations = vocabulary.iter().filter_map(continued).collect();
        let words: Map = vocabulary.into_iter().collect();
        let unknown = *words.get(unknown.as_str()).ok_or(UnsupportedTokenizer::UnknownToken(unknown))?;
        let max_characters = entry.max_input_chars_per_word.unwrap_or(100);
        Ok(Self { words, continuations, longest, unknown, max_characters })
    }

    pub(super) fn encode(&self, word: &str, ids: &mut Ids) {
        let first = ids.len();
        let known = word.chars().nth(self.max_characters).is_none() && self.encode_known(word, ids);
        if !known {
            ids.truncate(first);
            ids.push(self.unknown);
        }
    }

    /// `false` if a part of the word is unknown.
    fn encode_known(&self, word: &str, ids: &mut Ids) -> bool {
        let mut start = 0;
        while start < word.len() {
            let parts = if start == 0 { &self.words } else { &self.continuations };
            let rest = &word[start..];
            let mut end = rest.floor_char_boundary(self.longest);
            loop {
                if end == 0 {
                    return false;
                }
                if let Some(id) = parts.get(&rest[..end]) {
                    ids.push(*id);
                    start += end;
                    break;
                }
                end = rest.floor_char_boundary(end - 1);
            }
        }
        true
    }
}

/// A model that knows whole words only.
#[derive(Clone, Debug)]
pub(super) struct WordLevel {
    words: Map,
    unknown: u32,
}

impl WordLevel {
    pub(super) fn new(entry: ModelEntry) -> Result<Self, UnsupportedTokenizer> {
        let unknown = entry.unk_token.unwrap_or_default();
        let words: Map = entry.vocab.0.into_iter().collect();
        let unknown = *words.get(unknown.as_str()).ok_or(UnsupportedTokenizer::UnknownToken(unknown))?;
        Ok(Self { words, unknown })
    }

    pub(super) fn encode(&self, word: &str, ids: &mut Ids) {
        ids.push(self.words.get(word).copied().unwrap_or(self.unknown));
    }
}
