//! Reads a request's body: one input, or an array of them.

use super::{
    input::{Fields, Input, SuggestionBudget},
    invalid::{InvalidInput, ItemError, ItemProblem, MAX_INPUTS},
    json::Json,
};

/// The response lists this many errors of an array and counts the others.
const MAX_LISTED_ERRORS: usize = 100;

/// The inputs of one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// The body is an object; so is the answer.
    One(Input),
    /// The body is an array of objects; the answer is an array of the same length and order.
    Many(Vec<Input>),
}

impl Fields {
    /// Reads an object, or an array of 1 to [`MAX_INPUTS`] objects.
    pub(crate) fn read_all(&self, text: &[u8]) -> Result<Inputs, InvalidInput> {
        if text.trim_ascii_start().first() != Some(&b'[') {
            return self.read(text).map(Inputs::One);
        }
        let items: Vec<Json<'_>> = serde_json::from_slice(text).map_err(InvalidInput::Syntax)?;
        let count = items.len();
        if !(1..=MAX_INPUTS).contains(&count) {
            return Err(InvalidInput::Count(count));
        }
        let (mut inputs, mut errors, mut unlisted) = (Vec::with_capacity(count), Vec::new(), 0);
        let mut budget = SuggestionBudget::default();
        for (position, item) in items.into_iter().enumerate() {
            let problems = match item {
                Json::Object(members) => match self.read_members(members, &mut budget) {
                    Ok(input) => {
                        inputs.push(input);
                        continue;
                    }
                    Err(errors) => errors.into_iter().map(ItemProblem::Field).collect(),
                },
                other => vec![ItemProblem::NotAnObject(other.kind())],
            };
            for problem in problems {
                if errors.len() < MAX_LISTED_ERRORS {
                    errors.push(ItemError { position, problem });
                } else {
                    unlisted += 1;
                }
            }
        }
        if errors.is_empty() { Ok(Inputs::Many(inputs)) } else { Err(InvalidInput::Items { errors, unlisted }) }
    }
}
