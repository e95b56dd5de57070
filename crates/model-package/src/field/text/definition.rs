//! Checks the entry of a text, and reads the file that it names.

use sha2::{Digest, Sha256};
use text_input::{Options, Tokenizer, Vectorizer};

use super::{
    Length, Reader, Text,
    inputs::{Part, TOKEN_INPUTS},
};
use crate::{
    declaration::{DeclaredSize, TensorDeclaration, datatype},
    files::{Files, is_file_name},
    manifest::FieldEntry,
    mistake::Entry,
    tensor::DataType,
};

/// The default of `max_length`, in characters.
const DEFAULT_MAX_LENGTH: usize = 100_000;
/// More would not fit into a body.
const MOST_CHARACTERS: usize = 1_000_000;

impl Text {
    /// `inputs`: the graph's inputs that the field feeds, if the graph is known.
    pub(crate) fn new(
        written: &FieldEntry,
        inputs: &[&TensorDeclaration],
        files: &Files,
        entry: &mut Entry<'_>,
    ) -> Option<Self> {
        let max_length = written.max_length.unwrap_or(DEFAULT_MAX_LENGTH);
        entry.require(
            (1..=MOST_CHARACTERS).contains(&max_length),
            format_args!("`max_length` must be 1 to {MOST_CHARACTERS} characters, not {max_length}"),
        );
        let (key, name) = match (&written.tokenizer, &written.vectorizer) {
            (Some(name), None) => ("tokenizer", name),
            (None, Some(name)) => ("vectorizer", name),
            _ => {
                entry.mistake("needs `tokenizer = \"tokenizer.json\"` or `vectorizer`, the file that says what the model reads of a text");
                return None;
            }
        };
        let Some(file) = files.get(name) else {
            entry.mistake(if is_file_name(name) {
                format!("`{key}` names {name:?}, which is missing from the package: add the file")
            } else {
                format!(
                    "`{key}` names {name:?}: name a file in the package's directory, of A-Z, a-z, 0-9, `.`, `_` and `-`"
                )
            });
            return None;
        };
        let reader = if key == "tokenizer" {
            Self::tokens(written, inputs, file, entry)
        } else {
            Self::columns(written, inputs, file, entry)
        };
        let (reader, options) = match reader {
            Ok(reader) => reader,
            Err(problem) => {
                entry.mistake(format_args!("`{key}` {name:?} {problem}"));
                return None;
            }
        };
        let digest = Sha256::digest(file);
        let digest: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let identity = format!("{key} {} {digest} {options}", text_input::VERSION);
        Some(Self { max_length, reader, identity })
    }

    /// Returns the reader, and the options that determine it besides the file.
    fn tokens(
        written: &FieldEntry,
        inputs: &[&TensorDeclaration],
        file: &[u8],
        entry: &mut Entry<'_>,
    ) -> Result<(Reader, String), String> {
        let part = |name: &str| match &written.inputs {
            Some(inputs) => inputs.part(name),
            None => TOKEN_INPUTS.iter().find(|(_, known)| *known == name).map_or(Part::Ids, |(part, _)| *part),
        };
        let parts: Vec<_> = inputs.iter().map(|input| (part(&input.name), datatype(Some(input)))).collect();
        for (input, (_, datatype)) in inputs.iter().zip(&parts) {
            entry.require(
                matches!(datatype, DataType::Int64 | DataType::Int32),
                format_args!("feeds the input {:?} with whole numbers, but the graph declares {datatype}", input.name),
            );
        }
        let mut length = Length::Named(format!("{}_tokens", written.name));
        if let Some(shape) = inputs.first().and_then(|input| input.shape.as_ref()) {
            match &shape[..] {
                [_, DeclaredSize::Fixed(tokens)] => length = Length::Fixed(*tokens),
                [_, DeclaredSize::Named(name)] => length = Length::Named(name.clone()),
                [_, DeclaredSize::Unknown] => {}
                _ => entry.mistake(format_args!(
                    "feeds the input {:?} with one row of tokens, but the graph declares {} dimensions",
                    inputs[0].name,
                    shape.len()
                )),
            }
        }
        let at_most = if let Length::Fixed(length) = length { Some(length) } else { None };
        let options = Options { max_tokens: written.max_tokens, at_most, special_tokens: written.special_tokens };
        let tokenizer = Tokenizer::new(file, options).map_err(|error| {
            format!("{error}: supported are WordPiece, WordLevel and byte-level BPE, as BERT and RoBERTa have them")
        })?;
        if at_most.is_some() && !tokenizer.has_padding() {
            return Err(format!(
                "has no `padding`, but the graph reads exactly {} tokens: call enable_padding() and save it again",
                at_most.unwrap_or_default()
            ));
        }
        let identity = format!("{:?} {parts:?} {length:?}", (written.max_tokens, written.special_tokens));
        Ok((Reader::Tokens { tokenizer: tokenizer.into(), parts, length }, identity))
    }

    fn columns(
        written: &FieldEntry,
        inputs: &[&TensorDeclaration],
        file: &[u8],
        entry: &mut Entry<'_>,
    ) -> Result<(Reader, String), String> {
        let vectorizer = Vectorizer::new(file).map_err(|error| error.to_string())?;
        let sparse = written.inputs.is_some();
        let types = if sparse {
            let type_of = |position: usize| inputs.get(position).map(|input| datatype(Some(input)));
            let types = [type_of(0).unwrap_or(DataType::Int64), type_of(1).unwrap_or(DataType::Float64)];
            entry.require(
                matches!(types, [DataType::Int64 | DataType::Int32, DataType::Float64 | DataType::Float32]),
                format_args!(
                    "`inputs` must name one of whole numbers and one of numbers, not of {} and {}",
                    types[0], types[1]
                ),
            );
            types
        } else {
            [DataType::Int32, datatype(inputs.first().copied())]
        };
        Ok((Reader::Columns { vectorizer: vectorizer.into(), types, sparse }, format!("{types:?} {sparse}")))
    }
}
