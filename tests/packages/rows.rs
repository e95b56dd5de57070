//! Rows of an array do not influence each other's answers, whatever the graph.

use predict_once::model::{Model, Package, Unbatchable};
use serde_json::{Value, json};
use test_support::{onnx::Onnx, service::Service};

use crate::{every_package::PACKAGES, packages};

/// Adds the excess over a limit of something computed from all rows. Below the limit, the graph is the identity.
fn gated(over_all_rows: &str, limit: f32) -> Vec<u8> {
    Onnx::new(1)
        .constant("limit", &[1], &[limit])
        .node(over_all_rows, &["x"], "all", &[("keepdims", 1)])
        .node("Sub", &["all", "limit"], "excess", &[])
        .node("Relu", &["excess"], "added", &[])
        .node("Add", &["x", "added"], "y", &[])
        .file("y", 1)
}

/// With numbers from 0 to 1.
fn bounded(graph: Vec<u8>) -> Package {
    let package = packages::package(packages::NUMBER, graph);
    let package = packages::changed(&package, "type = \"number\"", "type = \"number\"\nminimum = 0\nmaximum = 1");
    packages::changed(&package, "number = 7", "number = 1")
}

/// Packages whose rows influence each other.
fn mixing() -> Vec<(&'static str, Package)> {
    let number = |graph| packages::package(packages::NUMBER, graph);
    let centred = Onnx::new(1).node("ReduceMean", &["x"], "mean", &[("keepdims", 1)]);
    let one = Onnx::new(1).constant("one", &[1], &[1.0]);
    vec![
        ("a sum beyond a limit", number(gated("ReduceSum", 1_000.0))),
        ("a maximum beyond a limit", number(gated("ReduceMax", 5_000.0))),
        // No two rows exceed the limit together.
        ("a sum of bounded rows", bounded(gated("ReduceSum", 300.0))),
        ("the mean", number(centred.node("Sub", &["x", "mean"], "y", &[]).file("y", 1))),
        ("a softmax", number(Onnx::new(1).node("Softmax", &["x"], "y", &[("axis", 0)]).file("y", 1))),
        // Depends on the number of rows alone.
        (
            "a count",
            number(
                one.node("Mul", &["x", "x"], "square", &[])
                    .node("Sub", &["square", "square"], "zero", &[])
                    .node("Add", &["zero", "one"], "ones", &[])
                    .node("ReduceSum", &["ones"], "count", &[("keepdims", 1)])
                    .node("Add", &["x", "count"], "y", &[])
                    .file("y", 1),
            ),
        ),
    ]
}

fn answers(model: &Model, numbers: &[f64]) -> (Vec<Value>, Vec<Value>) {
    let read =
        |number: &f64| model.signature().read(json!({ "number": number }).to_string().as_bytes()).expect("valid");
    let inputs: Vec<_> = numbers.iter().map(read).collect();
    let body = |output| -> Value {
        let answer = model.signature().predictions()[0].derive(&output).expect("an answer");
        serde_json::from_slice(&answer.body).expect("JSON")
    };
    let alone = inputs.iter().map(|input| body(model.run(input).expect("it runs"))).collect();
    let together = model.run_many(&inputs.iter().collect::<Vec<_>>()).expect("it runs");
    (alone, together.into_iter().map(body).collect())
}

#[test]
fn the_inputs_of_an_array_are_answered_as_if_each_were_alone() {
    for (name, package) in mixing() {
        let model = packages::load(&package);
        let numbers = if name.contains("bounded") { vec![1.0; 1_000] } else { vec![8.0, 2_994.0, 7_000.0] };
        let (alone, together) = answers(&model, &numbers);
        assert_eq!(alone, together, "{name}");
        let apart = model.runs_together(numbers.len()).expect_err(name);
        assert!(matches!(apart, Unbatchable::Mixed { .. }), "{name}: {apart:?}");
    }
}

#[tokio::test]
async fn an_answer_that_another_row_changed_is_neither_given_nor_kept() {
    let package = packages::package(packages::NUMBER, gated("ReduceSum", 1_000.0));
    let directory = packages::write(&package, "mixing-rows");
    let (_service, http) = Service::local(&[("MODEL_DIR", directory.to_str().expect("UTF-8"))]).await;
    let array = http.post("/values", &json!([{ "number": 8 }, { "number": 2994 }])).await;
    assert_eq!(array.json(), json!([{ "value": 8.0 }, { "value": 4988.0 }]));
    let alone = http.post("/values", &json!({ "number": 8 })).await;
    assert_eq!((alone.json(), alone.cache_status()), (json!({ "value": 8.0 }), "predict-once; hit; detail=memory"));
}

#[test]
fn independent_rows_run_together_in_arrays_of_every_size() {
    let of_directories = PACKAGES.into_iter().map(|directory| (directory, packages::read(directory)));
    let others = [("every kind", packages::every_kind()), ("products", packages::products(32, 2))];
    for (name, package) in of_directories.chain(others) {
        let model = packages::load(&package);
        for size in [2, 3, 16, 100, 1_000] {
            assert_eq!(model.runs_together(size), Ok(()), "{name}, {size} rows");
        }
    }
}

#[test]
fn check_says_why_rows_run_one_at_a_time() {
    let checked = |package: &Package, name: &str| {
        let directory = packages::write(package, name);
        crate::command::run(&["check", directory.to_str().expect("UTF-8")], &[])
    };
    let mixing = packages::package(packages::NUMBER, gated("ReduceSum", 1_000.0));
    let ended = checked(&mixing, "check-mixing");
    assert!(ended.out.contains("one row at a time: rows influence each other"), "{}", ended.out);
    let ended = checked(&packages::every_kind(), "check-independent");
    assert!(ended.out.contains("rows run together"), "{}", ended.out);
}

#[test]
fn golden_rows_are_replayed_in_an_array_too() {
    // Mixes only if the sum of the rows is close to 3,002, which no drawn rows have.
    let graph = Onnx::new(1)
        .constant("sum", &[1], &[3_002.0])
        .constant("one", &[1], &[1.0])
        .node("ReduceSum", &["x"], "all", &[("keepdims", 1)])
        .node("Sub", &["all", "sum"], "off", &[])
        .node("Abs", &["off"], "distance", &[])
        .node("Sub", &["one", "distance"], "closeness", &[])
        .node("Relu", &["closeness"], "added", &[])
        .node("Add", &["x", "added"], "y", &[])
        .file("y", 1);
    let mut package = packages::package(packages::NUMBER, graph);
    let row = |number: f64| json!({ "input": { "number": number }, "answers": { "value": number } }).to_string();
    package.golden = Some(format!("{}\n{}\n", row(8.0), row(2_994.0)).into());
    let directory = packages::write(&package, "golden-array");
    let ended = crate::command::run(&["check", directory.to_str().expect("UTF-8")], &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    let mistake = "model.onnx: 2 of 2 golden rows have another answer in an array than alone, so rows influence each other. The first is \
                   golden.jsonl line 1: value 8.0 alone, 9.0 in an array";
    assert!(ended.out.contains(mistake), "{}", ended.out);
}
