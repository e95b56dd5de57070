//! Reads one input from JSON, or lists all of its errors.

mod dimensions;
mod errors;
mod fields;

pub(crate) use self::{errors::ErrorBudget, fields::Fields};
use super::field::Encoded;

/// A valid value for each field. Two inputs are equal if and only if they display as the same text.
///
/// Only a [`Signature`](super::Signature) creates one.
#[derive(Clone, Debug, PartialEq)]
pub struct Input(Vec<Encoded>);

impl Input {
    pub(crate) fn new(values: Vec<Encoded>) -> Self {
        Self(values)
    }

    pub(crate) fn values(&self) -> &[Encoded] {
        &self.0
    }

    /// `None` if one of the `count` values is.
    fn of(count: usize, values: impl Iterator<Item = Option<Encoded>>) -> Option<Self> {
        let mut all = Vec::with_capacity(count);
        for value in values {
            all.push(value?);
        }
        Some(Self(all))
    }
}
