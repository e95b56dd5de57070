//! `golden.jsonl`: inputs with the training library's answers, which the model's answers are compared with.

use std::collections::HashSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use model_package::{Explained, GOLDEN, GRAPH, Input, Mistake, Output, Prediction, PredictionKind, VectorEncoding};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Model;

const MAX_ROWS: usize = 1_000;

/// The rows are also replayed in arrays of this size.
const ARRAY: usize = 128;

/// The result of replaying the golden rows.
#[derive(Debug, Serialize)]
pub struct Replay {
    pub rows: usize,
    /// The number of answers that were compared.
    pub answers: usize,
    /// The largest difference between two numbers; relative if the golden number is above 1.
    pub largest_difference: f64,
    /// The number of rows with another class, or with a number that differs by more than the tolerance.
    pub rows_that_differ: usize,
    /// The number of rows with another answer in an array than alone.
    pub rows_that_differ_in_arrays: usize,
    /// The number of distinct cache keys of one prediction for these rows.
    pub distinct_keys: usize,
    /// The mean length of the encoded input in a cache key.
    pub mean_input_bytes: f64,
    /// Mistakes in the file, and too many rows that differ.
    #[serde(skip)]
    pub mistakes: Vec<Mistake>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    input: Value,
    answers: Map<String, Value>,
}

/// A row that the model has answered.
struct Replayed {
    /// In the file, from 1.
    line: usize,
    input: Input,
    output: Output,
    /// The names of the predictions with golden answers.
    names: Vec<String>,
}

impl Replay {
    /// Compares the model's answers with those in `golden`, the text of `golden.jsonl`.
    pub fn run(model: &Model, golden: &str) -> Self {
        let mut replay = Self {
            rows: 0,
            answers: 0,
            largest_difference: 0.0,
            rows_that_differ: 0,
            rows_that_differ_in_arrays: 0,
            distinct_keys: 0,
            mean_input_bytes: 0.0,
            mistakes: Vec::new(),
        };
        let mut keys = HashSet::new();
        let mut bytes = 0;
        let mut first_difference = None;
        let mut replayed = Vec::new();
        let lines = (1..).zip(golden.lines()).filter(|(_, line)| !line.trim().is_empty());
        for (number, line) in lines {
            replay.rows += 1;
            if replay.rows > MAX_ROWS {
                replay.mistake(number, format!("there are more than {MAX_ROWS} rows: remove some"));
                break;
            }
            match replay.row(model, number, line) {
                Ok((row, differs)) => {
                    let key = row.input.to_string();
                    bytes += key.len();
                    keys.insert(key);
                    replayed.push(row);
                    if let Some(difference) = differs {
                        replay.rows_that_differ += 1;
                        first_difference.get_or_insert((number, difference));
                    }
                }
                Err(problem) => replay.mistake(number, problem),
            }
        }
        replay.distinct_keys = keys.len();
        let rows = replay.rows.max(1) as f64;
        replay.mean_input_bytes = bytes as f64 / rows;
        let tolerance = model.signature().golden;
        let in_graph = |problem| Mistake { file: GRAPH, entry: String::new(), problem };
        if let Some((number, difference)) =
            first_difference.filter(|_| replay.rows_that_differ as f64 > tolerance.share * rows)
        {
            replay.mistakes.push(in_graph(format!(
                "{} of {} golden rows differ by more than {} or have another class; the allowed share is {}. The first is {GOLDEN} line \
                 {number}: {difference}",
                replay.rows_that_differ, replay.rows, tolerance.number, tolerance.share
            )));
        }
        if let Some((number, difference)) = replay
            .in_arrays(model, &replayed)
            .filter(|_| replay.rows_that_differ_in_arrays as f64 > tolerance.share * rows)
        {
            replay.mistakes.push(in_graph(format!(
                "{} of {} golden rows have another answer in an array than alone, so rows influence each other. The first is {GOLDEN} \
                 line {number}: {difference}",
                replay.rows_that_differ_in_arrays, replay.rows
            )));
        }
        replay
    }

    /// Compares one row. Returns it and, if an answer differs by more than the tolerance, the difference.
    fn row(&mut self, model: &Model, line: usize, text: &str) -> Result<(Replayed, Option<String>), String> {
        let Row { input, answers } = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let input =
            model.signature().read(input.to_string().as_bytes()).map_err(|invalid| format!("the input {invalid}"))?;
        let output = model.run(&input).map_err(|error| error.to_string())?;
        let mut differs = None;
        for (name, expected) in &answers {
            let answer = match contributions(model, name, &input)? {
                Some(contributions) => contributions,
                None => derived(model, name, &output)?,
            };
            self.answers += 1;
            let difference = difference(model, name, expected, &answer);
            if let Some(number) = difference {
                self.largest_difference = self.largest_difference.max(number);
            }
            if difference.is_none_or(|number| number > model.signature().golden.number) {
                differs.get_or_insert_with(|| format!("expected {name} {expected}, got {answer}"));
            }
        }
        let names = answers.into_iter().map(|(name, _)| name).collect();
        Ok((Replayed { line, input, output, names }, differs))
    }

    /// Compares the rows' answers in arrays with those alone. Returns the line of the first row that differs, and the difference.
    fn in_arrays(&mut self, model: &Model, rows: &[Replayed]) -> Option<(usize, String)> {
        let mut first = None;
        for array in rows.chunks(ARRAY) {
            let together = model.run_many(&array.iter().map(|row| &row.input).collect::<Vec<_>>());
            for (position, row) in array.iter().enumerate() {
                let differs = row.names.iter().find_map(|name| {
                    let alone = derived(model, name, &row.output).ok()?;
                    let among = match &together {
                        Ok(together) => derived(model, name, &together[position]),
                        Err(error) => Err(error.to_string()),
                    };
                    let among = match among {
                        Ok(among) => among,
                        Err(error) => return Some(format!("{name} {alone} alone, {error} in an array")),
                    };
                    let difference = difference(model, name, &alone, &among);
                    difference
                        .is_none_or(|number| number > model.signature().golden.number)
                        .then(|| format!("{name} {alone} alone, {among} in an array"))
                });
                if let Some(difference) = differs {
                    self.rows_that_differ_in_arrays += 1;
                    first.get_or_insert((row.line, difference));
                }
            }
        }
        first
    }

    fn mistake(&mut self, line: usize, problem: String) {
        self.mistakes.push(Mistake { file: GOLDEN, entry: format!("line {line}"), problem });
    }
}

/// The contributions, if that is their name: `{"base": …, "contributions": {FIELD: …}}`, since the fields of an answer are in the order of their
/// contributions, with the values that a client sent.
fn contributions(model: &Model, name: &str, input: &Input) -> Result<Option<Value>, String> {
    let signature = model.signature();
    if signature.contributions().is_none_or(|contributions| contributions.name != name) {
        return Ok(None);
    }
    let Explained { base, contributions } = model.explain(input).map_err(|error| error.to_string())?;
    let fields = signature.fields().iter().zip(contributions);
    let fields: Map<_, _> = fields.map(|(field, number)| (field.name().to_owned(), number.into())).collect();
    Ok(Some(json!({ "base": base, "contributions": fields })))
}

/// The answer of the prediction with this name.
fn derived(model: &Model, name: &str, output: &Output) -> Result<Value, String> {
    let predictions = model.signature().predictions();
    let prediction = predictions.iter().find(|prediction| prediction.name() == name);
    let prediction = prediction.ok_or_else(|| format!("model.toml has no prediction {name:?}"))?;
    let answer = prediction.derive(output).map_err(|error| error.to_string())?;
    let mut answer: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    Ok(answer[name].take())
}

/// The difference between two answers of a prediction: the largest of their numbers, relative if the expected one is above 1. `None` if
/// their shapes or classes differ.
fn difference(model: &Model, name: &str, expected: &Value, found: &Value) -> Option<f64> {
    let is_class = |prediction: &Prediction| prediction.name() == name && prediction.is_class();
    let is_class = model.signature().predictions().iter().any(is_class);
    let is_base64 = |prediction: &Prediction| {
        prediction.name() == name && matches!(prediction.kind(), PredictionKind::Vector(VectorEncoding::Base64))
    };
    if model.signature().predictions().iter().any(is_base64) {
        return largest_difference(&decoded(expected)?, &decoded(found)?);
    }
    largest_difference(expected, found).filter(|number| !is_class || *number == 0.0)
}

/// The numbers of a vector in base64.
fn decoded(vector: &Value) -> Option<Value> {
    let bytes = STANDARD.decode(vector.as_str()?).ok()?;
    let (numbers, []) = bytes.as_chunks() else { return None };
    Some(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
}

fn largest_difference(expected: &Value, found: &Value) -> Option<f64> {
    match (expected, found) {
        (Value::Number(_), Value::Number(_)) => {
            let (expected, found) = (expected.as_f64()?, found.as_f64()?);
            Some((expected - found).abs() / expected.abs().max(1.0))
        }
        (Value::Object(expected), Value::Object(found)) if expected.len() == found.len() => {
            let mut each = expected.iter().map(|(name, value)| largest_difference(value, found.get(name)?));
            each.try_fold(0.0, |largest: f64, difference| Some(largest.max(difference?)))
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let mut each = expected.iter().zip(found).map(|(expected, found)| largest_difference(expected, found));
            each.try_fold(0.0, |largest: f64, difference| Some(largest.max(difference?)))
        }
        (expected, found) => (expected == found).then_some(0.0),
    }
}
