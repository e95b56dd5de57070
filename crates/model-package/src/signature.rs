//! A checked `model.toml`: the inputs that a model's API accepts, and the predictions that it returns.

use std::collections::HashSet;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{
    contributions::Contributions,
    declaration::{Declaration, TensorDeclaration, names as names_of},
    decode::DecodedField,
    feeds::{self, Fed, GraphInput},
    field::{Field, Image, Kind, MAX_NAME_LENGTH, is_name},
    files::Files,
    input::Fields,
    inputs::Inputs,
    invalid::{FieldError, FieldErrorCode, InvalidInput},
    manifest::{ExampleEntry, GoldenEntry, KindEntry, Manifest, PredictionEntry, Unknown, Unreadable},
    mistake::{Entry, MANIFEST, Mistake},
    output::{Output, OutputForm},
    precision::Precision,
    prediction::{Prediction, PredictionKind},
    tensor::Tensor,
    values::Input,
};

/// A request with more fields would not fit into a body.
const MAX_FIELDS: usize = 1_000;
/// The most values of all fields, with their aliases: they take some 10 MB, and a few more in the OpenAPI document.
const MAX_VALUES: usize = 100_000;
const MAX_PREDICTIONS: usize = 16;
/// Schemas that the OpenAPI document defines itself.
const RESERVED_SCHEMAS: [&str; 2] = ["Problem", "FieldError"];

/// The inputs that a model's API accepts, and the predictions that it returns.
#[derive(Clone, Debug)]
pub struct Signature {
    pub name: String,
    /// The model's display name.
    pub title: String,
    /// The first paragraph of the API's documentation, in Markdown.
    pub description: String,
    /// The name of the input's schema in the OpenAPI document.
    pub input_name: String,
    /// Markdown.
    pub input_description: String,
    pub examples: Vec<Example>,
    pub golden: GoldenTolerance,
    fields: Fields,
    inputs: Vec<GraphInput>,
    /// The positions of the graph's outputs that predictions read.
    outputs: Vec<usize>,
    /// What is declared about them.
    declared_outputs: Vec<TensorDeclaration>,
    predictions: Vec<Prediction>,
    /// Known once the graph has run.
    output_form: Option<OutputForm>,
    contributions: Option<Contributions>,
}

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

/// How closely the model's answers must match the golden ones.
#[derive(Clone, Copy, Debug)]
pub struct GoldenTolerance {
    /// The largest allowed difference between numbers: relative for numbers above 1, absolute for others.
    pub number: f64,
    /// The fraction of rows that may differ by more than `number` or have another class.
    pub share: f64,
}

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
            examples: manifest
                .examples
                .into_iter()
                .map(|ExampleEntry { name, summary, input, valid }| Example { name, summary, input, valid })
                .collect(),
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

    /// Reads an input from JSON text: an object that contains no unknown fields, unless [`Self::ignores_unknown_fields`].
    ///
    /// # Errors
    ///
    /// If the text is not a valid input; lists all invalid fields.
    pub fn read(&self, json: &[u8]) -> Result<Input, InvalidInput> {
        self.fields.read(json)
    }

    /// Reads one input or several from JSON text: an object as for [`Self::read`], or an array of 1 to
    /// [`Self::max_inputs`] of them.
    ///
    /// # Errors
    ///
    /// If any of them is not a valid input; lists the invalid fields of all.
    pub fn read_all(&self, json: &[u8]) -> Result<Inputs, InvalidInput> {
        self.fields.read_all(json)
    }

    /// The most inputs in one request: [`MAX_INPUTS`](super::MAX_INPUTS), or eight images.
    pub fn max_inputs(&self) -> usize {
        self.fields.max_inputs()
    }

    /// Whether reading a body of this size takes longer than about a millisecond, so that other requests should not wait for it.
    pub fn is_slow_to_read(&self, bytes: usize) -> bool {
        self.fields.is_slow_to_read(bytes)
    }

    /// The most memory that decoding one of its images takes, in bytes. 0 without images.
    pub fn decoding_memory(&self) -> u64 {
        /// For each pixel.
        const BYTES: u64 = 16;
        let pixels = self.fields().iter().map(|field| match field.kind() {
            Kind::Image(image) => image.max_pixels().into(),
            Kind::Number(_) | Kind::Boolean | Kind::Category(_) | Kind::Array(_) | Kind::Text(_) => 0,
        });
        BYTES * pixels.max().unwrap_or_default()
    }

    /// The image that a request's body can be, instead of JSON: that of a model without other fields.
    pub fn only_image(&self) -> Option<&Image> {
        match self.fields() {
            [field] => match field.kind() {
                Kind::Image(image) => Some(image),
                _ => None,
            },
            _ => None,
        }
    }

    /// Reads an image file as the input, for [`Self::only_image`].
    ///
    /// # Errors
    ///
    /// If the file is not a valid image.
    pub fn read_image(&self, image: &Image, file: &[u8]) -> Result<Input, InvalidInput> {
        let read = image.read(file).map(|value| Input::new(vec![value]));
        read.map_err(|error| {
            let error = FieldError {
                field: self.fields().first().map(|field| field.name().to_owned()).unwrap_or_default(),
                code: FieldErrorCode::Invalid,
                detail: image.problem(&error).into(),
                received: None,
                suggestion: None,
            };
            InvalidInput::Fields { errors: vec![error], unlisted: 0 }
        })
    }

    /// Parses what [`Input`] displays: the values of its fields, in their order. `None` for text that no input of this model displays
    /// as.
    pub fn decode(&self, text: &str) -> Option<Vec<DecodedField>> {
        self.fields.decode(text)
    }

    /// The graph's inputs, in its order. Empty if the graph was [not known](Declaration::unknown).
    pub fn inputs(&self) -> &[GraphInput] {
        &self.inputs
    }

    /// The positions of the graph's outputs that predictions read, in the order of [`Output`]'s tensors.
    pub fn outputs(&self) -> &[usize] {
        &self.outputs
    }

    /// The tensors that the graph reads for these inputs, one for each of its [inputs](Self::inputs). `None` if the inputs cannot run
    /// together, because their tensors have different shapes.
    pub fn feed(&self, inputs: &[&Input]) -> Option<Vec<Tensor>> {
        self.inputs.iter().map(|input| input.feed(self.fields(), inputs)).collect()
    }

    /// Whether several inputs can be the rows of one run.
    pub fn is_batched(&self) -> bool {
        self.inputs.iter().all(|input| input.is_batched(self.fields()))
    }

    /// Whether an output's first dimension can be that of the batch.
    pub fn has_batch(&self) -> bool {
        self.inputs.iter().any(|input| input.is_batched(self.fields()))
    }

    /// The tensors of an input of zeros, to try the graph on.
    pub fn blank(&self) -> Vec<Tensor> {
        self.inputs.iter().map(|input| input.blank(self.fields())).collect()
    }

    /// The type of the columns of scalars. `None` without any.
    pub fn precision_of_columns(&self) -> Option<Precision> {
        self.fields().iter().find(|field| !field.is_tensor()).map(Field::precision)
    }

    /// The type in which integers of the graph's outputs are compared and written: that of the scalars that it reads.
    pub fn precision_of_integers(&self) -> Precision {
        self.precision_of_columns().unwrap_or(Precision::Float64)
    }

    /// What the entry of an output depends on beside the graph and the fields, for the model's fingerprint. `None` for the text of the
    /// first output.
    pub fn output_identity(&self) -> Option<String> {
        let is_text = matches!(self.output_form, Some(OutputForm::Text { .. }));
        let of_first = self.outputs == [0] && is_text;
        (!of_first).then(|| format!("outputs {:?} {}", self.outputs, if is_text { "text" } else { "bytes" }))
    }

    /// The columns of an input: numbers of the graph's type.
    pub fn encode(&self, input: &Input) -> Vec<f64> {
        let mut columns = Vec::with_capacity(self.width());
        self.encode_into(input, &mut columns);
        columns
    }

    /// Appends the columns of an input: [`Self::width`] numbers.
    pub fn encode_into(&self, input: &Input, columns: &mut Vec<f64>) {
        self.fields.encode(input, columns);
    }

    /// Checks the predictions against an output of the graph, and derives them in its types. `is_fixed` says of each tensor whether it
    /// has this shape for every input.
    ///
    /// # Errors
    ///
    /// All mistakes in the predictions.
    pub fn set_output(&mut self, output: &Output, is_fixed: &[bool]) -> Result<(), Vec<Mistake>> {
        let mut mistakes = Vec::new();
        for prediction in &mut self.predictions {
            if let Err(problem) = prediction.set_output(output, is_fixed) {
                Entry::new(prediction_entry(prediction.name()), &mut mistakes).mistake(problem);
            }
        }
        for (declared, tensor) in self.declared_outputs.iter().zip(output.tensors()) {
            if let Err(problem) = declared.check(tensor) {
                Entry::new(format!("output {:?}", declared.name), &mut mistakes).mistake(problem);
            }
        }
        // As text, a long output would be several times as long.
        let is_array = |prediction: &Prediction| {
            matches!(prediction.kind(), PredictionKind::Vector(_) | PredictionKind::Top(..) | PredictionKind::Tensor)
        };
        let as_text = !self.predictions.iter().any(is_array);
        self.output_form = Some(OutputForm::of(output, as_text));
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }

    /// The cache entry of an output. `None` if a number is not finite.
    pub fn output_entry(&self, output: &Output) -> Option<Bytes> {
        self.output_form.as_ref()?.write(output)
    }

    /// Parses an entry. `None` for anything that [`Self::output_entry`] would not write.
    pub(crate) fn read_output(&self, entry: &[u8]) -> Option<Output> {
        self.output_form.as_ref()?.read(entry)
    }

    /// In the order of `model.toml`.
    pub fn fields(&self) -> &[Field] {
        self.fields.as_slice()
    }

    /// Whether a request may have members other than the fields, which are ignored.
    pub fn ignores_unknown_fields(&self) -> bool {
        self.fields.ignores_unknown()
    }

    /// In the order of `model.toml`.
    pub fn predictions(&self) -> &[Prediction] {
        &self.predictions
    }

    /// The prediction of the kind `contributions`.
    pub fn contributions(&self) -> Option<&Contributions> {
        self.contributions.as_ref()
    }

    /// The position of the field of this name, in any Unicode spelling.
    pub(crate) fn field_position(&self, name: &str) -> Option<usize> {
        self.fields.position(name, 0)
    }

    /// The names of the graph's input columns.
    pub fn columns(&self) -> Vec<String> {
        self.fields.as_slice().iter().flat_map(Field::columns).collect()
    }

    /// The number of the graph's input columns.
    pub fn width(&self) -> usize {
        self.fields.as_slice().iter().map(Field::width).sum()
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
) -> (Vec<Field>, Vec<Fed>) {
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

fn prediction_entry(name: &str) -> String {
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

fn check_examples(examples: &[ExampleEntry], fields: &Fields, mistakes: &mut Vec<Mistake>) {
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
