//! A request's body → one input or many, or everything that is wrong with them.

use super::{
    input::{FieldError, Fields, Guesses, Input, InvalidInput},
    json::Json,
};

/// How many inputs a request may hold.
pub const MOST_INPUTS: usize = 1_000;

/// How many errors of an array are listed; the others are counted.
const LISTED_ERRORS: usize = 100;

/// What a request asks about.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// An object: answered by an object.
    One(Input),
    /// An array of objects: answered by an array of the same length and order.
    Many(Vec<Input>),
}

/// What is wrong with one of many inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemError {
    /// Where it is in the array, from 0.
    pub position: usize,
    /// What is wrong.
    pub problem: ItemProblem,
}

/// How an item of an array can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemProblem {
    /// It is no object, but this.
    NotAnObject(&'static str),
    /// One of its fields is wrong.
    Field(FieldError),
}

impl Fields {
    /// Reads an object, or an array of 1 to [`MOST_INPUTS`] objects.
    pub(crate) fn read_all(&self, text: &[u8]) -> Result<Inputs, InvalidInput> {
        if text.trim_ascii_start().first() != Some(&b'[') {
            return self.read(text).map(Inputs::One);
        }
        let items: Vec<Json<'_>> = serde_json::from_slice(text).map_err(InvalidInput::Syntax)?;
        let count = items.len();
        if !(1..=MOST_INPUTS).contains(&count) {
            return Err(InvalidInput::Count(count));
        }
        let (mut inputs, mut errors, mut unlisted) = (Vec::with_capacity(count), Vec::new(), 0);
        let mut guesses = Guesses::default();
        for (position, item) in items.into_iter().enumerate() {
            let problems = match item {
                Json::Object(members) => match self.read_members(members, &mut guesses) {
                    Ok(input) => {
                        inputs.push(input);
                        continue;
                    }
                    Err(errors) => errors.into_iter().map(ItemProblem::Field).collect(),
                },
                other => vec![ItemProblem::NotAnObject(other.kind())],
            };
            for problem in problems {
                if errors.len() < LISTED_ERRORS {
                    errors.push(ItemError { position, problem });
                } else {
                    unlisted += 1;
                }
            }
        }
        if errors.is_empty() { Ok(Inputs::Many(inputs)) } else { Err(InvalidInput::Items { errors, unlisted }) }
    }
}
