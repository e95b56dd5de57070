//! What a graph declares about its inputs and outputs.

use std::fmt;

use super::{precision::Precision, tensor::DataType};

/// The inputs and outputs of a graph, in its order.
#[derive(Clone, Debug)]
pub struct Declaration {
    pub inputs: Vec<TensorDeclaration>,
    pub outputs: Vec<TensorDeclaration>,
    /// The type of scalars whose input is not declared.
    precision: Precision,
}

/// An input or output, as far as it is declared.
#[derive(Clone, Debug)]
pub struct TensorDeclaration {
    pub name: String,
    pub datatype: Option<DataType>,
    /// With the batch dimension. `None` if the rank is unknown.
    pub shape: Option<Vec<DeclaredSize>>,
}

/// The size of a dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclaredSize {
    Fixed(usize),
    Named(String),
    Unknown,
}

impl fmt::Display for DeclaredSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => size.fmt(f),
            Self::Named(name) => f.write_str(name),
            Self::Unknown => f.write_str("?"),
        }
    }
}

impl Declaration {
    /// Of a graph with at least one input.
    pub fn new(inputs: Vec<TensorDeclaration>, outputs: Vec<TensorDeclaration>) -> Self {
        Self { inputs, outputs, precision: Precision::default() }
    }

    /// Of a graph that has not been read: it may have any inputs and outputs, and reads scalars of this type.
    pub fn unknown(precision: Precision) -> Self {
        Self { inputs: Vec::new(), outputs: Vec::new(), precision }
    }

    /// Whether the graph has been read.
    pub(crate) fn is_known(&self) -> bool {
        !self.inputs.is_empty()
    }

    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }
}

/// `"ids", "mask"`
pub(crate) fn names(tensors: &[TensorDeclaration]) -> String {
    tensors.iter().map(|tensor| format!("{:?}", tensor.name)).collect::<Vec<_>>().join(", ")
}
