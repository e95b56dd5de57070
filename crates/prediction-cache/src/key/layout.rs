//! How predictions are laid out in the cache.

use std::str::FromStr;

/// The content and the Redis type of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// One Redis String per prediction of an input.
    #[default]
    String,
    /// One Redis Hash per input, with a field per prediction.
    Hash,
    /// One Redis String per input: the model's output, from which every prediction is derived.
    Output,
}

impl Layout {
    pub const ALL: [Self; 3] = [Self::String, Self::Hash, Self::Output];

    /// The value of `CACHE_LAYOUT`.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Hash => "hash",
            Self::Output => "output",
        }
    }

    /// Replaces the prediction's name in keys of entries that hold every prediction.
    pub(super) fn mark(self) -> Option<&'static str> {
        match self {
            Self::String => None,
            Self::Hash => Some("@hash"),
            Self::Output => Some("@output"),
        }
    }
}

/// The name does not belong to a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLayout;

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(name: &str) -> Result<Self, UnknownLayout> {
        Self::ALL.into_iter().find(|layout| layout.name() == name).ok_or(UnknownLayout)
    }
}
