//! Graphs whose input is float64: every number is float64 from the request to the answer, except where the graph casts. The expected
//! answers are calculated here, in float64.

use model_package::{Input, Precision};
use predict_once::model::Model;
use serde_json::{Value, json};
use test_support::onnx::{Attribute, BOOL, DOUBLE, FLOAT, FLOAT16, INT32, INT64, Onnx, UINT8};

use crate::packages::{self, package};

/// A manifest with these number fields and one number prediction.
fn manifest(fields: &[&str]) -> String {
    let fields: String =
        fields.iter().map(|name| format!("[[fields]]\nname = \"{name}\"\ntype = \"number\"\n")).collect();
    format!("name = \"m\"\n{fields}[[predictions]]\nname = \"y\"\nendpoint = \"y\"\nkind = \"value\"\n")
}

fn read(model: &Model, body: &Value) -> Input {
    model.signature().read(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}"))
}

/// The answer as a client parses it.
fn answer(model: &Model, body: &Value) -> f64 {
    let answer = model.predict(0, &read(model, body)).unwrap_or_else(|error| panic!("{body}: {error}"));
    serde_json::from_slice::<Value>(&answer.body).expect("JSON")["y"].as_f64().expect("a number")
}

/// A graph of one node with one input `x`.
fn one(operator: &str) -> Vec<u8> {
    Onnx::of(Precision::Float64, 1).node(operator, &["x"], "y", &[]).file("y", 1)
}

type Function = fn(f64) -> f64;
type Operation = fn(f64, f64) -> f64;
type Test = fn(f64) -> bool;

/// `(x - mean) / scale`, in float64.
fn scaled(columns: usize) -> Onnx {
    let numbers = |of: fn(f64) -> f64| (0..columns).map(|column| of(column as f64)).collect::<Vec<_>>();
    Onnx::of(Precision::Float64, columns)
        .constant("mean", &[1, columns], &numbers(mean))
        .constant("scale", &[1, columns], &numbers(scale))
        .node("Sub", &["x", "mean"], "centred", &[])
        .node("Div", &["centred", "scale"], "scaled", &[])
}

fn mean(column: f64) -> f64 {
    5.843_333_333_333_334 - column
}

fn scale(column: f64) -> f64 {
    0.825_301_291_785_141_1 + column / 3.0
}

const THRESHOLD: f64 = 0.104_999_996_721_744_54;
const LEAVES: [f64; 2] = [0.1, 0.123_456_789_012_345_68];

/// A stump of `TreeEnsemble`, in float64: the first leaf if column 0 is at most [`THRESHOLD`].
const STUMP: [(&str, Attribute<'static>); 11] = [
    ("tree_roots", Attribute::Ints(&[0])),
    ("nodes_featureids", Attribute::Ints(&[0])),
    ("nodes_modes", Attribute::Bytes(&[0])),
    ("nodes_splits", Attribute::Doubles(&[THRESHOLD])),
    ("nodes_truenodeids", Attribute::Ints(&[0])),
    ("nodes_trueleafs", Attribute::Ints(&[1])),
    ("nodes_falsenodeids", Attribute::Ints(&[1])),
    ("nodes_falseleafs", Attribute::Ints(&[1])),
    ("leaf_targetids", Attribute::Ints(&[0, 0])),
    ("leaf_weights", Attribute::Doubles(&LEAVES)),
    ("nodes_missing_value_tracks_true", Attribute::Ints(&[1])),
];

/// Numbers whose scaled value lies at the threshold, and their neighbours.
fn around(threshold: f64) -> impl Iterator<Item = f64> {
    let at = threshold * scale(0.0) + mean(0.0);
    let (mut below, mut above) = (at, at);
    (0..40).flat_map(move |_| {
        (below, above) = (below.next_down(), above.next_up());
        [below, above]
    })
}

#[test]
fn epoch_seconds_ids_and_coordinates_keep_distinct_answers_and_keys() {
    let graph = Onnx::of(Precision::Float64, 2)
        .constant("start", &[1, 2], &[1.7e9, 0.0])
        .constant("weights", &[2, 1], &[1.0, 1.0])
        .node("Sub", &["x", "start"], "since", &[])
        .node("MatMul", &["since", "weights"], "y", &[])
        .file("y", 1);
    let model = packages::load(&package(manifest(&["t", "u"]), graph));
    for t in [1_700_000_007.0, 1_700_000_100.0, 1_700_000_000.25, -1.5] {
        assert_eq!(answer(&model, &json!({ "t": t, "u": 0.5 })), t - 1.7e9 + 0.5, "{t}");
    }

    let model = packages::load(&package(manifest(&["id"]), one("Identity")));
    let ids = [9_007_199_254_740_991_u64, 9_007_199_254_740_990, 9_007_199_254_740_992, 16_777_217, 16_777_216];
    for id in ids {
        let input = read(&model, &json!({ "id": id }));
        assert_eq!(
            (input.to_string(), model.run(&input).expect("it runs").columns(0)),
            (id.to_string(), vec![id as f64])
        );
    }
    for (number, key) in [
        (52.520_008, "52.520008"),
        (13.404_954, "13.404954"),
        (13.404_954_f64.next_up(), "13.404954000000002"),
        (1e300, "1e300"),
        (-0.0, "0"),
    ] {
        let input = read(&model, &json!({ "id": number }));
        assert_eq!((input.to_string().as_str(), answer(&model, &json!({ "id": number }))), (key, number));
    }
}

#[test]
fn a_float32_graph_reads_the_nearest_float32_and_keeps_its_keys() {
    let model = packages::load(&package(manifest(&["id"]), packages::identity(1)));
    for (number, key) in
        [(13.404_954, "13.404954"), (13.404_954_f64.next_up(), "13.404954"), (16_777_217.0, "16777216")]
    {
        assert_eq!(read(&model, &json!({ "id": number })).to_string(), key);
    }
    assert_eq!(answer(&model, &json!({ "id": 16_777_217 })), 16_777_216.0);
}

/// LightGBM and histogram boosting never round.
#[test]
fn trees_behind_a_scaler_compare_in_float64() {
    let graph = scaled(2).learnt("TreeEnsemble", "scaled", "y", &STUMP).file("y", 1);
    let model = packages::load(&package(manifest(&["a", "b"]), graph));
    let mut seen = [false; 2];
    for a in around(THRESHOLD) {
        let leaf = usize::from((a - mean(0.0)) / scale(0.0) > THRESHOLD);
        seen[leaf] = true;
        assert_eq!(answer(&model, &json!({ "a": a, "b": 0 })), LEAVES[leaf], "{a:?}");
    }
    assert_eq!(seen, [true; 2], "rows on both sides of the threshold");
}

/// scikit-learn's trees round to float32 after the scaling, and compare with thresholds in float64.
#[test]
fn a_cast_to_float32_rounds_where_the_graph_has_it() {
    let graph = scaled(2)
        .node("Cast", &["scaled"], "single", &[("to", FLOAT)])
        .node("Cast", &["single"], "rounded", &[("to", DOUBLE)])
        .learnt("TreeEnsemble", "rounded", "y", &STUMP)
        .file("y", 1);
    let model = packages::load(&package(manifest(&["a", "b"]), graph));
    let boundary = f64::from(THRESHOLD as f32);
    let halfway = (boundary + f64::from((THRESHOLD as f32).next_up())) / 2.0;
    let mut seen = [false; 2];
    for a in around(THRESHOLD).chain(around(boundary)).chain(around(halfway)) {
        let single = ((a - mean(0.0)) / scale(0.0)) as f32;
        let leaf = usize::from(f64::from(single) > THRESHOLD);
        seen[leaf] = true;
        assert_eq!(answer(&model, &json!({ "a": a, "b": 0 })), LEAVES[leaf], "{a:?}");
    }
    assert_eq!(seen, [true; 2], "rows on both sides of the threshold");
}

/// XGBoost rounds its input, and is float32 throughout: its answers have the digits of a float32.
#[test]
fn a_graph_may_cast_its_input_and_answer_in_float32() {
    let trees = [
        ("nodes_treeids", Attribute::Ints(&[0, 0, 0])),
        ("nodes_nodeids", Attribute::Ints(&[0, 1, 2])),
        ("nodes_featureids", Attribute::Ints(&[0, 0, 0])),
        ("nodes_modes", Attribute::Strings(&["BRANCH_LEQ", "LEAF", "LEAF"])),
        ("nodes_values_as_tensor", Attribute::Doubles(&[THRESHOLD, 0.0, 0.0])),
        ("nodes_truenodeids", Attribute::Ints(&[1, 0, 0])),
        ("nodes_falsenodeids", Attribute::Ints(&[2, 0, 0])),
        ("target_treeids", Attribute::Ints(&[0, 0])),
        ("target_nodeids", Attribute::Ints(&[1, 2])),
        ("target_ids", Attribute::Ints(&[0, 0])),
        ("target_weights_as_tensor", Attribute::Doubles(&LEAVES)),
    ];
    let graph = Onnx::of(Precision::Float64, 1)
        .with_output_type(FLOAT)
        .node("Cast", &["x"], "single", &[("to", FLOAT)])
        .learnt("TreeEnsembleRegressor", "single", "y", &trees)
        .file("y", 1);
    let model = packages::load(&package(manifest(&["a"]), graph));
    for (a, leaf) in [(0.1, "0.1"), (THRESHOLD, "0.1"), (f64::from((THRESHOLD as f32).next_up()), "0.12345679")] {
        let answer = model.predict(0, &read(&model, &json!({ "a": a }))).expect("it answers");
        assert_eq!(answer.entry, leaf, "{a}");
    }
}

#[test]
fn a_prediction_of_a_float64_graph_is_derived_in_float64() {
    let kinds = [
        ("kind = \"value\"", 0.3_f64.next_down(), "0.29999999999999993"),
        ("kind = \"probability\"", 1.0 / 3.0, "0.3333333333333333"),
        ("kind = \"probability\"", 1.000_000_000_001, "1.0"),
        ("kind = \"bands\"\ncuts = [0.3]\nvalues = [\"low\", \"high\"]", 0.3_f64.next_down(), "low"),
        ("kind = \"bands\"\ncuts = [0.3]\nvalues = [\"low\", \"high\"]", 0.3, "high"),
        ("kind = \"bands\"\ncuts = [0.1, 0.1000000001]\nvalues = [1, 2, 3]", 0.100_000_000_05, "2"),
    ];
    for (kind, number, entry) in kinds {
        let manifest = manifest(&["a"]).replace("kind = \"value\"", kind);
        let model = packages::load(&package(manifest, one("Identity")));
        let answer = model.predict(0, &read(&model, &json!({ "a": number }))).expect("it answers");
        assert_eq!(answer.entry, entry, "{kind} {number}");
        assert_eq!(model.signature().predictions()[0].read(&answer.entry), Some(answer), "{kind} {number}");
    }
}

#[test]
fn cuts_that_round_to_one_float32_have_fingerprints_of_their_own_in_float64() {
    let fingerprint = |cut: &str| {
        let kind = format!("kind = \"bands\"\ncuts = [{cut}]\nvalues = [1, 2]");
        let manifest = manifest(&["a"]).replace("kind = \"value\"", &kind);
        let of = |graph| {
            packages::load(&package(&*manifest, graph)).fingerprint(model_package::EntryContent::Answer).to_owned()
        };
        [of(packages::identity(1)), of(one("Identity"))]
    };
    let ([one32, one64], [other32, other64]) = (fingerprint("0.1"), fingerprint("0.1000000001"));
    assert!(one32 == other32 && one64 != other64);
}

#[test]
fn a_graph_that_reads_float32_and_answers_in_float64_divides_in_float64() {
    let graph = Onnx::of(Precision::Float64, 1).with_input_type(FLOAT).constant("c", &[1, 1], &[3.0]);
    let graph = graph.node("Cast", &["x"], "wide", &[("to", DOUBLE)]).node("Div", &["wide", "c"], "y", &[]);
    let model = packages::load(&package(manifest(&["x"]), graph.file("y", 1)));
    for x in [16_777_216.0, 0.1, 7.0, 5.0] {
        assert_eq!(answer(&model, &json!({ "x": x })), f64::from(x as f32) / 3.0, "{x}");
    }
}

#[test]
fn an_integer_output_has_the_type_of_the_input() {
    let integers = |precision| {
        let graph = Onnx::of(precision, 1).with_output_type(INT64).node("Cast", &["x"], "y", &[("to", INT64)]);
        packages::load(&package(manifest(&["x"]), graph.file("y", 1)))
    };
    let body = json!({ "x": 16_777_217 });
    assert_eq!(answer(&integers(Precision::Float64), &body), 16_777_217.0);
    let narrow = integers(Precision::Float32);
    assert_eq!(
        (answer(&narrow, &body), narrow.signature().predictions()[0].precision()),
        (16_777_216.0, Precision::Float32)
    );
}

/// Every operator that `predict_once.export` writes, and some that other exporters do.
#[test]
fn operators_calculate_in_float64() {
    let third = 1.0 / 3.0;
    let unary: [(&str, Function); 14] = [
        ("Identity", |x| x),
        ("Neg", |x| -x),
        ("Abs", f64::abs),
        ("Exp", f64::exp),
        ("Log", f64::ln),
        ("Sqrt", f64::sqrt),
        ("Tanh", f64::tanh),
        ("Sigmoid", |x| 1.0 / (1.0 + (-x).exp())),
        ("Relu", |x| x.max(0.0)),
        ("Reciprocal", |x| 1.0 / x),
        ("Round", f64::round_ties_even),
        ("Floor", f64::floor),
        ("Softplus", |x| (x.exp() + 1.0).ln()),
        ("Sign", f64::signum),
    ];
    for (operator, function) in unary {
        let model = packages::load(&package(manifest(&["x"]), one(operator)));
        for x in [third, 2.5, 16_777_217.0, 1e-9, 700.0] {
            let expected = function(x);
            if expected.is_finite() {
                assert_eq!(answer(&model, &json!({ "x": x })), expected, "{operator} of {x}");
            }
        }
    }
    let binary: [(&str, Operation); 7] = [
        ("Add", |x, c| x + c),
        ("Sub", |x, c| x - c),
        ("Mul", |x, c| x * c),
        ("Div", |x, c| x / c),
        ("Pow", f64::powf),
        ("Min", f64::min),
        ("Max", f64::max),
    ];
    for (operator, function) in binary {
        for constant in [0.1, 3.0, 16_777_217.0] {
            let graph = Onnx::of(Precision::Float64, 1).constant("c", &[1, 1], &[constant]);
            let graph = graph.node(operator, &["x", "c"], "y", &[]).file("y", 1);
            let model = packages::load(&package(manifest(&["x"]), graph));
            for x in [third, 16_777_218.5] {
                let expected = function(x, constant);
                if expected.is_finite() {
                    assert_eq!(answer(&model, &json!({ "x": x })), expected, "{x} {operator} {constant}");
                }
            }
        }
    }
}

#[test]
fn comparisons_and_missing_numbers_are_told_apart_in_float64() {
    let optional =
        manifest(&["x"]).replace("type = \"number\"", "type = \"number\"\nrequired = false\nmissing = \"nan\"");
    let compared: [(&str, Test); 5] = [
        ("Equal", |x| x == 0.1),
        ("Less", |x| x < 0.1),
        ("LessOrEqual", |x| x <= 0.1),
        ("Greater", |x| x > 0.1),
        ("GreaterOrEqual", |x| x >= 0.1),
    ];
    let chosen = |graph: Onnx| {
        graph.constant("yes", &[1, 1], &[1.0]).constant("no", &[1, 1], &[0.0]).node(
            "Where",
            &["is", "yes", "no"],
            "y",
            &[],
        )
    };
    for (operator, function) in compared {
        let graph =
            Onnx::of(Precision::Float64, 1).constant("c", &[1, 1], &[0.1]).node(operator, &["x", "c"], "is", &[]);
        let model = packages::load(&package(&*optional, chosen(graph).file("y", 1)));
        for x in [0.1_f64.next_down(), 0.1, 0.1_f64.next_up()] {
            assert_eq!(answer(&model, &json!({ "x": x })), f64::from(u8::from(function(x))), "{operator} {x}");
        }
    }
    let is_nan = chosen(Onnx::of(Precision::Float64, 1).node("IsNaN", &["x"], "is", &[])).file("y", 1);
    let model = packages::load(&package(optional, is_nan));
    assert_eq!((answer(&model, &json!({})), answer(&model, &json!({ "x": 0.1 }))), (1.0, 0.0));
}

/// The numbers 1/3, 1e9 + 0.1 and 16,777,217 in three columns, reduced to one.
#[test]
fn operators_on_several_columns_calculate_in_float64() {
    let row = [1.0 / 3.0, 1e9 + 0.1, 16_777_217.0];
    let [a, b, c] = row;
    let start = || Onnx::of(Precision::Float64, 3);
    let sum = |numbers: &[f64]| numbers.iter().fold(0.0, |sum, number| sum + number);
    let weights = [0.1, 1e-9, 1.0 / 7.0];
    let product = sum(&[a * weights[0], b * weights[1], c * weights[2]]);
    let softmax = (b - 1e9 - (c - 16_777_217.0)).exp() / (1.0 + (b - 1e9 - (c - 16_777_217.0)).exp());
    let near = start().constant("far", &[1, 3], &[1e6, 1e9, 16_777_217.0]).node("Sub", &["x", "far"], "near", &[]);
    let cases = [
        ("MatMul", start().constant("w", &[3, 1], &weights).node("MatMul", &["x", "w"], "y", &[]), product),
        (
            "Gemm",
            start().constant("w", &[3, 1], &weights).constant("b", &[1], &[0.1]).node(
                "Gemm",
                &["x", "w", "b"],
                "y",
                &[],
            ),
            product + 0.1,
        ),
        (
            "Gemm with a transposed matrix",
            start().constant("w", &[1, 3], &weights).constant("b", &[1], &[0.1]).node(
                "Gemm",
                &["x", "w", "b"],
                "y",
                &[("transB", 1)],
            ),
            product + 0.1,
        ),
        (
            "ReduceSum",
            start().integers("axes", &[1], &[1]).node("ReduceSum", &["x", "axes"], "y", &[("keepdims", 1)]),
            sum(&row),
        ),
        ("Gather", start().integers("at", &[1], &[1]).node("Gather", &["x", "at"], "y", &[("axis", 1)]), b),
        (
            "Concat",
            start().node("Concat", &["x", "x"], "six", &[("axis", 1)]).integers("at", &[1], &[5]).node(
                "Gather",
                &["six", "at"],
                "y",
                &[("axis", 1)],
            ),
            c,
        ),
        (
            "CumSum",
            start()
                .integers("axis", &[], &[1])
                .node("CumSum", &["x", "axis"], "sums", &[])
                .integers("at", &[1], &[1])
                .node("Gather", &["sums", "at"], "y", &[("axis", 1)]),
            a + b,
        ),
        (
            "Softmax",
            near.node("Softmax", &["near"], "shares", &[("axis", 1)]).integers("at", &[1], &[1]).node(
                "Gather",
                &["shares", "at"],
                "y",
                &[("axis", 1)],
            ),
            softmax,
        ),
        (
            "ArgMax and Cast",
            start().node("ArgMax", &["x"], "best", &[("axis", 1), ("keepdims", 1)]).node(
                "Cast",
                &["best"],
                "y",
                &[("to", DOUBLE)],
            ),
            1.0,
        ),
        ("ReduceMax", start().node("ReduceMax", &["x"], "y", &[("keepdims", 1)]), b),
    ];
    for (name, graph, expected) in cases {
        let model = packages::load(&package(manifest(&["a", "b", "c"]), graph.file("y", 1)));
        let found = answer(&model, &json!({ "a": a, "b": b, "c": c }));
        assert!((found - expected).abs() <= 1e-15 * expected.abs(), "{name}: {found:?}, not {expected:?}");
    }
}

#[test]
fn a_row_has_the_same_answer_alone_and_among_others() {
    let graph = scaled(2)
        .constant("w", &[2, 1], &[0.1, 1.0 / 7.0])
        .constant("b", &[1], &[0.1])
        .node("Gemm", &["scaled", "w", "b"], "logit", &[])
        .node("Sigmoid", &["logit"], "y", &[])
        .file("y", 1);
    let model = packages::load(&package(manifest(&["a", "b"]), graph));
    let inputs: Vec<_> =
        (0..50).map(|row| read(&model, &json!({ "a": f64::from(row) / 3.0, "b": 1e9 / f64::from(row + 1) }))).collect();
    let together = model.run_many(&inputs.iter().collect::<Vec<_>>()).expect("it runs");
    let alone: Vec<_> = inputs.iter().map(|input| model.run(input).expect("it runs")).collect();
    assert_eq!(together, alone);
}

#[test]
fn a_graph_that_reads_another_type_than_the_field_is_refused_by_the_name_of_the_type() {
    let only = "model.toml: field \"a\": feeds an input of";
    for (number, named) in [
        (INT64, format!("{only} int64, which holds only integers: use `type = \"integer\"`")),
        (UINT8, format!("{only} uint8, which holds only integers")),
        (INT32, format!("{only} int32, which holds only integers")),
        (BOOL, format!("{only} bool, which holds only integers")),
        (FLOAT16, format!("{only} float16, which only arrays can")),
        (8, "model.onnx: reads string for \"x\", which the service cannot feed".to_owned()),
        (13, "model.onnx: reads uint64 for \"x\", which the service cannot feed".to_owned()),
    ] {
        let graph = Onnx::new(1).with_input_type(number).node("Identity", &["x"], "y", &[]).file("y", 1);
        let found = packages::mistakes(&package(manifest(&["a"]), graph));
        let [mistake] = &found[..] else { panic!("{found:?}") };
        assert!(mistake.starts_with(&named), "{mistake}");
    }
}

#[test]
fn the_width_and_the_bounds_of_the_manifest_are_compared_with_the_graph() {
    let mistakes = |manifest: String, graph| packages::mistakes(&package(manifest, graph)).join("\n");
    let wide = mistakes(manifest(&["a", "b"]), one("Identity"));
    assert!(wide.contains("reads 1 columns, but the fields of model.toml make 2"), "{wide}");
    let id = manifest(&["a"]).replace("type = \"number\"", "type = \"integer\"\nmaximum = 9007199254740992");
    let narrow = mistakes(id.clone(), packages::identity(1));
    assert!(narrow.contains("within ±16777216, because the graph reads float32"), "{narrow}");
    packages::load(&package(id, one("Identity")));
    // A manifest and a graph that are both wrong are both reported.
    let both = mistakes(manifest(&["a"]).replace("\"value\"", "\"bands\""), b"no graph".to_vec());
    assert!(
        both.contains("model.toml: prediction \"y\": ") && both.contains("model.onnx: is not an ONNX graph"),
        "{both}"
    );
}
