//! What a client sends → values that cannot be invalid, or everything that is wrong with it in one go.
//!
//! This knows JSON and nothing of what the fields mean: that is the [domain](crate::domain)'s, whose input is an `object!` of
//! fields. A field is a `number!`, a `category!`, or a type that is a [`Field`] by its own code.

mod category;
mod fields;
mod json;
mod number;
mod suggestion;

use std::borrow::Cow;

pub use self::{category::Category, fields::Fields, json::Json, number::Bounds};
#[allow(unused_imports, reason = "a domain may have one kind of fields only")]
pub(crate) use self::{category::category, number::number};
pub(crate) use self::{fields::object, suggestion::closest};

/// One field of the input, as a type that cannot be invalid.
pub trait Field: Sized {
    /// The field's name in a request.
    const NAME: &'static str;

    /// The value, if it is an allowed one.
    fn read(value: &Json<'_>) -> Option<Self>;

    /// What is allowed, as a sentence without its subject: `must be an integer from 18 to 120`.
    fn allowed() -> Cow<'static, str>;

    /// What was probably meant by a value that is not allowed, where that can be guessed: `0.25 for 25 %`.
    fn suggestion(value: &Json<'_>) -> Option<String>;

    /// The field's JSON Schema: its meaning, unit and bounds.
    fn schema() -> serde_json::Value;
}

/// Why a text is no input.
#[derive(Debug, thiserror::Error)]
pub enum InvalidInput {
    /// It is not JSON. The message says where and why; it quotes nothing of the text.
    #[error("the body is not valid JSON: {0}")]
    Syntax(serde_json::Error),
    /// There is nothing.
    #[error("the body is empty; it must be a JSON object")]
    Empty,
    /// It is JSON, but not an object.
    #[error("the body must be a JSON object, and is {0}")]
    NotAnObject(&'static str),
    /// It is an object, with missing, unknown, repeated or invalid fields: all of them, in the order of the fields.
    #[error("not every field is as it must be; errors lists each one that is not")]
    Fields(Vec<FieldError>),
}

/// How a field can be wrong, for programs to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldErrorCode {
    /// It is not there.
    Missing,
    /// Its value is not an allowed one.
    Invalid,
    /// It is there more than once.
    Repeated,
    /// There is no such field.
    Unknown,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name, as it stands in the text.
    pub field: String,
    /// How it is wrong.
    pub code: FieldErrorCode,
    /// What is allowed, as a sentence without its subject: `must be an integer from 18 to 120`.
    pub detail: Cow<'static, str>,
    /// What was sent instead, if anything was: a short JSON value, or what kind of value it is.
    pub received: Option<String>,
    /// What was probably meant, where that can be guessed.
    pub suggestion: Option<String>,
}
