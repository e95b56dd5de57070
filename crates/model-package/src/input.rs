//! Reads one input from JSON, or lists all of its errors.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use serde::de::DeserializeSeed;

use super::{
    field::Field,
    invalid::{FieldError, FieldErrorCode, InvalidInput},
    json::{ArrayFormat, ArrayFormats, Dimension, Json, JsonSeed, Members, shape_text},
    normal_form::Spellings,
    suggestion::{closest_match, work},
    tensor::Tensor,
    values::{Input, Missing},
};

/// Limits the size of the error response.
const MAX_LISTED_UNKNOWN_FIELDS: usize = 20;

/// A response lists this many errors and counts the others.
const MAX_LISTED_ERRORS: usize = 100;

/// The work on a body's suggestions, in pairs of characters that are compared: some ten million instructions.
const MAX_SUGGESTION_WORK: usize = 250_000;

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

    /// Whether further errors are only counted.
    fn is_spent(&self) -> bool {
        self.listed == 0
    }

    /// Makes a suggestion that takes this much work, if that much is left.
    fn suggest(&mut self, work: usize, suggestion: impl FnOnce() -> Option<String>) -> Option<String> {
        self.suggestion_work = self.suggestion_work.checked_sub(work)?;
        suggestion()
    }
}

/// The fields of a model, in the order of `model.toml`.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    fields: Vec<Field>,
    spellings: Spellings,
    ignore_unknown: bool,
    /// The number of required fields.
    required: usize,
    missing: Arc<Missing>,
    /// Bodies of so many bytes take over a millisecond to read: those with images, and those with long texts.
    slow_from: usize,
    /// The positions of the fields that have an [`ArrayFormat`].
    arrays: Vec<usize>,
    /// The dimensions that have the same name in several places: the position of each place's field, and its axis.
    shared: Vec<(String, Vec<(usize, usize)>)>,
}

impl Fields {
    /// The names of `fields` must be distinct. If `ignore_unknown`, inputs may have other members.
    pub(crate) fn new(fields: Vec<Field>, ignore_unknown: bool) -> Self {
        let spellings = Spellings::new(fields.iter().map(Field::name).zip(0..));
        let required = fields.iter().filter(|field| field.is_required()).count();
        let arrays = (0..fields.len()).filter(|position| fields[*position].array_format().is_some()).collect();
        let shared = shared_dimensions(&fields);
        let missing = Missing::of(&fields).into();
        let slow_from = fields.iter().map(Field::slow_from).min().unwrap_or(usize::MAX);
        Self { fields, spellings, ignore_unknown, required, missing, slow_from, arrays, shared }
    }

    pub(crate) fn as_slice(&self) -> &[Field] {
        &self.fields
    }

    pub(crate) fn is_slow_to_read(&self, bytes: usize) -> bool {
        bytes >= self.slow_from
    }

    pub(crate) fn ignores_unknown(&self) -> bool {
        self.ignore_unknown
    }

    /// Reads an object that contains each required field once, with an allowed value, and no unknown fields unless they are ignored.
    pub(crate) fn read(&self, text: &[u8]) -> Result<Input, InvalidInput> {
        if text.trim_ascii().is_empty() {
            return Err(InvalidInput::Empty);
        }
        let mut json = serde_json::Deserializer::from_slice(text);
        let read = self.json_seed().deserialize(&mut json).and_then(|read| json.end().map(|()| read));
        match read.map_err(InvalidInput::Syntax)? {
            Json::Object(members) => {
                let mut budget = ErrorBudget::default();
                let read = self.read_members(members, &mut budget);
                read.map_err(|errors| InvalidInput::Fields { errors, unlisted: budget.unlisted })
            }
            other => Err(InvalidInput::NotAnObject(other.kind())),
        }
    }

    /// Reads the JSON of an input.
    pub(crate) fn json_seed(&self) -> JsonSeed<'_> {
        JsonSeed::new(if self.arrays.is_empty() { None } else { Some(self) })
    }

    pub(crate) fn read_members(
        &self,
        members: Members<'_>,
        budget: &mut ErrorBudget,
    ) -> Result<Input, Vec<FieldError>> {
        let Members { kept, discarded } = &members;
        let read = || self.read_in_order(kept).or_else(|| self.read_in_any_order(kept));
        let read = if *discarded == 0 || self.ignore_unknown { read() } else { None };
        if let Some(error) = read.as_ref().and_then(|input| self.disagreement(input)) {
            return Err(budget.list().then_some(error).into_iter().collect());
        }
        read.ok_or_else(|| {
            if budget.is_spent() {
                budget.unlisted += self.count_errors(&members);
                return Vec::new();
            }
            Errors::of(self, members, budget)
        })
    }

    /// The fast path: most clients send the fields in the documented order, which needs no lookup by name.
    fn read_in_order(&self, members: &[(Cow<'_, str>, Json<'_>)]) -> Option<Input> {
        if members.len() != self.fields.len() {
            return None;
        }
        let read = |(field, (name, value)): (&Field, &(Cow<'_, str>, Json<'_>))| {
            if field.name() == name { field.read(value) } else { None }
        };
        let mut values = Vec::with_capacity(members.len());
        for value in self.fields.iter().zip(members).map(read) {
            values.push(value?);
        }
        Some(Input::new(values))
    }

    fn read_in_any_order(&self, members: &[(Cow<'_, str>, Json<'_>)]) -> Option<Input> {
        let mut sent = Vec::with_capacity(members.len().min(self.fields.len()));
        let mut next = 0;
        for (name, value) in members {
            let Some(position) = self.position(name, next) else {
                if self.ignore_unknown {
                    continue;
                }
                return None;
            };
            next = position + 1;
            sent.push((position, self.fields[position].read(value)?));
        }
        sent.sort_unstable_by_key(|(position, _)| *position);
        let required = sent.iter().filter(|(position, _)| self.fields[*position].is_required()).count();
        let is_repeated = sent.windows(2).any(|pair| pair[0].0 == pair[1].0);
        (required == self.required && !is_repeated).then(|| Input::of_sent(sent, &self.missing))
    }

    /// The error of the first array whose length is another than that of a dimension with the same name.
    fn disagreement(&self, input: &Input) -> Option<FieldError> {
        let size = |(field, axis): (usize, usize)| Some(input.value(field).tensor(0)?.shape()[axis]);
        self.shared.iter().find_map(|(name, places)| {
            let (first, expected) = (places[0].0, size(places[0])?);
            let place = places.iter().copied().find(|place| size(*place) != Some(expected))?;
            let shape = input.value(place.0).tensor(0).map(Tensor::shape).unwrap_or_default();
            Some(FieldError {
                field: self.fields[place.0].name().to_owned(),
                code: FieldErrorCode::Invalid,
                detail: format!("must have the same {name} as {:?}, {expected}", self.fields[first].name()).into(),
                received: Some(format!("an array of shape {}", shape_text(shape))),
                suggestion: None,
            })
        })
    }

    /// The number of errors that [`Errors`] would list, in time that does not depend on the number of fields.
    fn count_errors(&self, members: &Members<'_>) -> usize {
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

    /// The position of the field of this name; the search begins at `start` and wraps around.
    pub(crate) fn position(&self, name: &str, start: usize) -> Option<usize> {
        let start = start.min(self.fields.len());
        let named = |field: &Field| field.name() == name;
        let after = self.fields[start..].iter().position(named).map(|offset| start + offset);
        after.or_else(|| self.fields[..start].iter().position(named)).or_else(|| self.spellings.find(name))
    }

    pub(crate) fn encode(&self, input: &Input, columns: &mut Vec<f64>) {
        for (position, field) in self.fields.iter().enumerate() {
            field.encode(input.value(position), columns);
        }
    }
}

impl ArrayFormats for Fields {
    fn format(&self, name: &str) -> Option<&ArrayFormat> {
        let named = self.arrays.iter().copied().find(|position| self.fields[*position].name() == name);
        self.fields[named.or_else(|| self.spellings.find(name))?].array_format()
    }
}

fn shared_dimensions(fields: &[Field]) -> Vec<(String, Vec<(usize, usize)>)> {
    let mut dimensions: Vec<(String, Vec<(usize, usize)>)> = Vec::new();
    let formats = fields.iter().enumerate().filter_map(|(position, field)| Some((position, field.array_format()?)));
    for (position, format) in formats {
        for (axis, size) in format.shape.iter().enumerate() {
            let Dimension::Named(name) = size else { continue };
            match dimensions.iter_mut().find(|(known, _)| known == name) {
                Some((_, places)) => places.push((position, axis)),
                None => dimensions.push((name.clone(), vec![(position, axis)])),
            }
        }
    }
    dimensions.retain(|(_, places)| places.len() > 1);
    dimensions
}

/// Collects all errors of an object's members.
struct Errors<'a> {
    members: Members<'a>,
    errors: Vec<FieldError>,
    absent: Vec<&'a str>,
    budget: &'a mut ErrorBudget,
}

impl<'a> Errors<'a> {
    fn of(fields: &'a Fields, mut members: Members<'a>, budget: &'a mut ErrorBudget) -> Vec<FieldError> {
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
