//! Damaged model packages: each is refused with its mistakes, or answers.

use std::{sync::mpsc, thread};

use predict_once::{http, model::Model, model::Package, model::PackageError};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::TestCaseResult,
};
use serde_json::{Map, Value, json};
use test_support::{PATIENCE, packages};

use crate::{
    edit::{Edit, any_edit, edited},
    fuzz,
    subject::Reached,
};

fn originals() -> [Package; 3] {
    [packages::shipped(), packages::every_kind(), packages::read("tests/packages/penguins")]
}

/// Loads a package on its own thread, so that a load that never ends fails the test.
fn loaded(package: Package) -> Result<Result<Model, PackageError>, TestCaseError> {
    let (sender, receiver) = mpsc::channel();
    let loading = thread::spawn(move || {
        let loaded = Model::load(&package);
        // Sending fails if the test has stopped waiting.
        let _ = sender.send(());
        loaded
    });
    match receiver.recv_timeout(PATIENCE) {
        Err(mpsc::RecvTimeoutError::Timeout) => Err(TestCaseError::fail("it does not end")),
        _ => loading.join().map_err(|_| TestCaseError::fail("it panicked")),
    }
}

/// Asserts that a package is refused with mistakes, or that its model answers inputs generated from it and has an OpenAPI document.
fn check(package: Package, reached: &Reached) -> TestCaseResult {
    Reached::count(&reached.all);
    let model = match loaded(package)? {
        Ok(model) => model,
        Err(error) => {
            prop_assert!(!error.mistakes.is_empty());
            for line in error.mistakes.iter().map(ToString::to_string).chain([error.to_string()]) {
                prop_assert!(line.lines().count() == 1, "{line:?}");
            }
            return Ok(());
        }
    };
    Reached::count(&reached.router);
    for input in packages::inputs(&model) {
        let text = Value::from(input).to_string();
        let input = model
            .signature()
            .read(text.as_bytes())
            .map_err(|error| TestCaseError::fail(format!("{text}: {error:?}")))?;
        prop_assert_eq!(model.signature().encode(&input).len(), model.signature().width());
        for (position, prediction) in model.signature().predictions().iter().enumerate() {
            // A changed graph can return anything.
            if let Ok(answer) = model.predict(position, &input) {
                let body: Value = serde_json::from_slice(&answer.body).expect("an answer is JSON");
                prop_assert!(body.get(prediction.name()).is_some(), "{body}");
                prop_assert_eq!(prediction.read(&answer.entry), Some(answer));
                Reached::count(&reached.predictions);
            }
        }
    }
    if let Ok(document) = http::openapi_document(&model) {
        prop_assert!(
            document["paths"].as_object().is_some_and(|paths| paths.len() > model.signature().predictions().len())
        );
    }
    Ok(())
}

fn with_manifest(original: &Package, manifest: String) -> Package {
    packages::package(manifest, original.onnx.to_vec())
}

#[test]
fn a_manifest_whose_text_is_damaged_is_refused_or_answers() {
    let (originals, reached) = (originals(), Reached::default());
    fuzz(1_000, 10, (0..originals.len(), vec(any_edit(), 1..4)), |(package, edits): (usize, Vec<Edit>)| {
        let original = &originals[package];
        // A file that is not UTF-8 is refused when it is read.
        match String::from_utf8(edited(original.manifest.toml(), &edits)) {
            Ok(manifest) => check(with_manifest(original, manifest), &reached),
            Err(_) => Ok(()),
        }
    });
    assert!(reached.predictions.get() > reached.all.get() / 20, "{}", reached.predictions.get());
}

/// A change to one value of a manifest.
#[derive(Clone, Debug)]
struct Change {
    at: Index,
    to: To,
}

#[derive(Clone, Debug)]
enum To {
    Nothing,
    Value(Value),
    /// A value from another place in the manifest.
    Copy(Index),
    /// Another key for a member of a table.
    Key(&'static str),
}

fn any_change() -> impl Strategy<Value = Change> {
    let values = vec![
        json!(0),
        json!(-1),
        json!(2.5),
        json!(1e39),
        json!(i64::MAX),
        json!(16_777_217),
        json!(true),
        json!(""),
        json!("nan"),
        json!("zeros"),
        json!("number"),
        json!("integer"),
        json!("boolean"),
        json!("string"),
        json!("one_hot"),
        json!("ordinal"),
        json!("ignore"),
        json!("missing"),
        json!("value"),
        json!("values"),
        json!("labels"),
        json!("probability"),
        json!("class"),
        json!("probabilities"),
        json!("bands"),
        json!("docs"),
        json!("a:b"),
        json!("\u{0}\u{e4}"),
        json!("x".repeat(201)),
        json!([]),
        json!([0, 1]),
        json!([1, 0]),
        json!([0.1, 0.2, 0.3]),
        json!(["a", "b"]),
        json!({}),
        json!({ "value": "unknown" }),
        json!({ "name": "a" }),
    ];
    let keys = vec![
        "minimum",
        "exclusive_maximum",
        "bands",
        "values",
        "required",
        "missing",
        "unknown",
        "encoding",
        "example",
        "unit",
        "output",
        "outputs",
        "cuts",
        "schema",
        "valid",
        "golden",
        "nonsense",
    ];
    let to = prop_oneof![
        2 => Just(To::Nothing),
        6 => select(values).prop_map(To::Value),
        3 => any::<Index>().prop_map(To::Copy),
        1 => select(keys).prop_map(To::Key),
    ];
    (any::<Index>(), to).prop_map(|(at, to)| Change { at, to })
}

/// Collects the JSON Pointers to all values inside a value.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut add = |name: &str, member: &Value| {
        let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        pointers(member, &pointer, found);
        found.push(pointer);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| add(name, member)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| add(&n.to_string(), item)),
        _ => {}
    }
}

fn changed(manifest: &Value, changes: &[Change]) -> Value {
    let mut manifest = manifest.clone();
    for Change { at, to } in changes {
        let mut all = Vec::new();
        pointers(&manifest, "", &mut all);
        if all.is_empty() {
            continue;
        }
        let pointer = at.get(&all);
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer to a part");
        let name = name.replace("~1", "/").replace("~0", "~");
        let copied = match to {
            To::Copy(from) => manifest.pointer(from.get(&all).as_str()).cloned(),
            To::Value(value) => Some(value.clone()),
            To::Nothing | To::Key(_) => None,
        };
        let Some(parent) = manifest.pointer_mut(parent) else { continue };
        match (parent, copied, to) {
            (Value::Object(members), Some(value), _) => {
                members.insert(name, value);
            }
            (Value::Object(members), None, To::Key(key)) => {
                let value = members.remove(&name).expect("it is there");
                members.insert((*key).to_owned(), value);
            }
            (Value::Object(members), None, _) => {
                members.remove(&name);
            }
            (Value::Array(items), Some(value), _) => items[name.parse::<usize>().expect("a position")] = value,
            (Value::Array(items), None, _) => {
                items.remove(name.parse::<usize>().expect("a position"));
            }
            _ => {}
        }
    }
    manifest
}

/// A value as TOML, in one line.
fn toml(value: &Value) -> String {
    let each = |texts: Vec<String>| texts.join(", ");
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{} = {}", json!(name), toml(value)));
            format!("{{ {} }}", each(members.collect()))
        }
        Value::Array(items) => format!("[{}]", each(items.iter().map(toml).collect())),
        other => other.to_string(),
    }
}

#[test]
fn a_manifest_with_changed_entries_is_refused_or_answers() {
    let (originals, reached) = (originals(), Reached::default());
    let manifests = originals.each_ref().map(|package| toml::from_str::<Value>(package.manifest.toml()).expect("TOML"));
    fuzz(3_000, 10, (0..originals.len(), vec(any_change(), 1..4)), |(package, changes)| {
        let manifest: Map<_, _> = changed(&manifests[package], &changes).as_object().expect("an object").clone();
        let lines = manifest.iter().map(|(name, value)| format!("{} = {}\n", json!(name), toml(value)));
        check(with_manifest(&originals[package], lines.collect()), &reached)
    });
    assert!(reached.router.get() > reached.all.get() / 20, "{} of {}", reached.router.get(), reached.all.get());
}

#[test]
fn a_graph_whose_bytes_are_damaged_is_refused_or_answers() {
    let (originals, reached) = (originals(), Reached::default());
    let damage = (any::<Index>(), any::<u8>(), 0..3usize, vec(any::<u8>(), 0..3));
    // Each case compiles a graph, which is slow.
    fuzz(1_000, 10, (0..originals.len(), vec(damage, 1..3)), |(package, damage)| {
        let mut package = originals[package].clone();
        let mut onnx = package.onnx.to_vec();
        for (at, bits, removed, inserted) in damage {
            let at = at.index(onnx.len());
            onnx[at] ^= bits;
            onnx.splice(at..onnx.len().min(at + removed), inserted);
        }
        package.onnx = onnx.into();
        check(package, &reached)
    });
    assert!(reached.router.get() > reached.all.get() / 50, "{} of {}", reached.router.get(), reached.all.get());
}
