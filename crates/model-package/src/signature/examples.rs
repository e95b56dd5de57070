//! The example requests of the documentation.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::{
    field::{Field, MAX_NAME_LENGTH, is_name},
    input::Fields,
    manifest::ExampleEntry,
    mistake::{Entry, Mistake},
};

/// An example request in the documentation.
#[derive(Clone, Debug)]
pub struct Example {
    /// The key in the OpenAPI document.
    pub name: String,
    pub summary: String,
    pub input: Map<String, Value>,
    /// `false` for an example of an error.
    pub valid: bool,
}

impl Example {
    /// The members are put into the fields' order: TOML does not keep that of the file.
    pub(super) fn new(entry: ExampleEntry, fields: &[Field]) -> Self {
        let ExampleEntry { name, summary, mut input, valid } = entry;
        let mut ordered: Map<_, _> = fields.iter().filter_map(|field| input.shift_remove_entry(field.name())).collect();
        ordered.append(&mut input);
        Self { name, summary, input: ordered, valid }
    }
}

pub(super) fn check_examples(examples: &[ExampleEntry], fields: &Fields, mistakes: &mut Vec<Mistake>) {
    let mut names = HashSet::new();
    for example in examples {
        let mut entry = Entry::new(format!("example {:?}", example.name), mistakes);
        entry.require(
            is_name(&example.name) && example.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
            format_args!("`name` must be 1 to {MAX_NAME_LENGTH} characters from A-Z, a-z, 0-9, `_` and `-`"),
        );
        entry.require(names.insert(&example.name), "another example has this `name`: rename one");
        let body = Value::Object(example.input.clone()).to_string();
        match (fields.read(body.as_bytes()), example.valid) {
            (Ok(_), true) | (Err(_), false) => {}
            (Ok(_), false) => {
                entry.mistake("`input` is valid: remove `valid = false`, or add the error that the example shows")
            }
            (Err(invalid), true) => entry.mistake(format_args!("`input` {invalid}")),
        }
    }
}
