//! A field's value as the model reads it.

use std::sync::Arc;

use super::Tensors;
use crate::{precision::Precision, tensor::Tensor};

/// A valid value, reduced to the distinctions that the model makes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Encoded {
    /// Finite, for a graph that reads float32.
    Number(f32),
    /// Finite, for a graph that reads float64.
    Double(f64),
    /// The position of a category, the number of a band, or 0 and 1 for a boolean.
    Code(u16),
    Nan,
    /// A row of zeros: an ignored unknown category, or a missing one.
    Zeros,
    /// The value of a field that feeds inputs of its own, or the non-zero columns of a text.
    Tensors(Arc<Tensors>),
}

impl Encoded {
    /// The nearest number of this type. `None` if it is not finite. Negative zero becomes zero, so that equal numbers are the same text
    /// in a cache key.
    pub(crate) fn number(number: f64, precision: Precision) -> Option<Self> {
        let nearest = precision.round(number) + 0.0;
        nearest.is_finite().then_some(match precision {
            Precision::Float32 => Self::Number(nearest as f32),
            Precision::Float64 => Self::Double(nearest),
        })
    }

    /// The bytes that its tensors take before they are needed.
    pub(crate) fn tensor_bytes(&self) -> usize {
        match self {
            Self::Tensors(tensors) => tensors.bytes(),
            Self::Number(_) | Self::Double(_) | Self::Code(_) | Self::Nan | Self::Zeros => 0,
        }
    }

    /// The tensor for the field's input of the graph at this position.
    pub(crate) fn tensor(&self, part: usize) -> Option<&Tensor> {
        match self {
            Self::Tensors(tensors) => tensors.as_slice().get(part).map(AsRef::as_ref),
            Self::Number(_) | Self::Double(_) | Self::Code(_) | Self::Nan | Self::Zeros => None,
        }
    }
}
