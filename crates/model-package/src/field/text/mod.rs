//! Texts, which become token ids or a vectorizer's columns.

mod definition;
mod inputs;

use std::sync::Arc;

use text_input::{Tokenizer, Vectorizer};

use self::inputs::Part;
pub(crate) use self::inputs::default_inputs;
use super::Tensors;
use crate::{
    declaration::Size,
    tensor::{DataType, Tensor},
};

/// Tokenizing so many bytes takes about a millisecond.
const SLOW: usize = 8 * 1024;
/// The size of texts to try a model on: the number of tokens, or of non-zero columns.
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
        /// Whether the graph reads only the non-zero columns, as indices and values.
        sparse: bool,
    },
}

#[derive(Clone, Debug)]
enum Length {
    Fixed(usize),
    Named(String),
}

impl Text {
    /// The tensors of a text. `None` if it is too long.
    pub(super) fn read(&self, text: &str) -> Option<Arc<Tensors>> {
        // Characters take at most four bytes.
        if text.len() > self.max_length && text.chars().nth(self.max_length).is_some() {
            return None;
        }
        Some(match &self.reader {
            Reader::Tokens { tokenizer, parts, length } => {
                let mut encoding = tokenizer.encode(text);
                let tokens = encoding.ids.len();
                match length {
                    Length::Fixed(length) => tokenizer.pad(&mut encoding, Some(*length)),
                    // A model that reads the mask does not see padding.
                    Length::Named(_) if parts.iter().any(|(part, _)| *part == Part::Mask) => {}
                    Length::Named(_) => tokenizer.pad(&mut encoding, None),
                }
                token_tensors(parts, tokens, |part| match part {
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

    /// Generates tensors of the usual shape. Equal seeds give equal tensors.
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
                token_tensors(parts, size, |part| match part {
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

fn token_tensors<'v>(parts: &[(Part, DataType)], tokens: usize, values: impl Fn(Part) -> &'v [u32]) -> Arc<Tensors> {
    let tensor = |(part, datatype): &(Part, DataType)| {
        let values = values(*part);
        let numbers: Vec<_> = values.iter().map(|value| f64::from(*value)).collect();
        Tensor::from_numbers(*datatype, vec![values.len()], &numbers).into()
    };
    // A graph that is not known yet has no parts; a key needs the ids.
    match parts {
        [] => Tensors::of_text(vec![tensor(&(Part::Ids, DataType::Int64))], tokens),
        parts => Tensors::of_text(parts.iter().map(tensor).collect(), tokens),
    }
}

/// The tensors of the non-zero columns and of their values. If all are zero, one zero is kept, because graphs fail on empty tensors.
fn column_tensors([columns, values]: [DataType; 2], mut found: Vec<(u32, f64)>) -> Arc<Tensors> {
    let terms = found.len();
    if found.is_empty() {
        found.push((0, 0.0));
    }
    let shape = || vec![found.len()];
    let of = |datatype, number: fn(&(u32, f64)) -> f64| {
        Tensor::from_numbers(datatype, shape(), &found.iter().map(number).collect::<Vec<_>>()).into()
    };
    Tensors::of_text(vec![of(columns, |(column, _)| f64::from(*column)), of(values, |(_, value)| *value + 0.0)], terms)
}

/// Writes the non-zero columns of a text into `columns`, which holds zeros.
pub(super) fn scatter(tensors: &Tensors, columns: &mut [f64]) {
    if let [indices, values] = tensors.as_slice() {
        for (column, value) in indices.numbers().into_iter().zip(values.numbers()) {
            columns[column as usize] = value;
        }
    }
}
