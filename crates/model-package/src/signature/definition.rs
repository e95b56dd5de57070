//! Checks a manifest's entries, those of the fields and predictions together.

use std::collections::HashSet;

use super::{Example, GoldenTolerance, Signature, examples::check_examples};
use crate::{
    contributions::Contributions,
    declaration::{Declaration, names as names_of},
    feeds::{self, FedInputs, GraphInput},
    field::Field,
    files::Files,
    input::Fields,
    manifest::{ExampleEntry, GoldenEntry, KindEntry, Manifest, PredictionEntry, Unknown, Unreadable},
    mistake::{Entry, MANIFEST, Mistake},
    prediction::Prediction,
};

/// A request with more fields would not fit into a body.
const MAX_FIELDS: usize = 1_000;
/// The most values and aliases of all fields together: about 10 MB, and a few more in the OpenAPI document.
const MAX_VALUES: usize = 100_000;
const MAX_PREDICTIONS: usize = 16;
/// Schemas that the OpenAPI document defines itself.
const RESERVED_SCHEMAS: [&str; 2] = ["Problem", "FieldError"];

impl Signature {
    /// Reads the `model.toml` of such a graph. `files` are those that it names.
    ///
    /// # Errors
    ///
    /// All mistakes, or only the first if the file is not TOML or an entry has the wrong type.
    pub fn parse(toml: &str, graph: &Declaration, files: &Files) -> Result<Self, Vec<Mistake>> {
        Self::check(Manifest::from_toml(toml).map_err(unreadable)?, graph, files, check_examples)
    }

    /// Reads the JSON form of a `model.toml` that the build has checked. Skips the check of the examples to save time in a cold start.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`], without mistakes in examples.
    pub fn parse_json(json: &str, graph: &Declaration, files: &Files) -> Result<Self, Vec<Mistake>> {
        Self::check(Manifest::from_json(json).map_err(unreadable)?, graph, files, |_, _, _| {})
    }

    fn check(
        manifest: Manifest,
        graph: &Declaration,
        files: &Files,
        check_examples: impl FnOnce(&[ExampleEntry], &Fields, &mut Vec<Mistake>),
    ) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let graph = &graph.with(&manifest.inputs, &manifest.outputs, &mut mistakes);
        let (fields, fed) = fields(&manifest, graph, files, &mut mistakes);
        let Answers { predictions, outputs, contributions } = predictions(&manifest, graph, &mut mistakes);
        let mut name = Entry::new("name", &mut mistakes);
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        name.require(
            manifest.name.len() <= 64
                && manifest.name.bytes().all(letters)
                && manifest.name.starts_with(|c: char| c.is_ascii_lowercase()),
            format_args!(
                "{:?} must be 1 to 64 characters from a-z, 0-9, `_` and `-`, beginning with a letter",
                manifest.name
            ),
        );
        require_schema_name(
            &manifest.input.name,
            "choose another name",
            &mut Entry::new("[input] name", &mut mistakes),
        );
        let mut schemas = HashSet::from([manifest.input.name.as_str()]);
        let of_predictions = predictions.iter().map(|prediction| (prediction.name(), prediction.schema()));
        let of_contributions = contributions.iter().map(|contributions| (&*contributions.name, &*contributions.schema));
        for (name, schema) in of_predictions.chain(of_contributions) {
            Entry::new(prediction_entry(name), &mut mistakes).require(
                schemas.insert(schema),
                format_args!("the schema name {schema:?} is already used: set `schema` to another name"),
            );
        }
        let GoldenEntry { tolerance, max_other_class } = manifest.golden;
        let mut golden = Entry::new("[golden]", &mut mistakes);
        golden.require(tolerance.is_finite() && tolerance >= 0.0, "`tolerance` must be a finite number of at least 0");
        golden.require((0.0..=1.0).contains(&max_other_class), "`max_other_class` must be a fraction from 0 to 1");
        // `fields` lacks the fields with mistakes.
        let inputs =
            if mistakes.is_empty() { GraphInput::all(&fields, &fed, graph, &mut mistakes) } else { Vec::new() };
        let fields = Fields::new(fields, manifest.input.unknown_fields == Unknown::Ignore);
        // `fields` lacks the fields with mistakes, so every example would seem invalid. Without the graph, the arrays that it reads are
        // unknown.
        let is_known = graph.is_known() || !fields.as_slice().iter().any(Field::is_tensor);
        if mistakes.is_empty() && is_known {
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
            examples: manifest.examples.into_iter().map(|entry| Example::new(entry, fields.as_slice())).collect(),
            golden: GoldenTolerance { number: tolerance, share: max_other_class },
            fields,
            inputs,
            declared_outputs: outputs.iter().filter_map(|output| graph.outputs.get(*output)).cloned().collect(),
            outputs,
            predictions,
            contributions,
            output_form: None,
        })
    }
}

fn unreadable(Unreadable { line, problem }: Unreadable) -> Vec<Mistake> {
    let entry = line.map(|line| format!("line {line}")).unwrap_or_default();
    vec![Mistake { file: MANIFEST, entry, problem }]
}

fn fields(
    manifest: &Manifest,
    graph: &Declaration,
    files: &Files,
    mistakes: &mut Vec<Mistake>,
) -> (Vec<Field>, Vec<FedInputs>) {
    let count = manifest.fields.len();
    Entry::new("fields", mistakes).require(
        (1..=MAX_FIELDS).contains(&count),
        format_args!("a model must have 1 to {MAX_FIELDS} fields, not {count}"),
    );
    let values = manifest.fields.iter().flat_map(|field| field.values.iter().flatten());
    let values: usize = values.map(|value| 1 + value.aliases.len()).sum();
    Entry::new("fields", mistakes).require(
        values <= MAX_VALUES,
        format_args!("the fields must have at most {MAX_VALUES} `values` and `aliases` in all, not {values}"),
    );
    let mut names = HashSet::new();
    let mut checked = Vec::with_capacity(count);
    let fed = feeds::assign(&manifest.fields, graph, mistakes);
    for (written, fed) in manifest.fields.iter().zip(&fed) {
        let mut entry = Entry::new(format!("field {:?}", written.name), mistakes);
        entry.require(names.insert(&written.name), "another field has this `name`: rename one");
        let (datatype, declared) = (feeds::datatype_of(graph, fed), feeds::declared(graph, fed));
        checked.extend(Field::new(written, datatype, &declared, files, &mut entry));
    }
    (checked, fed)
}

pub(super) fn prediction_entry(name: &str) -> String {
    format!("prediction {name:?}")
}

/// The entries of `[[predictions]]`.
struct Answers {
    predictions: Vec<Prediction>,
    /// The positions of the graph's outputs that they read.
    outputs: Vec<usize>,
    contributions: Option<Contributions>,
}

fn predictions(manifest: &Manifest, graph: &Declaration, mistakes: &mut Vec<Mistake>) -> Answers {
    let is_contributions = |prediction: &&PredictionEntry| prediction.kind == KindEntry::Contributions;
    let explaining = manifest.predictions.iter().filter(is_contributions).count();
    Entry::new("predictions", mistakes)
        .require(explaining < 2, "only one prediction can have the kind \"contributions\": remove the others");
    let count = manifest.predictions.len() - explaining;
    Entry::new("predictions", mistakes).require(
        (1..=MAX_PREDICTIONS).contains(&count),
        format_args!("a model must have 1 to {MAX_PREDICTIONS} predictions, not {count}"),
    );
    let (mut names, mut endpoints) = (HashSet::new(), HashSet::new());
    let mut answers = Answers { predictions: Vec::with_capacity(count), outputs: Vec::new(), contributions: None };
    for written in &manifest.predictions {
        let mut entry = Entry::new(prediction_entry(&written.name), mistakes);
        entry.require(names.insert(&written.name), "another prediction has this `name`: rename one");
        let is_new = written.endpoint.as_ref().is_none_or(|endpoint| endpoints.insert(endpoint));
        entry.require(is_new, "another prediction has this `endpoint`: rename one");
        if written.kind == KindEntry::Contributions {
            answers.contributions = Contributions::new(written, manifest.fields.len(), &mut entry);
            continue;
        }
        let output = match &written.from {
            Some(name) if graph.is_known() => graph.outputs.iter().position(|output| output.name == *name),
            Some(_) | None => Some(0),
        };
        entry.require(
            output.is_some(),
            format_args!(
                "`from` is {:?}, but the outputs of the graph are {}: name one of them",
                written.from.as_deref().unwrap_or_default(),
                names_of(&graph.outputs)
            ),
        );
        if let (Some(mut prediction), Some(output)) = (Prediction::new(written, &mut entry), output) {
            let source = answers.outputs.iter().position(|known| *known == output).unwrap_or_else(|| {
                answers.outputs.push(output);
                answers.outputs.len() - 1
            });
            prediction.set_source(source);
            answers.predictions.push(prediction);
        }
    }
    answers
}

/// Adds a mistake, with this remedy, unless `name` is allowed for a schema in an OpenAPI document.
pub(crate) fn require_schema_name(name: &str, remedy: &str, entry: &mut Entry<'_>) {
    entry.require(
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
        format_args!("the schema name {name:?} must consist of A-Z, a-z, 0-9, `.`, `_` and `-`: {remedy}"),
    );
    entry.require(
        !RESERVED_SCHEMAS.contains(&name),
        format_args!("the schema name {name:?} is reserved for the service: {remedy}"),
    );
}
