//! The embedded model: an ONNX graph that tract runs.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use tract_onnx::prelude::*;

use super::{
    application::CreditApplication,
    prediction::{Probability, Thresholds},
};

/// The model that ships, as `make model` writes it.
static MODEL: &[u8] = include_bytes!("../../models/credit_risk/model.onnx");

/// Probability of default from a credit application: logistic regression on five attributes (see
/// `models/credit_risk/MODEL_CARD.md`).
pub struct CreditRiskModel {
    graph: Arc<TypedRunnableModel>,
    thresholds: Thresholds,
    fingerprint: String,
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
    /// The graph gave something that is no probability.
    #[error("the model's output is no probability: {0}")]
    Output(String),
}

impl CreditRiskModel {
    /// Loads the model that is embedded in the binary.
    pub fn embedded() -> Result<Self, ModelError> {
        // The digest is taken at build time, of the same file.
        Self::load(MODEL, env!("MODEL_DIGEST"))
    }

    /// Loads a model from ONNX bytes whose `digest` tells them from any other's, checks that it reads the features that
    /// [`CreditApplication::encode`] writes, and runs it once, so that a model that cannot answer stops the start.
    fn load(onnx: &[u8], digest: &str) -> Result<Self, ModelError> {
        // tract can panic on a malformed graph.
        let (graph, metadata) = panic::catch_unwind(|| read_graph(onnx))
            .map_err(|_| ModelError::Graph("tract panicked on it".to_owned()))?
            .map_err(|error| ModelError::Graph(format!("{error:#}")))?;
        let features: Vec<String> = metadata.json("feature_names")?;
        if !features.iter().map(String::as_str).eq(CreditApplication::feature_names()) {
            return Err(ModelError::Metadata {
                entry: "feature_names",
                problem:
                    "lists other features than the service encodes; src/credit/application.rs and train.py must agree"
                        .to_owned(),
            });
        }
        let thresholds =
            Thresholds::new(metadata.json("decision_threshold")?, metadata.json("risk_category_cut_points")?)
                .ok_or_else(|| ModelError::Metadata {
                    entry: "risk_category_cut_points",
                    problem:
                        "or \"decision_threshold\" is out of range: thresholds lie between 0 and 1, cut points ascend"
                            .to_owned(),
                })?;
        let model =
            Self { graph, thresholds, fingerprint: format!("{digest}.{}", CreditApplication::ENCODING_VERSION) };
        model.run([0.0; CreditApplication::FEATURES])?;
        Ok(model)
    }

    /// The probability that the credit goes bad.
    ///
    /// # Errors
    ///
    /// Only if the graph fails or gives something that is no probability, which no valid application brings about.
    pub fn predict(&self, application: &CreditApplication) -> Result<Probability, ModelError> {
        self.run(application.encode())
    }

    /// Input: float32 `[1, FEATURES]`. Output: float32 `[1, 1]`.
    fn run(&self, features: [f32; CreditApplication::FEATURES]) -> Result<Probability, ModelError> {
        let fail = |error: TractError| ModelError::Output(format!("{error:#}"));
        let input = Tensor::from_shape(&[1, features.len()], &features).map_err(fail)?;
        // A panic in the graph is this request's failure, and not the process's.
        let outputs = panic::catch_unwind(AssertUnwindSafe(|| self.graph.run(tvec!(input.into_tvalue()))))
            .map_err(|_| ModelError::Output("tract panicked".to_owned()))?
            .map_err(fail)?;
        let output = outputs.first().ok_or_else(|| ModelError::Output("the graph has no output".to_owned()))?;
        let value = output.cast_to_scalar::<f32>().map_err(fail)?;
        Probability::new(value).ok_or_else(|| ModelError::Output(value.to_string()))
    }

    /// Where decisions and categories are cut.
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// What tells this model's predictions from any other's: a digest of the ONNX bytes (which hold the weights and the
    /// thresholds), and the version of the encoding. Hexadecimal digits, a dot, a number.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

fn read_graph(onnx: &[u8]) -> TractResult<(Arc<TypedRunnableModel>, Metadata)> {
    let model = tract_onnx::onnx().model_for_read(&mut std::io::Cursor::new(onnx))?;
    let metadata = Metadata(model.properties.clone());
    let input = f32::fact([1, CreditApplication::FEATURES]);
    let graph = model.with_input_fact(0, input.into())?.into_optimized()?.into_runnable()?;
    Ok((graph, metadata))
}

/// The `metadata_props` of the ONNX file, under the names that tract gives them. Each value is JSON text.
struct Metadata(std::collections::HashMap<String, Arc<Tensor>>);

impl Metadata {
    fn json<T: serde::de::DeserializeOwned>(&self, entry: &'static str) -> Result<T, ModelError> {
        let problem = |problem: String| ModelError::Metadata { entry, problem };
        let tensor =
            self.0.get(&format!("onnx.metadata_props.{entry}")).ok_or_else(|| problem("is missing".to_owned()))?;
        let texts =
            tensor.to_plain_array_view::<String>().map_err(|error| problem(format!("is no text: {error:#}")))?;
        let text = texts.first().ok_or_else(|| problem("is empty".to_owned()))?;
        serde_json::from_str(text).map_err(|error| problem(format!("is not what is expected: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_model_is_refused_with_a_reason() {
        for bytes in [&b""[..], b"no model", &MODEL[..MODEL.len() / 2], &MODEL[..MODEL.len() - 1]] {
            assert!(CreditRiskModel::load(bytes, "digest").is_err());
        }
    }

    #[test]
    fn a_model_of_other_features_is_refused_by_name() {
        let (name, renamed) = (b"foreign_worker=yes", b"foreign_walker=yes");
        let position = MODEL.windows(name.len()).position(|bytes| bytes == name).expect("a feature");
        let mut other = MODEL.to_vec();
        other[position..position + name.len()].copy_from_slice(renamed);
        let error = CreditRiskModel::load(&other, "digest").err().expect("refused");
        assert!(matches!(error, ModelError::Metadata { entry: "feature_names", .. }), "{error}");
    }

    #[test]
    fn the_fingerprint_is_a_digest_and_the_version_of_the_encoding() {
        let model = CreditRiskModel::load(MODEL, "0123456789abcdef").expect("the model that ships loads");
        assert_eq!(model.fingerprint(), format!("0123456789abcdef.{}", CreditApplication::ENCODING_VERSION));
    }
}
