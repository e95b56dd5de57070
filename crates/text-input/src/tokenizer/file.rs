//! `tokenizer.json` as written. Unsupported components are refused by name, because ignoring them would give other ids.

use std::{borrow::Cow, collections::HashMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use super::{Template, UnsupportedTokenizer};

type Result<T> = std::result::Result<T, UnsupportedTokenizer>;

#[derive(Deserialize)]
pub(super) struct File<'a> {
    pub(super) truncation: Option<Truncation>,
    pub(super) padding: Option<Padding>,
    #[serde(default)]
    pub(super) added_tokens: Vec<AddedToken>,
    pub(super) normalizer: Option<Value>,
    pub(super) pre_tokenizer: Option<Value>,
    pub(super) post_processor: Option<Value>,
    #[serde(borrow)]
    pub(super) model: &'a RawValue,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Truncation {
    #[serde(default)]
    pub(super) direction: Direction,
    pub(super) max_length: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) enum Direction {
    Left,
    #[default]
    Right,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Padding {
    pub(super) strategy: PaddingStrategy,
    pub(super) direction: Direction,
    pub(super) pad_to_multiple_of: Option<usize>,
    pub(super) pad_id: u32,
    pub(super) pad_type_id: u32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) enum PaddingStrategy {
    BatchLongest,
    Fixed(usize),
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct AddedToken {
    pub(super) id: u32,
    pub(super) content: String,
    pub(super) single_word: bool,
    pub(super) lstrip: bool,
    pub(super) rstrip: bool,
    pub(super) normalized: bool,
    pub(super) special: bool,
}

/// The `model` entry. `merges` is absent except for BPE.
#[derive(Deserialize)]
pub(super) struct ModelEntry {
    /// Absent in old files.
    pub(super) r#type: Option<String>,
    pub(super) unk_token: Option<String>,
    pub(super) continuing_subword_prefix: Option<String>,
    pub(super) end_of_word_suffix: Option<String>,
    pub(super) max_input_chars_per_word: Option<usize>,
    pub(super) dropout: Option<f64>,
    #[serde(default)]
    pub(super) fuse_unk: bool,
    #[serde(default)]
    pub(super) byte_fallback: bool,
    #[serde(default)]
    pub(super) ignore_merges: bool,
    pub(super) merges: Option<Vec<Merge>>,
    #[serde(default)]
    pub(super) vocab: Vocabulary,
}

/// `"a b"` in old files, `["a", "b"]` in new ones.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Merge {
    Pair(String, String),
    Line(String),
}

/// Words and their ids. Not a map: each model builds the one that it needs.
#[derive(Default)]
pub(super) struct Vocabulary(pub(super) Vec<(Box<str>, u32)>);

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Vocabulary;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of words and ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Vocabulary, A::Error> {
                let mut words = Vec::new();
                while let Some((word, id)) = map.next_entry::<Cow<'de, str>, u32>()? {
                    words.push((Box::from(word), id));
                }
                Ok(Vocabulary(words))
            }

            /// Unigram's list of pieces and scores; its model is refused by name.
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Vocabulary, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Vocabulary::default())
            }
        }
        deserializer.deserialize_any(Words)
    }
}

/// The `type` and the other entries of a component.
pub(super) fn component(written: &Value, part: &'static str) -> Result<(String, Map<String, Value>)> {
    let object = written.as_object().ok_or(UnsupportedTokenizer::Shape(part))?;
    let name = object.get("type").and_then(Value::as_str).ok_or(UnsupportedTokenizer::Shape(part))?;
    Ok((name.to_owned(), object.clone()))
}

pub(super) fn entries<T: DeserializeOwned>(object: Map<String, Value>, part: &'static str) -> Result<T> {
    serde_json::from_value(Value::Object(object)).map_err(|_| UnsupportedTokenizer::Shape(part))
}

/// The components of a `Sequence` entry, under the key of its kind.
pub(super) fn sequence(object: &Map<String, Value>, key: &str, part: &'static str) -> Result<Vec<Value>> {
    object.get(key).and_then(Value::as_array).cloned().ok_or(UnsupportedTokenizer::Shape(part))
}

const POST_PROCESSOR: &str = "post_processor";

/// The tokens around the text that the `post_processor` entry adds.
pub(super) fn template(written: &Value) -> Result<Template> {
    #[derive(Deserialize)]
    struct Around {
        sep: (String, u32),
        cls: (String, u32),
    }
    #[derive(Deserialize)]
    struct Templates {
        single: Vec<Piece>,
        special_tokens: HashMap<String, Special>,
    }
    #[derive(Deserialize)]
    enum Piece {
        Sequence { id: String, type_id: u32 },
        SpecialToken { id: String, type_id: u32 },
    }
    #[derive(Deserialize)]
    struct Special {
        ids: Vec<u32>,
    }
    let (name, object) = component(written, POST_PROCESSOR)?;
    match name.as_str() {
        "BertProcessing" | "RobertaProcessing" => {
            let Around { sep, cls } = entries(object, POST_PROCESSOR)?;
            Ok(Template { before: vec![(cls.1, 0)], type_id: 0, after: vec![(sep.1, 0)] })
        }
        "TemplateProcessing" => {
            let Templates { single, special_tokens } = entries(object, POST_PROCESSOR)?;
            let (mut template, mut texts) = (Template::default(), 0);
            for piece in single {
                match piece {
                    Piece::Sequence { id, type_id } if id == "A" => {
                        template.type_id = type_id;
                        texts += 1;
                    }
                    Piece::Sequence { .. } => return Err(UnsupportedTokenizer::Shape(POST_PROCESSOR)),
                    Piece::SpecialToken { id, type_id } => {
                        let special = special_tokens.get(&id).ok_or(UnsupportedTokenizer::Shape(POST_PROCESSOR))?;
                        let side = if texts == 0 { &mut template.before } else { &mut template.after };
                        side.extend(special.ids.iter().map(|token| (*token, type_id)));
                    }
                }
            }
            if texts == 1 { Ok(template) } else { Err(UnsupportedTokenizer::Shape(POST_PROCESSOR)) }
        }
        // It changes offsets only.
        "ByteLevel" => Ok(Template::default()),
        "Sequence" => {
            let mut around = Template::default();
            for part in sequence(&object, "processors", POST_PROCESSOR)? {
                let part = template(&part)?;
                if !around.is_empty() && !part.is_empty() {
                    return Err(UnsupportedTokenizer::Shape(POST_PROCESSOR));
                }
                if !part.is_empty() {
                    around = part;
                }
            }
            Ok(around)
        }
        _ => Err(UnsupportedTokenizer::Component { part: POST_PROCESSOR, name }),
    }
}
