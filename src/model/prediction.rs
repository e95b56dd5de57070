//! What is answered: a value that follows from the graph's output, at an endpoint of its own.

use std::fmt::Write;

use bytes::Bytes;
use serde_json::Value;

use super::{
    field::is_name,
    manifest::{AnswerEntry, KindEntry, PredictionEntry},
    mistake::Entry,
    signature::require_schema_name,
};

/// Endpoints that the service has for itself.
const RESERVED_ENDPOINTS: [&str; 4] = ["docs", "openapi.json", "health", "metrics"];

/// How far rounding may put a probability outside of 0 to 1: a float32 sum of a thousand trees errs by less.
const ROUNDING: f32 = 1e-5;

/// More values than this are no closed set.
const MOST_VALUES: usize = 10_000;

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

/// What a prediction makes of the graph's output.
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
    /// The graph failed, or its output is nothing that a prediction can be made of.
    #[error("unexpected model output: {0}")]
    Output(String),
}

/// An answer in two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What the cache holds: short readable text.
    pub entry: Bytes,
    /// What a response holds: a JSON object of one member, the prediction's name.
    pub body: Bytes,
}

impl Prediction {
    /// The prediction that an entry of `model.toml` describes. `None` leaves mistakes behind.
    pub(super) fn new(written: &PredictionEntry, entry: &mut Entry<'_>) -> Option<Self> {
        let PredictionEntry { name, endpoint, kind, output, outputs, cuts, values, .. } = written;
        entry.require(
            is_name(name) && name.len() <= 64 && !name.contains(':'),
            "`name` must be 1 to 64 printable characters without a colon, which separates the parts of a cache key",
        );
        entry.require(
            (1..=64).contains(&endpoint.len())
                && endpoint.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
                || RESERVED_ENDPOINTS.contains(&endpoint.as_str()),
            format!("`endpoint` is {endpoint:?} and must be 1 to 64 of A-Z, a-z, 0-9, `_` and `-`"),
        );
        entry.require(
            !RESERVED_ENDPOINTS.contains(&endpoint.as_str()),
            format!("`endpoint` {endpoint:?} is reserved for the service: choose another"),
        );
        let schema = written.schema.clone().unwrap_or_else(|| pascal_case(name));
        require_schema_name(&schema, entry);
        let has_values = !matches!(kind, KindEntry::Value | KindEntry::Probability);
        let has_outputs = matches!(kind, KindEntry::Class | KindEntry::Probabilities);
        for (key, given, applies) in [
            ("cuts", cuts.is_some(), *kind == KindEntry::Bands),
            ("values", values.is_some(), has_values),
            ("outputs", outputs.is_some(), has_outputs),
            ("output", output.is_some(), *kind != KindEntry::Probabilities),
        ] {
            entry.require(!given || applies, format!("`{key}` does not apply to this `kind`: remove it"));
        }
        let values = if has_values { answer_values(written, entry) } else { Vec::new() };
        let column = Column(*output);
        let scores = Scores(outputs.clone());
        if let Some(outputs) = outputs {
            entry.require(
                outputs.len() == values.len(),
                format!("`outputs` has {} columns and `values` {}: they must be as many", outputs.len(), values.len()),
            );
            entry
                .require(output.is_none(), "give `output` (the position of the class) or `outputs` (scores), not both");
        }
        let kind = match kind {
            KindEntry::Value => PredictionKind::Value(column),
            KindEntry::Probability => PredictionKind::Probability(column),
            KindEntry::Class if output.is_some() => PredictionKind::ClassAt(column, values),
            KindEntry::Class => PredictionKind::Class(scores, values),
            KindEntry::Probabilities => PredictionKind::Probabilities(scores, values),
            KindEntry::Bands => {
                let cuts = cuts.clone().unwrap_or_default();
                entry.require(
                    !cuts.is_empty()
                        && cuts.is_sorted_by(|one, next| one < next)
                        && cuts.iter().all(|cut| cut.is_finite()),
                    "`cuts` must be finite numbers in ascending order, each once, as float32",
                );
                entry.require(
                    values.len() == cuts.len() + 1,
                    format!(
                        "{} `cuts` make {} bands, and there are {} `values`",
                        cuts.len(),
                        cuts.len() + 1,
                        values.len()
                    ),
                );
                PredictionKind::Bands(column, cuts, values)
            }
        };
        entry.is_right().then(|| Self {
            opening: format!("{{{}:", Value::from(name.as_str())),
            name: name.clone(),
            endpoint: endpoint.clone(),
            schema,
            summary: written.summary.clone(),
            description: written.description.trim().to_owned(),
            meaning: written.meaning.trim().to_owned(),
            kind,
        })
    }

    /// Checks that a graph with this many output columns has what the prediction reads.
    pub(super) fn check_columns(&self, columns: usize) -> Result<(), String> {
        let exists = |column: usize| {
            if column < columns {
                Ok(())
            } else {
                Err(format!("reads output column {column}, and the graph's columns are 0 to {}", columns - 1))
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
                    "has {} `values`, and the graph has {columns} output columns: give as many values, or `outputs`",
                    values.len()
                )),
            },
        }
    }

    /// The answer that follows from the graph's output, whose columns have been [checked](Self::check_columns).
    pub(super) fn derive(&self, outputs: &[f32]) -> Result<Answer, ModelError> {
        let fail = |what: String| ModelError::Output(format!("{}: {what}", self.name));
        let finite = |number: f32| {
            if number.is_finite() { Ok(number + 0.0) } else { Err(fail(format!("{number} is not finite"))) }
        };
        let probability = |number: f32| {
            if (-ROUNDING..=1.0 + ROUNDING).contains(&number) {
                Ok(number.clamp(0.0, 1.0) + 0.0)
            } else {
                Err(fail(format!("{number} is not a probability")))
            }
        };
        Ok(match &self.kind {
            PredictionKind::Value(column) => self.number(finite(column.of(outputs))?),
            PredictionKind::Probability(column) => self.number(probability(column.of(outputs))?),
            PredictionKind::Bands(column, cuts, values) => {
                let number = finite(column.of(outputs))?;
                self.one_of(&values[cuts.partition_point(|cut| number >= *cut)])
            }
            PredictionKind::ClassAt(column, values) => {
                let position = column.of(outputs);
                let is_position = position >= 0.0 && position.fract() == 0.0;
                let value = if is_position { values.get(position as usize) } else { None };
                self.one_of(value.ok_or_else(|| fail(format!("{position} is no position among its values")))?)
            }
            PredictionKind::Class(scores, values) => {
                let mut best: Option<(f32, &AnswerValue)> = None;
                for (score, value) in scores.of(outputs).zip(values) {
                    let score = finite(score)?;
                    if best.is_none_or(|(highest, _)| score > highest) {
                        best = Some((score, value));
                    }
                }
                self.one_of(best.ok_or_else(|| fail("there are no scores".to_owned()))?.1)
            }
            PredictionKind::Probabilities(scores, _) => {
                let probabilities: Vec<_> = scores.of(outputs).map(probability).collect::<Result<_, _>>()?;
                let texts: Vec<_> = probabilities.iter().map(|number| Decimal(*number).to_string()).collect();
                self.distribution(&texts)
            }
        })
    }

    /// Reads the cached form strictly: `None` for anything that would not be written.
    pub fn read(&self, entry: &Bytes) -> Option<Answer> {
        let text = std::str::from_utf8(entry).ok()?;
        let body = match &self.kind {
            PredictionKind::Value(_) => {
                Decimal::read(text)?;
                self.body(text)
            }
            PredictionKind::Probability(_) => {
                Decimal::read(text).filter(|number| (0.0..=1.0).contains(number))?;
                self.body(text)
            }
            PredictionKind::Class(_, values)
            | PredictionKind::ClassAt(_, values)
            | PredictionKind::Bands(_, _, values) => self.body(&values.iter().find(|value| value.text == text)?.json),
            PredictionKind::Probabilities(_, values) => {
                let texts: Vec<_> = text.split(',').collect();
                let probable = |text: &&str| Decimal::read(text).is_some_and(|number| (0.0..=1.0).contains(&number));
                if texts.len() != values.len() || !texts.iter().all(probable) {
                    return None;
                }
                return Some(Answer { entry: entry.clone(), body: self.distribution(&texts).body });
            }
        };
        Some(Answer { entry: entry.clone(), body })
    }

    fn number(&self, number: f32) -> Answer {
        let text = Decimal(number).to_string();
        Answer { body: self.body(&text), entry: text.into() }
    }

    fn one_of(&self, value: &AnswerValue) -> Answer {
        Answer { entry: Bytes::copy_from_slice(value.text.as_bytes()), body: self.body(&value.json) }
    }

    fn distribution<T: AsRef<str>>(&self, probabilities: &[T]) -> Answer {
        let mut entry = String::with_capacity(12 * probabilities.len());
        let mut object = String::with_capacity(24 * probabilities.len());
        for (probability, value) in probabilities.iter().map(AsRef::as_ref).zip(self.values()) {
            let separator = if entry.is_empty() { "" } else { "," };
            // Writing to a String does not fail.
            let _ = write!(entry, "{separator}{probability}");
            let _ = write!(object, "{separator}{}:{probability}", value.member());
        }
        Answer { body: self.body(&format!("{{{object}}}")), entry: entry.into() }
    }

    fn body(&self, json: &str) -> Bytes {
        let mut body = Vec::with_capacity(self.opening.len() + json.len() + 1);
        body.extend_from_slice(self.opening.as_bytes());
        body.extend_from_slice(json.as_bytes());
        body.push(b'}');
        body.into()
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

    /// What the value says, in Markdown.
    pub fn meaning(&self) -> &str {
        &self.meaning
    }

    /// What it makes of the graph's output.
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
    pub(super) fn identity(&self) -> String {
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

impl Column {
    fn of(self, outputs: &[f32]) -> f32 {
        outputs[self.0.unwrap_or(0)]
    }
}

impl Scores {
    fn of<'a>(&'a self, outputs: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        let chosen = self.0.as_deref().unwrap_or_default();
        let all = if self.0.is_none() { outputs } else { &[] };
        all.iter().copied().chain(chosen.iter().map(|column| outputs[*column]))
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

fn answer_values(written: &PredictionEntry, entry: &mut Entry<'_>) -> Vec<AnswerValue> {
    let values = written.values.as_deref().unwrap_or_default();
    entry.require(
        (2..=MOST_VALUES).contains(&values.len()),
        format!("this `kind` needs `values`, 2 to {MOST_VALUES}; it has {}", values.len()),
    );
    let values: Vec<_> = values
        .iter()
        .take(MOST_VALUES)
        .map(|AnswerEntry { name, description }| AnswerValue {
            text: name.as_str().map_or_else(|| name.to_string(), str::to_owned),
            json: name.to_string(),
            value: name.clone(),
            description: description.clone(),
        })
        .collect();
    for value in &values {
        entry
            .require(is_name(&value.text), format!("{} in `values` must be 1 to 200 printable characters", value.json));
    }
    let mut texts: Vec<_> = values.iter().map(|value| value.text.as_str()).collect();
    texts.sort_unstable();
    if let Some(twice) = texts.windows(2).find(|pair| pair[0] == pair[1]) {
        entry.mistake(format!("{:?} is in `values` twice: keep one", twice[0]));
    }
    values
}

/// `risk_category` → `RiskCategory`. Of other letters than ASCII's nothing is left.
fn pascal_case(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..])).collect()
}

/// A finite number as the shortest decimal that reads back as the same `f32`, so that a cached answer equals a computed one.
/// It is JSON, too.
struct Decimal(f32);

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Decimal {
    /// Reads what `Display` writes, and nothing else: `+0.3`, `3e-1` and `0.30` are numbers, but no entries of ours.
    fn read(text: &str) -> Option<f32> {
        let number: f32 = text.parse().ok().filter(|number: &f32| number.is_finite())?;
        let is_zero_below = number == 0.0 && number.is_sign_negative();
        (!is_zero_below && Self(number).to_string() == text).then_some(number)
    }
}
