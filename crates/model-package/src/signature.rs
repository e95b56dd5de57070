//! `model.toml`, checked: what a model's API accepts and answers.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{
    decode::DecodedField,
    field::{Field, is_name},
    input::{Fields, Input, InvalidInput},
    inputs::Inputs,
    manifest::{ExampleEntry, GoldenEntry, Manifest, Unreadable},
    mistake::{Entry, MANIFEST, Mistake},
    prediction::Prediction,
};

/// Beyond this, a request would not fit into a body.
const MOST_FIELDS: usize = 1_000;
/// One model has only a few predictions.
const MOST_PREDICTIONS: usize = 16;
/// Names of the OpenAPI document's own schemas.
const RESERVED_SCHEMAS: [&str; 2] = ["Problem", "FieldError"];

/// What a model's API accepts and answers.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The model's name, for programs.
    pub name: String,
    /// The model's name, for people.
    pub title: String,
    /// The first paragraph of the API's documentation, in Markdown.
    pub description: String,
    /// The name of the input's schema.
    pub input_name: String,
    /// What the input is, in Markdown.
    pub input_description: String,
    /// Inputs that the documentation shows.
    pub examples: Vec<Example>,
    /// How closely golden answers must be met.
    pub golden: GoldenTolerance,
    fields: Fields,
    predictions: Vec<Prediction>,
}

/// An input that the documentation shows.
#[derive(Clone, Debug)]
pub struct Example {
    /// Its name in the OpenAPI document.
    pub name: String,
    /// What it shows.
    pub summary: String,
    /// The request's body.
    pub input: Map<String, Value>,
    /// Whether it is valid; if not, it shows the error.
    pub valid: bool,
}

/// How closely golden answers must be met.
#[derive(Clone, Copy, Debug)]
pub struct GoldenTolerance {
    /// The largest difference of a number; relative where the number is above 1.
    pub number: f64,
    /// The share of rows that may differ by more, or have another class.
    pub share: f64,
}

impl Signature {
    /// Reads `model.toml`.
    ///
    /// # Errors
    ///
    /// All mistakes; only the first if the file is not TOML or has entries of the wrong type.
    pub fn parse(toml: &str) -> Result<Self, Vec<Mistake>> {
        Self::check(Manifest::from_toml(toml).map_err(unreadable)?, check_examples)
    }

    /// Reads the tables of a `model.toml` that the build has checked, written as JSON. A cold start does not read the examples again.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`], but for examples.
    pub fn parse_json(json: &str) -> Result<Self, Vec<Mistake>> {
        Self::check(Manifest::from_json(json).map_err(unreadable)?, |_, _, _| {})
    }

    fn check(
        manifest: Manifest,
        check_examples: impl FnOnce(&[ExampleEntry], &Fields, &mut Vec<Mistake>),
    ) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let fields = fields(&manifest, &mut mistakes);
        let predictions = predictions(&manifest, &mut mistakes);
        let mut name = Entry::new("name", &mut mistakes);
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        name.require(
            manifest.name.len() <= 64
                && manifest.name.bytes().all(letters)
                && manifest.name.starts_with(|c: char| c.is_ascii_lowercase()),
            format_args!("{:?} must be 1 to 64 of a-z, 0-9, `_` and `-`, beginning with a letter", manifest.name),
        );
        require_schema_name(&manifest.input.name, &mut Entry::new("[input] name", &mut mistakes));
        let mut schemas = HashSet::from([manifest.input.name.as_str()]);
        for prediction in &predictions {
            Entry::new(format!("prediction {:?}", prediction.name()), &mut mistakes).require(
                schemas.insert(prediction.schema()),
                format_args!(
                    "another schema is called {:?}: give this prediction another `schema`",
                    prediction.schema()
                ),
            );
        }
        let GoldenEntry { tolerance, max_other_class } = manifest.golden;
        let mut golden = Entry::new("[golden]", &mut mistakes);
        golden.require(tolerance.is_finite() && tolerance >= 0.0, "`tolerance` must be a number of at least 0");
        golden.require((0.0..=1.0).contains(&max_other_class), "`max_other_class` must be a share from 0 to 1");
        let fields = Fields::new(fields);
        // A field with a mistake is not among the fields: every example would seem invalid.
        if mistakes.is_empty() {
            check_examples(&manifest.examples, &fields, &mut mistakes);
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Self {
            title: manifest.title.unwrap_or_else(|| manifest.name.clone()),
            name: manifest.name,
            description: manifest.description.trim().to_owned(),
            input_name: manifest.input.name,
            input_description: manifest.input.description.trim().to_owned(),
            examples: manifest
                .examples
                .into_iter()
                .map(|ExampleEntry { name, summary, input, valid }| Example { name, summary, input, valid })
                .collect(),
            golden: GoldenTolerance { number: tolerance, share: max_other_class },
            fields,
            predictions,
        })
    }

    /// Reads an input from JSON text: an object of the model's fields, and no others.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn read(&self, json: &[u8]) -> Result<Input, InvalidInput> {
        self.fields.read(json)
    }

    /// Reads one input or many from JSON text: an object of the model's fields, and no others, or an array of 1 to
    /// [`MOST_INPUTS`](super::MOST_INPUTS) of them.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them.
    pub fn read_all(&self, json: &[u8]) -> Result<Inputs, InvalidInput> {
        self.fields.read_all(json)
    }

    /// Reads the text of an [`Input`] back: its fields' values, in their order. `None` for any text that no input of this model
    /// prints as.
    pub fn decode(&self, text: &str) -> Option<Vec<DecodedField>> {
        self.fields.decode(text)
    }

    /// The graph's input for one row: float32, the columns of each field in their order.
    pub fn encode(&self, input: &Input) -> Vec<f32> {
        let mut columns = Vec::with_capacity(self.width());
        self.encode_into(input, &mut columns);
        columns
    }

    /// Appends the graph's input for one row.
    pub fn encode_into(&self, input: &Input, columns: &mut Vec<f32>) {
        self.fields.encode(input, columns);
    }

    /// The fields of the input, in their order.
    pub fn fields(&self) -> &[Field] {
        self.fields.as_slice()
    }

    /// The predictions, in the order of `model.toml`.
    pub fn predictions(&self) -> &[Prediction] {
        &self.predictions
    }

    /// The names of the graph's input columns.
    pub fn columns(&self) -> Vec<String> {
        self.fields.as_slice().iter().flat_map(Field::columns).collect()
    }

    /// How many columns the graph's input has.
    pub fn width(&self) -> usize {
        self.fields.as_slice().iter().map(Field::width).sum()
    }
}

fn unreadable(Unreadable { line, problem }: Unreadable) -> Vec<Mistake> {
    let entry = line.map(|line| format!("line {line}")).unwrap_or_default();
    vec![Mistake { file: MANIFEST, entry, problem }]
}

fn fields(manifest: &Manifest, mistakes: &mut Vec<Mistake>) -> Vec<Field> {
    let count = manifest.fields.len();
    Entry::new("fields", mistakes).require(
        (1..=MOST_FIELDS).contains(&count),
        format_args!("there must be 1 to {MOST_FIELDS} fields, not {count}"),
    );
    let mut names = HashSet::new();
    let mut checked = Vec::with_capacity(count);
    for written in &manifest.fields {
        let mut entry = Entry::new(format!("field {:?}", written.name), mistakes);
        entry.require(names.insert(&written.name), "another field has this `name`: rename one");
        checked.extend(Field::new(written, &mut entry));
    }
    checked
}

fn predictions(manifest: &Manifest, mistakes: &mut Vec<Mistake>) -> Vec<Prediction> {
    let count = manifest.predictions.len();
    Entry::new("predictions", mistakes).require(
        (1..=MOST_PREDICTIONS).contains(&count),
        format_args!("there must be 1 to {MOST_PREDICTIONS} predictions, not {count}"),
    );
    let (mut names, mut endpoints) = (HashSet::new(), HashSet::new());
    let mut checked = Vec::with_capacity(count);
    for written in &manifest.predictions {
        let mut entry = Entry::new(format!("prediction {:?}", written.name), mistakes);
        entry.require(names.insert(&written.name), "another prediction has this `name`: rename one");
        entry.require(endpoints.insert(&written.endpoint), "another prediction has this `endpoint`: rename one");
        checked.extend(Prediction::new(written, &mut entry));
    }
    checked
}

fn check_examples(examples: &[ExampleEntry], fields: &Fields, mistakes: &mut Vec<Mistake>) {
    let mut names = HashSet::new();
    for example in examples {
        let mut entry = Entry::new(format!("example {:?}", example.name), mistakes);
        entry.require(
            is_name(&example.name) && example.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
            "`name` must be of A-Z, a-z, 0-9, `_` and `-`",
        );
        entry.require(names.insert(&example.name), "another example has this `name`: rename one");
        let body = Value::Object(example.input.clone()).to_string();
        match (fields.read(body.as_bytes()), example.valid) {
            (Ok(_), true) | (Err(_), false) => {}
            (Ok(_), false) => {
                entry.mistake("its input is valid: remove `valid = false`, or add the mistake that it should show")
            }
            (Err(InvalidInput::Fields(errors)), true) => {
                for error in errors {
                    entry.mistake(format_args!("its input's {:?} {}", error.field, error.detail));
                }
            }
            (Err(error), true) => entry.mistake(format_args!("its input {error}")),
        }
    }
}

/// Notes a mistake unless a text can be the name of a schema in an OpenAPI document.
pub(crate) fn require_schema_name(name: &str, entry: &mut Entry<'_>) {
    entry.require(
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
        format_args!("the schema's name {name:?} must be of A-Z, a-z, 0-9, `.`, `_` and `-`: set `schema`"),
    );
    entry.require(
        !RESERVED_SCHEMAS.contains(&name),
        format_args!("the schema's name {name:?} is reserved for the service: choose another"),
    );
}
