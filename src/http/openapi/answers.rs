//! The schemas of the answers: of the predictions, and of the contributions.

use model_package::{
    AnswerValue, Contributions, DataType, Field, Precision, Prediction, PredictionKind, Signature, VectorEncoding,
};
use serde_json::{Map, Value, json};

use super::fields::list;

pub(super) fn prediction(prediction: &Prediction) -> Value {
    let probability = || json!({ "type": "number", "format": "double", "minimum": 0, "maximum": 1 });
    let mut description = prediction.meaning().to_owned();
    let mut add = |separator: &str, text: &str| {
        let separator = if description.is_empty() { "" } else { separator };
        description.push_str(&format!("{separator}{text}"));
    };
    if prediction.is_class() {
        let values = prediction.values().iter();
        let list = list(values.map(|value| (value.text(), value.description.as_str())));
        list.iter().for_each(|text| add("\n\n", text));
    }
    let mut schema = match prediction.kind() {
        PredictionKind::Value(_) => json!({ "type": "number", "format": "double" }),
        PredictionKind::Probability(_) => {
            add(" ", digits(prediction.precision()));
            probability()
        }
        PredictionKind::Class(_, values) | PredictionKind::ClassAt(_, values) => one_of(values),
        PredictionKind::Bands(_, cuts, values) => {
            add("\n\n", &limits(cuts));
            one_of(values)
        }
        PredictionKind::Values(_, values) => named(values, || json!({ "type": "number", "format": "double" })),
        PredictionKind::Labels(_, values) => json!({ "type": "array", "items": one_of(values), "uniqueItems": true }),
        PredictionKind::Probabilities(_, values) => {
            add("\n\n", &format!("The probability of each class. {}", digits(prediction.precision())));
            named(values, probability)
        }
        PredictionKind::Vector(VectorEncoding::Float) => {
            add(" ", digits(prediction.precision()));
            let mut schema =
                json!({ "type": "array", "items": { "type": "number", "format": "double" }, "minItems": 1 });
            if let Some(shape) = prediction.shape() {
                let length: usize = shape.iter().product();
                (schema["minItems"], schema["maxItems"]) = (length.into(), length.into());
            }
            schema
        }
        PredictionKind::Vector(VectorEncoding::Base64) => {
            add(" ", "Little-endian float32 numbers in base64.");
            json!({ "type": "string", "contentEncoding": "base64" })
        }
        PredictionKind::Top(_, k, values) => {
            add("\n\n", "The classes with the highest scores, the highest first.");
            json!({
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": { "class": one_of(values), "score": { "type": "number", "format": "double" } },
                    "required": ["class", "score"],
                    "additionalProperties": false,
                },
                "minItems": k,
                "maxItems": k,
            })
        }
        PredictionKind::Tensor => {
            let item = match prediction.datatype() {
                DataType::Float16 | DataType::Float32 | DataType::Float64 => json!({ "type": "number" }),
                DataType::Int32 | DataType::Int64 | DataType::Uint8 => json!({ "type": "integer" }),
                DataType::Bool => json!({ "type": "boolean" }),
            };
            match prediction.shape() {
                Some(shape) => shape.iter().rev().fold(
                    item,
                    |items, size| json!({ "type": "array", "items": items, "minItems": size, "maxItems": size }),
                ),
                // Arrays of any depth.
                None => json!({ "type": "array" }),
            }
        }
    };
    if !description.is_empty() {
        schema["description"] = description.into();
    }
    schema
}

/// An object with a member for each of the values.
fn named(values: &[AnswerValue], schema: impl Fn() -> Value) -> Value {
    let member = |value: &AnswerValue| {
        let mut schema = schema();
        if !value.description.is_empty() {
            schema["description"] = value.description.as_str().into();
        }
        (value.text().to_owned(), schema)
    };
    json!({
        "type": "object",
        "properties": values.iter().map(member).collect::<Map<_, _>>(),
        "required": values.iter().map(AnswerValue::text).collect::<Vec<_>>(),
        "additionalProperties": false,
    })
}

/// The schema of the contributions.
pub(super) fn contributions(signature: &Signature, contributions: &Contributions) -> Value {
    let number = |description: &str| json!({ "type": "number", "format": "double", "description": description });
    let names: Vec<_> = signature.fields().iter().map(Field::name).collect();
    let meaning = &contributions.meaning;
    let separator = if meaning.is_empty() { "" } else { "\n\n" };
    json!({
        "type": "object",
        "description": format!(
            "{meaning}{separator}How much each field adds to the model's score, exactly: `base`, the contributions and `others` add up to \
             `score`. Positive contributions raise it. Digits from the twelfth on may differ between processors."
        ),
        "properties": {
            "base": number("The mean score of the training data."),
            "contributions": {
                "type": "array",
                "description": "The fields with the largest contributions, the largest first, whatever its sign.",
                "minItems": 1,
                "maxItems": names.len(),
                "items": {
                    "type": "object",
                    "properties": {
                        "field": { "enum": names },
                        "value": { "description": "The field's value as it was sent; `null` if it was not." },
                        "contribution": number("What the field adds to the score: its Shapley value."),
                        "reason": { "type": "string", "description": "The text that gives this field as a reason, if the model has one." },
                    },
                    "required": ["field", "value", "contribution"],
                    "additionalProperties": false,
                },
            },
            "others": number("The sum of the contributions of all other fields."),
            "score": number("The model's score, from which its predictions follow."),
        },
        "required": ["base", "contributions", "others", "score"],
        "additionalProperties": false,
    })
}

fn digits(precision: Precision) -> &'static str {
    match precision {
        Precision::Float32 => "Digits from the seventh on may differ between processors.",
        Precision::Float64 => "Digits from the fifteenth on may differ between processors.",
    }
}

fn one_of(values: &[AnswerValue]) -> Value {
    let mut schema = json!({ "enum": values.iter().map(|value| value.value.clone()).collect::<Vec<_>>() });
    let all = |is: fn(&Value) -> bool| values.iter().all(|value| is(&value.value));
    for (name, is) in [
        ("string", Value::is_string as fn(&Value) -> bool),
        ("boolean", Value::is_boolean),
        ("integer", Value::is_i64),
        ("number", Value::is_number),
    ] {
        if all(is) {
            schema["type"] = name.into();
            break;
        }
    }
    schema
}

/// Describes the limits between a prediction's bands.
fn limits(cuts: &[f64]) -> String {
    match cuts {
        [cut] => format!("The limit is {cut}; it belongs to the band above it."),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(f64::to_string).collect();
            format!("The limits are {} and {last}; each belongs to the band above it.", first.join(", "))
        }
        [] => String::new(),
    }
}
