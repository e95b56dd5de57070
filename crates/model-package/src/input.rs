//! Reads one input from JSON, or lists all of its errors.

use std::{borrow::Cow, collections::HashSet, fmt};

use super::{
    field::{Encoded, Field},
    invalid::{FieldError, FieldErrorCode, InvalidInput},
    json::{Json, Members},
    precision::Precision,
    suggestion::{closest_match, work},
};

/// Limits the size of the error response.
const MAX_LISTED_UNKNOWN_FIELDS: usize = 20;

/// A response lists this many errors and counts the others.
const MAX_LISTED_ERRORS: usize = 100;

/// The work on a body's suggestions, in pairs of characters that are compared: some 5 ms.
const MAX_SUGGESTION_WORK: usize = 500_000;

/// What may still be spent on the errors of a body: it bounds the time that an invalid one takes, and the size of its answer.
pub(crate) struct ErrorBudget {
    listed: usize,
    /// The number of errors that are only counted.
    pub(crate) unlisted: usize,
    suggestion_work: usize,
}

impl Default for ErrorBudget {
    fn default() -> Self {
        Self { listed: MAX_LISTED_ERRORS, unlisted: 0, suggestion_work: MAX_SUGGESTION_WORK }
    }
}

impl ErrorBudget {
    /// Whether another error is listed. Otherwise it is counted.
    pub(crate) fn list(&mut self) -> bool {
        match self.listed.checked_sub(1) {
            Some(left) => self.listed = left,
            None => self.unlisted += 1,
        }
        self.unlisted == 0
    }

    /// Makes a suggestion that takes this much work, if that much is left.
    fn suggest(&mut self, work: usize, suggestion: impl FnOnce() -> Option<String>) -> Option<String> {
        self.suggestion_work = self.suggestion_work.checked_sub(work)?;
        suggestion()
    }
}

/// A valid value for each field. Two inputs are equal if and only if they display as the same text.
///
/// Only a [`Signature`](super::Signature) creates one.
#[derive(Clone, Debug, PartialEq)]
pub struct Input(Vec<Encoded>);

impl Input {
    pub(crate) fn new(values: Vec<Encoded>) -> Self {
        Self(values)
    }
}

/// The fields of a model, in the order of `model.toml`.
#[derive(Clone, Debug)]
pub(crate) struct Fields(Vec<Field>);

impl Fields {
    /// The names of `fields` must be distinct.
    pub(crate) fn new(fields: Vec<Field>) -> Self {
        Self(fields)
    }

    pub(crate) fn as_slice(&self) -> &[Field] {
        &self.0
    }

    /// Reads an object that contains each required field once, with an allowed value, and no unknown fields.
    pub(crate) fn read(&self, text: &[u8]) -> Result<Input, InvalidInput> {
        if text.trim_ascii().is_empty() {
            return Err(InvalidInput::Empty);
        }
        match serde_json::from_slice(text).map_err(InvalidInput::Syntax)? {
            Json::Object(members) => {
                let mut budget = ErrorBudget::default();
                let read = self.read_members(members, &mut budget);
                read.map_err(|errors| InvalidInput::Fields { errors, unlisted: budget.unlisted })
            }
            other => Err(InvalidInput::NotAnObject(other.kind())),
        }
    }

    pub(crate) fn read_members(
        &self,
        members: Members<'_>,
        budget: &mut ErrorBudget,
    ) -> Result<Input, Vec<FieldError>> {
        let Members { kept, discarded } = &members;
        let read = || self.read_in_order(kept).or_else(|| self.read_in_any_order(kept));
        let read = if *discarded == 0 { read() } else { None };
        read.ok_or_else(|| Errors::of(&self.0, members, budget))
    }

    /// The fast path: most clients send the fields in the documented order, which needs no lookup by name.
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

    pub(crate) fn encode(&self, input: &Input, columns: &mut Vec<f64>) {
        for (field, value) in self.0.iter().zip(&input.0) {
            field.encode(*value, columns);
        }
    }
}

/// Short text for the cache key: numbers, and codes of categories and bands, separated by commas. NaN is an empty string (`2,30,,0`), and
/// a row of zeros a question mark.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, value) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            match value {
                Encoded::Code(code) => write!(f, "{code}")?,
                // 30, not 30.0, as far as the type represents every integer.
                Encoded::Number(number) if is_integer((*number).into(), Precision::Float32) => {
                    write!(f, "{}", *number as i32)?;
                }
                Encoded::Number(number) => write!(f, "{number:?}")?,
                Encoded::Double(number) if is_integer(*number, Precision::Float64) => {
                    write!(f, "{}", *number as i64)?;
                }
                Encoded::Double(number) => write!(f, "{number:?}")?,
                Encoded::Nan => {}
                Encoded::Zeros => f.write_str("?")?,
            }
        }
        Ok(())
    }
}

/// Whether this is a whole number in the range in which the type represents every integer.
pub(crate) fn is_integer(number: f64, precision: Precision) -> bool {
    number.fract() == 0.0 && number.abs() <= precision.largest_integer()
}

/// Collects all errors of an object's members.
struct Errors<'a> {
    members: Members<'a>,
    errors: Vec<FieldError>,
    absent: Vec<&'a str>,
    budget: &'a mut ErrorBudget,
}

impl<'a> Errors<'a> {
    fn of(fields: &'a [Field], members: Members<'a>, budget: &'a mut ErrorBudget) -> Vec<FieldError> {
        let mut errors = Self { members, errors: Vec::new(), absent: Vec::new(), budget };
        for field in fields {
            let error = errors.field(field);
            errors.errors.extend(error);
        }
        errors.unknown();
        errors.errors
    }

    /// Removes the members with the field's name and returns their error.
    fn field(&mut self, field: &'a Field) -> Option<FieldError> {
        let mut taken = self.members.kept.extract_if(.., |(name, _)| *name == field.name());
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
                let is_listed = field.is_required() && self.budget.list();
                let detail = || format!("is required and {}", field.allowed());
                is_listed.then(|| error(FieldErrorCode::Missing, detail().into()))
            }
            (Some(value), 0) => {
                if field.read(&value).is_some() || !self.budget.list() {
                    return None;
                }
                let suggestion = self.budget.suggest(field.suggestion_work(&value), || field.suggestion(&value));
                Some(FieldError {
                    received: Some(value.to_string()),
                    suggestion,
                    ..error(FieldErrorCode::Invalid, field.allowed())
                })
            }
            (Some(_), others) => self.budget.list().then(|| FieldError {
                received: Some(format!("{} members with this name", others + 1)),
                ..error(FieldErrorCode::Repeated, "must appear only once".into())
            }),
        }
    }

    /// Adds an error for each distinct name among the remaining members.
    fn unknown(&mut self) {
        let Members { kept: mut members, discarded } = std::mem::take(&mut self.members);
        let mut seen = HashSet::new();
        members.retain(|(name, _)| seen.insert(name.clone()));
        let unlisted = members.len().saturating_sub(MAX_LISTED_UNKNOWN_FIELDS) + discarded;
        let absent = std::mem::take(&mut self.absent);
        for (name, value) in members.into_iter().take(MAX_LISTED_UNKNOWN_FIELDS) {
            if !self.budget.list() {
                continue;
            }
            let wraps = |member: &(Cow<'_, str>, Json<'_>)| absent.iter().any(|field| *field == member.0);
            let suggestion = match &value {
                Json::Object(members) if members.kept.iter().any(wraps) => {
                    Some("its fields, without an object around them".to_owned())
                }
                _ => {
                    let closest = || closest_match(&name, absent.iter().copied()).map(str::to_owned);
                    self.budget.suggest(work(&name, absent.iter().copied()), closest)
                }
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
}
