//! The embedded model against the golden file that its training wrote: scikit-learn and ONNX Runtime on each of the 1,000
//! applications of the data set and on the corners of the input space.

use predict_once::{
    credit::{CreditApplication, CreditRiskModel, Decision, RiskCategory},
    prediction::Prediction,
};
use serde_json::{Value, json};

const GOLDEN: &str = include_str!("../models/credit_risk/golden.csv");
const TOLERANCE: f64 = 1e-6;

/// A row, by the names of its columns. No value holds a comma.
fn rows() -> impl Iterator<Item = Value> {
    let mut lines = GOLDEN.lines();
    let names: Vec<_> = lines.next().expect("a header").split(',').collect();
    lines.map(move |line| {
        let values: Vec<_> = line.split(',').collect();
        assert_eq!(values.len(), names.len(), "{line}");
        names.iter().zip(values).map(|(name, value)| ((*name).to_owned(), Value::from(value))).collect()
    })
}

fn number(row: &Value, column: &str) -> f64 {
    row[column].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{column} of {row}"))
}

fn application(row: &Value) -> CreditApplication {
    let text = json!({
        "installment_rate_in_percentage_of_disposable_income":
            number(row, "installment_rate_in_percentage_of_disposable_income"),
        "age_in_years": number(row, "age_in_years"),
        "foreign_worker": row["foreign_worker"],
        "present_employment_since": row["present_employment_since"],
        "personal_status_and_sex": row["personal_status_and_sex"],
    });
    CreditApplication::from_json(text.to_string().as_bytes()).unwrap_or_else(|error| panic!("{row}: {error}"))
}

#[test]
fn tract_agrees_with_scikit_learn_and_onnx_runtime_on_all_applications_and_on_the_corners() {
    let model = CreditRiskModel::embedded().expect("the model that ships loads");
    let mut count = 0;
    for row in rows() {
        let probability = f64::from(model.predict(&application(&row)).expect("a probability").get());
        for other in ["probability_scikit_learn", "probability_onnxruntime"] {
            let expected = number(&row, other);
            assert!((probability - expected).abs() <= TOLERANCE, "{other}: {probability} on {row}");
        }
        count += 1;
    }
    let corners = 4 * 2 * 5 * 5 * 2;
    assert_eq!(count, 1000 + corners);
}

#[test]
fn decisions_and_categories_are_those_of_the_training_script() {
    let model = CreditRiskModel::embedded().expect("the model that ships loads");
    for row in rows() {
        let probability = model.predict(&application(&row)).expect("a probability");
        assert_eq!(Decision::derive(probability, &model).name(), row["decision"], "{row}");
        assert_eq!(RiskCategory::derive(probability, &model).name(), row["risk_category"], "{row}");
    }
}
