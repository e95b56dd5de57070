//! The types of numbers in a graph's input and output.

use std::fmt;

/// The type of a graph's numbers, as its file declares it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// ONNX's `FLOAT`.
    #[default]
    Float32,
    /// ONNX's `DOUBLE`.
    Float64,
}

impl Precision {
    /// The nearest number of this type, infinite beyond its range.
    pub fn round(self, number: f64) -> f64 {
        match self {
            Self::Float32 => f64::from(number as f32),
            Self::Float64 => number,
        }
    }

    /// The largest integer up to which this type represents every integer: 2²⁴ or 2⁵³.
    pub fn largest_integer(self) -> f64 {
        match self {
            Self::Float32 => 16_777_216.0,
            Self::Float64 => 9_007_199_254_740_992.0,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float32 => "float32",
            Self::Float64 => "float64",
        })
    }
}
