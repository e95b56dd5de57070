//! GPT-2's byte-level BPE: merges the pair that was learned first, until no known pair is left.

use std::{cmp::Reverse, collections::BinaryHeap, collections::HashMap};

use foldhash::fast::FixedState;

use super::{
    UnsupportedTokenizer,
    file::{Merge, ModelEntry},
    ids::Ids,
};

const PART: &str = "model";

#[derive(Clone, Debug)]
pub(super) struct Bpe {
    /// The id of each byte. `None` if the vocabulary lacks it.
    bytes: Box<[Option<u32>; 256]>,
    /// The rank of a pair of ids, and the id of the merged token.
    merges: HashMap<(u32, u32), (u32, u32), FixedState>,
    /// Whole words, if they are not merged.
    words: Option<HashMap<Box<[u8]>, u32, FixedState>>,
    unknown: Option<u32>,
    fuse_unknown: bool,
}

impl Bpe {
    pub(super) fn new(entry: ModelEntry) -> Result<Self, UnsupportedTokenizer> {
        let is_written = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        for (unsupported, entry) in [
            (entry.byte_fallback, "byte_fallback"),
            (entry.dropout.is_some_and(|dropout| dropout != 0.0), "dropout"),
            (is_written(&entry.continuing_subword_prefix), "continuing_subword_prefix"),
            (is_written(&entry.end_of_word_suffix), "end_of_word_suffix"),
        ] {
            if unsupported {
                return Err(UnsupportedTokenizer::Entry { part: PART, entry });
            }
        }
        let letters: HashMap<char, u8> = (0..=255).map(|byte| (letter(byte), byte)).collect();
        let ids: HashMap<&str, u32, FixedState> = entry.vocab.0.iter().map(|(word, id)| (&**word, *id)).collect();
        let unknown = match &entry.unk_token {
            None => None,
            Some(token) => {
                let id = ids.get(token.as_str());
                Some(*id.ok_or_else(|| UnsupportedTokenizer::UnknownToken(token.clone()))?)
            }
        };
        let mut bytes = Box::new([None; 256]);
        for (letter, byte) in &letters {
            bytes[usize::from(*byte)] = ids.get(&*letter.encode_utf8(&mut [0; 4])).copied();
        }
        let mut merges = HashMap::with_hasher(FixedState::default());
        for (merge, rank) in entry.merges.iter().flatten().zip(0..) {
            let (left, right) = match merge {
                Merge::Pair(left, right) => (left.as_str(), right.as_str()),
                Merge::Line(line) => line.split_once(' ').ok_or(UnsupportedTokenizer::Shape(PART))?,
            };
            let id = |word: &str| ids.get(word).copied().ok_or(UnsupportedTokenizer::Shape(PART));
            merges.insert((id(left)?, id(right)?), (rank, id(&format!("{left}{right}"))?));
        }
        let spelled = |word: &str| word.chars().map(|c| letters.get(&c).copied()).collect::<Option<Box<[u8]>>>();
        let words = entry
            .ignore_merges
            .then(|| entry.vocab.0.iter().filter_map(|(word, id)| Some((spelled(word)?, *id))).collect());
        Ok(Self { bytes, merges, words, unknown, fuse_unknown: entry.fuse_unk })
    }

    pub(super) fn encode(&self, word: &str, ids: &mut Ids) {
        if let Some(id) = self.words.as_ref().and_then(|words| words.get(word.as_bytes())) {
            return ids.push(*id);
        }
        let mut symbols: Vec<Symbol> = Vec::with_capacity(word.len());
        let mut after_unknown = false;
        for byte in word.bytes() {
            let known = self.bytes[usize::from(byte)];
            let fused = known.is_none() && after_unknown && self.fuse_unknown;
            after_unknown = known.is_none();
            if let (Some(id), false) = (known.or(self.unknown), fused) {
                let position = symbols.len();
                symbols.push(Symbol { id, previous: position.wrapping_sub(1), next: position + 1, merged: false });
            }
        }
        self.merge(&mut symbols);
        symbols.iter().filter(|symbol| !symbol.merged).for_each(|symbol| ids.push(symbol.id));
    }

    /// Merges the pair of the lowest rank, the leftmost of several, until no pair is known. The heap avoids quadratic time on long words.
    fn merge(&self, symbols: &mut [Symbol]) {
        let mut candidates = BinaryHeap::new();
        for (position, pair) in symbols.windows(2).enumerate() {
            if let Some((rank, id)) = self.merges.get(&(pair[0].id, pair[1].id)) {
                candidates.push(Reverse((*rank, position, *id)));
            }
        }
        while let Some(Reverse((_, position, id))) = candidates.pop() {
            let Symbol { id: left, previous, next, merged } = symbols[position];
            if merged || next >= symbols.len() {
                continue;
            }
            // The symbols may have changed since.
            if self.merges.get(&(left, symbols[next].id)).is_none_or(|(_, merged)| *merged != id) {
                continue;
            }
            symbols[next].merged = true;
            let after = symbols[next].next;
            symbols[position].id = id;
            symbols[position].next = after;
            if let Some(after) = symbols.get_mut(after) {
                after.previous = position;
            }
            for (first, second) in [(previous, position), (position, after)] {
                if let (Some(one), Some(other)) = (symbols.get(first), symbols.get(second))
                    && let Some((rank, id)) = self.merges.get(&(one.id, other.id))
                {
                    candidates.push(Reverse((*rank, first, *id)));
                }
            }
        }
    }
}

/// A part of a word, linked to its neighbours. The neighbours beyond its ends are positions outside the word.
#[derive(Clone, Copy)]
struct Symbol {
    id: u32,
    previous: usize,
    next: usize,
    merged: bool,
}

/// The character that stands for this byte in a vocabulary: GPT-2 assigned a visible one to each.
fn letter(byte: u8) -> char {
    let is_visible = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if is_visible(byte) {
        return byte.into();
    }
    let position = (0..byte).filter(|earlier| !is_visible(*earlier)).count() as u32;
    char::from_u32(0x100 + position).unwrap_or(char::REPLACEMENT_CHARACTER)
}
