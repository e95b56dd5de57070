//! Why a request's body is not valid: facts, which the HTTP API and the tools put into words.

use std::borrow::Cow;

/// The most inputs in one request, unless they are images.
pub const MAX_INPUTS: usize = 1_000;

/// The most images in one request: a few kilobytes can hold as many pixels as `max_pixels` allows, each of which takes time.
pub(crate) const MAX_IMAGES: usize = 8;

/// Why a text is not a valid input, as a predicate: `is empty`.
#[derive(Debug, thiserror::Error)]
pub enum InvalidInput {
    /// Not JSON. The message gives the position and the reason, and does not quote the text.
    #[error("is not valid JSON: {0}")]
    Syntax(serde_json::Error),
    #[error("is empty")]
    Empty,
    /// The kind of value that it is instead, with its article.
    #[error("must be a JSON object, not {0}")]
    NotAnObject(&'static str),
    /// Missing, unknown, repeated and invalid fields.
    #[error("is not valid: {}", .errors.iter().map(FieldError::to_string).collect::<Vec<_>>().join("; "))]
    Fields {
        /// The first errors, in the order of the model's fields; unknown ones come last.
        errors: Vec<FieldError>,
        /// The number of further errors.
        unlisted: usize,
    },
    /// An array of no inputs, with the most that it may hold.
    #[error("must hold 1 to {0} inputs, not 0")]
    NoInputs(usize),
    /// An array of more inputs than this, which is not read further.
    #[error("must hold 1 to {0} inputs, and holds more")]
    TooManyInputs(usize),
    /// An array with invalid items.
    #[error("has invalid inputs")]
    Items {
        /// The first errors, in the order of the array.
        errors: Vec<ItemError>,
        /// The number of further errors.
        unlisted: usize,
    },
}

/// The machine-readable kind of a field's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldErrorCode {
    Missing,
    Invalid,
    Repeated,
    Unknown,
}

impl FieldErrorCode {
    /// The name in errors and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Repeated => "repeated",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field:?} {detail}")]
pub struct FieldError {
    /// The field's name in the text.
    pub field: String,
    pub code: FieldErrorCode,
    /// A predicate about the field: `must be an integer from 18 to 120`.
    pub detail: Cow<'static, str>,
    /// The value in the text, if any: JSON if it is short, otherwise its kind.
    pub received: Option<String>,
    /// The likely intended value or field.
    pub suggestion: Option<String>,
}

/// An error in one item of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemError {
    /// The item's position, from 0.
    pub position: usize,
    pub problem: ItemProblem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemProblem {
    /// The kind of value that it is instead, with its article.
    NotAnObject(&'static str),
    Field(FieldError),
}
