//! Models in this process, to compute the answers that the service must give.

use model_package::{Field, Input, Inputs, Precision, Prediction, PredictionKind, field::Kind};
use predict_once::{model::Model, model::Package};
use serde_json::Value;

/// The shipped model.
pub fn shipped() -> Model {
    Model::load(&Package::embedded()).unwrap_or_else(|error| panic!("{error}"))
}

/// The names of a model's category fields, each with the names of its values.
pub fn categories(model: &Model) -> Vec<(&str, Vec<&str>)> {
    fn named(field: &Field) -> Option<(&str, Vec<&str>)> {
        let Kind::Category(category) = field.kind() else { return None };
        Some((field.name(), category.values().iter().map(|value| value.name.as_str()).collect()))
    }
    model.signature().fields().iter().filter_map(named).collect()
}

/// The right answer of a model's endpoint to a body. `None` if the path is not an endpoint, or the body neither a valid input nor an array
/// of them.
pub fn answer(model: &Model, path: &str, body: &[u8]) -> Option<String> {
    let endpoint = path.strip_prefix('/')?;
    let position = model.signature().predictions().iter().position(|prediction| prediction.endpoint() == endpoint)?;
    let answer = |input: &Input| {
        let answer = model.predict(position, input).expect("the model answers every valid input");
        String::from_utf8(answer.body.to_vec()).expect("JSON is UTF-8")
    };
    Some(match model.signature().read_all(body).ok()? {
        Inputs::One(input) => answer(&input),
        Inputs::Many(inputs) => format!("[{}]", inputs.iter().map(answer).collect::<Vec<_>>().join(",")),
    })
}

/// The cache entry for a response's body: a number is stored as the shortest decimal of its type, a value as its text, and
/// probabilities are separated by commas.
///
/// # Panics
///
/// If the prediction is stored as bytes.
pub fn entry_of(prediction: &Prediction, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).expect("a body is JSON");
    let answer = &body[prediction.name()];
    let decimal = |number: &Value| {
        let number = number.as_f64().expect("a number");
        match prediction.precision() {
            Precision::Float32 => format!("{:?}", number as f32),
            Precision::Float64 => format!("{number:?}"),
        }
    };
    match prediction.kind() {
        PredictionKind::Value(_) | PredictionKind::Probability(_) => decimal(answer),
        PredictionKind::Class(..) | PredictionKind::ClassAt(..) | PredictionKind::Bands(..) => {
            let value = prediction.values().iter().find(|value| value.value == *answer);
            value.unwrap_or_else(|| panic!("{answer} is not among the values")).text().to_owned()
        }
        PredictionKind::Labels(_, values) => {
            let chosen = answer.as_array().expect("an array");
            values.iter().map(|value| if chosen.contains(&value.value) { '1' } else { '0' }).collect()
        }
        PredictionKind::Values(..) | PredictionKind::Probabilities(..) => {
            let values = prediction.values().iter();
            values.map(|value| decimal(&answer[value.text()])).collect::<Vec<_>>().join(",")
        }
        PredictionKind::Vector => panic!("{} is stored as bytes", prediction.name()),
    }
}
