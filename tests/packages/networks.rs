//! Neural networks in graphs: recurrence, convolution and attention are calculated as by hand; large and stored weights; quantised numbers.

use predict_once::model::{Package, check::Report};
use serde_json::{Map, Value, json};
use test_support::{onnx::Onnx, packages};

/// A package of a graph that makes one number of `columns` numbers.
fn package(columns: usize, onnx: Onnx) -> Package {
    let fields = (0..columns).map(|n| format!("[[fields]]\nname = \"x{n}\"\ntype = \"number\"\n"));
    let head = "name = \"network\"\n[input]\nname = \"Numbers\"\n";
    let prediction = "[[predictions]]\nname = \"value\"\nendpoint = \"values\"\nkind = \"value\"\n";
    let manifest: String = [head.to_owned()].into_iter().chain(fields).chain([prediction.to_owned()]).collect();
    packages::package(manifest, onnx.file("y", 1))
}

fn body(numbers: &[f32]) -> Value {
    numbers.iter().enumerate().map(|(n, number)| (format!("x{n}"), json!(number))).collect::<Map<_, _>>().into()
}

/// Asserts that the package answers ten rows as `by_hand` does.
fn assert_answers(package: &Package, columns: usize, by_hand: impl Fn(&[f32]) -> f32) {
    let model = packages::load(package);
    let mut random = numbers(7);
    for _ in 0..10 {
        let row: Vec<f32> = (0..columns).map(|_| random()).collect();
        let input = model.signature().read(body(&row).to_string().as_bytes()).expect("valid");
        let answer = model.predict(0, &input).expect("it runs");
        let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let (found, expected) = (answer["value"].as_f64().expect("a number"), f64::from(by_hand(&row)));
        assert!((found - expected).abs() < 5e-5, "{found} instead of {expected}");
    }
}

/// Numbers from -1 to 1.
fn numbers(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

#[test]
fn an_lstm_is_calculated_step_by_step() {
    const STEPS: usize = 50;
    const UNITS: usize = 3;
    let mut random = numbers(1);
    let mut some = |count: usize| (0..count).map(|_| random()).collect::<Vec<f32>>();
    let (w, r, b, out) = (some(4 * UNITS), some(4 * UNITS * UNITS), some(8 * UNITS), some(UNITS));
    let graph = Onnx::new(STEPS)
        .constant("w", &[1, 4 * UNITS, 1], &w)
        .constant("r", &[1, 4 * UNITS, UNITS], &r)
        .constant("b", &[1, 8 * UNITS], &b)
        .constant("out", &[UNITS, 1], &out)
        .integers("two", &[1], &[2])
        .integers("last", &[], &[STEPS as i64 - 1])
        .integers("zero", &[1], &[0])
        .node("Transpose", &["x"], "in_time", &[])
        .node("Unsqueeze", &["in_time", "two"], "steps", &[])
        .node("LSTM", &["steps", "w", "r", "b"], "states", &[("hidden_size", UNITS as u64)])
        .node("Gather", &["states", "last"], "final", &[("axis", 0)])
        .node("Squeeze", &["final", "zero"], "state", &[])
        .node("MatMul", &["state", "out"], "y", &[]);
    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
    assert_answers(&package(STEPS, graph), STEPS, |row| {
        let (mut hidden, mut cell) = ([0.0; UNITS], [0.0; UNITS]);
        for x in row {
            let before = hidden;
            for unit in 0..UNITS {
                // ONNX has the gates in the order input, output, forget, cell.
                let [input, output, forget, new] = [0, 1, 2, 3].map(|gate| {
                    let at = gate * UNITS + unit;
                    let recurrent: f32 = (0..UNITS).map(|from| r[at * UNITS + from] * before[from]).sum();
                    w[at] * x + recurrent + b[at] + b[4 * UNITS + at]
                });
                cell[unit] = sigmoid(forget) * cell[unit] + sigmoid(input) * new.tanh();
                hidden[unit] = sigmoid(output) * cell[unit].tanh();
            }
        }
        hidden.iter().zip(&out).map(|(hidden, out)| hidden * out).sum()
    });
}

#[test]
fn a_convolution_slides_over_its_signal() {
    let mut random = numbers(2);
    let mut some = |count: usize| (0..count).map(|_| random()).collect::<Vec<f32>>();
    let (kernel, out) = (some(4 * 3), some(4 * 14));
    let graph = Onnx::new(16)
        .integers("signal_shape", &[3], &[-1, 1, 16])
        .integers("flat_shape", &[2], &[-1, 4 * 14])
        .constant("kernel", &[4, 1, 3], &kernel)
        .constant("out", &[4 * 14, 1], &out)
        .node("Reshape", &["x", "signal_shape"], "signal", &[])
        .node("Conv", &["signal", "kernel"], "filtered", &[])
        .node("Relu", &["filtered"], "positive", &[])
        .node("Reshape", &["positive", "flat_shape"], "flat", &[])
        .node("MatMul", &["flat", "out"], "y", &[]);
    assert_answers(&package(16, graph), 16, |row| {
        let filtered = (0..4).flat_map(|filter| (0..14).map(move |at| (filter, at)));
        let value = |(filter, at): (usize, usize)| {
            let sum: f32 = (0..3).map(|tap| kernel[filter * 3 + tap] * row[at + tap]).sum();
            sum.max(0.0) * out[filter * 14 + at]
        };
        filtered.map(value).sum()
    });
}

#[test]
fn logarithms_of_exponentials_are_right_where_float32_ends() {
    let of_first = |graph: Onnx| {
        let first = graph.integers("first", &[1], &[0]).node("Gather", &["logs", "first"], "y", &[("axis", 1)]);
        packages::load(&package(4, first))
    };
    let log_softmax = of_first(Onnx::new(4).node("LogSoftmax", &["x"], "logs", &[("axis", 1)]));
    let log_sigmoid = of_first(Onnx::new(4).node("Sigmoid", &["x"], "p", &[]).node("Log", &["p"], "logs", &[]));
    for row in [[-90.0, 0.0, -88.0, -100.0], [-200.0, 0.0, 1.0, 2.0], [-104.0, 0.0, 0.0, 0.0]] {
        let exponentials = row.map(|x: f32| f64::from(x).exp());
        let first = f64::from(row[0]);
        let of_softmax = first - exponentials.iter().sum::<f64>().ln();
        let of_sigmoid = first - exponentials[0].ln_1p();
        for (model, expected) in [(&log_softmax, of_softmax), (&log_sigmoid, of_sigmoid)] {
            let input = model.signature().read(body(&row).to_string().as_bytes()).expect("valid");
            let answer = model.predict(0, &input).expect("it runs");
            let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
            let found = answer["value"].as_f64().expect("a number");
            assert!((found - expected).abs() < 1e-6 * expected.abs(), "{found} instead of {expected}");
        }
    }
}

#[test]
fn attention_weighs_tokens_by_each_other() {
    let mut random = numbers(3);
    let out: Vec<f32> = (0..16).map(|_| random()).collect();
    let graph = Onnx::new(16)
        .integers("tokens_shape", &[3], &[-1, 4, 4])
        .integers("flat_shape", &[2], &[-1, 16])
        .constant("out", &[16, 1], &out)
        .node("Reshape", &["x", "tokens_shape"], "tokens", &[])
        .node("MatMul", &["tokens", "tokens"], "scores", &[])
        .node("Softmax", &["scores"], "weights", &[("axis", 2)])
        .node("MatMul", &["weights", "tokens"], "mixed", &[])
        .node("Reshape", &["mixed", "flat_shape"], "flat", &[])
        .node("MatMul", &["flat", "out"], "y", &[]);
    assert_answers(&package(16, graph), 16, |row| {
        let product = |left: &[f32], right: &[f32]| -> Vec<f32> {
            let of = |at: usize| (0..4).map(|n| left[at / 4 * 4 + n] * right[n * 4 + at % 4]).sum();
            (0..16).map(of).collect()
        };
        let mut weights: Vec<f32> = product(row, row).iter().map(|score| score.exp()).collect();
        for row in weights.chunks_mut(4) {
            let sum: f32 = row.iter().sum();
            row.iter_mut().for_each(|weight| *weight /= sum);
        }
        product(&weights, row).iter().zip(&out).map(|(mixed, out)| mixed * out).sum()
    });
}

#[test]
fn each_of_many_large_tensors_has_its_own_numbers() {
    // More than 64 KiB each.
    const WIDTH: usize = 200;
    let mut random = numbers(4);
    let [first, second] = [(); 2].map(|()| (0..WIDTH * WIDTH).map(|_| random() / 20.0).collect::<Vec<f32>>());
    let graph = Onnx::new(1)
        .constant("in", &[1, WIDTH], &[1.0_f32; WIDTH])
        .constant("first", &[WIDTH, WIDTH], &first)
        .constant("second", &[WIDTH, WIDTH], &second)
        .constant("out", &[WIDTH, 1], &[1.0_f32; WIDTH])
        .node("MatMul", &["x", "in"], "a", &[])
        .node("MatMul", &["a", "first"], "b", &[])
        .node("Sigmoid", &["b"], "c", &[])
        .node("MatMul", &["c", "second"], "d", &[])
        .node("MatMul", &["d", "out"], "y", &[]);
    assert_answers(&package(1, graph), 1, |row| {
        let times = |left: &[f32], right: &[f32]| -> Vec<f32> {
            (0..WIDTH).map(|at| (0..WIDTH).map(|n| left[n] * right[n * WIDTH + at]).sum()).collect()
        };
        let hidden = times(&[row[0]; WIDTH], &first);
        let hidden: Vec<f32> = hidden.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect();
        times(&hidden, &second).iter().sum()
    });
}

#[test]
fn weights_in_another_file_are_refused_with_the_remedy() {
    let graph = Onnx::new(2).in_another_file("weights", &[2, 1]).node("MatMul", &["x", "weights"], "y", &[]);
    let mistakes = packages::mistakes(&package(2, graph));
    let [mistake] = &mistakes[..] else { panic!("{mistakes:?}") };
    let expected = "its tensor \"weights\" is in another file: save the graph with its weights in one file";
    assert!(mistake.starts_with("model.onnx: ") && mistake.ends_with(expected), "{mistake}");
}

/// A graph that rounds a number to multiples of a half, with the quantised operators.
fn quantised() -> Onnx {
    Onnx::new(1).constant("half", &[], &[0.5_f32]).node("QuantizeLinear", &["x", "half"], "q", &[]).node(
        "DequantizeLinear",
        &["q", "half"],
        "y",
        &[],
    )
}

#[test]
fn check_refuses_a_quantised_graph_unless_it_answers_its_golden_rows() {
    let mut package = package(1, quantised());
    let report = Report::of(Ok(package.clone()));
    let [mistake] = &report.mistakes[..] else { panic!("{report}") };
    let begins = "model.onnx: calculates with quantised numbers (QuantizeLinear, DequantizeLinear)";
    assert!(mistake.starts_with(begins) && mistake.contains("export the graph in float32"), "{mistake}");
    package.golden = Some(r#"{"input": {"x0": 1.6}, "answers": {"value": 1.5}}"#.into());
    let report = Report::of(Ok(package.clone()));
    assert!(report.ok, "{report}");
    package.golden = Some(r#"{"input": {"x0": 1.6}, "answers": {"value": 1.6}}"#.into());
    let report = Report::of(Ok(package));
    assert!(!report.ok && report.mistakes[0].contains("golden rows differ"), "{report}");
}

#[test]
fn weights_that_are_stored_in_eight_bits_and_expanded_are_not_quantised_numbers() {
    let graph = Onnx::new(2)
        .int8s("weights", &[2, 1], &[3, -4])
        .constant("scale", &[], &[0.5_f32])
        .node("DequantizeLinear", &["weights", "scale"], "expanded", &[])
        .node("MatMul", &["x", "expanded"], "y", &[]);
    let package = package(2, graph);
    assert_answers(&package, 2, |row| 1.5 * row[0] - 2.0 * row[1]);
    let report = Report::of(Ok(package));
    assert!(report.ok, "{report}");
}
