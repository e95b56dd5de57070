//! Arrays of numbers or booleans, of any rank, which feed an input of the graph of their own.

use crate::{
    bound::{Bound, Range},
    declaration::{DeclaredSize, TensorDeclaration, datatype},
    json::{ArrayFormat, Dimension, shape_text},
    manifest::{FieldEntry, LimitEntry, SizeEntry},
    mistake::Entry,
    tensor::DataType,
};

/// The default of `max_items`, for arrays whose dimensions are not all fixed.
const DEFAULT_MAX_ITEMS: usize = 100_000;
/// The size of a dimension with a name, of arrays to try a model on, if no example has another.
const USUAL_SIZE: usize = 16;
/// More would not fit into a body.
const MOST_ITEMS: usize = 1_000_000;
const MAX_RANK: usize = 8;

#[derive(Clone, Debug)]
pub struct Array {
    pub(crate) format: ArrayFormat,
    /// Whether the graph's input has a batch dimension.
    is_batched: bool,
    /// A shape to try the model on: the example's, if there is one.
    usual_shape: Vec<usize>,
}

impl Array {
    /// `input`: the graph's input that the field feeds, if the graph is known.
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
            (None, Some(declared)) => declared[usize::from(has_batch(declared))..]
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
        if let Some(declared) = declared {
            let is_declared = |(size, declared): (&Dimension, &DeclaredSize)| match (size, declared) {
                (Dimension::Fixed(size), DeclaredSize::Fixed(declared)) => size == declared,
                (Dimension::Named(_), DeclaredSize::Fixed(_)) => false,
                (_, DeclaredSize::Named(_) | DeclaredSize::Unknown) => true,
            };
            // A shape of as many dimensions as the graph declares includes the one of the batch.
            let rest = &declared[declared.len().min(usize::from(shape.len() < declared.len()))..];
            entry.require(
                shape.len() == rest.len() && shape.iter().zip(rest).all(is_declared),
                format_args!(
                    "`shape` is {}, but the graph declares {}, with the batch dimension: correct one of them",
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
        let datatype = datatype(input);
        let is_batched = declared.is_none_or(|declared| shape.len() < declared.len());
        let [minimum, maximum] =
            [&written.minimum, &written.maximum].map(|limit| limit.as_ref().and_then(LimitEntry::number));
        let bounds = [(minimum, written.exclusive_minimum), (maximum, written.exclusive_maximum)];
        let [lower, upper] = bounds.map(|(inclusive, exclusive)| {
            entry.require(inclusive.is_none() || exclusive.is_none(), "give a bound or the `exclusive_` one, not both");
            let inclusive = inclusive.map(|limit| Bound { limit, exclusive: false });
            inclusive.or(exclusive.map(|limit| Bound { limit, exclusive: true }))
        });
        entry.require(
            datatype != DataType::Bool || (lower.is_none() && upper.is_none()),
            "booleans have no bounds: remove them",
        );
        let is_empty = lower.zip(upper).is_some_and(|(lower, upper)| {
            lower.limit > upper.limit || (lower.limit == upper.limit && (lower.exclusive || upper.exclusive))
        });
        entry.require(!is_empty, "no number lies between the minimum and the maximum: correct one of them");
        let format = ArrayFormat { datatype, shape, max_items, lower, upper };
        let usual_shape = written.example.as_ref().and_then(|example| format.shape_of(example));
        let usual_shape = usual_shape.unwrap_or_else(|| usual_shape_of(&format));
        Some(Self { format, is_batched, usual_shape })
    }

    pub(crate) fn is_batched(&self) -> bool {
        self.is_batched
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

    /// The bounds of each item: the lower and the upper one.
    pub fn bounds(&self) -> (Option<Bound>, Option<Bound>) {
        (self.format.lower, self.format.upper)
    }

    /// Describes the allowed values, as a predicate: `must be an array of shape [length, 4] of numbers, with at most 100 items in all`.
    pub(crate) fn allowed(&self) -> String {
        let ArrayFormat { datatype, shape, max_items, lower, upper } = &self.format;
        let (one, several) = match datatype {
            DataType::Float16 | DataType::Float32 | DataType::Float64 => ("a number", "numbers"),
            DataType::Int32 | DataType::Int64 | DataType::Uint8 => ("an integer", "integers"),
            DataType::Bool => ("true or false", "booleans"),
        };
        let range = match (lower, upper, datatype) {
            (None, None, DataType::Int32) => format!(" from {} to {}", i32::MIN, i32::MAX),
            (None, None, DataType::Int64) => format!(" from {} to {}", i64::MIN, i64::MAX),
            (None, None, DataType::Uint8) => " from 0 to 255".to_owned(),
            (lower, upper, _) => Range(*lower, *upper).to_string(),
        };
        if shape.is_empty() {
            return format!("must be {one}{range}");
        }
        let is_fixed = shape.iter().all(|size| matches!(size, Dimension::Fixed(_)));
        let limit = if is_fixed { String::new() } else { format!(", with at most {max_items} items in all") };
        format!("must be an array of shape {} of {several}{range}{limit}", shape_text(shape))
    }
}

/// Whether an input's first dimension is the batch dimension, if the field declares no shape.
fn has_batch(declared: &[DeclaredSize]) -> bool {
    declared.first().is_some_and(|first| !matches!(first, DeclaredSize::Fixed(size) if *size != 1))
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
