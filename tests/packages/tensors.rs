//! Graphs that read tensors: fields of `type = "array"`, several inputs, several outputs, and predictions of whole outputs.

use std::{collections::HashSet, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use model_package::{DataType, EntryContent, Input, InvalidInput, Size, Tensor};
use predict_once::model::{ManifestFile, Model, Package, Unbatchable, golden::Replay};
use serde_json::{Value, json};
use test_support::onnx::{BOOL, DOUBLE, FLOAT, FLOAT16, INT32, INT64, Onnx, UINT8};

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
fn predictions_read_the_outputs_that_they_name_in_any_order() {
    let graph = || {
        Onnx::empty()
            .with_input("x", FLOAT, &["N", "1"])
            .constant("one", &[1], &[1.0])
            .constant("ten", &[1], &[10.0])
            .node("Add", &["x", "one"], "sum", &[])
            .node("Mul", &["x", "ten"], "product", &[])
            .with_output("product", FLOAT, &["N", "1"])
            .file("sum", 1)
    };
    let (sum, product) = (("sum", "kind = 'value'\nfrom = 'sum'"), ("product", "kind = 'value'\nfrom = 'product'"));
    for predictions in [&[sum, product][..], &[product, sum], &[sum], &[product]] {
        let model = packages::load(&package(manifest(&[("x", "type = 'number'")], predictions), graph()));
        for (position, (name, _)) in predictions.iter().enumerate() {
            let expected = if *name == "sum" { 3.0 } else { 20.0 };
            assert_eq!(answer(&model, position, &json!({ "x": 2 })), json!(expected), "{name} of {predictions:?}");
        }
    }
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

/// A graph that returns its only input `x` of this type and shape.
fn identity(number: u64, shape: &[&str]) -> Vec<u8> {
    Onnx::empty().with_input("x", number, shape).node("Identity", &["x"], "y", &[]).file("y", 1)
}

/// A package of one array field `x`, with these further lines, and one prediction `y` of the whole output.
fn of_array(lines: &str, graph: Vec<u8>) -> Package {
    package(manifest(&[("x", &format!("type = 'array'\n{lines}"))], &[("y", "kind = 'tensor'")]), graph)
}

#[test]
fn arrays_of_every_type_reach_the_graph_and_come_back_as_they_were_sent() {
    for (number, datatype, sent, returned) in [
        (FLOAT, DataType::Float32, json!([[0.1, -2], [3e30, 0]]), json!([[0.1, -2.0], [3e30, 0.0]])),
        (DOUBLE, DataType::Float64, json!([[0.1, 1e300], [1, 2]]), json!([[0.1, 1e300], [1.0, 2.0]])),
        (FLOAT16, DataType::Float16, json!([[0.5, 65504], [-1, 2]]), json!([[0.5, 65504.0], [-1.0, 2.0]])),
        (
            INT64,
            DataType::Int64,
            json!([[9_007_199_254_740_993_i64, -1], [i64::MAX, 3.0]]),
            json!([[9_007_199_254_740_993_i64, -1], [i64::MAX, 3]]),
        ),
        (INT32, DataType::Int32, json!([[-2_147_483_648_i64, 7], [0, 1]]), json!([[-2_147_483_648_i64, 7], [0, 1]])),
        (UINT8, DataType::Uint8, json!([[0, 255], [1, 2]]), json!([[0, 255], [1, 2]])),
        (BOOL, DataType::Bool, json!([[true, false], [true, true]]), json!([[true, false], [true, true]])),
    ] {
        let model = packages::load(&of_array("", identity(number, &["N", "2", "2"])));
        assert_eq!(model.signature().inputs()[0].datatype(), datatype);
        let body = json!({ "x": sent });
        assert_eq!(answer(&model, 0, &body), returned, "{datatype}");
        let computed = model.predict(0, &read(&model, &body)).expect("an answer");
        let prediction = &model.signature().predictions()[0];
        assert_eq!(prediction.read(&computed.entry).as_ref(), Some(&computed), "{datatype}");
        for length in 0..computed.entry.len() {
            assert_eq!(prediction.read(&computed.entry.slice(..length)), None, "{datatype}, {length} bytes");
        }
    }
}

#[test]
fn equal_bytes_of_another_type_shape_or_field_have_another_key() {
    let key = |model: &Model, body: Value| read(model, &body).to_string();
    let of = |number, shape: &[&str]| packages::load(&of_array("", identity(number, shape)));
    let keys = [
        key(&of(FLOAT, &["N", "2", "2"]), json!({ "x": [[0, 0], [0, 0]] })),
        key(&of(FLOAT, &["N", "4"]), json!({ "x": [0, 0, 0, 0] })),
        key(&of(FLOAT, &["N", "a", "b"]), json!({ "x": [[0, 0, 0, 0]] })),
        key(&of(FLOAT, &["N", "a", "b"]), json!({ "x": [[0], [0], [0], [0]] })),
        key(&of(INT32, &["N", "4"]), json!({ "x": [0, 0, 0, 0] })),
        key(&of(INT64, &["N", "2"]), json!({ "x": [0, 0] })),
        key(&of(DOUBLE, &["N", "2"]), json!({ "x": [0, 0] })),
        key(&of(UINT8, &["N", "16"]), json!({ "x": vec![0; 16] })),
        key(&of(BOOL, &["N", "16"]), json!({ "x": vec![false; 16] })),
    ];
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len(), "{keys:?}");
    assert!(keys.iter().all(|key| key.len() == 32), "{keys:?}");
    // The same tensors in other fields.
    let graph = Onnx::empty()
        .with_input("a", FLOAT, &["N", "2"])
        .with_input("b", FLOAT, &["N", "2"])
        .node("Sub", &["a", "b"], "y", &[])
        .file("y", 2);
    let fields = [("a", "type = 'array'"), ("b", "type = 'array'")];
    let model = packages::load(&package(manifest(&fields, &[("y", "kind = 'vector'")]), graph));
    let (one, other) = (json!({ "a": [1, 2], "b": [3, 4] }), json!({ "b": [1, 2], "a": [3, 4] }));
    assert_ne!(key(&model, one.clone()), key(&model, other));
    assert_eq!(key(&model, one.clone()), key(&model, json!({ "b": [3, 4], "a": [1, 2] })));
    let decoded = model.signature().decode(&key(&model, one)).expect("a key of this model");
    assert!(decoded.iter().all(|field| field.text.starts_with("a tensor with the digest ")), "{decoded:?}");
    assert_eq!(model.signature().decode("1,2"), None);
}

#[test]
fn a_graph_of_several_inputs_and_outputs_is_fed_by_name_and_read_by_name() {
    let model = packages::load(&packages::tensors());
    let body = json!({ "height": 0.5, "width": -1, "colour": "green", "count": 7, "ids": [1, 2, 1] });
    let bytes: Vec<u8> = [121.5_f32, 246.0].into_iter().flat_map(f32::to_le_bytes).collect();
    for (prediction, expected) in [
        json!(121.5),
        json!("right"),
        json!(1.0),
        json!([{ "class": "right", "score": 246.0 }, { "class": "left", "score": 121.5 }]),
        json!([[10.0, 20.0], [100.0, 200.0], [10.0, 20.0]]),
        json!([10.0, 20.0, 100.0, 200.0, 10.0, 20.0]),
        json!(STANDARD.encode(bytes)),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(answer(&model, prediction, &body), expected);
        // From the entry of each layout.
        let (signature, output) = (model.signature(), model.run(&read(&model, &body)).expect("it runs"));
        for stored in [EntryContent::Answer, EntryContent::Output] {
            let (entry, answer) = stored.write(signature, prediction, &output).expect("an answer");
            assert_eq!(
                stored.read_stored(signature, prediction, &entry.expect("an entry")),
                Some(answer.body),
                "{stored:?}"
            );
        }
    }
    // Two matrices, in the order of the fields, and an array.
    let key = read(&model, &body).to_string();
    let [digest, rest] = key.splitn(2, ',').collect::<Vec<_>>()[..] else { panic!("{key}") };
    assert_eq!((digest.len(), rest), (32, "0.5,1,-1,7"));
    assert_eq!(model.runs_together(16), Ok(()));
    let bodies = [[1, 2], [0, 0], [2, 1]]
        .map(|ids| read(&model, &json!({ "height": 0, "width": 0, "colour": "red", "count": 0, "ids": ids })));
    let together = model.run_many(&bodies.iter().collect::<Vec<_>>()).expect("it runs");
    assert_eq!(together, bodies.iter().map(|input| model.run(input).expect("it runs")).collect::<Vec<_>>());
}

#[test]
fn integers_that_the_inputs_type_does_not_hold_are_refused() {
    let model = packages::load(&packages::tensors());
    for (changed, detail) in [
        (json!({ "count": 9_007_199_254_740_993_i64 }), "must be an integer, within ±9007199254740992"),
        (
            json!({ "ids": [1, 3] }),
            "must be an array of shape [length] of integers from 0 to 2, with at most 5 items in all",
        ),
        (json!({ "ids": [] }), "must be an array of shape [length]"),
        (json!({ "ids": [0, 0, 0, 0, 0, 0] }), "must be an array of shape [length]"),
    ] {
        let mut body = json!({ "height": 0.5, "width": -1, "colour": "green", "count": 7, "ids": [1] });
        let (name, value) = changed.as_object().and_then(|changed| changed.iter().next()).expect("one member");
        body[name] = value.clone();
        let error = model.signature().read(body.to_string().as_bytes()).expect_err("refused");
        let InvalidInput::Fields { errors, .. } = error else { panic!("{error:?}") };
        assert!(errors.len() == 1 && errors[0].field == *name && errors[0].detail.starts_with(detail), "{errors:?}");
    }
}

#[test]
fn arrays_with_dimensions_of_one_name_have_the_same_length() {
    let graph = Onnx::empty()
        .with_input("ids", INT64, &["N", "length"])
        .with_input("mask", INT64, &["N", "length"])
        .node("Mul", &["ids", "mask"], "y", &[])
        .file("y", 1);
    let fields = [("ids", "type = 'array'"), ("mask", "type = 'array'")];
    let model = packages::load(&package(manifest(&fields, &[("y", "kind = 'tensor'")]), graph));
    assert_eq!(answer(&model, 0, &json!({ "ids": [5, 6, 7], "mask": [1, 1, 0] })), json!([5, 6, 0]));
    let read = |body: Value| model.signature().read_all(body.to_string().as_bytes()).expect_err("refused");
    let InvalidInput::Fields { errors, .. } = read(json!({ "mask": [1, 1], "ids": [5, 6, 7] })) else { panic!() };
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!(error.to_string(), "\"mask\" must have the same length as \"ids\", 3");
    assert_eq!(error.received.as_deref(), Some("an array of shape [2]"));
    let InvalidInput::Items { errors, unlisted } = read(vec![json!({ "mask": [1], "ids": [5, 6] }); 200].into()) else {
        panic!()
    };
    assert_eq!((errors.len(), unlisted), (100, 100));
}

#[test]
fn inputs_without_a_batch_dimension_are_fed_as_they_are_and_run_one_at_a_time() {
    let graph = Onnx::empty()
        .with_input("state", FLOAT, &["2", "N", "3"])
        .with_input("rate", INT64, &[])
        .node("Cast", &["rate"], "factor", &[("to", FLOAT)])
        .node("Mul", &["state", "factor"], "y", &[])
        .file("y", 3);
    let fields = [("state", "type = 'array'\nshape = [2, 1, 3]"), ("rate", "type = 'array'")];
    let model = packages::load(&package(manifest(&fields, &[("y", "kind = 'tensor'")]), graph));
    let body = |rate: i64| json!({ "state": [[[1, 2, 3]], [[4, 5, 6]]], "rate": rate });
    assert_eq!(answer(&model, 0, &body(2)), json!([[[2.0, 4.0, 6.0]], [[8.0, 10.0, 12.0]]]));
    assert_eq!(model.runs_together(2), Err(&Unbatchable::OneRowOnly));
    let inputs = [1, 3].map(|rate| read(&model, &body(rate)));
    let outputs = model.run_many(&inputs.iter().collect::<Vec<_>>()).expect("it runs");
    assert_eq!(outputs.iter().map(|output| output.columns(0)[5]).collect::<Vec<_>>(), [6.0, 18.0]);
}

#[test]
fn a_graph_that_is_fed_otherwise_than_it_declares_is_refused_with_the_remedy() {
    let pair = || {
        let graph = Onnx::empty().with_input("a", FLOAT, &["N", "2"]).with_input("b", FLOAT, &["N", "2"]);
        graph.node("Add", &["a", "b"], "y", &[]).file("y", 2)
    };
    let vector = [("y", "kind = 'vector'")];
    for (fields, predictions, graph, mistake) in [
        (
            &[("a", "type = 'array'")][..],
            &vector[..],
            pair(),
            "model.onnx: no field feeds the input \"b\": add a field with this name or this `input`",
        ),
        (
            &[("a", "type = 'array'"), ("c", "type = 'array'\ninput = 'd'")],
            &vector,
            pair(),
            "model.toml: field \"c\": `input` is \"d\", but the inputs of the graph are \"a\", \"b\": name one of them",
        ),
        (
            &[("c", "type = 'array'")],
            &vector,
            pair(),
            "model.toml: field \"c\": needs `input`, the input of the graph that it feeds: one of \"a\", \"b\"",
        ),
        (
            &[("a", "type = 'array'"), ("b", "type = 'array'"), ("c", "type = 'number'\ninput = 'b'")],
            &vector,
            pair(),
            "model.onnx: the field \"b\" must be the only one that feeds the input \"b\": set another `input` for the others",
        ),
        (
            &[("a", "type = 'array'"), ("b", "type = 'array'\nshape = [3]")],
            &vector,
            pair(),
            "model.toml: field \"b\": `shape` is [3], but the graph declares [N, 2], with the batch dimension: correct one of them",
        ),
        (
            &[("a", "type = 'array'"), ("b", "type = 'array'\nshape = ['any']")],
            &vector,
            pair(),
            "model.toml: field \"b\": `shape` is [any], but the graph declares [N, 2]",
        ),
        (
            &[("a", "type = 'array'"), ("b", "type = 'array'\nmax_items = 3")],
            &vector,
            pair(),
            "model.toml: field \"b\": `max_items` applies only to a `shape` with names: remove it",
        ),
        (
            &[("a", "type = 'array'"), ("b", "type = 'number'\nshape = [2]")],
            &vector,
            pair(),
            "model.toml: field \"b\": `shape` applies only to arrays: remove it",
        ),
        (
            &[("a", "type = 'array'\nrequired = false"), ("b", "type = 'array'")],
            &vector,
            pair(),
            "model.toml: field \"a\": `required` applies only to numbers, integers, booleans, strings and dates: remove it",
        ),
        (
            &[("a", "type = 'array'\nexample = [1, 2, 3]"), ("b", "type = 'array'")],
            &vector,
            pair(),
            "model.toml: field \"a\": `example` is [1,2,3] but must be an array of shape [2] of numbers",
        ),
        (
            &[("a", "type = 'array'"), ("b", "type = 'array'")],
            &[("y", "kind = 'vector'\nfrom = 'z'")],
            pair(),
            "model.toml: prediction \"y\": `from` is \"z\", but the outputs of the graph are \"y\": name one of them",
        ),
        (
            &[("a", "type = 'array'"), ("b", "type = 'array'")],
            &[("y", "kind = 'top'\nk = 3\nvalues = [1, 2]")],
            pair(),
            "model.toml: prediction \"y\": `k` must be 1 to 2, the number of `values`, not 3",
        ),
        (
            &[("a", "type = 'array'"), ("b", "type = 'array'")],
            &[("y", "kind = 'tensor'\nencoding = 'base64'")],
            pair(),
            "model.toml: prediction \"y\": `encoding` does not apply to this `kind`: remove it",
        ),
        (
            &[("x", "type = 'integer'\nmaximum = 300")],
            &[("y", "kind = 'value'")],
            identity(UINT8, &["N", "1"]),
            "model.toml: field \"x\": `maximum` is 300 but must lie from 0 to 255, because the graph reads UINT8",
        ),
        (
            &[("x", "type = 'boolean'\nrequired = false\nmissing = 'nan'")],
            &[("y", "kind = 'value'")],
            identity(INT64, &["N", "1"]),
            "model.toml: field \"x\": `missing` must be an integer that int64 holds, the type of the graph's input",
        ),
    ] {
        let found = packages::mistakes(&package(manifest(fields, predictions), graph));
        let [found] = &found[..] else { panic!("{found:?}") };
        assert!(found.starts_with(mistake), "{found}\n{mistake}");
    }
}

#[test]
fn a_top_entry_in_another_form_is_refused() {
    let graph = Onnx::empty().with_input("x", FLOAT, &["N", "3"]).node("Identity", &["x"], "y", &[]).file("y", 3);
    let top = "kind = 'top'\nk = 2\nvalues = ['a', 'b', 'c']";
    let model = packages::load(&package(manifest(&[("x", "type = 'array'")], &[("y", top)]), graph));
    let prediction = &model.signature().predictions()[0];
    let entry = |x: Value| model.predict(0, &read(&model, &json!({ "x": x }))).expect("an answer").entry;
    assert_eq!(entry(json!([0.25, 0.5, 0.125])), "1:0.5,0:0.25");
    assert_eq!(entry(json!([0.5, 0.5, 0.5])), "0:0.5,1:0.5");
    assert!(prediction.read(&Bytes::from("1:0.5,0:0.25")).is_some());
    for entry in [
        "",
        "1:0.5",
        "1:0.5,0:0.25,2:0.1",
        "0:0.25,1:0.5",
        "1:0.5,1:0.25",
        "1:0.5,3:0.25",
        "01:0.5,0:0.25",
        "1:0.50,0:0.25",
        "1:0.5,0:0.5",
        "1:NaN,0:0.25",
        "1;0.5,0;0.25",
    ] {
        assert_eq!(prediction.read(&Bytes::from(entry)), None, "{entry}");
    }
}

#[test]
fn inputs_and_outputs_say_what_the_graph_does_not_and_may_not_contradict_it() {
    let graph = || identity(FLOAT, &["N", "length", "2"]);
    let of = |lines: &str| {
        let mut package = of_array("", graph());
        package.manifest = ManifestFile::Written(format!("{}\n{lines}", package.manifest.toml()));
        package
    };
    let fixed = "[[inputs]]\nname = 'x'\ndatatype = 'FP32'\nshape = [-1, 3, 2]";
    let model = packages::load(&of(fixed));
    assert_eq!(model.signature().inputs()[0].shape(model.signature().fields()), [Size::Fixed(3), Size::Fixed(2)]);
    packages::load(&of("[[outputs]]\nname = 'y'\ndatatype = 'FP32'\nshape = [-1, -1, 2]"));
    for (lines, mistake) in [
        (
            "[[inputs]]\nname = 'z'",
            "input \"z\": the inputs of the graph are \"x\": correct `name`, or remove the entry",
        ),
        (
            "[[inputs]]\nname = 'x'\ndatatype = 'INT64'",
            "input \"x\": `datatype` is INT64, but the graph declares FP32: correct one of them",
        ),
        (
            "[[inputs]]\nname = 'x'\nshape = [-1, -1, 3]",
            "input \"x\": `shape` is [-1, -1, 3], but the graph declares [N, length, 2]: correct one of them",
        ),
        (
            "[[inputs]]\nname = 'x'\nshape = [-1, 2]",
            "input \"x\": `shape` is [-1, 2], but the graph declares [N, length, 2]: correct one of them",
        ),
        ("[[inputs]]\nname = 'x'\nshape = [-2, 1, 2]", "input \"x\": `shape` must be sizes, or -1 for any size"),
        (
            "[[outputs]]\nname = 'y'\ndatatype = 'INT64'",
            "output \"y\": `datatype` is INT64, but the graph returns FP32: correct it",
        ),
        (
            "[[outputs]]\nname = 'y'\nshape = [-1, -1, 5]",
            "output \"y\": `shape` is [?, ?, 5], but the graph returns [16, 2] for one input: correct it",
        ),
    ] {
        let found = packages::mistakes(&of(lines));
        assert_eq!(found, [format!("model.toml: {mistake}")], "{lines}");
    }
}

#[test]
fn check_shows_what_the_graph_reads_and_what_is_not_read_of_it() {
    let mut package = packages::tensors();
    let only = package.manifest.toml().split("[[predictions]]").next().expect("the fields").to_owned();
    let row = json!({ "input": { "ids": [2], "height": 1, "colour": "red", "width": 2, "count": 3 },
        "answers": { "sum": [104.0, 202.0] } });
    let prediction = "[[predictions]]\nname = \"sum\"\nendpoint = \"sum\"\nkind = \"vector\"\n";
    package.manifest = ManifestFile::Written(format!("{only}{prediction}"));
    package.golden = Some(format!("{row}\n").into());
    let directory = packages::write(&package, "check-tensors");
    let ended = crate::command::run(&["check", directory.to_str().expect("UTF-8")], &[]);
    for line in [
        "input                5 fields, 4 columns",
        "the graph reads      dense FP32 [N, 2]\n                     sparse INT64 [N, 2]\n                     ids INT32 [N, length]",
        "outputs not read     \"best\", \"rows\"",
        "arrays               rows run together",
        "rows that differ     1",
    ] {
        assert!(ended.out.contains(line), "{line}: {}", ended.out);
    }
    assert!(ended.out.contains("expected sum [104.0,202.0], got [101.0,205.0]"), "{}", ended.out);
}

#[test]
fn an_array_field_without_golden_rows_is_checked_with_drawn_arrays() {
    let graph = Onnx::empty().with_input("x", FLOAT, &["N", "length"]).node("Sqrt", &["x"], "y", &[]).file("y", 1);
    let directory = |lines: &str, name: &str| packages::write(&of_array(lines, graph.clone()), name);
    let check = |directory: &Path| crate::command::run(&["check", directory.to_str().expect("UTF-8")], &[]);
    let negative = check(&directory("", "check-sqrt"));
    assert!(negative.out.contains("prediction \"y\": fails on the input {\"x\":["), "{}", negative.out);
    let positive = check(&directory("minimum = 0", "check-sqrt-bounded"));
    assert!(positive.out.contains("ok: the package can be served"), "{}", positive.out);
}

#[test]
fn golden_vectors_are_compared_number_by_number_within_the_tolerance() {
    let mut package = sums();
    let base64 = "[[predictions]]\nname = \"bytes\"\nendpoint = \"bytes\"\nkind = \"vector\"\nencoding = \"base64\"\n";
    package.manifest = ManifestFile::Written(format!("{}\n{base64}", package.manifest.toml()));
    let replay = |sums: Value, bytes: [f32; 2]| {
        let bytes = STANDARD.encode(bytes.map(f32::to_le_bytes).concat());
        let row = json!({ "input": { "window": [[1, 2], [2, 4]] }, "answers": { "sums": sums, "bytes": bytes } });
        Replay::run(&packages::load(&package), &row.to_string())
    };
    let close = replay(json!([3.000_003, 6]), [3.0, 6.000_003]);
    assert_eq!((close.rows_that_differ, close.mistakes.as_slice()), (0, &[][..]));
    assert!((1e-7..1e-5).contains(&close.largest_difference), "{}", close.largest_difference);
    for (sums, bytes) in [
        (json!([3.1, 6]), [3.0, 6.0]),
        (json!([3, 6]), [3.1, 6.0]),
        (json!([3]), [3.0, 6.0]),
        (json!([3, 6, 0]), [3.0, 6.0]),
        (json!("3, 6"), [3.0, 6.0]),
    ] {
        assert_eq!(replay(sums.clone(), bytes).rows_that_differ, 1, "{sums} {bytes:?}");
    }
}
