//! `model.toml` as written. Only the types of its entries are checked here; fields and predictions check the rest.
//!
//! `docs/model-package.md` documents each entry.

mod field;
mod limit;
mod prediction;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

pub use self::prediction::VectorEncoding;
pub(crate) use self::{
    field::{
        CategoryEntry, EncodingEntry, FieldEntry, FieldType, InputsEntry, MissingEntry, PreprocessorEntry, ReasonEntry,
        SizeEntry, UnknownValue,
    },
    limit::LimitEntry,
    prediction::{AnswerEntry, KindEntry, PredictionEntry},
};
use super::tensor::DataType;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) input: InputEntry,
    #[serde(default)]
    pub(crate) golden: GoldenEntry,
    #[serde(default)]
    pub(crate) inputs: Vec<TensorEntry>,
    #[serde(default)]
    pub(crate) outputs: Vec<TensorEntry>,
    pub(crate) fields: Vec<FieldEntry>,
    pub(crate) predictions: Vec<PredictionEntry>,
    #[serde(default)]
    pub(crate) examples: Vec<ExampleEntry>,
}

/// The text is not TOML or JSON, or an entry has the wrong type.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// From 1, if known.
    pub(crate) line: Option<usize>,
    pub(crate) problem: String,
}

impl Manifest {
    pub(crate) fn from_toml(text: &str) -> Result<Self, Unreadable> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
            Unreadable { line, problem: error.message().to_owned() }
        })
    }

    /// Reads the output of [`to_json`].
    pub(crate) fn from_json(text: &str) -> Result<Self, Unreadable> {
        serde_json::from_str(text).map_err(|error| Unreadable { line: None, problem: error.to_string() })
    }
}

/// Converts a `model.toml` to JSON, which is faster to parse.
///
/// # Panics
///
/// If the text is not TOML.
pub fn to_json(toml: &str) -> String {
    let tables: toml::Table = toml::from_str(toml).expect("a readable manifest is TOML");
    serde_json::to_string(&tables).expect("the tables of a manifest are JSON")
}

/// `[input]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct InputEntry {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) unknown_fields: Unknown,
}

impl Default for InputEntry {
    fn default() -> Self {
        Self { name: "Input".to_owned(), description: "The model's input.".to_owned(), unknown_fields: Unknown::Refuse }
    }
}

/// `unknown_fields` of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unknown {
    Refuse,
    Ignore,
}

/// `[[inputs]]` and `[[outputs]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TensorEntry {
    pub(crate) name: String,
    pub(crate) datatype: Option<DataType>,
    /// With the batch dimension; -1 for any size.
    pub(crate) shape: Option<Vec<i64>>,
}

/// `[golden]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GoldenEntry {
    pub(crate) tolerance: f64,
    pub(crate) max_other_class: f64,
}

impl Default for GoldenEntry {
    fn default() -> Self {
        Self { tolerance: 1e-5, max_other_class: 0.001 }
    }
}

/// `[[fields]]`
/// `[[examples]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExampleEntry {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) summary: String,
    pub(crate) input: Map<String, Value>,
    #[serde(default = "yes")]
    pub(crate) valid: bool,
}

fn yes() -> bool {
    true
}

fn table<T: DeserializeOwned>(written: Value) -> Result<T, String> {
    serde_json::from_value(written).map_err(|error| error.to_string())
}
