//! The model: a package's graph in tract, loaded and checked against its manifest.
//!
//! [`model_package`] reads the manifest, the requests and the outputs; this module runs the graph between them. It does not depend
//! on HTTP, Lambda or Redis.

pub mod check;
mod contributions;
mod drawn;
mod float64;
pub mod golden;
mod graph;
mod graph_file;
mod interface;
mod onnx_file;
mod package;
mod prepare;
mod rows;
mod run;
mod tensors;

use std::{
    borrow::Cow,
    collections::HashMap,
    time::{Duration, Instant},
};

use model_package::{
    Answer, Declaration, EntryContent, Explained, GRAPH, Input, Mistake, ModelError, Output, Precision, Signature,
    Tensor,
};
use sha2::{Digest, Sha256};

use self::{contributions::Explainer, graph::Graph, graph_file::GraphFile, rows::Rows};
pub use self::{
    package::{ManifestFile, Origin, Package, PackageError},
    rows::Unbatchable,
};

/// The version of the code between a package and an answer, a part of every fingerprint. Raise it when a change to
/// [`Signature::encode`], the text of [`Input`], the preparation of the graph, or the derivation of predictions can give another
/// result for the same package and request, or when cache entries take another form: during a deployment, the old and the new version
/// would overwrite each other's entries.
const ENGINE_VERSION: u32 = 4;

/// A loaded model, ready to predict.
pub struct Model {
    signature: Signature,
    graph: Graph,
    unread_outputs: Vec<String>,
    explainer: Option<Explainer>,
    run_fingerprint: String,
    fingerprint: String,
}

impl Model {
    /// Loads a package, checks that its files match, and runs it once, so that a model that cannot answer fails at start-up. A package
    /// that is passed by value is freed as soon as possible: its graph can be large.
    ///
    /// # Errors
    ///
    /// All mistakes found in the package.
    pub fn load(package: impl Into<Package>) -> Result<Self, PackageError> {
        let Package { origin, manifest, onnx, files, golden: _ } = package.into();
        let fail = |mistakes| PackageError { origin: origin.clone(), mistakes };
        let in_graph = |problem| vec![Mistake { file: GRAPH, entry: String::new(), problem }];
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        };
        add(&ENGINE_VERSION.to_le_bytes());
        add(&tree_ensemble::OPERATORS_VERSION.to_le_bytes());
        add(&matrix_product::PRODUCTS_VERSION.to_le_bytes());
        add(&onnx);
        let file = GraphFile::read(onnx).map_err(in_graph);
        // If the graph cannot be read, the type of numbers that accepts more shows which other mistakes there are.
        let unknown = || Cow::Owned(Declaration::unknown(Precision::Float64));
        let declaration = file.as_ref().map_or_else(|_| unknown(), |file| Cow::Borrowed(file.declaration()));
        let signature = match &manifest {
            ManifestFile::Written(toml) => Signature::parse(toml, &declaration, &files),
            ManifestFile::Embedded { json, .. } => Signature::parse_json(json, &declaration, &files),
        };
        let (mut signature, file) = match (signature, file) {
            (Ok(signature), Ok(file)) => (signature, file),
            (Err(mistakes), Ok(_)) | (Ok(_), Err(mistakes)) => return Err(fail(mistakes)),
            (Err(mistakes), Err(in_graph)) => return Err(fail([mistakes, in_graph].concat())),
        };
        let outputs = file.declaration().outputs.iter().enumerate();
        let unread = outputs.filter(|(position, _)| !signature.outputs().contains(position));
        let unread_outputs = unread.map(|(_, output)| output.name.clone()).collect();
        let contributions = signature.contributions();
        let explainer = contributions
            .map(|contributions| Explainer::new(&file.operators, &file.proto, &signature, contributions.output));
        let explainer = explainer.transpose().map_err(|problem| fail(in_graph(problem)))?;
        let graph = Graph::prepare(file, &signature).map_err(|problem| fail(in_graph(problem)))?;
        if let Some(problem) =
            graph.feature_names().and_then(|names| feature_name_mismatch(names, &signature.columns()))
        {
            return Err(fail(vec![Mistake {
                file: GRAPH,
                entry: "metadata entry \"feature_names\"".to_owned(),
                problem,
            }]));
        }
        let output = graph.run(&signature.blank()).map_err(|error| fail(in_graph(error.to_string())))?;
        signature.set_output(&output, &graph.has_fixed_shapes()).map_err(fail)?;
        // Versions before this one did not simplify such graphs.
        if graph.is_simplified() {
            add(b"simplified");
            add(&network_operators::NETWORK_VERSION.to_le_bytes());
        }
        // Versions before this one answered such a graph wrongly.
        if graph.has_stable_logarithms() {
            add(b"logarithms");
        }
        // Versions before these types answered such a graph in float32.
        for (part, of) in [("input", signature.precision_of_columns()), ("output", Some(output.precision(0)))] {
            if of == Some(Precision::Float64) {
                add(format!("{} {part}", Precision::Float64).as_bytes());
            }
        }
        signature.fields().iter().for_each(|field| add(field.identity().as_bytes()));
        signature.output_identity().iter().for_each(|outputs| add(outputs.as_bytes()));
        // Contributions have entries of their own in every layout.
        if let Some(contributions) = signature.contributions() {
            add(&tree_ensemble::CONTRIBUTIONS_VERSION.to_le_bytes());
            add(contributions.identity().as_bytes());
        }
        let run_fingerprint = short(digest.clone());
        digest.update(b"predictions");
        signature.predictions().iter().for_each(|prediction| {
            let identity = prediction.identity();
            digest.update((identity.len() as u64).to_le_bytes());
            digest.update(identity);
        });
        Ok(Self { signature, graph, unread_outputs, explainer, run_fingerprint, fingerprint: short(digest) })
    }

    /// Runs the graph.
    ///
    /// # Errors
    ///
    /// If the graph fails.
    pub fn run(&self, input: &Input) -> Result<Output, ModelError> {
        self.graph.run(&self.feed(&[input])?)
    }

    /// The contributions of the fields to the score.
    ///
    /// # Errors
    ///
    /// If the package has no prediction of the kind `contributions`, or the graph fails.
    pub fn explain(&self, input: &Input) -> Result<Explained, ModelError> {
        let none = || ModelError::Output("the package has no contributions".to_owned());
        self.explainer.as_ref().ok_or_else(none)?.explain(&self.signature.encode(input))
    }

    /// Measures a run of the graph: the shortest of those that start within 1 ms, at least one.
    pub fn run_time(&self) -> Duration {
        let blank = self.signature.blank();
        let (start, mut shortest) = (Instant::now(), Duration::MAX);
        while shortest == Duration::MAX || start.elapsed() < Duration::from_millis(1) {
            let run = Instant::now();
            // The graph ran when it was loaded, and a failed run takes its time, too.
            let _ = self.graph.run(&blank);
            shortest = shortest.min(run.elapsed());
        }
        shortest
    }

    /// Runs the graph on a batch of inputs. Before the first batch of about this size, checks on drawn inputs that they do not influence
    /// each other's outputs; if they do, each has a run of its own.
    ///
    /// # Errors
    ///
    /// If the graph fails.
    pub fn run_many(&self, inputs: &[&Input]) -> Result<Vec<Output>, ModelError> {
        if let [input] = inputs {
            return Ok(vec![self.run(input)?]);
        }
        let Ok(together) = self.together(inputs.len()) else {
            return inputs.iter().map(|input| self.run(input)).collect();
        };
        match self.signature.feed(inputs) {
            Some(rows) => together.run(&rows, inputs.len()),
            None => self.run_by_shape(inputs),
        }
    }

    /// Runs the inputs whose tensors have the same shapes together.
    fn run_by_shape(&self, inputs: &[&Input]) -> Result<Vec<Output>, ModelError> {
        let mut by_shape = HashMap::<_, Vec<usize>>::new();
        for (position, input) in inputs.iter().enumerate() {
            let shapes: Vec<_> = self.feed(&[input])?.iter().map(|tensor| tensor.shape().to_vec()).collect();
            by_shape.entry(shapes).or_default().push(position);
        }
        let mut outputs = vec![None; inputs.len()];
        for positions in by_shape.into_values() {
            let alike = self.run_many(&positions.iter().map(|position| inputs[*position]).collect::<Vec<_>>())?;
            positions.into_iter().zip(alike).for_each(|(position, output)| outputs[position] = Some(output));
        }
        Ok(outputs.into_iter().map(|output| output.expect("each input has one shape")).collect())
    }

    /// The tensors that the graph reads.
    fn feed(&self, inputs: &[&Input]) -> Result<Vec<Tensor>, ModelError> {
        self.signature.feed(inputs).ok_or_else(|| ModelError::Output("inputs of different shapes".to_owned()))
    }

    fn together(&self, count: usize) -> Result<&Rows, &Unbatchable> {
        self.graph.together(count, |draw| self.signature.draw(draw), |inputs| self.signature.feed(inputs))
    }

    /// Checks whether batches of this many inputs can run at once.
    ///
    /// # Errors
    ///
    /// Why each input needs a run of its own.
    pub fn runs_together(&self, count: usize) -> Result<(), &Unbatchable> {
        self.together(count).map(drop)
    }

    /// Runs the graph and derives the prediction at position `prediction` from its output.
    ///
    /// # Errors
    ///
    /// If the graph fails, or the prediction cannot be derived from its output.
    pub fn predict(&self, prediction: usize, input: &Input) -> Result<Answer, ModelError> {
        self.signature.predictions()[prediction].derive(&self.run(input)?)
    }

    /// The names of the graph's outputs that no prediction reads.
    pub fn unread_outputs(&self) -> &[String] {
        &self.unread_outputs
    }

    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The operators of the graph that calculate with quantised numbers, each once.
    pub fn quantised_operators(&self) -> &[String] {
        self.graph.quantised()
    }

    /// Identifies the model in the keys of cache entries that hold `stored`: 64 bits in hexadecimal. It covers the graph, whatever in
    /// the fields can change the graph's input and, for answers, whatever in the predictions can change an answer. Descriptions do
    /// not count.
    pub fn fingerprint(&self, content: EntryContent) -> &str {
        match content {
            EntryContent::Answer => &self.fingerprint,
            EntryContent::Output => &self.run_fingerprint,
        }
    }
}

/// The first 64 bits in hexadecimal: a fingerprint is part of every key, so it is as short as is safe.
fn short(digest: Sha256) -> String {
    hex::encode(&digest.finalize()[..8])
}

/// Compares the graph's column names with those of the fields, and describes the first mismatch.
fn feature_name_mismatch(names: &str, columns: &[String]) -> Option<String> {
    let Ok(names) = serde_json::from_str::<Vec<String>>(names) else {
        return Some("must be a JSON array of strings".to_owned());
    };
    let pairs = names.iter().zip(columns).enumerate();
    let mismatch = pairs.into_iter().find(|(_, (name, column))| name != column);
    match mismatch {
        Some((position, (name, column))) => Some(format!(
            "calls column {position} {name:?}, but the fields of model.toml make it {column:?}: put the fields in the order of \
             the columns"
        )),
        None if names.len() != columns.len() => {
            Some(format!("names {} columns, but the fields of model.toml make {}", names.len(), columns.len()))
        }
        None => None,
    }
}
