//! Predictions: values derived from the graph's output, each with its own endpoint.

mod answer;
mod arrays;
mod definition;

use serde_json::Value;

pub use self::answer::Answer;
pub(crate) use self::definition::{Common, schema_of};
pub use super::manifest::VectorEncoding;
use super::{output::Output, precision::Precision, tensor::DataType};

/// A value that is derived from the graph's output, cached, and served at its own endpoint.
#[derive(Clone, Debug)]
pub struct Prediction {
    name: String,
    endpoint: String,
    schema: String,
    summary: String,
    description: String,
    meaning: String,
    kind: PredictionKind,
    /// The name of the graph's output; `None` for the first.
    from: Option<String>,
    /// The position of its tensor in [`Output`].
    source: usize,
    /// The type of its tensor's numbers.
    precision: Precision,
    /// The type of its tensor.
    datatype: DataType,
    /// The shape of its tensor, if it is the same for every input.
    shape: Option<Vec<usize>>,
    /// `{"name":`, the start of every answer.
    opening: String,
}

/// How a prediction is derived from the graph's output.
#[derive(Clone, Debug)]
pub enum PredictionKind {
    /// The number in a column.
    Value(Column),
    /// The number in a column, from 0 to 1.
    Probability(Column),
    /// The class with the first maximum.
    Class(Scores, Vec<AnswerValue>),
    /// The class whose position is the number in a column.
    ClassAt(Column, Vec<AnswerValue>),
    /// A number with a name for each column.
    Values(Scores, Vec<AnswerValue>),
    /// The values whose column is at least 0.5.
    Labels(Scores, Vec<AnswerValue>),
    /// A probability for each class.
    Probabilities(Scores, Vec<AnswerValue>),
    /// The band that contains the number in a column. A limit belongs to the band above it.
    Bands(Column, Vec<f64>, Vec<AnswerValue>),
    /// All numbers of an output.
    Vector(VectorEncoding),
    /// This many classes with the highest scores, in descending order.
    Top(Scores, usize, Vec<AnswerValue>),
    /// An output in its shape.
    Tensor,
}

/// A column of the graph's output; `None` if the output has only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column(Option<usize>);

/// Columns of the graph's output, in the order of the classes; `None` for all columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scores(Option<Vec<usize>>);

#[derive(Clone, Debug)]
pub struct AnswerValue {
    /// A string, a number or a boolean.
    pub value: Value,
    pub description: String,
    /// Without quotes, as in the cache and as a member's name.
    text: String,
    json: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The graph failed, or no prediction can be derived from its output.
    #[error("unexpected model output: {0}")]
    Output(String),
}

impl Prediction {
    /// The position of its tensor among the outputs that are read.
    pub(crate) fn set_source(&mut self, source: usize) {
        self.source = source;
    }

    /// Checks that a graph with such outputs suits the prediction, and derives it in the type of its own. `is_fixed` says of each tensor
    /// whether it has this shape for every input.
    ///
    /// # Errors
    ///
    /// A predicate about the prediction: `needs …`.
    pub(crate) fn set_output(&mut self, output: &Output, is_fixed: &[bool]) -> Result<(), String> {
        let (columns, precision) = (output.tensors()[self.source].len(), output.precision(self.source));
        self.precision = precision;
        self.datatype = output.tensors()[self.source].datatype();
        self.shape = is_fixed[self.source].then(|| output.tensors()[self.source].shape().to_vec());
        if columns == 0 {
            return Err("reads an output of the graph that is empty".to_owned());
        }
        self.check_columns(columns)?;
        let is_ascending = match &self.kind {
            PredictionKind::Bands(_, cuts, _) => {
                let cuts: Vec<_> = cuts.iter().map(|cut| precision.round(*cut)).collect();
                cuts.is_sorted_by(|one, next| one < next) && cuts.iter().all(|cut| cut.is_finite())
            }
            _ => true,
        };
        if is_ascending {
            Ok(())
        } else {
            Err(format!(
                "`cuts` must be finite numbers in strictly ascending order after rounding to {precision}, the type of the graph's output"
            ))
        }
    }

    fn check_columns(&self, columns: usize) -> Result<(), String> {
        let exists = |column: usize| {
            if column < columns {
                Ok(())
            } else {
                Err(format!("reads output column {column}, but the graph's columns are 0 to {}", columns - 1))
            }
        };
        match &self.kind {
            PredictionKind::Value(column)
            | PredictionKind::Probability(column)
            | PredictionKind::ClassAt(column, _)
            | PredictionKind::Bands(column, ..) => match column.0 {
                Some(column) => exists(column),
                None if columns == 1 => Ok(()),
                None => Err(format!("needs `output`, since the graph has {columns} output columns")),
            },
            PredictionKind::Class(scores, values)
            | PredictionKind::Values(scores, values)
            | PredictionKind::Labels(scores, values)
            | PredictionKind::Probabilities(scores, values)
            | PredictionKind::Top(scores, _, values) => match &scores.0 {
                Some(chosen) => chosen.iter().copied().try_for_each(exists),
                None if columns == values.len() => Ok(()),
                None => Err(format!(
                    "has {} `values`, but the graph has {columns} output columns: give one value per column, or list the \
                     columns in `outputs`",
                    values.len()
                )),
            },
            PredictionKind::Vector(_) | PredictionKind::Tensor => Ok(()),
        }
    }

    /// The member's name in an answer, and part of the cache key. Contains no colon.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Without a slash.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The schema's name in the OpenAPI document.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Describes the endpoint in a few words.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Describes the endpoint, in Markdown.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Describes the value, in Markdown.
    pub fn meaning(&self) -> &str {
        &self.meaning
    }

    /// The name of the graph's output that it reads; `None` for the first.
    pub fn from(&self) -> Option<&str> {
        self.from.as_deref()
    }

    /// The type of the graph's output, in which numbers are compared and written.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The shape of the graph's output, if it is the same for every input.
    pub fn shape(&self) -> Option<&[usize]> {
        self.shape.as_deref()
    }

    /// The type of the graph's output.
    pub fn datatype(&self) -> DataType {
        self.datatype
    }

    pub fn kind(&self) -> &PredictionKind {
        &self.kind
    }

    /// Whether an answer is one of [`Self::values`].
    pub fn is_class(&self) -> bool {
        match &self.kind {
            PredictionKind::Class(..) | PredictionKind::ClassAt(..) | PredictionKind::Bands(..) => true,
            PredictionKind::Value(_)
            | PredictionKind::Probability(_)
            | PredictionKind::Values(..)
            | PredictionKind::Labels(..)
            | PredictionKind::Probabilities(..)
            | PredictionKind::Vector(_)
            | PredictionKind::Top(..)
            | PredictionKind::Tensor => false,
        }
    }

    /// The closed set of values, or of the members' names for [`PredictionKind::Values`] and [`PredictionKind::Probabilities`]. Empty for
    /// a number.
    pub fn values(&self) -> &[AnswerValue] {
        match &self.kind {
            PredictionKind::Value(_)
            | PredictionKind::Probability(_)
            | PredictionKind::Vector(_)
            | PredictionKind::Tensor => &[],
            PredictionKind::Class(_, values)
            | PredictionKind::ClassAt(_, values)
            | PredictionKind::Values(_, values)
            | PredictionKind::Labels(_, values)
            | PredictionKind::Probabilities(_, values)
            | PredictionKind::Bands(_, _, values)
            | PredictionKind::Top(_, _, values) => values,
        }
    }

    /// Everything that an answer can depend on, for the model's fingerprint.
    pub fn identity(&self) -> String {
        let texts: Vec<_> = self.values().iter().map(|value| &value.json).collect();
        let derivation = match &self.kind {
            PredictionKind::Value(column) => format!("value {column:?}"),
            PredictionKind::Probability(column) => format!("probability {column:?}"),
            PredictionKind::Class(scores, _) => format!("class {scores:?}"),
            PredictionKind::ClassAt(column, _) => format!("class at {column:?}"),
            PredictionKind::Values(scores, _) => format!("values {scores:?}"),
            PredictionKind::Labels(scores, _) => format!("labels {scores:?}"),
            PredictionKind::Probabilities(scores, _) => format!("probabilities {scores:?}"),
            PredictionKind::Bands(column, cuts, _) => match self.precision {
                Precision::Float32 => {
                    let cuts: Vec<_> = cuts.iter().map(|cut| *cut as f32).collect();
                    format!("bands {column:?} {cuts:?}")
                }
                Precision::Float64 => format!("bands {column:?} {cuts:?}"),
            },
            PredictionKind::Vector(encoding) => format!("vector {encoding:?}"),
            PredictionKind::Top(scores, k, _) => format!("top {k} {scores:?}"),
            PredictionKind::Tensor => "tensor".to_owned(),
        };
        // Without `from`, the graph decides.
        let from = self.from.as_ref().map(|from| format!(" from {from:?}")).unwrap_or_default();
        format!("{:?} {derivation} {texts:?}{from}", self.name)
    }
}

impl AnswerValue {
    /// The text as a JSON string.
    fn member(&self) -> Value {
        Value::from(self.text.as_str())
    }

    /// Without quotes.
    pub fn text(&self) -> &str {
        &self.text
    }
}
