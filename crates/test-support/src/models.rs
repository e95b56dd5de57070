//! Models in this process, to tell what the service must answer.

use model_package::{Field, Prediction, PredictionKind, field::Kind};
use predict_once::{model::Model, model::Package};
use serde_json::Value;

/// The model that ships.
pub fn shipped() -> Model {
    Model::load(&Package::embedded()).unwrap_or_else(|error| panic!("{error}"))
}

/// The names of a model's fields that are categories, each with the names of its values.
pub fn categories(model: &Model) -> Vec<(&str, Vec<&str>)> {
    fn named(field: &Field) -> Option<(&str, Vec<&str>)> {
        let Kind::Category(category) = field.kind() else { return None };
        Some((field.name(), category.values().iter().map(|value| value.name.as_str()).collect()))
    }
    model.signature().fields().iter().filter_map(named).collect()
}

/// What a model's endpoint must answer to a body. `None` if the path is no prediction's, or the body no input.
pub fn answer(model: &Model, path: &str, body: &[u8]) -> Option<String> {
    let endpoint = path.strip_prefix('/')?;
    let position = model.signature().predictions().iter().position(|prediction| prediction.endpoint() == endpoint)?;
    let answer =
        model.predict(position, &model.signature().read(body).ok()?).expect("the model answers every valid input");
    Some(String::from_utf8(answer.body.to_vec()).expect("JSON is UTF-8"))
}

/// The cache entry that a response's body must have been stored as: a number as the shortest decimal of its `f32`, a value as its
/// text, probabilities with commas between them.
pub fn entry_of(prediction: &Prediction, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).expect("a body is JSON");
    let answer = &body[prediction.name()];
    let decimal = |number: &Value| format!("{:?}", number.as_f64().expect("a number") as f32);
    match prediction.kind() {
        PredictionKind::Value(_) | PredictionKind::Probability(_) => decimal(answer),
        PredictionKind::Class(..) | PredictionKind::ClassAt(..) | PredictionKind::Bands(..) => {
            let value = prediction.values().iter().find(|value| value.value == *answer);
            value.unwrap_or_else(|| panic!("{answer} is not among the values")).text().to_owned()
        }
        PredictionKind::Probabilities(..) => {
            let values = prediction.values().iter();
            values.map(|value| decimal(&answer[value.text()])).collect::<Vec<_>>().join(",")
        }
    }
}
