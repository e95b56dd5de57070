//! The schemas of the input and its fields.

use std::fmt::Write;

use model_package::{
    DataType, Precision, Signature,
    field::{Array, Bound, Category, Date, Dimension, Field, Image, Kind, Number},
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
        Kind::Date(date) => date_schema(date),
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
        Kind::Date(date) => add(&date_description(date)),
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
    if let Some(unit) = field.unit() {
        schema["x-unit"] = unit.into();
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

/// JSON Schema has no bounds for dates; `formatMinimum` and `formatMaximum` are those of validators that have some.
fn date_schema(date: &Date) -> Value {
    let mut schema = json!({ "type": "string", "format": if date.has_time() { "date-time" } else { "date" } });
    for (key, limit) in [("formatMinimum", date.minimum()), ("formatMaximum", date.maximum())] {
        if let Some(limit) = limit {
            schema[key] = limit.into();
        }
    }
    schema
}

fn date_description(date: &Date) -> String {
    let (first, last) = date.range();
    let range = format!("from {} to {}", date.text(first), date.text(last));
    if date.has_time() {
        format!(
            "A date and time with its offset from UTC, {range} (RFC 3339). The model reads the whole second: a fraction is accepted and \
             changes nothing."
        )
    } else {
        format!("A date, {range} (RFC 3339).")
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
pub(super) fn list<'a>(values: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Option<String> {
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
