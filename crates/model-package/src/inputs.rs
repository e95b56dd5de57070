//! Reads a request's body: one input, or an array of them.

use std::fmt;

use serde::{
    Deserializer,
    de::{Error, SeqAccess, Visitor},
};

use super::{
    input::{ErrorBudget, Fields},
    invalid::{InvalidInput, ItemError, ItemProblem},
    json::Json,
    values::Input,
};

/// The inputs of one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// The body is an object; so is the answer.
    One(Input),
    /// The body is an array of objects; the answer is an array of the same length and order.
    Many(Vec<Input>),
}

impl Inputs {
    /// About how many bytes they take until they have been answered, with their keys and answers.
    pub fn memory(&self) -> usize {
        const BESIDE_VALUES: usize = 512;
        let inputs = match self {
            Self::One(input) => std::slice::from_ref(input),
            Self::Many(inputs) => inputs,
        };
        inputs.iter().map(|input| BESIDE_VALUES + input.memory()).sum()
    }
}

impl Fields {
    /// Reads an object, or an array of 1 to [`Self::max_inputs`] objects.
    pub(crate) fn read_all(&self, text: &[u8]) -> Result<Inputs, InvalidInput> {
        if text.trim_ascii_start().first() != Some(&b'[') {
            return self.read(text).map(Inputs::One);
        }
        let max_inputs = self.max_inputs();
        let mut items = Items {
            fields: self,
            max_inputs,
            count: 0,
            inputs: Vec::new(),
            errors: Vec::new(),
            budget: ErrorBudget::default(),
        };
        let mut json = serde_json::Deserializer::from_slice(text);
        let read = json.deserialize_seq(&mut items).and_then(|()| json.end());
        let Items { count, inputs, errors, budget, .. } = items;
        match (read, count) {
            (_, count) if count > max_inputs => Err(InvalidInput::TooManyInputs(max_inputs)),
            (Err(error), _) => Err(InvalidInput::Syntax(error)),
            (Ok(()), 0) => Err(InvalidInput::NoInputs(max_inputs)),
            (Ok(()), _) if errors.is_empty() => Ok(Inputs::Many(inputs)),
            (Ok(()), _) => Err(InvalidInput::Items { errors, unlisted: budget.unlisted }),
        }
    }
}

/// Reads an array item by item, so that no more than one of them is held as JSON.
struct Items<'f> {
    fields: &'f Fields,
    max_inputs: usize,
    /// The number of items so far, valid or not.
    count: usize,
    inputs: Vec<Input>,
    errors: Vec<ItemError>,
    budget: ErrorBudget,
}

impl<'de> Visitor<'de> for &mut Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of inputs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element_seed(self.fields.json_seed())? {
            let position = self.count;
            self.count += 1;
            if self.count > self.max_inputs {
                return Err(A::Error::custom("too many inputs"));
            }
            let problems: Vec<_> = match item {
                Json::Object(members) => match self.fields.read_members(members, &mut self.budget) {
                    Ok(input) => {
                        // An array with errors is not answered.
                        if self.errors.is_empty() {
                            self.inputs.push(input);
                        }
                        continue;
                    }
                    Err(errors) => errors.into_iter().map(ItemProblem::Field).collect(),
                },
                other => self.budget.list().then(|| ItemProblem::NotAnObject(other.kind())).into_iter().collect(),
            };
            self.errors.extend(problems.into_iter().map(|problem| ItemError { position, problem }));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{field, named};

    #[test]
    fn errors_beyond_those_listed_are_counted() {
        let fields = Fields::new(vec![field("type = 'number'"); 30], false);
        let body = format!("[{}]", vec!["{}"; 1000].join(","));
        let Err(InvalidInput::Items { errors, unlisted }) = fields.read_all(body.as_bytes()) else {
            panic!("accepted")
        };
        assert_eq!((errors.len(), unlisted), (100, 30 * 1000 - 100));
        let Err(InvalidInput::Fields { errors, unlisted }) = fields.read(b"{}") else { panic!("accepted") };
        assert_eq!((errors.len(), unlisted), (30, 0));
    }

    /// Errors that are counted are those that would be listed.
    #[test]
    fn the_count_of_errors_is_the_same_with_and_without_a_list() {
        let optional = "type = 'integer'\nminimum = 0\nrequired = false\nmissing = 'nan'";
        let all = || vec![named("a", "type = 'number'"), named("é", optional), named("c", "type = 'boolean'")];
        for ignore_unknown in [false, true] {
            let fields = Fields::new(all(), ignore_unknown);
            for item in [
                "{}",
                r#"{"a":1,"c":2}"#,
                r#"{"c":true,"a":1,"é":-1}"#,
                r#"{"a":1,"a":2,"a":"x","c":true}"#,
                "{\"e\u{301}\":-1,\"é\":2,\"c\":null}",
                r#"{"x":1,"y":2,"x":3,"a":1,"c":false,"z":{}}"#,
            ] {
                let count = |before: usize| {
                    let body = format!("[{}{item}]", "0,".repeat(before));
                    match fields.read_all(body.as_bytes()) {
                        Err(InvalidInput::Items { errors, unlisted }) => errors.len() + unlisted - before,
                        Ok(_) => 0,
                        Err(other) => panic!("{other}"),
                    }
                };
                assert_eq!(count(0), count(100), "{item}");
            }
        }
    }

    #[test]
    fn suggestions_end_when_their_budget_is_spent() {
        let values: Vec<_> = (0..500).map(|n| format!("'{n:x<200}'")).collect();
        let fields = Fields::new(vec![field(&format!("type = 'string'\nvalues = [{}]", values.join(",")))], false);
        let short = Fields::new(vec![field("type = 'string'\nvalues = ['red', 'green']")], false);
        let suggested = |fields: &Fields, text: &str| match fields.read(format!("{{\"field\":\"{text}\"}}").as_bytes())
        {
            Err(InvalidInput::Fields { errors, .. }) => errors[0].suggestion.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(suggested(&fields, &"x".repeat(80)), None);
        assert_eq!(suggested(&short, "gren").as_deref(), Some("\"green\""));
    }
}
