//! Reads the members of an object as the values of fields.

use std::{borrow::Cow, sync::Arc};

use serde::de::DeserializeSeed;

use super::{
    dimensions::shared_dimensions,
    errors::{ErrorBudget, Errors},
};
use crate::{
    field::{Field, Kind},
    invalid::{FieldError, InvalidInput, MAX_IMAGES, MAX_INPUTS},
    json::{ArrayFormat, Json, JsonSeed, MemberFormats, Members},
    normal_form::Spellings,
    values::{Input, Missing},
};

/// The fields of a model, in the order of `model.toml`.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    pub(super) fields: Vec<Field>,
    spellings: Spellings,
    pub(super) ignore_unknown: bool,
    /// The most inputs of a request.
    max_inputs: usize,
    /// The number of required fields.
    pub(super) required: usize,
    missing: Arc<Missing>,
    /// Bodies of so many bytes take over a millisecond to read: those with images, and those with long texts.
    slow_from: usize,
    /// The positions of the fields that have an [`ArrayFormat`].
    arrays: Vec<usize>,
    /// The dimensions that have the same name in several places: the position of each place's field, and its axis.
    pub(super) shared: Vec<(String, Vec<(usize, usize)>)>,
}

impl Fields {
    /// The names of `fields` must be distinct. If `ignore_unknown`, inputs may have other members.
    pub(crate) fn new(fields: Vec<Field>, ignore_unknown: bool) -> Self {
        let spellings = Spellings::new(fields.iter().map(Field::name).zip(0..));
        let required = fields.iter().filter(|field| field.is_required()).count();
        let arrays = (0..fields.len()).filter(|position| fields[*position].array_format().is_some()).collect();
        let shared = shared_dimensions(&fields);
        let max_inputs = max_inputs(&fields);
        let missing = Missing::of(&fields).into();
        let slow_from = fields.iter().map(Field::slow_from).min().unwrap_or(usize::MAX);
        Self { fields, spellings, ignore_unknown, max_inputs, required, missing, slow_from, arrays, shared }
    }

    pub(crate) fn as_slice(&self) -> &[Field] {
        &self.fields
    }

    /// The most inputs of a request.
    pub(crate) fn max_inputs(&self) -> usize {
        self.max_inputs
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
        JsonSeed::of_fields(self, !self.arrays.is_empty())
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

/// [`MAX_INPUTS`], or so many that their images are at most [`MAX_IMAGES`].
fn max_inputs(fields: &[Field]) -> usize {
    let images = fields.iter().filter(|field| matches!(field.kind(), Kind::Image(_))).count();
    MAX_IMAGES.checked_div(images).map_or(MAX_INPUTS, |inputs| inputs.max(1))
}

impl MemberFormats for Fields {
    fn array_format(&self, name: &str) -> Option<&ArrayFormat> {
        let named = self.arrays.iter().copied().find(|position| self.fields[*position].name() == name);
        self.fields[named.or_else(|| self.spellings.find(name))?].array_format()
    }

    fn is_field(&self, name: &str) -> bool {
        self.position(name, 0).is_some()
    }
}
