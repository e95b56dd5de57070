//! Compares generated operators with ONNX Runtime's results. `tests/fixtures.py` writes the cases.

use std::collections::HashMap;

use serde::Deserialize;

use crate::support::{Attributes, Number, assert_scores, fixture, floats, ints, load, row, run};

#[derive(Deserialize)]
struct Case {
    operator: String,
    attributes: HashMap<String, Value>,
    rows: Vec<Vec<Number>>,
    labels: Option<Vec<i64>>,
    scores: Vec<Vec<Number>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Int(i64),
    Text(String),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Texts(Vec<String>),
}

fn attributes(values: &HashMap<String, Value>) -> Attributes {
    values.iter().fold(Attributes::default(), |attributes, (name, value)| match value {
        Value::Int(value) => attributes.int(name, *value),
        Value::Text(value) => attributes.string(name, value),
        Value::Ints(values) => attributes.ints(name, values),
        Value::Floats(values) => attributes.floats(name, values),
        Value::Texts(values) => attributes.strings(name, &values.iter().map(String::as_str).collect::<Vec<_>>()),
    })
}

#[test]
fn generated_operators_match_onnx_runtime() {
    let cases = std::fs::read_to_string(fixture("onnxruntime.json")).unwrap();
    let mut count = 0;
    for (number, line) in cases.lines().enumerate() {
        let case: Case = serde_json::from_str(line).unwrap();
        let model = load(&case.operator, &attributes(&case.attributes), case.rows[0].len())
            .unwrap_or_else(|error| panic!("case {number}: {error:#}"));
        let exact = matches!(case.attributes.get("post_transform"), Some(Value::Text(name)) if name == "NONE");
        for (position, features) in case.rows.iter().enumerate() {
            let context = format!("case {number}, row {position} of {line}");
            let outputs = run(&model, &row(features)).unwrap();
            assert_scores(&floats(outputs.last().unwrap()), &row(&case.scores[position]), exact, &context);
            if let Some(labels) = &case.labels {
                assert_eq!(ints(&outputs[0]), [labels[position]], "{context}");
            }
            count += 1;
        }
    }
    assert!(count > 500);
}
