//! Models in this process, to compute the answers that the service must give.

use base64::{Engine, engine::general_purpose::STANDARD};
use model_package::{
    DataType, Field, Input, Inputs, Precision, Prediction, PredictionKind, VectorEncoding, field::Kind,
};
use predict_once::{model::Model, model::Package};
use serde_json::Value;

/// The shipped model.
pub fn shipped() -> Model {
    Model::load(Package::embedded()).unwrap_or_else(|error| panic!("{error}"))
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

/// The cache entry for a response's body: a number is stored as the shortest decimal of its type, a value as its text, probabilities are
/// separated by commas, and vectors and tensors are bytes.
pub fn entry_of(prediction: &Prediction, body: &[u8]) -> Vec<u8> {
    let body: Value = serde_json::from_slice(body).expect("a body is JSON");
    let answer = &body[prediction.name()];
    let decimal = |number: &Value| {
        let number = number.as_f64().expect("a number");
        match prediction.precision() {
            Precision::Float32 => format!("{:?}", number as f32),
            Precision::Float64 => format!("{number:?}"),
        }
    };
    let text = match prediction.kind() {
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
        PredictionKind::Top(..) => {
            let class = |class: &Value| {
                prediction.values().iter().position(|value| value.value == class["class"]).expect("among the values")
            };
            let classes = answer.as_array().into_iter().flatten();
            classes.map(|each| format!("{}:{}", class(each), decimal(&each["score"]))).collect::<Vec<_>>().join(",")
        }
        PredictionKind::Vector(VectorEncoding::Base64) => {
            return STANDARD.decode(answer.as_str().expect("text")).expect("base64");
        }
        PredictionKind::Vector(VectorEncoding::Float) => match prediction.precision() {
            Precision::Float32 => return elements(DataType::Float32, answer),
            Precision::Float64 => return elements(DataType::Float64, answer),
        },
        PredictionKind::Tensor => {
            let mut shape = Vec::new();
            let mut part = answer;
            while let Some(items) = part.as_array() {
                shape.push(items.len() as u32);
                part = items.first().unwrap_or(&Value::Null);
            }
            let mut entry = vec![shape.len() as u8];
            entry.extend(shape.into_iter().flat_map(u32::to_le_bytes));
            entry.extend(elements(prediction.datatype(), answer));
            return entry;
        }
    };
    text.into_bytes()
}

/// The bytes of the numbers in nested arrays.
fn elements(datatype: DataType, value: &Value) -> Vec<u8> {
    let number = || value.as_f64().expect("a number");
    match (value, datatype) {
        (Value::Array(items), _) => items.iter().flat_map(|item| elements(datatype, item)).collect(),
        (_, DataType::Float32) => (number() as f32).to_le_bytes().into(),
        (_, DataType::Float64) => number().to_le_bytes().into(),
        (_, DataType::Int64) => value.as_i64().expect("an integer").to_le_bytes().into(),
        (_, other) => panic!("no package here returns {other}"),
    }
}
