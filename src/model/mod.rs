//! The model: a package of files, loaded into a value. Nothing else knows a particular model.
//!
//! ```text
//! model.toml ── manifest ── signature ─┬─ fields ───── JSON → Input → columns ─┐
//!                                      └─ predictions ◄──── outputs ◄── graph ◄┘
//! model.onnx ── graph (tract)
//! ```
//!
//! This module knows nothing of HTTP, Lambda or Redis. `docs/model-package.md` describes the files.

mod decode;
pub mod field;
pub mod golden;
mod graph;
mod input;
mod inputs;
mod json;
mod mistake;
mod output;
mod package;
pub mod prediction;
mod signature;
mod suggestion;

use std::time::{Duration, Instant};

use model_manifest as manifest;
use sha2::{Digest, Sha256};

pub(crate) use self::suggestion::closest;
pub use self::{
    decode::DecodedField,
    input::{FieldError, FieldErrorCode, Input, InvalidInput},
    inputs::{Inputs, ItemError, ItemProblem, MOST_INPUTS},
    mistake::Mistake,
    output::Output,
    package::{ManifestFile, Origin, Package, PackageError},
    prediction::ModelError,
    signature::{Example, GoldenTolerance, Signature},
};
use self::{
    field::Field,
    graph::Graph,
    mistake::{GRAPH, MANIFEST},
    prediction::{Answer, Prediction},
};

/// The version of the code between a package and an answer: raise it when [`Model::encode`], the text of [`Input`], how the graph is prepared, or what a prediction derives gives another result for the same package and the same request.
const ENGINE_VERSION: u32 = 3;

/// A loaded model, ready to predict.
pub struct Model {
    signature: Signature,
    graph: Graph,
    output_columns: usize,
    run_fingerprint: String,
    fingerprint: String,
}

impl Model {
    /// Loads a package, checks that its files match, and runs it once, so that a model that cannot answer fails at start-up.
    ///
    /// # Errors
    ///
    /// Every mistake that was found.
    pub fn load(package: &Package) -> Result<Self, PackageError> {
        let fail = |mistakes| PackageError { origin: package.origin().clone(), mistakes };
        let signature = match &package.manifest {
            ManifestFile::Written(toml) => Signature::parse(toml),
            ManifestFile::Embedded { json, .. } => Signature::parse_json(json),
        }
        .map_err(fail)?;
        let in_graph = |problem| vec![Mistake { file: GRAPH, entry: String::new(), problem }];
        let graph = Graph::load(&package.onnx, signature.width()).map_err(|problem| fail(in_graph(problem)))?;
        if let Some(problem) = graph.feature_names().and_then(|names| other_features(names, &signature.columns())) {
            return Err(fail(vec![Mistake {
                file: GRAPH,
                entry: "metadata entry \"feature_names\"".to_owned(),
                problem,
            }]));
        }
        let columns = vec![0.0; signature.width()];
        let outputs = graph.run(&columns).map_err(|error| fail(in_graph(error.to_string())))?.len();
        if outputs == 0 {
            return Err(fail(in_graph("the graph's first output is empty".to_owned())));
        }
        let misread = |prediction: &Prediction| {
            let problem = prediction.check_columns(outputs).err()?;
            Some(Mistake { file: MANIFEST, entry: format!("prediction {:?}", prediction.name()), problem })
        };
        let mistakes: Vec<_> = signature.predictions.iter().filter_map(misread).collect();
        if !mistakes.is_empty() {
            return Err(fail(mistakes));
        }
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        };
        add(&ENGINE_VERSION.to_le_bytes());
        add(&tree_ensemble::OPERATORS_VERSION.to_le_bytes());
        add(&matrix_product::PRODUCTS_VERSION.to_le_bytes());
        add(&package.onnx);
        signature.fields.as_slice().iter().for_each(|field| add(field.identity().as_bytes()));
        let run_fingerprint = short(digest.clone());
        digest.update(b"predictions");
        signature.predictions.iter().for_each(|prediction| {
            let identity = prediction.identity();
            digest.update((identity.len() as u64).to_le_bytes());
            digest.update(identity);
        });
        Ok(Self { signature, graph, output_columns: outputs, run_fingerprint, fingerprint: short(digest) })
    }

    /// Reads an input from JSON text: an object of the model's fields, and no others.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn read(&self, json: &[u8]) -> Result<Input, InvalidInput> {
        self.signature.fields.read(json)
    }

    /// Reads one input or many from JSON text: an object of the model's fields, and no others, or an array of 1 to
    /// [`MOST_INPUTS`] of them.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them.
    pub fn read_all(&self, json: &[u8]) -> Result<Inputs, InvalidInput> {
        self.signature.fields.read_all(json)
    }

    /// Reads the text of an [`Input`] back: what it says of each field, in their order. `None` for anything that is not the text
    /// of an input of this model.
    pub fn decode(&self, text: &str) -> Option<Vec<DecodedField>> {
        self.signature.fields.decode(text)
    }

    /// The graph's input for one row: float32, the columns of each field in their order.
    pub fn encode(&self, input: &Input) -> Vec<f32> {
        self.signature.fields.encode(input)
    }

    /// Runs the graph.
    ///
    /// # Errors
    ///
    /// If the graph fails.
    pub fn run(&self, input: &Input) -> Result<Output, ModelError> {
        self.graph.run(&self.encode(input)).map(Output::new)
    }

    /// How long a run of the graph takes: the shortest of a few, for which at most some milliseconds more than one are spent.
    pub fn run_time(&self) -> Duration {
        let columns = vec![0.0; self.signature.width()];
        let (start, mut shortest) = (Instant::now(), Duration::MAX);
        while shortest == Duration::MAX || start.elapsed() < Duration::from_millis(1) {
            let run = Instant::now();
            // It has been run before; a failure takes its time, too.
            let _ = self.graph.run(&columns);
            shortest = shortest.min(run.elapsed());
        }
        shortest
    }

    /// Runs the graph for many inputs at once.
    ///
    /// # Errors
    ///
    /// If the graph fails.
    pub fn run_many(&self, inputs: &[&Input]) -> Result<Vec<Output>, ModelError> {
        if let [input] = inputs {
            return Ok(vec![self.run(input)?]);
        }
        let mut rows = Vec::with_capacity(inputs.len() * self.signature.width());
        inputs.iter().for_each(|input| self.signature.fields.encode_into(input, &mut rows));
        let outputs = self.graph.run_many(&rows, inputs.len())?;
        if outputs.len() != inputs.len() * self.output_columns {
            let (columns, count) = (outputs.len(), inputs.len());
            return Err(ModelError::Output(format!("{columns} numbers for {count} inputs")));
        }
        Ok(outputs.chunks(self.output_columns).map(|columns| Output::new(columns.to_vec())).collect())
    }

    /// Derives one of the [predictions](Self::predictions) from the graph's output.
    ///
    /// # Errors
    ///
    /// If the output is nothing that the prediction can be made of.
    pub fn derive(&self, prediction: usize, output: &Output) -> Result<Answer, ModelError> {
        self.signature.predictions[prediction].derive(output)
    }

    /// Runs the graph and derives one of the [predictions](Self::predictions) from its output.
    ///
    /// # Errors
    ///
    /// As [`Self::run`] and [`Self::derive`].
    pub fn predict(&self, prediction: usize, input: &Input) -> Result<Answer, ModelError> {
        self.derive(prediction, &self.run(input)?)
    }

    /// Reads the cached form of an output strictly: `None` for anything that [`Output::to_entry`] does not write.
    pub fn read_output(&self, entry: &[u8]) -> Option<Output> {
        Output::read(entry, self.output_columns)
    }

    /// What the model accepts and answers.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The fields of its input, in their order.
    pub fn fields(&self) -> &[Field] {
        self.signature.fields.as_slice()
    }

    /// The model's predictions, in the order of `model.toml`.
    pub fn predictions(&self) -> &[Prediction] {
        &self.signature.predictions
    }

    /// Identifies the model's answers: 64 bits in hexadecimal. It covers the graph, whatever in the fields can change the
    /// graph's input, and whatever in the predictions can change an answer; no prose.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The same for the graph's output: it does not cover the predictions.
    pub fn run_fingerprint(&self) -> &str {
        &self.run_fingerprint
    }
}

/// The first 64 bits in hexadecimal: a fingerprint is in every key, so it is kept as short as is safe.
fn short(digest: Sha256) -> String {
    digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is wrong with the names that a graph says its columns have.
fn other_features(names: &str, columns: &[String]) -> Option<String> {
    let Ok(names) = serde_json::from_str::<Vec<String>>(names) else {
        return Some("must be a JSON array of strings".to_owned());
    };
    let pairs = names.iter().zip(columns).enumerate();
    let other = pairs.into_iter().find(|(_, (name, column))| name != column);
    match other {
        Some((position, (name, column))) => Some(format!(
            "calls column {position} {name:?}, but the fields of model.toml make it {column:?}: put the fields into the order of \
             the columns"
        )),
        None if names.len() != columns.len() => {
            Some(format!("names {} columns, but the fields of model.toml make {}", names.len(), columns.len()))
        }
        None => None,
    }
}

#[cfg(test)]
mod testing {
    use super::{
        field::Field,
        manifest::FieldEntry,
        mistake::{Entry, Mistake},
    };

    /// The field that these lines of `model.toml` describe.
    pub(super) fn field(toml: &str) -> Field {
        try_field(toml).unwrap_or_else(|mistakes| panic!("{toml}: {mistakes:?}"))
    }

    /// The same, or its mistakes.
    pub(super) fn try_field(toml: &str) -> Result<Field, Vec<Mistake>> {
        let written: FieldEntry = toml::from_str(&format!("name = 'field'\n{toml}")).expect("a field's entry");
        let mut mistakes = Vec::new();
        let field = Field::new(&written, &mut Entry::new("field", &mut mistakes));
        field.ok_or(mistakes)
    }
}
