//! Files of skl2onnx and onnxmltools, made by `tests/fixtures.py`.

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

/// Asks a model for all of its rows, one at a time, and compares with ONNX Runtime; gives how many rows are further than 1e-5
/// from the training library.
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
    let mut far = 0;
    for (position, features) in expected.rows.iter().enumerate() {
        let what = format!("{name}, row {position}");
        let input = Tensor::from_shape(&[1, columns], &row(features)).unwrap();
        let outputs = model.run(tvec!(input.into_tvalue())).unwrap();
        let scores = floats(outputs.last().unwrap());
        assert_scores(&scores, &row(&expected.scores[position]), false, &what);
        if let Some(labels) = &expected.labels {
            // tract reads a cast to int64 as one to its type of dimensions.
            let label = outputs[0].cast_to::<i64>().unwrap().into_owned();
            assert_eq!(ints(&label.into_tvalue()), [labels[position]], "{what}");
        }
        let distances = scores.iter().zip(&expected.trained[position]).map(|(a, b)| (f64::from(*a) - b.f64()).abs());
        far += usize::from(distances.fold(0.0, f64::max) > 1e-5);
    }
    far
}

#[test]
fn random_forests_answer_as_onnx_runtime_and_as_scikit_learn() {
    for kind in ["binary", "multiclass", "regressor"] {
        assert_eq!(replay(&format!("random_forest_{kind}")), 0, "{kind}");
    }
}

#[test]
fn gradient_boosting_answers_as_onnx_runtime_and_as_scikit_learn() {
    for kind in ["binary", "multiclass", "regressor"] {
        assert_eq!(replay(&format!("gradient_boosting_{kind}")), 0, "{kind}");
    }
}

#[test]
fn xgboost_answers_as_onnx_runtime_and_as_itself() {
    for kind in ["binary", "multiclass", "regressor"] {
        assert_eq!(replay(&format!("xgboost_{kind}")), 0, "{kind}");
    }
}

/// onnxmltools rounds LightGBM's float64 thresholds to the nearest float32: a row with a value on one may change sides. That is
/// the file's affair; half of the values of these rows are on thresholds.
#[test]
fn lightgbm_answers_as_onnx_runtime() {
    for kind in ["binary", "multiclass", "regressor"] {
        assert!(replay(&format!("lightgbm_{kind}")) < 40, "{kind}");
    }
}
