//! `[[fields]]`

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{LimitEntry, table, yes};

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
    pub(crate) minimum: Option<LimitEntry>,
    pub(crate) exclusive_minimum: Option<f64>,
    pub(crate) maximum: Option<LimitEntry>,
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

/// `type` of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FieldType {
    Number,
    Integer,
    Boolean,
    String,
    Date,
    Datetime,
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
