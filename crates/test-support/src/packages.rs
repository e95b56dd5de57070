//! Model packages: the shipped one, directories, and small ones assembled by tests.

use std::{
    fs,
    path::{Path, PathBuf},
};

use model_package::{
    DataType, Field, Precision,
    field::{Array, Bound, Dimension, Kind, Number},
};
use predict_once::{model::ManifestFile, model::Model, model::Package};
use serde_json::{Map, Value, json};

use crate::{
    ROOT,
    onnx::{DOUBLE, FLOAT, INT32, INT64, Onnx},
    scratch_directory,
};

/// The shipped package.
pub fn shipped() -> Package {
    Package::embedded()
}

/// The package in a directory of the repository.
pub fn read(directory: &str) -> Package {
    Package::read(&Path::new(ROOT).join(directory)).unwrap_or_else(|error| panic!("{error}"))
}

/// A package with this manifest and graph.
pub fn package(manifest: impl Into<String>, onnx: Vec<u8>) -> Package {
    let mut package = shipped();
    package.manifest = ManifestFile::Written(manifest.into());
    package.onnx = onnx.into();
    package.files.clear();
    package.golden = None;
    package
}

/// A package with one text replaced in `model.toml`.
pub fn changed(package: &Package, from: &str, to: &str) -> Package {
    assert_eq!(package.manifest.toml().matches(from).count(), 1, "{from:?} is there once");
    let mut changed = package.clone();
    changed.manifest = ManifestFile::Written(package.manifest.toml().replace(from, to));
    changed
}

pub fn load(package: &Package) -> Model {
    Model::load(package).unwrap_or_else(|error| panic!("{error}"))
}

/// The mistakes of a package that must not load.
pub fn mistakes(package: &Package) -> Vec<String> {
    let error = Model::load(package).err().unwrap_or_else(|| panic!("it loads: {}", package.manifest.toml()));
    error.mistakes.iter().map(ToString::to_string).collect()
}

/// Writes a package to its own directory below the target directory.
pub fn write(package: &Package, name: &str) -> PathBuf {
    let directory = empty_directory(name);
    fs::write(directory.join("model.toml"), package.manifest.toml()).expect("written");
    fs::write(directory.join("model.onnx"), &*package.onnx).expect("written");
    for (name, file) in &package.files {
        fs::write(directory.join(name), file).expect("written");
    }
    if let Some(golden) = &package.golden {
        fs::write(directory.join("golden.jsonl"), &**golden).expect("written");
    }
    directory
}

/// A new directory below the target directory.
pub fn empty_directory(name: &str) -> PathBuf {
    let directory = scratch_directory().join("packages").join(name);
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("removed");
    }
    fs::create_dir_all(&directory).expect("created");
    directory
}

/// Two valid inputs generated from the model's fields: one with all fields, one with the required fields only.
pub fn inputs(model: &Model) -> [Map<String, Value>; 2] {
    let of = |fields: &mut dyn Iterator<Item = &Field>| {
        fields.map(|field| (field.name().to_owned(), some_value(field.kind()))).collect()
    };
    [
        of(&mut model.signature().fields().iter()),
        of(&mut model.signature().fields().iter().filter(|field| field.is_required())),
    ]
}

fn some_value(kind: &Kind) -> Value {
    match kind {
        Kind::Number(number) => some_number(number),
        Kind::Boolean => true.into(),
        Kind::Category(category) => category.values()[0].name.as_str().into(),
        Kind::Date(date) => date.text(date.range().1).into(),
        Kind::Array(array) => some_array(array),
        Kind::Text(_) => "some text".into(),
        Kind::Image(_) => SMALLEST_IMAGE.into(),
    }
}

/// A PNG of one pixel, in base64.
pub const SMALLEST_IMAGE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mM4kWIEAANWAV/W6lf+AAAAAElFTkSuQmCC";

/// With 2 for each name.
fn some_array(array: &Array) -> Value {
    let item = if array.datatype() == DataType::Bool { json!(true) } else { json!(1) };
    array.shape().iter().rev().fold(item, |item, size| match size {
        Dimension::Fixed(size) => vec![item; *size].into(),
        Dimension::Named(_) => vec![item; 2].into(),
    })
}

fn some_number(number: &Number) -> Value {
    let limit = |bound: Bound, step: f64| if bound.exclusive { bound.limit + step } else { bound.limit };
    let (lower, upper) = (number.lower(), number.upper());
    match (lower, upper) {
        (None, None) => json!(0),
        (Some(lower), _) if !lower.exclusive || number.is_integer() => json!(limit(lower, 1.0)),
        (_, Some(upper)) if !upper.exclusive => json!(upper.limit),
        (Some(lower), Some(upper)) => json!(lower.limit + (upper.limit - lower.limit) / 2.0),
        (Some(lower), None) => json!(lower.limit.next_up().max(lower.limit + 1.0)),
        (None, Some(upper)) => json!(upper.limit.next_down().min(upper.limit - 1.0)),
    }
}

/// A manifest with one number field and one number prediction.
pub const NUMBER: &str = r#"
name = "number"
[input]
name = "Number"
[[fields]]
name = "number"
type = "number"
[[predictions]]
name = "value"
endpoint = "values"
kind = "value"
[[examples]]
name = "seven"
summary = "A number"
input = { number = 7 }
"#;

/// A slow model of one number: `products` products with a matrix of this width.
pub fn products(width: usize, products: usize) -> Package {
    let mut graph = Onnx::new(1)
        .constant("in", &[1, width], &vec![1.0; width])
        .constant("out", &[width, 1], &vec![1.0 / width as f64; width])
        .constant("weights", &[width, width], &vec![1.0 / width as f64; width * width])
        .node("MatMul", &["x", "in"], "h0", &[]);
    for product in 0..products {
        let (from, to) = (format!("h{product}"), format!("h{}", product + 1));
        graph = graph.node("MatMul", &[&from, "weights"], &to, &[]);
    }
    package(NUMBER, graph.node("MatMul", &[&format!("h{products}"), "out"], "y", &[]).file("y", 1))
}

/// A model of one number whose every run takes long, a good part of a second where it is not optimised: a sine of a sine, and so on, for
/// each of many numbers.
pub fn long_run() -> Package {
    const WIDTH: usize = 1 << 18;
    const SINES: usize = 2;
    let graph = Onnx::new(1)
        .constant("in", &[1, WIDTH], &vec![1.0; WIDTH])
        .constant("out", &[WIDTH, 1], &vec![1.0 / WIDTH as f64; WIDTH])
        .node("MatMul", &["x", "in"], "h0", &[]);
    let graph = (0..SINES).fold(graph, |graph, n| graph.node("Sin", &[&format!("h{n}")], &format!("h{}", n + 1), &[]));
    package(NUMBER, graph.node("MatMul", &[&format!("h{SINES}"), "out"], "y", &[]).file("y", 1))
}

/// A model of one number, with answers of over 400 bytes at `/odds`.
pub fn long_answers() -> Package {
    let graph =
        Onnx::new(1).constant("weights", &[1, 2], &[0.5, -0.5]).node("MatMul", &["x", "weights"], "scores", &[]);
    let [one, other] = ["a", "b"].map(|letter| letter.repeat(200));
    let manifest = format!(
        r#"
name = "long_answers"
[input]
name = "Number"
[[fields]]
name = "number"
type = "number"
[[predictions]]
name = "odds"
endpoint = "odds"
kind = "probabilities"
outputs = [0, 1]
values = ["{one}", "{other}"]
[[examples]]
name = "seven"
summary = "A number"
input = {{ number = 7 }}
"#
    );
    package(manifest, graph.node("Softmax", &["scores"], "y", &[("axis", 1)]).file("y", 2))
}

/// A package whose graph has two matrices of scalars, an array of ids and several outputs, with a prediction of each kind that is an array.
/// It adds the scalars to the rows of a table at the ids.
pub fn tensors() -> Package {
    let graph = Onnx::empty()
        .with_input("dense", FLOAT, &["N", "2"])
        .with_input("sparse", INT64, &["N", "2"])
        .with_input("ids", INT32, &["N", "length"])
        .integers("axes", &[1], &[1])
        .constant("table", &[3, 2], &[0.0, 0.0, 10.0, 20.0, 100.0, 200.0])
        .node("Gather", &["table", "ids"], "rows", &[])
        .node("ReduceSum", &["rows", "axes"], "sum", &[("keepdims", 0)])
        .node("Cast", &["sparse"], "numbers", &[("to", FLOAT)])
        .node("Add", &["dense", "numbers"], "scalars", &[])
        .node("Add", &["scalars", "sum"], "y", &[])
        .node("ArgMax", &["y"], "best", &[("axis", 1), ("keepdims", 0)])
        .with_output("best", INT64, &["N"])
        .with_output("rows", FLOAT, &["N", "length", "2"]);
    package(TENSORS, graph.file("y", 2))
}

const TENSORS: &str = r#"
name = "tensors"

[[fields]]
name = "ids"
type = "array"
minimum = 0
maximum = 2
max_items = 5
example = [0, 2]

[[fields]]
name = "height"
type = "number"
input = "dense"

[[fields]]
name = "colour"
type = "string"
values = ["red", "green"]
input = "sparse"

[[fields]]
name = "width"
type = "number"
input = "dense"

[[fields]]
name = "count"
type = "integer"
input = "sparse"

[[predictions]]
name = "sum"
endpoint = "sum"
kind = "value"
output = 0

[[predictions]]
name = "best"
endpoint = "best"
kind = "class"
output = 0
from = "best"
values = ["left", "right"]

[[predictions]]
name = "position"
endpoint = "position"
kind = "value"
from = "best"

[[predictions]]
name = "top"
endpoint = "top"
kind = "top"
k = 2
values = ["left", "right"]

[[predictions]]
name = "rows"
endpoint = "rows"
kind = "tensor"
from = "rows"

[[predictions]]
name = "flat"
endpoint = "flat"
kind = "vector"
from = "rows"

[[predictions]]
name = "bytes"
endpoint = "bytes"
kind = "vector"
encoding = "base64"

[[examples]]
name = "whole"
summary = "Three ids"
input = { ids = [1, 2, 1], height = 0.5, width = -1, colour = "green", count = 7 }

[[examples]]
name = "wrong"
summary = "An id that is not in the table"
valid = false
input = { ids = [3], height = 0.5, width = -1, colour = "green", count = 7 }
"#;

/// A graph that returns its input.
pub fn identity(columns: usize) -> Vec<u8> {
    Onnx::new(columns).node("Identity", &["x"], "y", &[]).file("y", columns)
}

/// A package with a field and a prediction of each kind. The graph reads NaN as -1 and returns the probabilities of three classes, a
/// score, and the position of the most probable class.
pub fn every_kind() -> Package {
    every_kind_of(Precision::Float32)
}

/// The same package with a graph of this type.
pub fn every_kind_of(precision: Precision) -> Package {
    const COLUMNS: usize = 16;
    let weights = |outputs: usize| -> Vec<f64> {
        (0..COLUMNS * outputs).map(|n| f64::from(((n * 37 + outputs * 11) % 19) as f32 * 0.05 - 0.45)).collect()
    };
    let number = if precision == Precision::Float64 { DOUBLE } else { FLOAT };
    let onnx = Onnx::of(precision, COLUMNS)
        .constant("instead", &[1], &[-1.0])
        .constant("class_weights", &[COLUMNS, 3], &weights(3))
        .constant("class_bias", &[3], &[0.3, -0.1, 0.0])
        .constant("score_weights", &[COLUMNS, 1], &weights(1))
        .constant("score_bias", &[1], &[0.25])
        .node("IsNaN", &["x"], "is_nan", &[])
        .node("Where", &["is_nan", "instead", "x"], "numbers", &[])
        .node("Gemm", &["numbers", "class_weights", "class_bias"], "scores", &[])
        .node("Softmax", &["scores"], "probabilities", &[("axis", 1)])
        .node("Gemm", &["numbers", "score_weights", "score_bias"], "score", &[])
        .node("ArgMax", &["probabilities"], "best", &[("axis", 1), ("keepdims", 1)])
        .node("Cast", &["best"], "position", &[("to", number)])
        .node("Concat", &["probabilities", "score", "position"], "y", &[("axis", 1)])
        .file("y", 5);
    package(EVERY_KIND, onnx)
}

const EVERY_KIND: &str = r#"
name = "every_kind"
title = "Every kind"
description = "A field and a prediction of each kind, for tests."

[[fields]]
name = "plain"
type = "number"
unit = "kg"
required = false
missing = "nan"

[[fields]]
name = "income (€/month)"
type = "number"
minimum = 0
bands = [10.5, 1e6]
example = 100

[[fields]]
name = "count"
type = "integer"
description = "How many there are."

[[fields]]
name = "floor"
type = "integer"
minimum = -2
exclusive_maximum = 5
bands = [0, 2]
encoding = "one_hot"
required = false
missing = "nan"

[[fields]]
name = "member"
type = "boolean"
required = false
missing = 1

[[fields]]
name = "colour"
type = "string"
required = false
missing = { value = "unknown" }
values = [{ name = "dark: blue", aliases = ["dark : blue", "navy"], description = "as the sea" }, "green", "unknown", "3"]

[[fields]]
name = "city"
type = "string"
encoding = "one_hot"
unknown = "ignore"
values = ["Köln", { name = "Berlin", aliases = ["BER"] }, "Paris"]

[[fields]]
name = "region"
type = "string"
encoding = "one_hot"
required = false
missing = "nan"
values = ["north", "south"]

[[fields]]
name = "season"
type = "string"
encoding = "one_hot"
unknown = "missing"
required = false
missing = "zeros"
values = ["summer", "winter"]

[[fields]]
name = "a/b~c"
type = "number"
exclusive_minimum = 0
exclusive_maximum = 1
unit = "fraction"
required = false
missing = 0.5

[[predictions]]
name = "score"
endpoint = "scores"
summary = "The score"
kind = "value"
output = 3

[[predictions]]
name = "chance"
endpoint = "chances"
summary = "The probability of the first class"
kind = "probability"
output = 0

[[predictions]]
name = "level"
endpoint = "levels"
summary = "The score, in bands"
kind = "bands"
output = 3
cuts = [-1, 0.5, 100]
values = ["low", 1, true, { name = "high", description = "100 and more" }]

[[predictions]]
name = "species"
endpoint = "species"
summary = "The most probable class"
kind = "class"
outputs = [0, 1, 2]
values = ["Adélie", 2, false]

[[predictions]]
name = "pick"
endpoint = "picks"
summary = "The class of the position in the last column"
kind = "class"
output = 4
values = [10, 20.5, 30]

[[predictions]]
name = "odds"
endpoint = "odds"
summary = "The probability of each class"
kind = "probabilities"
outputs = [2, 0, 1]
values = [false, "Adélie", 2]

[[predictions]]
name = "measures"
endpoint = "measures"
summary = "Two columns, named"
kind = "values"
outputs = [3, 0]
values = ["score: raw", { name = "first", description = "from 0 to 1" }]

[[predictions]]
name = "tags"
endpoint = "tags"
summary = "What is likely"
kind = "labels"
outputs = [0, 1, 3]
values = ["red, or pink", 7, true]

[[examples]]
name = "whole"
summary = "Every field"

[examples.input]
plain = 1.5
"income (€/month)" = 2500
count = -3
floor = 4
member = true
colour = "navy"
city = "Bonn"
region = "north"
season = "winter"
"a/b~c" = 0.25

[[examples]]
name = "short"
summary = "No field that may be left out"
input = { "income (€/month)" = 0, count = 16777216, city = "Paris" }

[[examples]]
name = "wrong"
summary = "Wrong on purpose"
valid = false
input = { count = 0.5, city = "Paris" }
"#;

/// A linear model with contributions: the log-odds are 0.5, 1 or -2 for the band of the amount, plus a quarter of the age (40 if missing),
/// minus 1 for red or plus 3 for green, plus 0.125.
pub fn explained() -> Package {
    let graph = Onnx::of(Precision::Float64, 6)
        .constant("fill", &[1, 6], &[0.0, 0.0, 0.0, 40.0, 0.0, 0.0])
        .constant("weights", &[6, 1], &[0.5, 1.0, -2.0, 0.25, -1.0, 3.0])
        .constant("bias", &[1, 1], &[0.125])
        .node("Equal", &["x", "x"], "present", &[])
        .node("Where", &["present", "x", "fill"], "filled", &[])
        .node("MatMul", &["filled", "weights"], "sum", &[])
        .node("Add", &["sum", "bias"], "score", &[])
        .node("Sigmoid", &["score"], "output", &[])
        .metadata("feature_means", r#"{"filled": [0, 0, 0, 40, 0, 0]}"#);
    package(EXPLAINED, graph.file("output", 1))
}

const EXPLAINED: &str = r#"
name = "explained"

[[fields]]
name = "amount"
type = "number"
bands = [10, 20]
encoding = "one_hot"
reason = ["Small", "Medium", "Large"]

[[fields]]
name = "age"
type = "integer"
required = false
missing = "nan"
reason = "Too young"

[[fields]]
name = "colour"
type = "string"
encoding = "one_hot"
values = ["red", "green"]

[[predictions]]
name = "score"
endpoint = "scores"
summary = "The probability"
kind = "value"

[[predictions]]
name = "reasons"
endpoint = "reasons"
summary = "Why"
kind = "contributions"
top = 2

[[examples]]
name = "one"
summary = "An input"
input = { amount = 5, age = 44, colour = "red" }
"#;
