//! Inputs drawn from a model's fields, on which `predict-once check` runs every prediction. They need no golden answers.

use model_package::{Field, GRAPH, Input, MANIFEST, Mistake, field::Bound, field::Kind};
use serde_json::{Map, Value, json};

use super::Model;

const ROWS: usize = 200;

/// The numbers of a field for which neither golden rows nor examples have any: moderate ones, which no model should overflow on.
const NUMBERS: [f64; 6] = [0.0, 1.0, -1.0, 0.5, 2.0, 10.0];

/// The number of arrays of a field for which neither golden rows nor examples have any.
const ARRAYS: u64 = 8;

/// Texts to try: an empty one, one that no vocabulary contains, and one of many words.
const TEXTS: [&str; 4] = [
    "",
    "The quick brown fox jumps over the lazy dog.",
    "漢字 😀 \u{0} Ωmega",
    "one two three four five six seven eight nine ten",
];

/// Days and times on which calendars differ: before 1970, leap days, the ends of years, and years without a leap day.
const DATES: [&str; 10] = [
    "0001-01-01",
    "1899-12-31",
    "1900-03-01",
    "1969-12-31",
    "1970-01-01",
    "2000-02-29",
    "2026-11-30",
    "2027-01-01",
    "2100-03-01",
    "9999-12-31",
];

/// Runs every prediction on drawn inputs, and describes the first failure of each.
pub(super) fn mistakes(model: &Model, golden: Option<&str>) -> Vec<Mistake> {
    let signature = model.signature();
    let mut failing = vec![None; signature.predictions().len()];
    for (body, input) in inputs(model, golden) {
        let output = match model.run(&input) {
            Ok(output) => output,
            Err(error) => {
                let problem = format!("fails on the input {body}: {error}");
                return vec![Mistake { file: GRAPH, entry: String::new(), problem }];
            }
        };
        for (prediction, failure) in signature.predictions().iter().zip(&mut failing) {
            if failure.is_none()
                && let Err(error) = prediction.derive(&output)
            {
                *failure = Some(Mistake {
                    file: MANIFEST,
                    entry: format!("prediction {:?}", prediction.name()),
                    problem: format!(
                        "fails on the input {body}: {error}: correct its `kind` or columns, or limit the fields to what the model can answer"
                    ),
                });
            }
        }
    }
    failing.into_iter().flatten().collect()
}

/// The same inputs in every run. Each field has a value of a golden row or an example if there are any, independently of the others.
fn inputs(model: &Model, golden: Option<&str>) -> impl Iterator<Item = (Value, Input)> {
    let fields = model.signature().fields();
    let known = known(model, golden);
    let values: Vec<Vec<Value>> = fields.iter().map(|field| values(field, &known)).collect();
    let mut random = 0_u64;
    (0..ROWS).filter_map(move |_| {
        let mut draw = |values: &[Value]| {
            // Knuth's linear congruential generator; its high bits are the random ones.
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            values.get((random >> 33) as usize % values.len().max(1)).cloned()
        };
        let members = fields.iter().zip(&values).map(|(field, values)| Some((field.name().to_owned(), draw(values)?)));
        let body = Value::Object(members.collect::<Option<_>>()?);
        let input = model.signature().read(body.to_string().as_bytes()).ok()?;
        Some((body, input))
    })
}

/// The inputs of the golden rows and the examples.
fn known(model: &Model, golden: Option<&str>) -> Vec<Map<String, Value>> {
    let of_row = |line: &str| match serde_json::from_str::<Value>(line).ok()?["input"].take() {
        Value::Object(input) => Some(input),
        _ => None,
    };
    let rows = golden.unwrap_or_default().lines().filter_map(of_row);
    let examples = model.signature().examples.iter().filter(|example| example.valid);
    rows.chain(examples.map(|example| example.input.clone())).collect()
}

/// Values that the field accepts.
fn values(field: &Field, known: &[Map<String, Value>]) -> Vec<Value> {
    let mut values: Vec<Value> = match field.kind() {
        Kind::Number(_) | Kind::Array(_) | Kind::Image(_) => {
            known.iter().filter_map(|input| input.get(field.name())).cloned().collect()
        }
        Kind::Text(_) => {
            let texts = known.iter().filter_map(|input| input.get(field.name())).cloned();
            TEXTS.iter().map(|text| json!(text)).chain(texts).collect()
        }
        Kind::Date(date) => {
            let time = if date.has_time() { "T23:59:59Z" } else { "" };
            let (first, last) = date.range();
            let dates = known.iter().filter_map(|input| input.get(field.name())).cloned();
            let ends = [first, first.midpoint(last), last].map(|number| json!(date.text(number)));
            DATES.iter().map(|day| json!(format!("{day}{time}"))).chain(ends).chain(dates).collect()
        }
        Kind::Boolean => vec![json!(false), json!(true)],
        Kind::Category(category) => category.values().iter().map(|value| json!(value.name)).collect(),
    };
    values.extend(field.example().cloned());
    values.retain(|value| !value.is_null() && field.accepts(value));
    if let (Kind::Array(array), true) = (field.kind(), values.is_empty()) {
        values.extend((0..ARRAYS).map(|seed| array.drawn(seed)));
    }
    if let (Kind::Number(number), true) = (field.kind(), values.is_empty()) {
        let ends = [number.lower(), number.upper()].into_iter().flatten();
        let ends = ends.flat_map(|Bound { limit, .. }| [limit, limit - 1.0, limit + 1.0]);
        let middle = number.lower().zip(number.upper()).map(|(lower, upper)| (lower.limit + upper.limit) / 2.0);
        let accepted = |numbers: Vec<f64>| numbers.into_iter().map(Value::from).filter(|value| field.accepts(value));
        values.extend(accepted(NUMBERS.to_vec()));
        if values.is_empty() {
            values.extend(accepted(ends.chain(middle).collect()));
        }
    }
    if !field.is_required() {
        // A fifth of the inputs.
        values.resize(values.len() + values.len().div_ceil(4).max(1), Value::Null);
    }
    values
}
