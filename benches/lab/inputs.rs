//! Inputs of any model, generated from its fields or read from a file of requests.

use std::{collections::HashSet, error::Error, fs};

use model_package::{Field, field::Kind, field::Number};
use serde_json::{Map, Value, json};

use super::{Random, catalogue::Catalogue};

/// The maximum number of inputs. The shipped model has 20,600 in all.
const MOST_INPUTS: usize = 25_000;

/// The number of values for an unbounded field.
const VALUES: i64 = 1_000;

/// Fewer requests would say nothing about a cache.
const FEWEST_REQUESTS: usize = 1_000;

/// Adds the model's inputs: all of them if they are few, otherwise a random sample.
pub(crate) fn generate(catalogue: &mut Catalogue) {
    let fields: Vec<(String, Vec<Value>)> =
        catalogue.model.signature().fields().iter().map(|field| (field.name().to_owned(), values(field))).collect();
    let all = fields.iter().fold(1_u128, |all, (_, values)| all.saturating_mul(values.len() as u128));
    let body = |mut number: u128| {
        let mut body = Map::new();
        for (name, values) in &fields {
            let count = values.len() as u128;
            body.insert(name.clone(), values[(number % count) as usize].clone());
            number /= count;
        }
        Value::Object(body)
    };
    if all <= MOST_INPUTS as u128 {
        (0..all).for_each(|number| {
            catalogue.position(body(number));
        });
        return;
    }
    let (mut random, mut drawn) = (Random::new(1), HashSet::new());
    // Values in the same band are the same input. The limit ends the loop for a model with fewer distinct inputs than combinations.
    for _ in 0..10 * MOST_INPUTS {
        let number = (u128::from(random.number()) << 64 | u128::from(random.number())) % all;
        if drawn.insert(number) {
            catalogue.position(body(number));
        }
        if catalogue.shape().inputs == MOST_INPUTS {
            return;
        }
    }
}

/// Adds the inputs of a file with one request body per line, and returns their positions in file order.
pub(crate) fn read(file: &str, catalogue: &mut Catalogue) -> Result<Vec<u32>, Box<dyn Error>> {
    let mut requests = Vec::new();
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let body: Value = serde_json::from_str(line).map_err(|error| format!("{file}, line {number}: {error}"))?;
        let bodies = match body {
            Value::Array(bodies) => bodies,
            body => vec![body],
        };
        for body in bodies {
            let position = catalogue.position(body);
            requests.push(position.ok_or_else(|| format!("{file}, line {number}: not an input of this model"))?);
        }
    }
    if requests.len() < FEWEST_REQUESTS {
        return Err(format!("{file} has {} requests; give at least {FEWEST_REQUESTS}", requests.len()).into());
    }
    Ok(requests)
}

/// Values for a field. Inputs with a value that the field does not allow are dropped later.
fn values(field: &Field) -> Vec<Value> {
    let values: Vec<Value> = match field.kind() {
        Kind::Boolean => vec![json!(true), json!(false)],
        Kind::Category(category) => category.values().iter().map(|value| json!(value.name)).collect(),
        Kind::Number(number) => numbers(number, field.example()),
        // As many as there are examples: dates, arrays, texts and images have no usual values.
        Kind::Date(_) | Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => Vec::new(),
    };
    let example = field.example().cloned();
    if values.is_empty() { vec![example.unwrap_or(json!(0))] } else { values }
}

fn numbers(number: &Number, example: Option<&Value>) -> Vec<Value> {
    let (lower, upper) = (number.lower().map(|bound| bound.limit), number.upper().map(|bound| bound.limit));
    if let Some(bands) = number.bands() {
        let below = bands.first().map(|first| lower.map_or(first - 1.0, |lower| f64::midpoint(lower, *first)));
        return below.into_iter().chain(bands.iter().copied()).map(|value| rounded(number, value)).collect();
    }
    let around = example.and_then(Value::as_f64).unwrap_or(1_000.0).abs().max(1.0);
    let (first, last) = match (lower, upper) {
        (Some(lower), Some(upper)) => (lower, upper),
        (Some(lower), None) => (lower, lower + 2.0 * around),
        (None, Some(upper)) => (upper - 2.0 * around, upper),
        (None, None) => (around / 2.0, around * 1.5),
    };
    let steps = if number.is_integer() { VALUES.min((last - first) as i64) } else { VALUES }.max(1);
    let mut values: Vec<_> =
        (0..=steps).map(|step| rounded(number, first + (last - first) * step as f64 / steps as f64)).collect();
    let in_bounds = |number: &Number, value: f64| {
        number.lower().is_none_or(|bound| value > bound.limit || (value == bound.limit && !bound.exclusive))
            && number.upper().is_none_or(|bound| value < bound.limit || (value == bound.limit && !bound.exclusive))
    };
    values.retain(|value| value.as_f64().is_some_and(|value| in_bounds(number, value)));
    values.dedup();
    values
}

/// An integer if the field requires one, otherwise a number with at most four decimals, as a person would send.
fn rounded(number: &Number, value: f64) -> Value {
    if number.is_integer() { json!(value.round() as i64) } else { json!((value * 1e4).round() / 1e4) }
}
