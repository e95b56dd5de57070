//! `model.toml` as written. Only the types of its entries are checked here; fields and predictions check the rest.
//!
//! `docs/model-package.md` documents each entry.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

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
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldEntry {
    pub(crate) name: String,
    pub(crate) r#type: FieldType,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) unit: Option<String>,
    pub(crate) hint: Option<String>,
    pub(crate) example: Option<Value>,
    pub(crate) minimum: Option<f64>,
    pub(crate) exclusive_minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) exclusive_maximum: Option<f64>,
    pub(crate) bands: Option<Vec<f64>>,
    pub(crate) values: Option<Vec<CategoryEntry>>,
    pub(crate) encoding: Option<EncodingEntry>,
    pub(crate) unknown: Option<UnknownValue>,
    #[serde(default = "yes")]
    pub(crate) required: bool,
    pub(crate) missing: Option<MissingEntry>,
    pub(crate) input: Option<String>,
    pub(crate) shape: Option<Vec<SizeEntry>>,
    pub(crate) max_items: Option<usize>,
    pub(crate) preprocessor: Option<PreprocessorEntry>,
    pub(crate) max_bytes: Option<usize>,
    pub(crate) max_pixels: Option<u32>,
    pub(crate) max_length: Option<usize>,
    pub(crate) tokenizer: Option<String>,
    pub(crate) max_tokens: Option<usize>,
    #[serde(default)]
    pub(crate) special_tokens: bool,
    pub(crate) vectorizer: Option<String>,
    pub(crate) inputs: Option<InputsEntry>,
    pub(crate) reason: Option<ReasonEntry>,
}

/// `inputs` of a text: the inputs of the graph that it feeds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InputsEntry {
    pub(crate) ids: Option<String>,
    pub(crate) mask: Option<String>,
    pub(crate) types: Option<String>,
    pub(crate) columns: Option<String>,
    pub(crate) values: Option<String>,
}

fn yes() -> bool {
    true
}

/// `type` of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FieldType {
    Number,
    Integer,
    Boolean,
    String,
    Array,
    Image,
    Text,
}

/// `preprocessor` of an image.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "`preprocessor` must be the name of a file, or a table with its keys")]
pub(crate) enum PreprocessorEntry {
    File(String),
    Keys(Map<String, Value>),
}

/// A dimension in `shape` of a field.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "a dimension in `shape` must be a whole number or a name")]
pub(crate) enum SizeEntry {
    Fixed(usize),
    Named(String),
}

/// `reason` of a field: a text, or one per band.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "`reason` must be a text, or a list of texts")]
pub(crate) enum ReasonEntry {
    Field(String),
    Bands(Vec<String>),
}

/// `encoding` of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EncodingEntry {
    OneHot,
    Ordinal,
}

/// `unknown_fields` of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unknown {
    Refuse,
    Ignore,
}

/// `unknown` of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UnknownValue {
    /// An error.
    Refuse,
    /// A row of zeros.
    Ignore,
    /// What the model reads for a missing value.
    Missing,
}

/// One of the `values` of a field: a string or a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) struct CategoryEntry {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) boolean: Option<bool>,
}

/// `missing` of a field.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) enum MissingEntry {
    Nan,
    Zeros,
    Number(f64),
    /// `{ value = "…" }`
    Value(String),
}

/// `[[predictions]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PredictionEntry {
    pub(crate) name: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) schema: Option<String>,
    #[serde(default)]
    pub(crate) summary: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) meaning: String,
    pub(crate) kind: KindEntry,
    pub(crate) output: Option<usize>,
    pub(crate) outputs: Option<Vec<usize>>,
    pub(crate) from: Option<String>,
    pub(crate) k: Option<usize>,
    pub(crate) encoding: Option<VectorEncoding>,
    pub(crate) cuts: Option<Vec<f64>>,
    pub(crate) values: Option<Vec<AnswerEntry>>,
    pub(crate) top: Option<usize>,
}

/// `kind` of a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KindEntry {
    Value,
    Probability,
    Class,
    Values,
    Labels,
    Probabilities,
    Bands,
    Vector,
    Top,
    Tensor,
    Contributions,
}

/// `encoding` of a prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VectorEncoding {
    /// A list of numbers.
    #[default]
    Float,
    /// The little-endian numbers in base64, as OpenAI's `encoding_format` has them.
    Base64,
}

/// One of the `values` of a prediction: a scalar or a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) struct AnswerEntry {
    pub(crate) name: Value,
    pub(crate) description: String,
}

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

impl TryFrom<Value> for CategoryEntry {
    type Error = String;

    fn try_from(written: Value) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            name: String,
            #[serde(default)]
            description: String,
            #[serde(default)]
            aliases: Vec<String>,
            boolean: Option<bool>,
        }
        match written {
            Value::String(name) => Ok(Self { name, description: String::new(), aliases: Vec::new(), boolean: None }),
            Value::Object(_) => {
                let Table { name, description, aliases, boolean } = table(written)?;
                Ok(Self { name, description, aliases, boolean })
            }
            _ => Err("a value must be a string, or a table with `name`".to_owned()),
        }
    }
}

impl TryFrom<Value> for MissingEntry {
    type Error = String;

    fn try_from(written: Value) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            value: String,
        }
        match &written {
            Value::String(text) if text == "nan" => Ok(Self::Nan),
            Value::String(text) if text == "zeros" => Ok(Self::Zeros),
            Value::Object(_) => Ok(Self::Value(table::<Table>(written)?.value)),
            _ => written
                .as_f64()
                .map(Self::Number)
                .ok_or_else(|| "`missing` must be \"nan\", \"zeros\", a number, or a table with `value`".to_owned()),
        }
    }
}

impl TryFrom<Value> for AnswerEntry {
    type Error = String;

    fn try_from(written: Value) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            name: Value,
            #[serde(default)]
            description: String,
        }
        let Table { name, description } = match written {
            Value::Object(_) => table(written)?,
            name => Table { name, description: String::new() },
        };
        if matches!(name, Value::String(_) | Value::Number(_) | Value::Bool(_)) {
            Ok(Self { name, description })
        } else {
            Err("a value must be a string, a number, a boolean, or a table with such a `name`".to_owned())
        }
    }
}

fn table<T: DeserializeOwned>(written: Value) -> Result<T, String> {
    serde_json::from_value(written).map_err(|error| error.to_string())
}
