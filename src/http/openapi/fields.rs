//! The schemas of the input, its fields and the predictions.

use std::fmt::Write;

use model_package::{
    AnswerValue, Contributions, DataType, Precision, Prediction, PredictionKind, Signature, VectorEncoding,
    field::{Array, Bound, Category, Dimension, Field, Image, Kind, Number},
};
use serde_json::{Map, Value, json};

pub(super) fn input(signature: &Signature, fields: &[Field]) -> Value {
    let properties: Map<_, _> = fields.iter().map(|field| (field.name().to_owned(), field_schema(field))).collect();
    let required: Vec<_> = fields.iter().filter(|field| field.is_required()).map(Field::name).collect();
    let mut schema = json!({
        "type": "object",
        "description": signature.input_description,
        "properties": properties,
        "additionalProperties": signature.ignores_unknown_fields(),
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

fn field_schema(field: &Field) -> Value {
    let mut schema = match field.kind() {
        Kind::Number(number) => number_schema(number),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Category(category) => category_schema(category),
        Kind::Array(array) => array_schema(array),
        Kind::Image(image) => image_schema(image),
        Kind::Text(text) => json!({ "type": "string", "maxLength": text.max_length() }),
    };
    let mut description = field.description().to_owned();
    let mut add = |text: &str| {
        let separator = if description.is_empty() { "" } else { "\n\n" };
        description.push_str(&format!("{separator}{text}"));
    };
    if let Some(unit) = field.unit().filter(|unit| !field.description().contains(unit)) {
        add(&format!("Unit: {unit}."));
    }
    match field.kind() {
        Kind::Number(number) => number.bands().map(bands).iter().for_each(|text| add(text)),
        Kind::Category(category) => {
            let values = category.values().iter();
            let list = list(values.map(|value| (value.name.as_str(), value.description.as_str())));
            list.iter().for_each(|text| add(text));
            if category.ignores_unknown() {
                add("Any other text is accepted; the model treats it as none of these.");
            } else if category.accepts_unknown() {
                add("Any other text is accepted; the model treats it as a missing value.");
            }
        }
        Kind::Array(array) => {
            if array.shape().iter().any(|size| matches!(size, Dimension::Named(_))) {
                add(&format!("At most {} items in all.", array.max_items()));
            }
        }
        Kind::Image(image) => add(&format!(
            "A JPEG, PNG or WebP file in base64: at most {} bytes and {} pixels.",
            image.max_bytes(),
            image.max_pixels()
        )),
        Kind::Boolean | Kind::Text(_) => {}
    }
    if !field.is_required() {
        add("May be omitted or `null`.");
        allow_null(&mut schema);
    }
    if !description.is_empty() {
        schema["description"] = description.into();
    }
    if let Some(example) = field.example() {
        schema["examples"] = json!([example]);
    }
    schema
}

fn allow_null(schema: &mut Value) {
    schema["type"] = json!([schema["type"], "null"]);
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        values.push(Value::Null);
    }
}

fn number_schema(number: &Number) -> Value {
    let mut schema = if number.is_integer() {
        json!({ "type": "integer" })
    } else {
        json!({ "type": "number", "format": "double" })
    };
    add_bounds(&mut schema, number.lower(), number.upper());
    schema
}

fn add_bounds(schema: &mut Value, lower: Option<Bound>, upper: Option<Bound>) {
    let mut limit = |inclusive: &str, exclusive: &str, bound: Option<Bound>| {
        if let Some(Bound { limit, exclusive: is_exclusive }) = bound {
            schema[if is_exclusive { exclusive } else { inclusive }] = plain(limit);
        }
    };
    limit("minimum", "exclusiveMinimum", lower);
    limit("maximum", "exclusiveMaximum", upper);
}

/// `18` for 18.0.
fn plain(number: f64) -> Value {
    let is_integer = number.fract() == 0.0 && number.abs() <= Precision::Float64.largest_integer();
    if is_integer { json!(number as i64) } else { json!(number) }
}

fn category_schema(category: &Category) -> Value {
    let names: Vec<_> = category.values().iter().map(|value| value.name.as_str()).collect();
    if category.accepts_unknown() {
        json!({ "type": "string", "examples": names.iter().take(20).collect::<Vec<_>>() })
    } else {
        json!({ "type": "string", "enum": names })
    }
}

/// A file in base64.
fn image_schema(image: &Image) -> Value {
    let length = image.max_bytes().div_ceil(3) * 4;
    json!({ "type": "string", "contentEncoding": "base64", "contentMediaType": "image/*", "maxLength": length })
}

/// Arrays within arrays, of the field's lengths.
fn array_schema(array: &Array) -> Value {
    let mut element = match array.datatype() {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => json!({ "type": "number" }),
        DataType::Int32 => json!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX }),
        DataType::Int64 => json!({ "type": "integer", "format": "int64" }),
        DataType::Uint8 => json!({ "type": "integer", "minimum": 0, "maximum": 255 }),
        DataType::Bool => json!({ "type": "boolean" }),
    };
    let (lower, upper) = array.bounds();
    add_bounds(&mut element, lower, upper);
    array.shape().iter().rev().fold(element, |items, size| match size {
        Dimension::Fixed(size) => json!({ "type": "array", "items": items, "minItems": size, "maxItems": size }),
        Dimension::Named(_) => json!({ "type": "array", "items": items, "minItems": 1 }),
    })
}

/// A Markdown list of the values and their meanings; `None` if the package gives no meanings.
fn list<'a>(values: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Option<String> {
    if values.clone().all(|(_, description)| description.is_empty()) {
        return None;
    }
    let lines: Vec<_> = values.map(|(name, description)| format!("* `{name}`: {description}")).collect();
    Some(lines.join("\n"))
}

/// Describes the bands of a number.
fn bands(limits: &[f64]) -> String {
    let mut text = format!("The model reads only the band: below {}", limits[0]);
    for limit in limits {
        // Writing to a String does not fail.
        let _ = write!(text, ", from {limit}");
    }
    text.push_str(". Numbers in the same band have the same prediction.");
    text
}

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
