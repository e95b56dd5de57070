//! The kind `contributions`: the contributions of a package are exact, its answer holds what the client sent, and other graphs are refused.

use predict_once::model::{Model, Package, golden::Replay};
use serde_json::{Value, json};
use test_support::{
    onnx::{Attribute, Onnx},
    packages::{self, explained},
};

fn contributions(model: &Model, body: &Value) -> Vec<f64> {
    let input = model.signature().read(body.to_string().as_bytes()).expect("a valid input");
    let explained = model.explain(&input).expect("contributions");
    [vec![explained.base], explained.contributions].concat()
}

fn near(ours: &[f64], expected: &[f64]) {
    assert_eq!(ours.len(), expected.len());
    let is_near = |(one, other): (&f64, &f64)| (one - other).abs() < 1e-12;
    assert!(ours.iter().zip(expected).all(is_near), "{ours:?} instead of {expected:?}");
}

/// As [`explained`], with another graph.
fn with_graph(graph: Onnx, columns: usize) -> Package {
    packages::package(explained().manifest.toml(), graph.file("output", columns))
}

#[test]
fn linear_terms_are_relative_to_the_means_and_add_up_to_the_field() {
    let model = packages::load(&explained());
    // Weights 0.5, 1 and -2 of the bands, 0.25 of the age (mean 40), -1 and 3 of the colours.
    let base = 0.125 + 0.25 * 40.0;
    near(&contributions(&model, &json!({ "amount": 5, "age": 44, "colour": "red" })), &[base, 0.5, 1.0, -1.0]);
    near(&contributions(&model, &json!({ "amount": 50, "age": 40, "colour": "green" })), &[base, -2.0, 0.0, 3.0]);
    // A missing age is the mean in the graph.
    near(&contributions(&model, &json!({ "amount": 10, "colour": "red" })), &[base, 1.0, 0.0, -1.0]);
}

#[test]
fn the_shipped_model_s_contributions_add_up_to_the_logarithm_of_its_odds() {
    let model = packages::load(&packages::shipped());
    for example in model.signature().examples.iter().filter(|example| example.valid) {
        let input = model.signature().read(Value::Object(example.input.clone()).to_string().as_bytes()).expect("valid");
        let score: f64 = contributions(&model, &Value::Object(example.input.clone())).iter().sum();
        let probability = model.run(&input).expect("an output").columns(0)[0];
        assert!((1.0 / (1.0 + (-score).exp()) - probability).abs() < 1e-6, "{score} and {probability}");
    }
}

#[test]
fn entries_read_back_as_they_were_written_and_others_are_refused() {
    let model = packages::load(&explained());
    let input = model.signature().read(br#"{"amount":5,"age":44,"colour":"red"}"#).expect("valid");
    let explained = model.explain(&input).expect("contributions");
    let entry = explained.to_entry().expect("finite");
    assert_eq!(entry, "10.125,0.5,1.0,-1.0");
    assert_eq!(model_package::Explained::from_entry(&entry, 3), Some(explained));
    for other in ["", "10.125,0.5,1.0", "10.125,0.5,1.0,-1.0,0.0", "10.125,0.50,1.0,-1.0", "10.125,0.5,1.0,NaN"] {
        assert_eq!(model_package::Explained::from_entry(other.as_bytes(), 3), None, "{other}");
    }
}

#[test]
fn graphs_that_cannot_be_explained_are_refused_with_the_reason() {
    let input = || Onnx::of(model_package::Precision::Float64, 6);
    let one = |graph: Onnx| packages::mistakes(&with_graph(graph, 1));
    let weights = [1.0; 6];
    let squared = input().constant("w", &[6, 1], &weights).node("MatMul", &["x", "w"], "sum", &[]).node(
        "Mul",
        &["sum", "sum"],
        "output",
        &[],
    );
    let hidden = input().constant("w", &[6, 1], &weights).node("MatMul", &["x", "w"], "sum", &[]).node(
        "Relu",
        &["sum"],
        "output",
        &[],
    );
    let constant = input().constant("w", &[6, 1], &[0.0; 6]).node("MatMul", &["x", "w"], "output", &[]);
    for (graph, reason) in [
        (squared, "applies Mul to several fields"),
        (hidden, "applies Relu to several fields"),
        (constant, "has a constant output"),
    ] {
        let found = one(graph);
        let expected = format!(
            "model.onnx: contributions need a tree ensemble or a linear model on the fields themselves, but this graph {reason}"
        );
        assert_eq!(found, [expected]);
    }
    let two = input().constant("w", &[6, 2], &[1.0; 12]).node("MatMul", &["x", "w"], "output", &[]);
    let chosen = packages::changed(&with_graph(two, 2), "kind = \"value\"", "kind = \"value\"\noutput = 0");
    let found = packages::mistakes(&chosen);
    assert!(found.len() == 1 && found[0].contains("has 2 output columns: choose one with `output`"), "{found:?}");
    packages::load(&packages::changed(&chosen, "top = 2", "top = 2\noutput = 1"));
}

/// A tree on the age: 1 up to 30, else 3.
fn tree(covers: Option<&[f64]>) -> Package {
    let ids: &[i64] = &[0, 0, 0];
    let mut attributes = vec![
        ("nodes_treeids", Attribute::Ints(ids)),
        ("nodes_nodeids", Attribute::Ints(&[0, 1, 2])),
        ("nodes_featureids", Attribute::Ints(&[3, 0, 0])),
        ("nodes_modes", Attribute::Strings(&["BRANCH_LEQ", "LEAF", "LEAF"])),
        ("nodes_values_as_tensor", Attribute::Doubles(&[30.0, 0.0, 0.0])),
        ("nodes_truenodeids", Attribute::Ints(&[1, 0, 0])),
        ("nodes_falsenodeids", Attribute::Ints(&[2, 0, 0])),
        ("target_treeids", Attribute::Ints(&[0, 0])),
        ("target_nodeids", Attribute::Ints(&[1, 2])),
        ("target_ids", Attribute::Ints(&[0, 0])),
        ("target_weights_as_tensor", Attribute::Doubles(&[1.0, 3.0])),
    ];
    attributes.extend(covers.map(|covers| ("nodes_hitrates_as_tensor", Attribute::Doubles(covers))));
    let graph = Onnx::of(model_package::Precision::Float64, 6)
        .learnt("TreeEnsembleRegressor", "x", "sum", &attributes)
        .node("Cast", &["sum"], "output", &[("to", 11)]);
    with_graph(graph, 1)
}

#[test]
fn trees_are_explained_by_the_training_rows_in_their_branches() {
    let model = packages::load(&tree(Some(&[4.0, 1.0, 3.0])));
    let of = |age: Value| contributions(&model, &json!({ "amount": 5, "age": age, "colour": "red" }));
    near(&of(json!(44)), &[2.5, 0.0, 0.5, 0.0]);
    near(&of(json!(30)), &[2.5, 0.0, -1.5, 0.0]);
    // A missing value goes where the prediction's does.
    near(&of(Value::Null), &[2.5, 0.0, 0.5, 0.0]);
    for (covers, problem) in [(None, "have no covers"), (Some(&[4.0, -1.0, 5.0][..]), "have invalid covers")] {
        let found = packages::mistakes(&tree(covers));
        assert!(found.len() == 1 && found[0].contains(problem) && found[0].starts_with("model.onnx: "), "{found:?}");
    }
}

#[test]
fn entries_of_contributions_are_checked() {
    for (from, to, part) in [
        ("top = 2", "top = 0", "`top` must be from 1 to the number of fields (3)"),
        ("top = 2", "top = 4", "`top` must be from 1 to the number of fields (3)"),
        ("top = 2", "cuts = [1]", "`cuts` does not apply to this `kind`"),
        ("kind = \"value\"", "kind = \"value\"\ntop = 2", "`top` does not apply to this `kind`"),
        ("endpoint = \"reasons\"", "endpoint = \"scores\"", "another prediction has this `endpoint`"),
        ("name = \"score\"\nendpoint = \"scores\"", "name = \"score\"", "`endpoint` is missing"),
        ("reason = \"Too young\"", "reason = [\"Too young\"]", "`reason` must be a string"),
        ("[\"Small\", \"Medium\", \"Large\"]", "[\"Small\", \"Large\"]", "`reason` has 2 texts, but there are 3 bands"),
    ] {
        let found = packages::mistakes(&packages::changed(&explained(), from, to));
        assert!(found.len() == 1 && found[0].contains(part), "{to}: {found:?}");
    }
    let twice = packages::changed(
        &explained(),
        "[[examples]]",
        "[[predictions]]\nname = \"why\"\nkind = \"contributions\"\n[[examples]]",
    );
    let found = packages::mistakes(&twice);
    assert!(found.len() == 1 && found[0].contains("only one prediction can have the kind"), "{found:?}");
    // Only a member of other answers.
    packages::load(&packages::changed(&explained(), "endpoint = \"reasons\"\n", ""));
}

#[test]
fn the_fingerprint_covers_what_is_explained_but_not_the_texts() {
    let fingerprints = |package: &Package| {
        let model = packages::load(package);
        [model_package::EntryContent::Answer, model_package::EntryContent::Output]
            .map(|stored| model.fingerprint(stored).to_owned())
    };
    let original = fingerprints(&explained());
    for (from, to) in
        [("top = 2", "top = 1"), ("Too young", "Too old"), ("summary = \"Why\"", "summary = \"Wherefore\"")]
    {
        assert_eq!(fingerprints(&packages::changed(&explained(), from, to)), original, "{to}");
    }
    let other = fingerprints(&packages::changed(&explained(), "top = 2", "top = 2\noutput = 0"));
    assert!(other[0] != original[0] && other[1] != original[1]);
}

#[test]
fn golden_rows_hold_contributions_by_field_and_a_row_with_others_differs() {
    let model = packages::load(&explained());
    let row = |age: f64| {
        json!({
            "input": { "amount": 5, "age": 44, "colour": "red" },
            "answers": { "reasons": { "base": 10.125, "contributions": { "amount": 0.5, "age": age, "colour": -1.0 } } }
        })
        .to_string()
    };
    let replay = Replay::run(&model, &row(1.0));
    assert_eq!((replay.answers, replay.rows_that_differ, &replay.mistakes[..]), (1, 0, &[][..]), "{replay:?}");
    let replay = Replay::run(&model, &format!("{}\n{}", row(1.0), row(1.1)));
    assert_eq!((replay.answers, replay.rows_that_differ), (2, 1), "{replay:?}");
    assert!(replay.mistakes[0].problem.contains("golden.jsonl line 2: expected reasons"), "{:?}", replay.mistakes);
}
