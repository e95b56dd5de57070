//! Predictions: values derived from the graph's output, each at an endpoint of its own.

mod answer;
mod definition;

use serde_json::Value;

pub use self::answer::Answer;

/// A prediction: how it follows from the graph's output, how the cache holds it, and how clients ask for it.
#[derive(Clone, Debug)]
pub struct Prediction {
    name: String,
    endpoint: String,
    schema: String,
    summary: String,
    description: String,
    meaning: String,
    kind: PredictionKind,
    /// `{"name":`, with which every answer begins.
    opening: String,
}

/// How a prediction follows from the graph's output.
#[derive(Clone, Debug)]
pub enum PredictionKind {
    /// The number in a column.
    Value(Column),
    /// The number in a column, from 0 to 1.
    Probability(Column),
    /// The class with the first maximum.
    Class(Scores, Vec<AnswerValue>),
    /// The class whose position is in a column.
    ClassAt(Column, Vec<AnswerValue>),
    /// A probability for each class.
    Probabilities(Scores, Vec<AnswerValue>),
    /// The band that the number in a column falls into. A limit belongs to the band above it.
    Bands(Column, Vec<f32>, Vec<AnswerValue>),
}

/// A column of the graph's output; `None` is the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column(Option<usize>);

/// Columns of the graph's output, in the order of the classes; `None` is all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scores(Option<Vec<usize>>);

/// One of the values that a prediction can have.
#[derive(Clone, Debug)]
pub struct AnswerValue {
    /// A text, a number or a boolean.
    pub value: Value,
    /// What it means.
    pub description: String,
    /// The value as text without quotes: in the cache, and as a member's name.
    text: String,
    /// The value as JSON text.
    json: String,
}

/// Why a model gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The graph failed, or no prediction can be derived from its output.
    #[error("unexpected model output: {0}")]
    Output(String),
}

impl Prediction {
    /// Checks that a graph with this many output columns has what the prediction reads.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the entry, as a sentence without its subject.
    pub fn check_columns(&self, columns: usize) -> Result<(), String> {
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
            PredictionKind::Class(scores, values) | PredictionKind::Probabilities(scores, values) => match &scores.0 {
                Some(chosen) => chosen.iter().copied().try_for_each(exists),
                None if columns == values.len() => Ok(()),
                None => Err(format!(
                    "has {} `values`, but the graph has {columns} output columns: give as many values, or `outputs`",
                    values.len()
                )),
            },
        }
    }

    /// What is predicted: the member of an answer, and a part of the cache key. It holds no colon.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The endpoint, without a slash.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The name of its schema in the OpenAPI document.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// What the endpoint does, in a few words.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// What the endpoint does, in Markdown.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What the value means, in Markdown.
    pub fn meaning(&self) -> &str {
        &self.meaning
    }

    /// How it follows from the graph's output.
    pub fn kind(&self) -> &PredictionKind {
        &self.kind
    }

    /// The closed set of its values, or of its members' names. Empty for a number.
    pub fn values(&self) -> &[AnswerValue] {
        match &self.kind {
            PredictionKind::Value(_) | PredictionKind::Probability(_) => &[],
            PredictionKind::Class(_, values)
            | PredictionKind::ClassAt(_, values)
            | PredictionKind::Probabilities(_, values)
            | PredictionKind::Bands(_, _, values) => values,
        }
    }

    /// What an answer can depend on, for the model's fingerprint.
    pub fn identity(&self) -> String {
        let texts: Vec<_> = self.values().iter().map(|value| &value.json).collect();
        let derivation = match &self.kind {
            PredictionKind::Value(column) => format!("value {column:?}"),
            PredictionKind::Probability(column) => format!("probability {column:?}"),
            PredictionKind::Class(scores, _) => format!("class {scores:?}"),
            PredictionKind::ClassAt(column, _) => format!("class at {column:?}"),
            PredictionKind::Probabilities(scores, _) => format!("probabilities {scores:?}"),
            PredictionKind::Bands(column, cuts, _) => format!("bands {column:?} {cuts:?}"),
        };
        format!("{:?} {derivation} {texts:?}", self.name)
    }
}

impl AnswerValue {
    /// The value's text as a JSON string.
    fn member(&self) -> Value {
        Value::from(self.text.as_str())
    }

    /// The value as text without quotes.
    pub fn text(&self) -> &str {
        &self.text
    }
}
