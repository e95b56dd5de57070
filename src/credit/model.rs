//! The embedded model: what it reads and what it gives.

use super::{
    application::CreditApplication,
    prediction::{Probability, Thresholds},
};
use crate::onnx::{ModelError, OnnxModel};

/// The model that ships, as `make model` writes it; `build/` finds it below `models/`.
static MODEL: &[u8] = include_bytes!(env!("MODEL_FILE"));

/// Probability of default from a credit application: logistic regression on five attributes (see
/// `models/credit_risk/MODEL_CARD.md`).
pub struct CreditRiskModel {
    onnx: OnnxModel,
    thresholds: Thresholds,
    fingerprint: String,
}

impl CreditRiskModel {
    /// Loads the model that is embedded in the binary.
    ///
    /// # Errors
    ///
    /// If the file and this code do not belong together.
    pub fn embedded() -> Result<Self, ModelError> {
        // The digest is taken at build time, of the same file.
        Self::load(MODEL, env!("MODEL_DIGEST"))
    }

    /// Loads a model from ONNX bytes whose `digest` tells them from any other's, checks that it reads the features that
    /// [`CreditApplication::encode`] writes, and runs it once, so that a model that cannot answer stops the start.
    fn load(onnx: &[u8], digest: &str) -> Result<Self, ModelError> {
        let onnx = OnnxModel::load(onnx, CreditApplication::FEATURES)?;
        let features: Vec<String> = onnx.metadata("feature_names")?;
        if !features.iter().map(String::as_str).eq(CreditApplication::feature_names()) {
            return Err(ModelError::Metadata {
                entry: "feature_names",
                problem:
                    "lists other features than the service encodes; src/credit/application.rs and train.py must agree"
                        .to_owned(),
            });
        }
        let thresholds =
            Thresholds::new(onnx.metadata("decision_threshold")?, onnx.metadata("risk_category_cut_points")?)
                .ok_or_else(|| ModelError::Metadata {
                    entry: "risk_category_cut_points",
                    problem:
                        "or \"decision_threshold\" is out of range: thresholds lie between 0 and 1, cut points ascend"
                            .to_owned(),
                })?;
        let model = Self { onnx, thresholds, fingerprint: format!("{digest}.{}", CreditApplication::ENCODING_VERSION) };
        model.run(&[0.0; CreditApplication::FEATURES])?;
        Ok(model)
    }

    /// The probability that the credit goes bad.
    ///
    /// # Errors
    ///
    /// Only if the graph fails or gives something that is no probability, which no valid application brings about.
    pub fn predict(&self, application: &CreditApplication) -> Result<Probability, ModelError> {
        self.run(&application.encode())
    }

    /// Input: float32 `[1, FEATURES]`. Output: float32 `[1, 1]`.
    fn run(&self, features: &[f32; CreditApplication::FEATURES]) -> Result<Probability, ModelError> {
        let output = self.onnx.run(features)?;
        let probability = if let [value] = output[..] { Probability::new(value) } else { None };
        probability.ok_or_else(|| ModelError::Output(format!("{output:?} is no probability")))
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
