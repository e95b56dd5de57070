//! Errors in an operator's attributes.

/// A malformed attribute. Displayed as `nodes_featureids: node 3 of tree 0: …`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{attribute}: {problem}")]
pub(crate) struct AttributeError {
    /// The attribute's name in the ONNX specification.
    pub(crate) attribute: &'static str,
    pub(crate) problem: String,
}

impl AttributeError {
    pub(crate) fn new(attribute: &'static str, problem: impl Into<String>) -> Self {
        Self { attribute, problem: problem.into() }
    }
}

pub(crate) type Result<T> = std::result::Result<T, AttributeError>;
