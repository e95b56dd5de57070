//! `minimum` and `maximum` of a field.

use std::fmt;

use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "a bound must be a number, or a date in quotes")]
pub(crate) enum LimitEntry {
    Number(f64),
    /// A date or a time.
    Text(String),
}

impl LimitEntry {
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) => None,
        }
    }
}

impl fmt::Display for LimitEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}
