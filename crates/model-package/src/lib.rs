//! Reads model packages; turns requests into inputs, and the graph's outputs into answers. Knows neither the runtime nor HTTP.
//!
//! ```text
//! model.toml ── manifest ── Signature ─┬─ fields ───── JSON → Input → tensors ─► graph
//!                                      └─ predictions ◄─────────────── Output ◄──┘
//! ```
//!
//! The build script uses it to check the embedded package's manifest; the service uses all of it. `docs/model-package.md` describes the
//! files.

mod bound;
mod contributions;
mod declaration;
mod decoded_key;
mod drawn;
mod embedding;
mod entry_content;
mod feeds;
pub mod field;
mod files;
mod input;
mod inputs;
mod invalid;
mod json;
mod key_text;
mod manifest;
mod mistake;
mod normal_form;
mod output;
mod precision;
mod prediction;
mod printable;
mod sent_values;
mod signature;
mod suggestion;
mod tensor;
mod values;

pub use image_input::Format;

pub use self::{
    contributions::{Contributions, Explained, SentValues},
    declaration::{Declaration, DeclaredSize, Size, TensorDeclaration},
    decoded_key::DecodedField,
    drawn::Draw,
    embedding::Embedding,
    entry_content::EntryContent,
    feeds::GraphInput,
    field::Field,
    files::{Files, file_names},
    inputs::Inputs,
    invalid::{FieldError, FieldErrorCode, InvalidInput, ItemError, ItemProblem, MAX_INPUTS},
    manifest::to_json,
    mistake::{GOLDEN, GRAPH, MANIFEST, Mistake},
    output::Output,
    precision::Precision,
    prediction::{Answer, AnswerValue, ModelError, Prediction, PredictionKind, VectorEncoding},
    printable::{printable, printable_line},
    signature::{Example, GoldenTolerance, Signature},
    suggestion::closest_match,
    tensor::{DataType, Tensor},
    values::Input,
};

#[cfg(test)]
mod testing {
    use super::{
        field::Field,
        files::Files,
        manifest::FieldEntry,
        mistake::{Entry, Mistake},
        precision::Precision,
        tensor::DataType,
    };

    /// The field that these lines of `model.toml` describe, of a graph that reads float32.
    pub(crate) fn field(toml: &str) -> Field {
        field_of(Precision::Float32, toml)
    }

    pub(crate) fn field_of(precision: Precision, toml: &str) -> Field {
        try_field_of(precision, toml).unwrap_or_else(|mistakes| panic!("{toml}: {mistakes:?}"))
    }

    pub(crate) fn named(name: &str, toml: &str) -> Field {
        read(name, Precision::Float32, toml).unwrap_or_else(|mistakes| panic!("{toml}: {mistakes:?}"))
    }

    pub(crate) fn try_field_of(precision: Precision, toml: &str) -> Result<Field, Vec<Mistake>> {
        read("field", precision, toml)
    }

    fn read(name: &str, precision: Precision, toml: &str) -> Result<Field, Vec<Mistake>> {
        let datatype = if precision == Precision::Float64 { DataType::Float64 } else { DataType::Float32 };
        let written: FieldEntry = toml::from_str(&format!("name = '{name}'\n{toml}")).expect("a field's entry");
        let mut mistakes = Vec::new();
        let field = Field::new(&written, datatype, &[], &Files::new(), &mut Entry::new("field", &mut mistakes));
        field.ok_or(mistakes)
    }
}
