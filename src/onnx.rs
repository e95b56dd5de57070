//! An ONNX graph that tract runs, and the metadata beside it.

use std::{
    collections::HashMap,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use tract_onnx::prelude::*;

/// A graph from one row of numbers to another.
pub struct OnnxModel {
    graph: Arc<TypedRunnableModel>,
    metadata: HashMap<String, Arc<Tensor>>,
}

/// Why a model cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// tract cannot read or run the graph.
    #[error("the ONNX graph cannot be loaded: {0}")]
    Graph(String),
    /// A metadata entry is missing, or not what the service expects.
    #[error("the model's metadata entry {entry:?} {problem}")]
    Metadata {
        /// The entry's key in `metadata_props`.
        entry: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The graph gave something that it should not.
    #[error("the model's output is not what it should be: {0}")]
    Output(String),
}

impl OnnxModel {
    /// Loads a graph whose input is float32 `[1, features]`.
    ///
    /// # Errors
    ///
    /// If it is no ONNX, or holds an operator that tract does not know.
    pub fn load(onnx: &[u8], features: usize) -> Result<Self, ModelError> {
        // tract can panic on a malformed graph.
        panic::catch_unwind(|| Self::read(onnx, features))
            .map_err(|_| ModelError::Graph("tract panicked on it".to_owned()))?
            .map_err(|error| ModelError::Graph(format!("{error:#}")))
    }

    fn read(onnx: &[u8], features: usize) -> TractResult<Self> {
        let mut framework = tract_onnx::onnx();
        tree_ensemble::register(&mut framework);
        let model = framework.model_for_read(&mut std::io::Cursor::new(onnx))?;
        let metadata = model.properties.clone();
        let input = f32::fact([1, features]);
        let graph = model.with_input_fact(0, input.into())?.into_optimized()?.into_runnable()?;
        Ok(Self { graph, metadata })
    }

    /// Runs the graph on one row: the numbers of its first output, in their order. (A classifier that skl2onnx has
    /// converted has the label there: cut the graph to its probabilities when it is exported.)
    ///
    /// # Errors
    ///
    /// If the graph fails, or gives no numbers.
    pub fn run(&self, features: &[f32]) -> Result<Vec<f32>, ModelError> {
        let fail = |error: TractError| ModelError::Output(format!("{error:#}"));
        let input = Tensor::from_shape(&[1, features.len()], features).map_err(fail)?;
        // A panic in the graph is this request's failure, and not the process's.
        let outputs = panic::catch_unwind(AssertUnwindSafe(|| self.graph.run(tvec!(input.into_tvalue()))))
            .map_err(|_| ModelError::Output("tract panicked".to_owned()))?
            .map_err(fail)?;
        let output = outputs.first().ok_or_else(|| ModelError::Output("the graph has no output".to_owned()))?;
        let output = output.cast_to::<f32>().map_err(fail)?;
        Ok(output.to_plain_array_view::<f32>().map_err(fail)?.iter().copied().collect())
    }

    /// An entry of the file's `metadata_props`, whose value is JSON text.
    ///
    /// # Errors
    ///
    /// If it is missing or is not of this type.
    pub fn metadata<T: serde::de::DeserializeOwned>(&self, entry: &'static str) -> Result<T, ModelError> {
        let problem = |problem: String| ModelError::Metadata { entry, problem };
        // The name that tract gives it.
        let tensor = self
            .metadata
            .get(&format!("onnx.metadata_props.{entry}"))
            .ok_or_else(|| problem("is missing".to_owned()))?;
        let texts =
            tensor.to_plain_array_view::<String>().map_err(|error| problem(format!("is no text: {error:#}")))?;
        let text = texts.first().ok_or_else(|| problem("is empty".to_owned()))?;
        serde_json::from_str(text).map_err(|error| problem(format!("is not what is expected: {error}")))
    }
}
