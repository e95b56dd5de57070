//! Arrays of numbers or booleans, of any rank, which feed an input of the graph of their own.

use crate::{
    declaration::{DeclaredSize, TensorDeclaration},
    feeds,
    json::{ArrayFormat, Dimension, shape_text},
    manifest::{FieldEntry, SizeEntry},
    mistake::Entry,
    tensor::DataType,
};

/// The most elements of an array whose dimensions are not all fixed, unless `max_items` says otherwise.
const DEFAULT_MAX_ITEMS: usize = 100_000;
/// The size of a dimension with a name, of arrays to try a model on, if no example has another.
const USUAL_SIZE: usize = 16;
/// More would not fit into a body.
const MOST_ITEMS: usize = 1_000_000;
const MAX_RANK: usize = 8;

#[derive(Clone, Debug)]
pub struct Array {
    pub(crate) format: ArrayFormat,
    /// A shape to try the model on: the example's, if there is one.
    usual_shape: Vec<usize>,
}

impl Array {
    /// `input` is the graph's input that it feeds, if the graph is known.
    pub(crate) fn new(written: &FieldEntry, input: Option<&TensorDeclaration>, entry: &mut Entry<'_>) -> Option<Self> {
        let declared = input.and_then(|input| input.shape.as_deref());
        let shape: Vec<_> = match (&written.shape, declared) {
            (Some(shape), _) => shape
                .iter()
                .map(|size| match size {
                    SizeEntry::Fixed(size) => Dimension::Fixed(*size),
                    SizeEntry::Named(name) => Dimension::Named(name.clone()),
                })
                .collect(),
            // The first dimension is that of the batch.
            (None, Some([_, declared @ ..])) => declared
                .iter()
                .enumerate()
                .map(|(position, size)| match size {
                    DeclaredSize::Fixed(size) => Dimension::Fixed(*size),
                    DeclaredSize::Named(name) => Dimension::Named(name.clone()),
                    DeclaredSize::Unknown => Dimension::Named(format!("{}_{}", written.name, position + 1)),
                })
                .collect(),
            (None, _) if input.is_none() => Vec::new(),
            (None, _) => {
                entry
                    .mistake("needs `shape`, because the graph does not declare that of its input: `shape = [300, 4]`");
                return None;
            }
        };
        entry.require(shape.len() <= MAX_RANK, format_args!("`shape` may have at most {MAX_RANK} dimensions"));
        entry.require(!shape.contains(&Dimension::Fixed(0)), "no dimension in `shape` may be 0");
        if let Some([_, declared @ ..]) = declared {
            let is_declared = |(size, declared): (&Dimension, &DeclaredSize)| match (size, declared) {
                (Dimension::Fixed(size), DeclaredSize::Fixed(declared)) => size == declared,
                (Dimension::Named(_), DeclaredSize::Fixed(_)) => false,
                (_, DeclaredSize::Named(_) | DeclaredSize::Unknown) => true,
            };
            entry.require(
                shape.len() == declared.len() && shape.iter().zip(declared).all(is_declared),
                format_args!(
                    "`shape` is {}, but the graph declares {} after the batch dimension: correct one of them",
                    shape_text(&shape),
                    shape_text(declared)
                ),
            );
        }
        let fixed = shape.iter().try_fold(1_usize, |items, size| match size {
            Dimension::Fixed(size) => Some(items.saturating_mul(*size)),
            Dimension::Named(_) => None,
        });
        entry.require(
            fixed.is_none() || written.max_items.is_none(),
            "`max_items` applies only to a `shape` with names: remove it",
        );
        let max_items = fixed.or(written.max_items).unwrap_or(DEFAULT_MAX_ITEMS);
        entry.require(
            (1..=MOST_ITEMS).contains(&max_items),
            format_args!("an array may have 1 to {MOST_ITEMS} items, not {max_items}"),
        );
        let datatype = feeds::datatype(input);
        let format = ArrayFormat { datatype, shape, max_items };
        let usual_shape = written.example.as_ref().and_then(|example| format.shape_of(example));
        let usual_shape = usual_shape.unwrap_or_else(|| usual_shape_of(&format));
        Some(Self { format, usual_shape })
    }

    /// A shape to try the model on.
    pub(crate) fn usual_shape(&self) -> &[usize] {
        &self.usual_shape
    }

    /// The type of the items.
    pub fn datatype(&self) -> DataType {
        self.format.datatype
    }

    /// The length of each dimension.
    pub fn shape(&self) -> &[Dimension] {
        &self.format.shape
    }

    /// The most items in all.
    pub fn max_items(&self) -> usize {
        self.format.max_items
    }

    /// Describes the allowed values, as a predicate.
    pub(crate) fn allowed(&self) -> String {
        let ArrayFormat { shape, max_items, .. } = &self.format;
        let elements = self.format.elements();
        if shape.is_empty() {
            return format!("must be one of the {elements}");
        }
        let is_fixed = shape.iter().all(|size| matches!(size, Dimension::Fixed(_)));
        let limit = if is_fixed { String::new() } else { format!(", with at most {max_items} items in all") };
        format!("must be an array of shape {} of {elements}{limit}", shape_text(shape))
    }
}

/// The shape with [`USUAL_SIZE`] for names, or less if that would be too many items.
fn usual_shape_of(ArrayFormat { shape, max_items, .. }: &ArrayFormat) -> Vec<usize> {
    let of_size = |named: usize| -> Vec<usize> {
        let size = |size: &Dimension| match size {
            Dimension::Fixed(size) => *size,
            Dimension::Named(_) => named,
        };
        shape.iter().map(size).collect()
    };
    let fits =
        |shape: &Vec<usize>| shape.iter().fold(1, |items: usize, size| items.saturating_mul(*size)) <= *max_items;
    (1..=USUAL_SIZE).rev().map(of_size).find(fits).unwrap_or_else(|| of_size(1))
}
