//! Small packages for tests, each with what its name says.

use model_package::Precision;
use predict_once::model::Package;

use super::package;
use crate::onnx::{DOUBLE, FLOAT, INT32, INT64, Onnx};

/// A manifest with one number field and one number prediction.
pub const NUMBER: &str = include_str!("number.toml");

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

const TENSORS: &str = include_str!("tensors.toml");

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

const EVERY_KIND: &str = include_str!("every_kind.toml");

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

const EXPLAINED: &str = include_str!("explained.toml");
