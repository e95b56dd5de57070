//! The value that a request sends for a field: reads it, or says what is wrong with it.

use std::{borrow::Cow, sync::Arc};

use serde::de::DeserializeSeed;
use serde_json::Value;

use super::{Encoded, Field, Kind, Tensors, boolean};
use crate::json::{ArrayFormat, Json, JsonSeed};

impl Field {
    /// Reads the value of a request's member. `None` if it is not allowed.
    pub(crate) fn read(&self, value: &Json<'_>) -> Option<Encoded> {
        if let Json::Null = value {
            return self.missing.clone();
        }
        match &self.kind {
            Kind::Number(numbers) => {
                match value {
                    Json::Number(number) => numbers.read(*number),
                    // Another integer has the same nearest double.
                    Json::Rounded(number) if !numbers.is_integer() => numbers.read(*number),
                    Json::LargeInteger(number) if !numbers.is_integer() => numbers.read(*number as f64),
                    _ => None,
                }
            }
            Kind::Boolean => {
                if let Json::Bool(value) = value {
                    Some(Encoded::Code(u16::from(*value)))
                } else {
                    None
                }
            }
            Kind::Category(category) => {
                if let Json::Text(text) = value {
                    category.read(text, self.missing.as_ref())
                } else {
                    None
                }
            }
            Kind::Date(date) => date.read(value),
            Kind::Image(image) => {
                if let Json::Text(text) = value {
                    image.read_base64(text).ok()
                } else {
                    None
                }
            }
            Kind::Text(text) => {
                if let Json::Text(value) = value {
                    text.read(value).map(Encoded::Tensors)
                } else {
                    None
                }
            }
            Kind::Array(_) => {
                if let Json::Tensor(tensor) = value {
                    Some(Encoded::Tensors(Tensors::new(vec![Arc::clone(tensor)])))
                } else {
                    None
                }
            }
        }
    }

    /// The format in which a request's member becomes a tensor while it is parsed.
    pub(crate) fn array_format(&self) -> Option<&ArrayFormat> {
        match &self.kind {
            Kind::Array(array) => Some(&array.format),
            Kind::Number(_) | Kind::Boolean | Kind::Category(_) | Kind::Date(_) | Kind::Text(_) | Kind::Image(_) => {
                None
            }
        }
    }

    /// Whether a request may send this value.
    pub fn accepts(&self, value: &Value) -> bool {
        self.read_value(value).is_some()
    }

    pub(super) fn read_value(&self, value: &Value) -> Option<Encoded> {
        let text = value.to_string();
        let mut json = serde_json::Deserializer::from_str(&text);
        let json = match self.array_format() {
            Some(format) => format.deserialize(&mut json),
            None => JsonSeed::any().deserialize(&mut json),
        };
        self.read(&json.ok()?)
    }

    /// Describes the allowed values, as a predicate: `must be an integer from 18 to 120`.
    pub(crate) fn allowed(&self) -> Cow<'static, str> {
        let allowed: Cow<'static, str> = match &self.kind {
            Kind::Number(number) => number.allowed().into(),
            Kind::Boolean => "must be true or false".into(),
            Kind::Category(category) => category.allowed().into(),
            Kind::Date(date) => date.allowed().into(),
            Kind::Array(array) => array.allowed().into(),
            Kind::Text(text) => text.allowed().into(),
            Kind::Image(image) => image.allowed().into(),
        };
        match self.missing {
            Some(_) => format!("{allowed}, or null").into(),
            None => allowed,
        }
    }

    /// Describes why a value that [`Self::read`] refuses is not allowed, as a predicate.
    pub(crate) fn problem(&self, value: &Json<'_>) -> Cow<'static, str> {
        match (&self.kind, value) {
            (Kind::Image(image), Json::Text(text)) => match image.read_base64(text) {
                Ok(_) => self.allowed(),
                Err(problem) => problem.into(),
            },
            _ => self.allowed(),
        }
    }

    /// Describes what a request sent in place of an allowed value.
    pub(crate) fn received(&self, value: &Json<'_>) -> String {
        match (&self.kind, value) {
            (Kind::Text(_) | Kind::Image(_), Json::Text(text)) => {
                format!("a string of {} characters", text.chars().count())
            }
            _ => value.to_string(),
        }
    }

    /// The work of [`Self::suggestion`], in pairs of characters that are compared.
    pub(crate) fn suggestion_work(&self, value: &Json<'_>) -> usize {
        match &self.kind {
            Kind::Number(_) | Kind::Boolean | Kind::Date(_) | Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => 0,
            Kind::Category(category) => category.suggestion_work(value),
        }
    }

    /// Suggests a valid value in place of an invalid one, if there is a likely one: `0.25 for 25 %`.
    pub(crate) fn suggestion(&self, value: &Json<'_>) -> Option<String> {
        match &self.kind {
            Kind::Number(number) => number.suggestion(value, self.unit.as_deref()),
            Kind::Boolean => boolean::suggestion(value).map(|meant| meant.to_string()),
            Kind::Category(category) => category.suggestion(value),
            Kind::Date(date) => date.suggestion(value),
            Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => None,
        }
    }
}
