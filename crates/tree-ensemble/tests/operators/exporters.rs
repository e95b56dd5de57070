//! Models from skl2onnx and onnxmltools. `tests/fixtures.py` exports them.

use serde::Deserialize;
use tract_onnx::prelude::*;

use crate::support::{Number, assert_scores, fixture, floats, framework, ints, row};

#[derive(Deserialize)]
struct Expected {
    rows: Vec<Vec<Number>>,
    labels: Option<Vec<i64>>,
    scores: Vec<Vec<Number>>,
    trained: Vec<Vec<Number>>,
}

/// Runs a model on each of its rows and compares the scores with ONNX Runtime's. Returns the number of rows whose scores differ by more
/// than 1e-5 from the training library's.
fn replay(name: &str) -> usize {
    let expected: Expected =
        serde_json::from_reader(std::fs::File::open(fixture(&format!("{name}.json"))).unwrap()).unwrap();
    let columns = expected.rows[0].len();
    let model = framework()
        .model_for_path(fixture(&format!("{name}.onnx")))
        .unwrap()
        .with_input_fact(0, f32::fact([1, columns]).into())
        .unwrap()
        .into_optimized()
        .unwrap()
        .into_runnable()
        .unwrap();
    let mut differing = 0;
    for (position, features) in expected.rows.iter().enumerate() {
        let context = format!("{name}, row {position}");
        let input = Tensor::from_shape(&[1, columns], &row(features)).unwrap();
        let outputs = model.run(tvec!(input.into_tvalue())).unwrap();
        let scores = floats(outputs.last().unwrap());
        assert_scores(&scores, &row(&expected.scores[position]), false, &context);
        if let Some(labels) = &expected.labels {
            // tract turns a cast to int64 into a cast to its dimension type.
            let label = outputs[0].cast_to::<i64>().unwrap().into_owned();
            assert_eq!(ints(&label.into_tvalue()), [labels[position]], "{context}");
        }
        let distances = scores.iter().zip(&expected.trained[position]).map(|(a, b)| (f64::from(*a) - b.f64()).abs());
        differing += usize::from(distances.fold(0.0, f64::max) > 1e-5);
    }
    differing
}

#[test]
fn random_forests_match_onnx_runtime_and_scikit_learn() {
    for kind in ["binary", "multiclass", "regressor"] {
        assert_eq!(replay(&format!("random_forest_{kind}")), 0, "{kind}");
    }
}

#[test]
fn gradient_boosting_matches_onnx_runtime_and_scikit_learn() {
    for kind in ["binary", "multiclass", "regressor"] {
        assert_eq!(replay(&format!("gradient_boosting_{kind}")), 0, "{kind}");
    }
}

#[test]
fn xgboost_matches_onnx_runtime_and_xgboost() {
    for kind in ["binary", "multiclass", "regressor"] {
        assert_eq!(replay(&format!("xgboost_{kind}")), 0, "{kind}");
    }
}

/// onnxmltools rounds LightGBM's float64 thresholds to the nearest float32, so a value on a threshold may go to the other child. Half of
/// the values in these rows are on thresholds, so some rows may differ from LightGBM.
#[test]
fn lightgbm_matches_onnx_runtime() {
    for kind in ["binary", "multiclass", "regressor"] {
        assert!(replay(&format!("lightgbm_{kind}")) < 40, "{kind}");
    }
}
