//! Valid inputs, generated from a model's fields.

use model_package::{
    DataType, Field,
    field::{Array, Bound, Dimension, Kind, Number},
};
use predict_once::model::Model;
use serde_json::{Map, Value, json};

/// Two valid inputs generated from the model's fields: one with all fields, one with the required fields only.
pub fn inputs(model: &Model) -> [Map<String, Value>; 2] {
    let of = |fields: &mut dyn Iterator<Item = &Field>| {
        fields.map(|field| (field.name().to_owned(), some_value(field.kind()))).collect()
    };
    [
        of(&mut model.signature().fields().iter()),
        of(&mut model.signature().fields().iter().filter(|field| field.is_required())),
    ]
}

fn some_value(kind: &Kind) -> Value {
    match kind {
        Kind::Number(number) => some_number(number),
        Kind::Boolean => true.into(),
        Kind::Category(category) => category.values()[0].name.as_str().into(),
        Kind::Date(date) => date.text(date.range().1).into(),
        Kind::Array(array) => some_array(array),
        Kind::Text(_) => "some text".into(),
        Kind::Image(_) => SMALLEST_IMAGE.into(),
    }
}

/// A PNG of one pixel, in base64.
pub const SMALLEST_IMAGE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mM4kWIEAANWAV/W6lf+AAAAAElFTkSuQmCC";

/// With 2 for each name.
fn some_array(array: &Array) -> Value {
    let item = if array.datatype() == DataType::Bool { json!(true) } else { json!(1) };
    array.shape().iter().rev().fold(item, |item, size| match size {
        Dimension::Fixed(size) => vec![item; *size].into(),
        Dimension::Named(_) => vec![item; 2].into(),
    })
}

fn some_number(number: &Number) -> Value {
    let limit = |bound: Bound, step: f64| if bound.exclusive { bound.limit + step } else { bound.limit };
    let (lower, upper) = (number.lower(), number.upper());
    match (lower, upper) {
        (None, None) => json!(0),
        (Some(lower), _) if !lower.exclusive || number.is_integer() => json!(limit(lower, 1.0)),
        (_, Some(upper)) if !upper.exclusive => json!(upper.limit),
        (Some(lower), Some(upper)) => json!(lower.limit + (upper.limit - lower.limit) / 2.0),
        (Some(lower), None) => json!(lower.limit.next_up().max(lower.limit + 1.0)),
        (None, Some(upper)) => json!(upper.limit.next_down().min(upper.limit - 1.0)),
    }
}
