//! What a model package says, and how a request becomes an input and an output an answer. It runs no model and knows no HTTP.
//!
//! ```text
//! model.toml ── manifest ── Signature ─┬─ fields ───── JSON → Input → columns ─► graph
//!                                      └─ predictions ◄─────────────── Output ◄──┘
//! ```
//!
//! The build script reads the embedded package's manifest with it, the service everything else. `docs/model-package.md` describes
//! the files.

mod decode;
pub mod field;
mod input;
mod inputs;
mod json;
mod manifest;
mod mistake;
mod output;
mod prediction;
mod signature;
mod stored;
mod suggestion;

pub use self::{
    decode::DecodedField,
    field::Field,
    input::{FieldError, FieldErrorCode, Input, InvalidInput},
    inputs::{Inputs, ItemError, ItemProblem, MOST_INPUTS},
    manifest::to_json,
    mistake::{GOLDEN, GRAPH, MANIFEST, Mistake},
    output::Output,
    prediction::{Answer, AnswerValue, ModelError, Prediction, PredictionKind},
    signature::{Example, GoldenTolerance, Signature},
    stored::Stored,
    suggestion::closest,
};

#[cfg(test)]
mod testing {
    use super::{
        field::Field,
        manifest::FieldEntry,
        mistake::{Entry, Mistake},
    };

    /// The field that these lines of `model.toml` describe.
    pub(crate) fn field(toml: &str) -> Field {
        try_field(toml).unwrap_or_else(|mistakes| panic!("{toml}: {mistakes:?}"))
    }

    /// The same, or its mistakes.
    pub(crate) fn try_field(toml: &str) -> Result<Field, Vec<Mistake>> {
        let written: FieldEntry = toml::from_str(&format!("name = 'field'\n{toml}")).expect("a field's entry");
        let mut mistakes = Vec::new();
        let field = Field::new(&written, &mut Entry::new("field", &mut mistakes));
        field.ok_or(mistakes)
    }
}
