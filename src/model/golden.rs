//! `golden.jsonl`: inputs with the training library's answers, which the model's answers are compared with.

use std::collections::HashSet;

use model_package::{GOLDEN, GRAPH, Mistake};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Model;

const MAX_ROWS: usize = 1_000;

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

impl Replay {
    /// Compares the model's answers with those in `golden`, the text of `golden.jsonl`.
    pub fn run(model: &Model, golden: &str) -> Self {
        let mut replay = Self {
            rows: 0,
            answers: 0,
            largest_difference: 0.0,
            rows_that_differ: 0,
            distinct_keys: 0,
            mean_input_bytes: 0.0,
            mistakes: Vec::new(),
        };
        let mut keys = HashSet::new();
        let mut bytes = 0;
        let mut first_difference = None;
        let lines = (1..).zip(golden.lines()).filter(|(_, line)| !line.trim().is_empty());
        for (number, line) in lines {
            replay.rows += 1;
            if replay.rows > MAX_ROWS {
                replay.mistake(number, format!("there are more than {MAX_ROWS} rows: remove some"));
                break;
            }
            match replay.row(model, line) {
                Ok((key, differs)) => {
                    bytes += key.len();
                    keys.insert(key);
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
        if let Some((number, difference)) =
            first_difference.filter(|_| replay.rows_that_differ as f64 > tolerance.share * rows)
        {
            replay.mistakes.push(Mistake {
                file: GRAPH,
                entry: String::new(),
                problem: format!(
                    "{} of {} golden rows differ by more than {} or have another class; the allowed share is {}. The first is \
                     {GOLDEN} line {number}: {difference}",
                    replay.rows_that_differ, replay.rows, tolerance.number, tolerance.share
                ),
            });
        }
        replay
    }

    /// Compares one row. Returns its input as in a cache key and, if an answer differs by more than the tolerance, the difference.
    fn row(&mut self, model: &Model, line: &str) -> Result<(String, Option<String>), String> {
        let Row { input, answers } = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let read =
            model.signature().read(input.to_string().as_bytes()).map_err(|invalid| format!("the input {invalid}"))?;
        let outputs = model.run(&read).map_err(|error| error.to_string())?;
        let mut differs = None;
        for (name, expected) in answers {
            let prediction = model
                .signature()
                .predictions()
                .iter()
                .find(|prediction| prediction.name() == name)
                .ok_or_else(|| format!("model.toml has no prediction {name:?}"))?;
            let answer = prediction.derive(&outputs).map_err(|error| error.to_string())?;
            let answer: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            self.answers += 1;
            let difference =
                difference(&expected, &answer[&name]).filter(|number| !prediction.is_class() || *number == 0.0);
            if let Some(number) = difference {
                self.largest_difference = self.largest_difference.max(number);
            }
            if difference.is_none_or(|number| number > model.signature().golden.number) {
                differs.get_or_insert_with(|| format!("expected {name} {expected}, got {}", answer[&name]));
            }
        }
        Ok((read.to_string(), differs))
    }

    fn mistake(&mut self, line: usize, problem: String) {
        self.mistakes.push(Mistake { file: GOLDEN, entry: format!("line {line}"), problem });
    }
}

/// The largest difference between the numbers of two answers, relative if the expected number is above 1. `None` if their shapes
/// or classes differ.
fn difference(expected: &Value, found: &Value) -> Option<f64> {
    match (expected, found) {
        (Value::Number(_), Value::Number(_)) => {
            let (expected, found) = (expected.as_f64()?, found.as_f64()?);
            Some((expected - found).abs() / expected.abs().max(1.0))
        }
        (Value::Object(expected), Value::Object(found)) if expected.len() == found.len() => {
            let mut each = expected.iter().map(|(name, value)| difference(value, found.get(name)?));
            each.try_fold(0.0, |largest: f64, difference| Some(largest.max(difference?)))
        }
        (expected, found) => (expected == found).then_some(0.0),
    }
}
