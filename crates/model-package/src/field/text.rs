//! Texts, which become token ids or a vectorizer's columns.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use text_input::{Options, Tokenizer, Vectorizer};

use super::Tensors;
use crate::{
    declaration::{DeclaredSize, TensorDeclaration},
    feeds::{Size, datatype},
    files::{Files, is_file_name},
    manifest::{FieldEntry, InputsEntry},
    mistake::Entry,
    tensor::{DataType, Tensor},
};

/// The most characters of a text, unless `max_length` says otherwise.
const DEFAULT_MAX_LENGTH: usize = 100_000;
/// More would not fit into a body.
const MOST_CHARACTERS: usize = 1_000_000;
/// Tokenizing so many bytes takes about a millisecond.
const SLOW: usize = 8 * 1024;
/// The size of texts to try a model on: their tokens, or the columns that are not zero.
const USUAL_SIZE: usize = 16;
/// A text to try a model on.
const USUAL_TEXT: &str = "The quick brown fox jumps over the lazy dog, while 12 engineers read it twice.";

#[derive(Clone, Debug)]
pub struct Text {
    max_length: usize,
    reader: Reader,
    /// What determines the tensors of a text.
    identity: String,
}

#[derive(Clone, Debug)]
enum Reader {
    Tokens {
        tokenizer: Arc<Tokenizer>,
        parts: Vec<(Part, DataType)>,
        /// The number of tokens that the graph reads.
        length: Length,
    },
    Columns {
        vectorizer: Arc<Vectorizer>,
        /// The types of the columns and of their values.
        types: [DataType; 2],
        /// Whether the graph reads the columns that are not zero and their values, rather than all of them.
        sparse: bool,
    },
}

#[derive(Clone, Debug)]
enum Length {
    Fixed(usize),
    Named(String),
}

/// What an input of the graph is fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Ids,
    Mask,
    Types,
}

/// The entries of `inputs`, and the names of the graph's inputs that they have otherwise.
const TOKEN_INPUTS: [(Part, &str); 3] =
    [(Part::Ids, "input_ids"), (Part::Mask, "attention_mask"), (Part::Types, "token_type_ids")];

/// The names of the graph's inputs that a text feeds by default, the first of them in place of the field's `input`.
pub(crate) fn default_inputs(written: &FieldEntry) -> &'static [(&'static str, bool)] {
    const TOKENS: [(&str, bool); 3] = [("input_ids", true), ("attention_mask", false), ("token_type_ids", false)];
    if written.tokenizer.is_some() && written.inputs.is_none() { &TOKENS } else { &[] }
}

impl InputsEntry {
    /// The names of the graph's inputs, in the order of the tensors.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let Self { ids, mask, types, columns, values } = self;
        [ids, mask, types, columns, values].into_iter().flatten().map(String::as_str)
    }

    fn part(&self, name: &str) -> Part {
        let is = |entry: &Option<String>| entry.as_deref() == Some(name);
        if is(&self.mask) {
            Part::Mask
        } else if is(&self.types) {
            Part::Types
        } else {
            Part::Ids
        }
    }
}

impl Text {
    /// `inputs` are the graph's inputs that it feeds, if the graph is known.
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

    /// The reader, and what determines it beside the file.
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

    /// The tensors of a text. `None` if it is too long.
    pub(super) fn read(&self, text: &str) -> Option<Arc<Tensors>> {
        // Characters take at most four bytes.
        if text.len() > self.max_length && text.chars().nth(self.max_length).is_some() {
            return None;
        }
        Some(match &self.reader {
            Reader::Tokens { tokenizer, parts, length } => {
                let mut encoding = tokenizer.encode(text);
                match length {
                    Length::Fixed(length) => tokenizer.pad(&mut encoding, Some(*length)),
                    // A model that reads the mask does not see padding.
                    Length::Named(_) if parts.iter().any(|(part, _)| *part == Part::Mask) => {}
                    Length::Named(_) => tokenizer.pad(&mut encoding, None),
                }
                token_tensors(parts, |part| match part {
                    Part::Ids => &encoding.ids,
                    Part::Mask => &encoding.mask,
                    Part::Types => &encoding.type_ids,
                })
            }
            Reader::Columns { vectorizer, types, .. } => column_tensors(*types, vectorizer.transform(text)),
        })
    }

    /// How many bytes of a body take over a millisecond to read. Padding takes time for each text, however short.
    pub(super) fn slow_from(&self) -> usize {
        const ID: usize = size_of::<i64>();
        let padded = match &self.reader {
            Reader::Tokens { length: Length::Fixed(length), parts, .. } => ID * length * parts.len(),
            Reader::Tokens { .. } | Reader::Columns { .. } => 0,
        };
        SLOW / (1 + padded / 1024)
    }

    /// Describes the allowed values, as a predicate.
    pub(super) fn allowed(&self) -> String {
        format!("must be a string of at most {} characters", self.max_length)
    }

    pub fn max_length(&self) -> usize {
        self.max_length
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// Whether it feeds inputs of the graph alone, rather than columns of one.
    pub(super) fn is_tensor(&self) -> bool {
        match &self.reader {
            Reader::Tokens { .. } => true,
            Reader::Columns { sparse, .. } => *sparse,
        }
    }

    /// The number of its columns, if it has columns.
    pub(super) fn width(&self) -> usize {
        match &self.reader {
            Reader::Columns { vectorizer, sparse: false, .. } => vectorizer.width(),
            Reader::Tokens { .. } | Reader::Columns { .. } => 0,
        }
    }

    pub(super) fn tensor_shape(&self) -> Vec<Size<'_>> {
        match &self.reader {
            Reader::Tokens { length: Length::Fixed(length), .. } => vec![Size::Fixed(*length)],
            Reader::Tokens { length: Length::Named(name), .. } => vec![Size::Named(name)],
            Reader::Columns { .. } => vec![Size::Named("columns")],
        }
    }

    pub(super) fn usual_shape(&self) -> Vec<usize> {
        vec![match &self.reader {
            Reader::Tokens { length: Length::Fixed(length), .. } => *length,
            Reader::Tokens { tokenizer, .. } => tokenizer.max_tokens().map_or(USUAL_SIZE, |most| most.min(USUAL_SIZE)),
            Reader::Columns { vectorizer, .. } => vectorizer.width().min(USUAL_SIZE),
        }]
    }

    /// Tensors of the usual shape. Equal seeds give equal ones.
    pub(crate) fn drawn(&self, seed: u64) -> Arc<Tensors> {
        let size = self.usual_shape()[0];
        let first = (seed % 1_000) as usize;
        match &self.reader {
            Reader::Tokens { tokenizer, parts, .. } => {
                let encoding = tokenizer.encode(USUAL_TEXT);
                let cycled = |values: &[u32]| {
                    values.iter().copied().cycle().skip(first % values.len().max(1)).take(size).collect::<Vec<_>>()
                };
                let (ids, types, mask) = (cycled(&encoding.ids), cycled(&encoding.type_ids), vec![1; size]);
                token_tensors(parts, |part| match part {
                    Part::Ids => &ids,
                    Part::Mask => &mask,
                    Part::Types => &types,
                })
            }
            Reader::Columns { vectorizer, types, .. } => {
                let step = vectorizer.width() / size;
                let value = |position: usize| (((position + first) % 7) as f64 + 1.0) / 8.0;
                let column = |position: usize| ((position * step + first % step) as u32, value(position));
                column_tensors(*types, (0..size).map(column).collect())
            }
        }
    }
}

fn token_tensors<'v>(parts: &[(Part, DataType)], values: impl Fn(Part) -> &'v [u32]) -> Arc<Tensors> {
    let tensor = |(part, datatype): &(Part, DataType)| {
        let values = values(*part);
        let numbers: Vec<_> = values.iter().map(|value| f64::from(*value)).collect();
        Tensor::from_numbers(*datatype, vec![values.len()], &numbers).into()
    };
    // A graph that is not known yet has no parts; a key needs the ids.
    match parts {
        [] => Tensors::new(vec![tensor(&(Part::Ids, DataType::Int64))]),
        parts => Tensors::new(parts.iter().map(tensor).collect()),
    }
}

/// The columns and their values. A text without any has a column of zero, because graphs fail on empty tensors.
fn column_tensors([columns, values]: [DataType; 2], mut found: Vec<(u32, f64)>) -> Arc<Tensors> {
    if found.is_empty() {
        found.push((0, 0.0));
    }
    let shape = || vec![found.len()];
    let of = |datatype, number: fn(&(u32, f64)) -> f64| {
        Tensor::from_numbers(datatype, shape(), &found.iter().map(number).collect::<Vec<_>>()).into()
    };
    Tensors::new(vec![of(columns, |(column, _)| f64::from(*column)), of(values, |(_, value)| *value + 0.0)])
}

/// Sets the columns of a text, after as many zeros.
pub(super) fn scatter(tensors: &Tensors, columns: &mut [f64]) {
    if let [indices, values] = tensors.as_slice() {
        for (column, value) in indices.numbers().into_iter().zip(values.numbers()) {
            columns[column as usize] = value;
        }
    }
}
