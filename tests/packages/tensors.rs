//! Graphs that read tensors: fields of `type = "array"`, several inputs, several outputs, and predictions of whole outputs.

use std::collections::HashSet;

use bytes::Bytes;
use model_package::{DataType, Input, Tensor};
use predict_once::model::{Model, Package};
use serde_json::{Value, json};
use test_support::onnx::{FLOAT, Onnx};

use crate::packages::{self, package};

/// A manifest of these fields and predictions, each with a name and further lines.
fn manifest(fields: &[(&str, &str)], predictions: &[(&str, &str)]) -> String {
    let fields: String =
        fields.iter().map(|(name, lines)| format!("[[fields]]\nname = \"{name}\"\n{lines}\n")).collect();
    let prediction =
        |(name, lines): &(&str, &str)| format!("[[predictions]]\nname = \"{name}\"\nendpoint = \"{name}\"\n{lines}\n");
    format!("name = \"m\"\n{fields}{}", predictions.iter().map(prediction).collect::<String>())
}

fn read(model: &Model, body: &Value) -> Input {
    model.signature().read(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"))
}

/// The answer of the prediction at this position.
fn answer(model: &Model, prediction: usize, body: &Value) -> Value {
    let answer = model.predict(prediction, &read(model, body)).unwrap_or_else(|error| panic!("{body}: {error}"));
    let mut answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
    answer[model.signature().predictions()[prediction].name()].take()
}

/// The sums of the samples of two sensors in a window of any length, as a vector of two.
fn sums() -> Package {
    let graph = Onnx::empty()
        .with_input("window", FLOAT, &["N", "length", "2"])
        .integers("axes", &[1], &[1])
        .node("ReduceSum", &["window", "axes"], "y", &[("keepdims", 0)])
        .file("y", 2);
    package(manifest(&[("window", "type = 'array'")], &[("sums", "kind = 'vector'")]), graph)
}

#[test]
fn an_array_of_any_length_becomes_the_graphs_input_and_an_output_a_vector() {
    let model = packages::load(&sums());
    for (window, sums) in [
        (json!([[1, 2]]), json!([1.0, 2.0])),
        (json!([[1, 2], [2, 4], [6, -9]]), json!([9.0, -3.0])),
        (json!([[0.1, 0], [0.2, -0.0]]), json!([0.3, 0.0])),
    ] {
        assert_eq!(answer(&model, 0, &json!({ "window": window })), sums);
    }
    let signature = model.signature();
    assert_eq!(signature.inputs()[0].datatype(), DataType::Float32);
    let fed = signature.feed(&[&read(&model, &json!({ "window": [[1, 2], [3, 4]] }))]).expect("one");
    assert_eq!(fed.iter().map(Tensor::shape).collect::<Vec<_>>(), [[1, 2, 2]]);
}

#[test]
fn inputs_of_other_shapes_have_other_keys_and_are_answered_in_one_array() {
    let model = packages::load(&sums());
    let windows = [json!([[1, 2]]), json!([[1, 2], [0, 0]]), json!([[3, 4]]), json!([[1, 2], [5, 6]]), json!([[2, 1]])];
    let inputs = windows.map(|window| read(&model, &json!({ "window": window })));
    let keys: HashSet<_> = inputs.iter().map(Input::to_string).collect();
    assert_eq!(keys.len(), inputs.len(), "{keys:?}");
    let together = model.run_many(&inputs.iter().collect::<Vec<_>>()).expect("it runs");
    let alone: Vec<_> = inputs.iter().map(|input| model.run(input).expect("it runs")).collect();
    assert_eq!(together, alone);
    assert_eq!(together.iter().map(|output| output.columns(0)).collect::<Vec<_>>()[3], [6.0, 8.0]);
    assert_eq!(model.runs_together(8), Ok(()));
}

#[test]
fn a_vector_is_stored_as_its_bytes_and_read_back_as_the_same_answer() {
    let model = packages::load(&sums());
    let answer = model.predict(0, &read(&model, &json!({ "window": [[0.1, -2], [0.2, 0]] }))).expect("an answer");
    let numbers = [0.1_f32 + 0.2, -2.0];
    assert_eq!(*answer.entry, *numbers.map(f32::to_le_bytes).concat());
    let prediction = &model.signature().predictions()[0];
    assert_eq!(prediction.read(&answer.entry).as_ref(), Some(&answer));
    for entry in [&b""[..], &answer.entry[..7], &answer.entry[..4], &[answer.entry.to_vec(), vec![0; 4]].concat()] {
        assert_eq!(prediction.read(&Bytes::copy_from_slice(entry)), None, "{entry:?}");
    }
    for number in [f32::NAN, f32::INFINITY, -0.0] {
        let entry = [1.0, number].map(f32::to_le_bytes).concat();
        assert_eq!(prediction.read(&entry.into()), None, "{number}");
    }
}
