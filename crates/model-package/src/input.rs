//! A request's body → the model's input, or everything that is wrong with it.

use std::{borrow::Cow, collections::HashSet, fmt};

use super::{
    field::{Encoded, Field},
    inputs::{ItemError, MOST_INPUTS},
    json::Json,
    suggestion::closest,
};

/// How many unknown fields are listed: each suggestion takes time, and each field makes the answer longer.
const LISTED_UNKNOWN_FIELDS: usize = 20;

/// How many more suggestions may be made for a body: each takes its time.
pub(crate) struct Guesses(usize);

impl Default for Guesses {
    fn default() -> Self {
        Self(20)
    }
}

/// What the model reads: a valid value for each field. Two inputs are equal exactly when they print the same.
///
/// Only a [`Signature`](super::Signature) creates one.
#[derive(Clone, Debug, PartialEq)]
pub struct Input(Vec<Encoded>);

impl Input {
    pub(crate) fn new(values: Vec<Encoded>) -> Self {
        Self(values)
    }
}

/// Why a text is not a valid input.
#[derive(Debug, thiserror::Error)]
pub enum InvalidInput {
    /// It is not JSON. The message says where and why, without quoting the text.
    #[error("is not valid JSON: {0}")]
    Syntax(serde_json::Error),
    /// It is empty.
    #[error("is empty")]
    Empty,
    /// It is JSON, but not an object.
    #[error("must be a JSON object, not {0}")]
    NotAnObject(&'static str),
    /// It is an object, with missing, unknown, repeated or invalid fields: all of them, in the order of the fields.
    #[error("has invalid fields")]
    Fields(Vec<FieldError>),
    /// It is an array of too few or too many inputs: so many.
    #[error("must hold 1 to {MOST_INPUTS} inputs, not {0}")]
    Count(usize),
    /// It is an array whose items are no inputs: the first errors, and how many others there are.
    #[error("has invalid inputs")]
    Items {
        /// In the order of the array.
        errors: Vec<ItemError>,
        /// How many are left out.
        unlisted: usize,
    },
}

/// What is wrong with a field, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldErrorCode {
    /// It is absent.
    Missing,
    /// Its value is not allowed.
    Invalid,
    /// It appears more than once.
    Repeated,
    /// There is no such field.
    Unknown,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name, as in the text.
    pub field: String,
    /// What is wrong, for programs.
    pub code: FieldErrorCode,
    /// What is allowed, as a sentence without its subject: `must be an integer from 18 to 120`.
    pub detail: Cow<'static, str>,
    /// What was sent instead, if anything was: a short JSON value, or what kind of value it is.
    pub received: Option<String>,
    /// What was probably meant, where that can be guessed.
    pub suggestion: Option<String>,
}

/// The fields of a model, in the order of `model.toml`.
#[derive(Clone, Debug)]
pub(crate) struct Fields(Vec<Field>);

impl Fields {
    /// Fields whose names differ.
    pub(crate) fn new(fields: Vec<Field>) -> Self {
        Self(fields)
    }

    pub(crate) fn as_slice(&self) -> &[Field] {
        &self.0
    }

    /// Reads an object that holds every required field once, with an allowed value, and no others.
    pub(crate) fn read(&self, text: &[u8]) -> Result<Input, InvalidInput> {
        if text.trim_ascii().is_empty() {
            return Err(InvalidInput::Empty);
        }
        match serde_json::from_slice(text).map_err(InvalidInput::Syntax)? {
            Json::Object(members) => self.read_members(members, &mut Guesses::default()).map_err(InvalidInput::Fields),
            other => Err(InvalidInput::NotAnObject(other.kind())),
        }
    }

    /// Reads an object's members.
    pub(crate) fn read_members(
        &self,
        members: Vec<(Cow<'_, str>, Json<'_>)>,
        guesses: &mut Guesses,
    ) -> Result<Input, Vec<FieldError>> {
        let read = self.read_in_order(&members).or_else(|| self.read_in_any_order(&members));
        read.ok_or_else(|| Errors::of(&self.0, members, guesses))
    }

    /// Most programs send the fields in the order of the documentation: then there is nothing to look up.
    fn read_in_order(&self, members: &[(Cow<'_, str>, Json<'_>)]) -> Option<Input> {
        if members.len() != self.0.len() {
            return None;
        }
        let read = |(field, (name, value)): (&Field, &(Cow<'_, str>, Json<'_>))| {
            if field.name() == name { field.read(value) } else { None }
        };
        self.0.iter().zip(members).map(read).collect::<Option<_>>().map(Input)
    }

    fn read_in_any_order(&self, members: &[(Cow<'_, str>, Json<'_>)]) -> Option<Input> {
        let mut values = vec![None; self.0.len()];
        let mut next = 0;
        for (name, value) in members {
            let position = self.position(name, next)?;
            next = position + 1;
            let read = self.0[position].read(value)?;
            if values[position].replace(read).is_some() {
                return None;
            }
        }
        let present_or_missing = |(field, value): (&Field, Option<Encoded>)| value.or_else(|| field.missing());
        self.0.iter().zip(values).map(present_or_missing).collect::<Option<_>>().map(Input)
    }

    /// The position of the field of this name; the search begins at `start` and wraps around.
    fn position(&self, name: &str, start: usize) -> Option<usize> {
        let start = start.min(self.0.len());
        let named = |field: &Field| field.name() == name;
        let after = self.0[start..].iter().position(named).map(|offset| start + offset);
        after.or_else(|| self.0[..start].iter().position(named))
    }

    /// Appends the graph's input for one row.
    pub(crate) fn encode(&self, input: &Input, columns: &mut Vec<f32>) {
        for (field, value) in self.0.iter().zip(&input.0) {
            field.encode(*value, columns);
        }
    }
}

/// The model's input as short text, for the cache key: numbers, and codes of categories and bands, with commas between them. A
/// value that the model reads as NaN prints as nothing (`2,30,,0`), and a row of zeros as a question mark.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, value) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            match value {
                Encoded::Code(code) => write!(f, "{code}")?,
                // Without the point and zero that a float is written with, as far as integers are exact.
                Encoded::Number(number) if number.abs() <= 16_777_216.0 && number.fract() == 0.0 => {
                    write!(f, "{}", *number as i32)?;
                }
                Encoded::Number(number) => write!(f, "{number:?}")?,
                Encoded::Nan => {}
                Encoded::Zeros => f.write_str("?")?,
            }
        }
        Ok(())
    }
}

/// Everything that is wrong with an object's members.
struct Errors<'a> {
    members: Vec<(Cow<'a, str>, Json<'a>)>,
    errors: Vec<FieldError>,
    absent: Vec<&'a str>,
    guesses: &'a mut Guesses,
}

impl<'a> Errors<'a> {
    fn of(fields: &'a [Field], members: Vec<(Cow<'a, str>, Json<'a>)>, guesses: &'a mut Guesses) -> Vec<FieldError> {
        let mut errors = Self { members, errors: Vec::new(), absent: Vec::new(), guesses };
        for field in fields {
            let error = errors.field(field);
            errors.errors.extend(error);
        }
        errors.unknown();
        errors.errors
    }

    /// Takes every member of a field's name, and says what is wrong with them.
    fn field(&mut self, field: &'a Field) -> Option<FieldError> {
        let mut taken = self.members.extract_if(.., |(name, _)| *name == field.name());
        let first = taken.next().map(|(_, value)| value);
        let others = taken.count();
        let error = |code, detail| FieldError {
            field: field.name().to_owned(),
            code,
            detail,
            received: None,
            suggestion: None,
        };
        match (first, others) {
            (None, _) => {
                self.absent.push(field.name());
                let detail = format!("is required and {}", field.allowed());
                field.is_required().then(|| error(FieldErrorCode::Missing, detail.into()))
            }
            (Some(value), 0) => {
                if field.read(&value).is_some() {
                    return None;
                }
                let suggestion = self.guess(|| field.suggestion(&value));
                Some(FieldError {
                    received: Some(value.to_string()),
                    suggestion,
                    ..error(FieldErrorCode::Invalid, field.allowed())
                })
            }
            (Some(_), others) => Some(FieldError {
                received: Some(format!("{} members of this name", others + 1)),
                ..error(FieldErrorCode::Repeated, "must appear only once".into())
            }),
        }
    }

    /// Reports the remaining members as unknown, each name once.
    fn unknown(&mut self) {
        let mut members = std::mem::take(&mut self.members);
        let mut seen = HashSet::new();
        members.retain(|(name, _)| seen.insert(name.clone()));
        let unlisted = members.len().saturating_sub(LISTED_UNKNOWN_FIELDS);
        for (name, value) in members.into_iter().take(LISTED_UNKNOWN_FIELDS) {
            let absent = self.absent.clone();
            let wraps = |member: &(Cow<'_, str>, Json<'_>)| absent.iter().any(|field| *field == member.0);
            let suggestion = match &value {
                Json::Object(members) if members.iter().any(wraps) => {
                    Some("its fields, without an object around them".to_owned())
                }
                _ => self.guess(|| closest(&name, absent.iter().copied()).map(str::to_owned)),
            };
            self.errors.push(FieldError {
                suggestion,
                field: name.into_owned(),
                code: FieldErrorCode::Unknown,
                detail: "is not a field of the input".into(),
                received: Some(value.to_string()),
            });
        }
        if let (1.., Some(last)) = (unlisted, self.errors.last_mut()) {
            last.detail = format!("is not a field of the input, nor are {unlisted} others").into();
        }
    }

    /// A guess, unless enough have been made: each takes time.
    fn guess(&mut self, guess: impl FnOnce() -> Option<String>) -> Option<String> {
        self.guesses.0 = self.guesses.0.checked_sub(1)?;
        guess()
    }
}
