//! The errors of an invalid input.

use std::{borrow::Cow, collections::HashSet};

use super::Fields;
use crate::{
    field::Field,
    invalid::{FieldError, FieldErrorCode},
    json::{Json, Members},
    suggestion::{closest_match, work},
};

/// Limits the size of the error response.
const MAX_LISTED_UNKNOWN_FIELDS: usize = 20;

/// A response lists this many errors and counts the others.
const MAX_LISTED_ERRORS: usize = 100;

/// The limit for suggestions per body, in pairs of compared characters: about ten million instructions.
const MAX_SUGGESTION_WORK: usize = 250_000;

/// The remaining budget for a body's errors. It bounds the time that an invalid body takes, and the size of the answer.
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

    /// Whether further errors are only counted.
    pub(super) fn is_spent(&self) -> bool {
        self.listed == 0
    }

    /// Makes a suggestion that takes this much work, if the budget allows it.
    fn suggest(&mut self, work: usize, suggestion: impl FnOnce() -> Option<String>) -> Option<String> {
        self.suggestion_work = self.suggestion_work.checked_sub(work)?;
        suggestion()
    }
}

impl Fields {
    /// The number of errors that [`Errors`] would list, in time that does not depend on the number of fields.
    pub(super) fn count_errors(&self, members: &Members<'_>) -> usize {
        let (mut present, mut unknown, mut next) = (Vec::new(), HashSet::new(), 0);
        for (name, value) in &members.kept {
            match self.position(name, next) {
                Some(position) => {
                    next = position + 1;
                    present.push((position, self.fields[position].read(value).is_some()));
                }
                None if self.ignore_unknown || unknown.len() == MAX_LISTED_UNKNOWN_FIELDS => {}
                None => drop(unknown.insert(name)),
            }
        }
        present.sort_unstable();
        let members_of_a_field = || present.chunk_by(|(one, _), (other, _)| one == other);
        let is_wrong = |members: &[(usize, bool)]| members.len() > 1 || !members[0].1;
        let wrong = members_of_a_field().filter(|members| is_wrong(members)).count();
        let required = members_of_a_field().filter(|members| self.fields[members[0].0].is_required()).count();
        wrong + (self.required - required) + unknown.len()
    }
}

/// Collects all errors of an object's members.
pub(super) struct Errors<'a> {
    members: Members<'a>,
    errors: Vec<FieldError>,
    absent: Vec<&'a str>,
    budget: &'a mut ErrorBudget,
}

impl<'a> Errors<'a> {
    pub(super) fn of(fields: &'a Fields, mut members: Members<'a>, budget: &'a mut ErrorBudget) -> Vec<FieldError> {
        for (name, _) in members.kept.iter_mut().filter(|(name, _)| !name.is_ascii()) {
            if let Some(position) = fields.position(name, 0) {
                *name = Cow::Borrowed(fields.fields[position].name());
            }
        }
        let mut errors = Self { members, errors: Vec::new(), absent: Vec::new(), budget };
        for field in &fields.fields {
            let error = errors.field(field);
            errors.errors.extend(error);
        }
        if !fields.ignore_unknown {
            errors.unknown();
        }
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
                    received: Some(field.received(&value)),
                    suggestion,
                    ..error(FieldErrorCode::Invalid, field.problem(&value))
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
