//! The token ids of a text, identical to those of Hugging Face's `tokenizers`.
//!
//! ```text
//! text ── added tokens ── normalizer ── splitter ── model ── truncation ── template ── padding ─► ids, mask, types
//! ```

mod added;
mod bpe;
mod file;
mod ids;
mod normalizer;
mod word_piece;
mod words;

use std::borrow::Cow;

use self::{
    added::{AddedTokens, Part},
    bpe::Bpe,
    file::{Direction, File, ModelEntry, Padding, PaddingStrategy},
    ids::Ids,
    normalizer::Normalizer,
    word_piece::{WordLevel, WordPiece},
    words::Splitter,
};

/// A text is normalized in pieces of about this many bytes, so that text beyond the model's limit is not read.
const PIECE: usize = 2048;

/// Why a `tokenizer.json` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnsupportedTokenizer {
    #[error("is not a tokenizer.json: {0}")]
    Json(#[from] serde_json::Error),
    #[error("`{0}` has an unsupported form")]
    Shape(&'static str),
    #[error("`{part}` is {name}, which is not supported")]
    Component { part: &'static str, name: String },
    #[error("`{part}` has {entry}, which is not supported")]
    Entry { part: &'static str, entry: &'static str },
    #[error("`model` has no entry for the unknown token {0:?}")]
    UnknownToken(String),
    #[error("{needed} tokens surround each text, so that none is left of {limit}")]
    Limit { limit: usize, needed: usize },
}

/// What a model reads of one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    pub ids: Vec<u32>,
    /// 1 for tokens, 0 for padding.
    pub mask: Vec<u32>,
    /// The sequence that each token belongs to.
    pub type_ids: Vec<u32>,
}

/// How many tokens a model reads, and of what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The maximum number of tokens, including those around the text. `None`: the file's.
    pub max_tokens: Option<usize>,
    /// Lowers the limit to what a graph of a fixed shape reads.
    pub at_most: Option<usize>,
    /// Whether `[SEP]` in a text is the special token, rather than five characters.
    pub special_tokens: bool,
}

/// A `tokenizer.json`.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    added: AddedTokens,
    added_normalized: AddedTokens,
    normalizer: Option<Normalizer>,
    splitter: Splitter,
    model: Model,
    template: Template,
    /// The maximum number of the text's own tokens, and which end of them is kept.
    limit: Option<(usize, Direction)>,
    padding: Option<Padding>,
}

#[derive(Clone, Debug)]
enum Model {
    WordPiece(WordPiece),
    WordLevel(WordLevel),
    Bpe(Bpe),
}

/// The tokens around a text, with their types, and the type of the text's own.
#[derive(Clone, Debug, Default)]
struct Template {
    before: Vec<(u32, u32)>,
    type_id: u32,
    after: Vec<(u32, u32)>,
}

impl Template {
    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// If the file is damaged, or has an unsupported component.
    pub fn new(json: &[u8], options: Options) -> Result<Self, UnsupportedTokenizer> {
        let file: File<'_> = serde_json::from_slice(json)?;
        let normalizer = file.normalizer.as_ref().map(Normalizer::new).transpose()?;
        let splitter = match &file.pre_tokenizer {
            Some(written) => Splitter::new(written)?,
            None => return Err(UnsupportedTokenizer::Component { part: "pre_tokenizer", name: "absent".to_owned() }),
        };
        let template = file.post_processor.as_ref().map(file::template).transpose()?.unwrap_or_default();
        let (added, added_normalized) =
            AddedTokens::new(file.added_tokens, options.special_tokens, normalizer.as_ref())?;
        let entry: ModelEntry = serde_json::from_str(file.model.get())?;
        // Old files have no type: each model has an entry that the others have not.
        let name = entry.r#type.clone().unwrap_or_else(|| {
            let name = match (&entry.merges, &entry.max_input_chars_per_word) {
                (Some(_), _) => "BPE",
                (None, Some(_)) => "WordPiece",
                (None, None) => "of an unknown type",
            };
            name.to_owned()
        });
        let is_byte_level = matches!(splitter, Splitter::ByteLevel { .. });
        let model = match name.as_str() {
            "WordPiece" if !is_byte_level => Model::WordPiece(WordPiece::new(entry)?),
            "WordLevel" if !is_byte_level => Model::WordLevel(WordLevel::new(entry)?),
            "BPE" if is_byte_level => Model::Bpe(Bpe::new(entry)?),
            "BPE" => {
                return Err(UnsupportedTokenizer::Entry {
                    part: "model",
                    entry: "BPE without the ByteLevel pre_tokenizer",
                });
            }
            _ => return Err(UnsupportedTokenizer::Component { part: "model", name }),
        };
        let needed = template.before.len() + template.after.len();
        let direction = file.truncation.map(|truncation| truncation.direction).unwrap_or_default();
        let limit = options.max_tokens.or(file.truncation.map(|truncation| truncation.max_length));
        let limit = match limit.into_iter().chain(options.at_most).min() {
            Some(limit) if limit <= needed => return Err(UnsupportedTokenizer::Limit { limit, needed }),
            limit => limit.map(|limit| (limit - needed, direction)),
        };
        Ok(Self { added, added_normalized, normalizer, splitter, model, template, limit, padding: file.padding })
    }

    /// The ids of a text, truncated but not padded.
    pub fn encode(&self, text: &str) -> Encoding {
        let mut ids = Ids::new(match self.limit {
            Some((limit, Direction::Right)) => Some(limit),
            Some((_, Direction::Left)) | None => None,
        });
        self.added.split(text, |part| {
            match part {
                Part::Text(text) => self.encode_text(text, &mut ids),
                Part::Token(id) => ids.push(id),
            }
            !ids.is_full()
        });
        let mut own = ids.into_vec();
        match self.limit {
            Some((limit, Direction::Right)) => own.truncate(limit),
            Some((limit, Direction::Left)) => drop(own.drain(..own.len().saturating_sub(limit))),
            None => {}
        }
        let Template { before, type_id, after } = &self.template;
        let own = own.into_iter().map(|id| (id, *type_id));
        let (ids, type_ids): (Vec<_>, Vec<_>) = before.iter().copied().chain(own).chain(after.iter().copied()).unzip();
        Encoding { mask: vec![1; ids.len()], ids, type_ids }
    }

    /// The maximum number of tokens of an encoding, without padding. `None` without a limit.
    pub fn max_tokens(&self) -> Option<usize> {
        self.limit.map(|(limit, _)| limit + self.template.before.len() + self.template.after.len())
    }

    /// Whether the file says how to pad.
    pub fn has_padding(&self) -> bool {
        self.padding.is_some()
    }

    /// Pads an encoding as the file says, or to this length.
    pub fn pad(&self, encoding: &mut Encoding, length: Option<usize>) {
        let Some(padding) = self.padding else { return };
        let length = length.unwrap_or_else(|| {
            let length = match padding.strategy {
                PaddingStrategy::BatchLongest => encoding.ids.len(),
                PaddingStrategy::Fixed(length) => length,
            };
            match padding.pad_to_multiple_of {
                Some(multiple @ 1..) => length.next_multiple_of(multiple),
                _ => length,
            }
        });
        let missing = length.saturating_sub(encoding.ids.len());
        let Encoding { ids, mask, type_ids } = encoding;
        for (values, pad) in [(ids, padding.pad_id), (mask, 0), (type_ids, padding.pad_type_id)] {
            let at = if padding.direction == Direction::Left { 0 } else { values.len() };
            values.splice(at..at, std::iter::repeat_n(pad, missing));
        }
    }

    /// A text without tokens that were added.
    fn encode_text(&self, text: &str, ids: &mut Ids) {
        // A token with a space in it may lie across two pieces.
        if !self.added_normalized.is_empty() {
            return self.encode_piece(text, ids);
        }
        let mut rest = text;
        while !rest.is_empty() && !ids.is_full() {
            let (piece, after) = rest.split_at(end_of_piece(rest));
            // The space before the first word is not one before each piece.
            self.encode_piece(piece, ids);
            rest = after;
        }
    }

    fn encode_piece(&self, text: &str, ids: &mut Ids) {
        let normalized = match &self.normalizer {
            Some(normalizer) => normalizer.normalize(Cow::Borrowed(text)),
            None => Cow::Borrowed(text),
        };
        self.added_normalized.split(&normalized, |part| {
            match part {
                Part::Text(text) => self.encode_words(text, ids),
                Part::Token(id) => ids.push(id),
            }
            !ids.is_full()
        });
    }

    fn encode_words(&self, text: &str, ids: &mut Ids) {
        let text = match self.splitter {
            Splitter::ByteLevel { prefix_space: true } if !text.starts_with(' ') => Cow::Owned(format!(" {text}")),
            _ => Cow::Borrowed(text),
        };
        self.splitter.split(&text, |word| {
            match &self.model {
                Model::WordPiece(model) => model.encode(word, ids),
                Model::WordLevel(model) => model.encode(word, ids),
                Model::Bpe(model) => model.encode(word, ids),
            }
            !ids.is_full()
        });
    }
}

/// The end of the first piece: before a space that follows another character, because no token, normalization or word spans such a place.
fn end_of_piece(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ends = |at: &usize| bytes[*at] == b' ' && bytes[*at - 1].is_ascii_graphic();
    (PIECE..bytes.len()).find(ends).unwrap_or(bytes.len())
}
