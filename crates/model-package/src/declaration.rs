//! What a graph declares about its inputs and outputs.

use std::fmt;

use super::{
    json::shape_text,
    manifest::TensorEntry,
    mistake::{Entry, Mistake},
    precision::Precision,
    tensor::{DataType, Tensor},
};

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

/// The size of a dimension after the batch dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Size<'a> {
    Fixed(usize),
    /// Differs between requests. Sizes with the same name are equal.
    Named(&'a str),
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

    /// Adds what `[[inputs]]` and `[[outputs]]` say and the graph does not.
    pub(crate) fn with(&self, inputs: &[TensorEntry], outputs: &[TensorEntry], mistakes: &mut Vec<Mistake>) -> Self {
        let mut all = self.clone();
        // Without the graph, nothing is known of its tensors.
        if self.is_known() {
            for (what, declared, written) in [("input", &mut all.inputs, inputs), ("output", &mut all.outputs, outputs)]
            {
                for written in written {
                    let mut entry = Entry::new(format!("{what} {:?}", written.name), mistakes);
                    let names = names(declared);
                    match declared.iter_mut().find(|tensor| tensor.name == written.name) {
                        Some(tensor) => tensor.complete(written, &mut entry),
                        None => entry.mistake(format_args!(
                            "the {what}s of the graph are {names}: correct `name`, or remove the entry"
                        )),
                    }
                }
            }
        }
        all
    }
}

impl TensorDeclaration {
    fn complete(&mut self, written: &TensorEntry, entry: &mut Entry<'_>) {
        if let Some(datatype) = written.datatype {
            let declared = *self.datatype.get_or_insert(datatype);
            entry.require(
                declared == datatype,
                format_args!("`datatype` is {datatype}, but the graph declares {declared}: correct one of them"),
            );
        }
        let Some(shape) = &written.shape else { return };
        entry.require(shape.iter().all(|size| *size >= -1), "`shape` must be sizes, or -1 for any size");
        let sizes = shape.iter().map(|size| usize::try_from(*size).map_or(DeclaredSize::Unknown, DeclaredSize::Fixed));
        let sizes: Vec<_> = sizes.collect();
        let declared = self.shape.get_or_insert_with(|| sizes.clone());
        let agrees = |(declared, size): (&DeclaredSize, &DeclaredSize)| match (declared, size) {
            (DeclaredSize::Fixed(declared), DeclaredSize::Fixed(size)) => declared == size,
            (DeclaredSize::Fixed(_), _) => false,
            (DeclaredSize::Named(_) | DeclaredSize::Unknown, _) => true,
        };
        entry.require(
            declared.len() == sizes.len() && declared.iter().zip(&sizes).all(agrees),
            format_args!("`shape` is {shape:?}, but the graph declares {}: correct one of them", shape_text(declared)),
        );
        for (declared, size) in declared.iter_mut().zip(sizes) {
            if let DeclaredSize::Fixed(_) = size {
                *declared = size;
            }
        }
    }

    /// Whether a tensor is as declared. Otherwise, the problem.
    pub(crate) fn check(&self, tensor: &Tensor) -> Result<(), String> {
        if let Some(datatype) = self.datatype.filter(|datatype| *datatype != tensor.datatype()) {
            return Err(format!("`datatype` is {datatype}, but the graph returns {}: correct it", tensor.datatype()));
        }
        let Some(declared) = &self.shape else { return Ok(()) };
        // The first dimension is that of the batch, which the tensor of one input has lost.
        let shape = &tensor.shape()[tensor.shape().len().saturating_sub(declared.len())..];
        let rest = &declared[declared.len().saturating_sub(shape.len())..];
        let is_declared = |(declared, size): (&DeclaredSize, &usize)| match declared {
            DeclaredSize::Fixed(declared) => declared == size,
            DeclaredSize::Named(_) | DeclaredSize::Unknown => true,
        };
        if declared.len() <= shape.len() + 1 && rest.iter().zip(shape).all(is_declared) {
            Ok(())
        } else {
            let returned = shape_text(tensor.shape());
            Err(format!(
                "`shape` is {}, but the graph returns {returned} for one input: correct it",
                shape_text(declared)
            ))
        }
    }
}

/// `"ids", "mask"`
pub(crate) fn names(tensors: &[TensorDeclaration]) -> String {
    tensors.iter().map(|tensor| format!("{:?}", tensor.name)).collect::<Vec<_>>().join(", ")
}

/// The type of an input; one that is not declared is float32.
pub(crate) fn datatype(declared: Option<&TensorDeclaration>) -> DataType {
    declared.and_then(|input| input.datatype).unwrap_or(DataType::Float32)
}
