//! `[[predictions]]`

use serde::Deserialize;
use serde_json::Value;

use super::table;

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
