//! The values of one input. Absent fields share those of the package, so that an input takes no more memory than its JSON, and its key
//! no more time than the copy of what was written once.

use std::sync::Arc;

use super::field::{Encoded, Field};

/// A valid value for each field. Two inputs are equal if and only if they display as the same text.
///
/// Only a [`Signature`](super::Signature) creates one.
#[derive(Clone, Debug)]
pub struct Input(Values);

#[derive(Clone, Debug)]
pub(crate) enum Values {
    /// One for each field.
    All(Vec<Encoded>),
    /// Those of some fields, in the order of their positions. The others are missing.
    Sent { sent: Vec<(usize, Encoded)>, missing: Arc<Missing> },
}

impl Input {
    pub(crate) fn new(values: Vec<Encoded>) -> Self {
        Self(Values::All(values))
    }

    /// An input of these values, each with the position of its field, in the order of the positions and without repetitions. The others
    /// are `missing`: every field that is required must be among them.
    pub(crate) fn of_sent(sent: Vec<(usize, Encoded)>, missing: &Arc<Missing>) -> Self {
        Self(if sent.len() == missing.values.len() {
            Values::All(sent.into_iter().map(|(_, value)| value).collect())
        } else {
            Values::Sent { sent, missing: Arc::clone(missing) }
        })
    }

    pub(crate) fn values(&self) -> &Values {
        &self.0
    }

    /// The bytes that its values take, with their tensors.
    pub(crate) fn memory(&self) -> usize {
        let of = |value: &Encoded| size_of::<(usize, Encoded)>() + value.tensor_bytes();
        match &self.0 {
            Values::All(values) => values.iter().map(of).sum(),
            Values::Sent { sent, .. } => sent.iter().map(|(_, value)| of(value)).sum(),
        }
    }

    /// The value of the field at this position.
    pub(crate) fn value(&self, field: usize) -> &Encoded {
        match &self.0 {
            Values::All(values) => &values[field],
            Values::Sent { sent, missing } => match sent.binary_search_by_key(&field, |(position, _)| *position) {
                Ok(found) => &sent[found].1,
                Err(_) => &missing.values[field],
            },
        }
    }
}

impl PartialEq for Input {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Values::All(values), Values::All(others)) => values == others,
            (Values::All(all), Values::Sent { missing, .. }) | (Values::Sent { missing, .. }, Values::All(all)) => {
                all.len() == missing.values.len() && (0..all.len()).all(|field| self.value(field) == other.value(field))
            }
            // Fields that neither has are equal.
            (Values::Sent { sent, .. }, Values::Sent { sent: others, .. }) => {
                sent == others || sent.iter().chain(others).all(|(field, _)| self.value(*field) == other.value(*field))
            }
        }
    }
}

/// The values that the model reads for absent fields, and their text in cache keys.
#[derive(Debug)]
pub(crate) struct Missing {
    /// One for each field. Those of required fields are never read.
    values: Vec<Encoded>,
    /// The text of each value, followed by a comma.
    text: String,
    /// Where the text of each value begins.
    starts: Vec<usize>,
}

impl Missing {
    pub(crate) fn of(fields: &[Field]) -> Self {
        let (mut text, mut starts) = (String::new(), Vec::with_capacity(fields.len()));
        let values: Vec<_> = fields.iter().map(|field| field.missing().cloned().unwrap_or(Encoded::Nan)).collect();
        for value in &values {
            starts.push(text.len());
            text.push_str(&Input::new(vec![value.clone()]).to_string());
            text.push(',');
        }
        Self { values, text, starts }
    }

    /// The number of fields.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The text of the values from a position to another one, each followed by a comma unless it is the last of all.
    pub(crate) fn text(&self, from: usize, to: usize) -> &str {
        let start = |position: usize| self.starts.get(position).copied().unwrap_or(self.text.len());
        let text = &self.text[start(from)..start(to)];
        if to == self.len() { text.strip_suffix(',').unwrap_or(text) } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{input::Fields, testing::named};

    /// Fields of every kind of missing value, and a required one among them.
    fn fields() -> Fields {
        let fields = [
            ("zero", "type = 'number'\nrequired = false\nmissing = 0.1"),
            ("nan", "type = 'number'\nrequired = false\nmissing = 'nan'"),
            ("needed", "type = 'integer'"),
            ("code", "type = 'string'\nvalues = ['a', 'b']\nrequired = false\nmissing = { value = 'b' }"),
            (
                "zeros",
                "type = 'string'\nvalues = ['a', 'b']\nencoding = 'one_hot'\nrequired = false\nmissing = 'zeros'",
            ),
            ("tiny", "type = 'number'\nrequired = false\nmissing = -1.1754944e-38"),
        ];
        Fields::new(fields.map(|(name, toml)| named(name, toml)).to_vec(), false)
    }

    fn read(fields: &Fields, json: &str) -> Input {
        fields.read(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error:?}"))
    }

    /// The text is part of keys: entries would be lost if it changed.
    #[test]
    fn absent_fields_are_written_as_if_their_values_had_been_sent() {
        let fields = fields();
        for (json, text) in [
            (r#"{"needed":7}"#, "0.1,,7,1,?,-1.1754944e-38"),
            (r#"{"needed":7,"zero":0.1,"tiny":-1.1754944e-38,"code":"b"}"#, "0.1,,7,1,?,-1.1754944e-38"),
            (
                r#"{"zero":null,"nan":null,"needed":7,"code":null,"zeros":null,"tiny":null}"#,
                "0.1,,7,1,?,-1.1754944e-38",
            ),
            (r#"{"tiny":2.5,"needed":-1}"#, "0.1,,-1,1,?,2.5"),
            (r#"{"zero":3,"needed":0,"nan":4}"#, "3,4,0,1,?,-1.1754944e-38"),
            (r#"{"zeros":"a","needed":0,"code":"a"}"#, "0.1,,0,0,0,-1.1754944e-38"),
        ] {
            assert_eq!(read(&fields, json).to_string(), text, "{json}");
        }
    }

    #[test]
    fn inputs_are_equal_if_their_texts_are_however_they_were_sent() {
        let fields = fields();
        let all = [
            r#"{"needed":7}"#,
            r#"{"needed":7,"zero":0.1}"#,
            r#"{"needed":7,"tiny":null,"code":"b"}"#,
            r#"{"zero":0.1,"nan":null,"needed":7,"code":"b","zeros":null,"tiny":-1.1754944e-38}"#,
            r#"{"needed":8}"#,
            r#"{"needed":7,"zero":0.2}"#,
            r#"{"needed":7,"code":"a"}"#,
            r#"{"zero":0.2,"nan":null,"needed":7,"code":"b","zeros":null,"tiny":null}"#,
        ];
        for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (one, other))) {
            let [first, second] = [one, other].map(|json| read(&fields, json));
            assert_eq!(first == second, first.to_string() == second.to_string(), "{one} and {other}");
        }
    }
}
