//! Answers that are arrays: vectors, the best classes, and tensors.

use std::{collections::HashSet, fmt::Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Serialize;

use super::{Answer, Prediction, PredictionKind, VectorEncoding};
use crate::{
    precision::Precision,
    tensor::{DataType, Tensor},
};

/// The `k` highest scores with their positions, in descending order; equal scores in the order of their positions.
pub(super) fn highest(scores: &[f64], k: usize) -> Vec<(usize, f64)> {
    let mut all: Vec<_> = scores.iter().copied().enumerate().collect();
    let descending = |one: &(usize, f64), other: &(usize, f64)| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0));
    if k < all.len() {
        all.select_nth_unstable_by(k, descending);
        all.truncate(k);
    }
    all.sort_unstable_by(descending);
    all
}

impl Prediction {
    pub(super) fn vector(&self, numbers: &[f64], entry: Bytes) -> Answer {
        let encoding = if let PredictionKind::Vector(encoding) = self.kind { encoding } else { VectorEncoding::Float };
        Answer { entry, body: self.body(&self.vector_text(numbers, encoding)) }
    }

    /// The numbers as JSON: a list, or the base64 of their little-endian float32.
    pub fn vector_text(&self, numbers: &[f64], encoding: VectorEncoding) -> String {
        let singles = || numbers.iter().map(|number| *number as f32);
        match (encoding, self.precision) {
            (VectorEncoding::Base64, _) => {
                let bytes: Vec<u8> = singles().flat_map(f32::to_le_bytes).collect();
                format!("\"{}\"", STANDARD.encode(bytes))
            }
            (VectorEncoding::Float, Precision::Float32) => nested(&singles().collect::<Vec<_>>(), &[numbers.len()]),
            (VectorEncoding::Float, Precision::Float64) => nested(numbers, &[numbers.len()]),
        }
    }

    /// The numbers in little-endian order.
    pub(super) fn vector_entry(&self, numbers: &[f64]) -> Bytes {
        match self.precision {
            Precision::Float32 => numbers.iter().flat_map(|number| (*number as f32).to_le_bytes()).collect(),
            Precision::Float64 => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        }
    }

    /// The numbers of a vector's entry. `None` for anything that is not such an entry.
    pub fn read_vector(&self, entry: &[u8]) -> Option<Vec<f64>> {
        let numbers: Vec<f64> = match self.precision {
            Precision::Float32 => {
                let (numbers, []) = entry.as_chunks() else { return None };
                numbers.iter().map(|bytes| f32::from_le_bytes(*bytes).into()).collect()
            }
            Precision::Float64 => {
                let (numbers, []) = entry.as_chunks() else { return None };
                numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
            }
        };
        let is_answer = |number: &f64| number.is_finite() && !(*number == 0.0 && number.is_sign_negative());
        let length = self.shape.as_ref().map(|shape| shape.iter().product::<usize>());
        let is_whole = !numbers.is_empty() && length.is_none_or(|length| length == numbers.len());
        (is_whole && numbers.iter().all(is_answer)).then_some(numbers)
    }

    /// The entry is `3:0.25,0:0.125`: positions in `values`, and scores.
    pub(super) fn top<T: AsRef<str>>(&self, classes: &[(usize, T)]) -> Answer {
        let (mut entry, mut array) = (String::new(), String::new());
        for (class, score) in classes {
            let (separator, score) = (if entry.is_empty() { "" } else { "," }, score.as_ref());
            // Writing to a String does not fail.
            let _ = write!(entry, "{separator}{class}:{score}");
            let _ = write!(array, "{separator}{{\"class\":{},\"score\":{score}}}", self.values()[*class].json);
        }
        Answer { entry: entry.into(), body: self.body(&format!("[{array}]")) }
    }

    pub(super) fn read_top(&self, entry: &str) -> Option<Answer> {
        let PredictionKind::Top(_, k, values) = &self.kind else { return None };
        let mut classes: Vec<(usize, &str)> = Vec::with_capacity(*k);
        let (mut last, mut seen): (Option<(usize, f64)>, _) = (None, HashSet::new());
        for class in entry.split(',').take(k + 1) {
            let (position, text) = class.split_once(':')?;
            let (position, score) = (position.parse::<usize>().ok()?, self.read_decimal(text)?);
            let follows = |(before, higher)| score < higher || (score == higher && position > before);
            if position >= values.len() || !last.is_none_or(follows) || !seen.insert(position) {
                return None;
            }
            last = Some((position, score));
            classes.push((position, text));
        }
        let answer = (classes.len() == *k).then(|| self.top(&classes))?;
        // `03` is not how a position is written.
        (answer.entry == entry).then_some(answer)
    }

    pub(super) fn tensor(&self, tensor: &Tensor) -> Answer {
        let mut entry = Vec::with_capacity(1 + 4 * tensor.shape().len() + tensor.bytes().len());
        tensor.write(&mut entry);
        let (shape, bytes) = (tensor.shape(), tensor.bytes());
        let json = match tensor.datatype() {
            DataType::Float16 | DataType::Float32 => {
                nested(&tensor.numbers().iter().map(|number| *number as f32).collect::<Vec<_>>(), shape)
            }
            DataType::Float64 => nested(&tensor.numbers(), shape),
            DataType::Int32 | DataType::Int64 | DataType::Uint8 => nested(&tensor.integers(), shape),
            DataType::Bool => nested(&bytes.iter().map(|byte| *byte != 0).collect::<Vec<_>>(), shape),
        };
        Answer { entry: entry.into(), body: self.body(&json) }
    }

    pub(super) fn read_tensor(&self, entry: &Bytes) -> Option<Answer> {
        let mut rest = &entry[..];
        let tensor = Tensor::read(self.datatype, &mut rest)?;
        let is_whole = rest.is_empty() && !tensor.is_empty();
        let has_shape = self.shape.as_ref().is_none_or(|shape| shape == tensor.shape());
        let is_answer = is_whole && has_shape && tensor.numbers().iter().all(|number| number.is_finite());
        is_answer.then(|| self.tensor(&tensor))
    }
}

/// JSON arrays within arrays, of this shape. The serializer writes numbers several times as fast as `Display`.
fn nested(items: &[impl Serialize], shape: &[usize]) -> String {
    fn write<T: Serialize>(items: &[T], shape: &[usize], text: &mut Vec<u8>) {
        // Finite numbers and booleans are always JSON, and writing to memory does not fail.
        match shape {
            [] => {
                let _ = items.first().map(|item| serde_json::to_writer(text, item));
            }
            [_] => {
                let _ = serde_json::to_writer(text, items);
            }
            [_, inner @ ..] => {
                text.push(b'[');
                for (position, part) in items.chunks(inner.iter().product::<usize>().max(1)).enumerate() {
                    if position > 0 {
                        text.push(b',');
                    }
                    write(part, inner, text);
                }
                text.push(b']');
            }
        }
    }
    let mut text = Vec::with_capacity(12 * items.len());
    write(items, shape, &mut text);
    String::from_utf8(text).unwrap_or_default()
}
