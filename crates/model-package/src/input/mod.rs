//! Reads one input from JSON, or lists all of its errors.

mod dimensions;
mod errors;
mod fields;

pub(crate) use self::{errors::ErrorBudget, fields::Fields};
