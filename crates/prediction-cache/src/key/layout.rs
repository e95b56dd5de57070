//! The layouts: how predictions are stored in the cache.

use std::str::FromStr;

/// What an entry contains, and where it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// One Redis String per prediction of an input.
    #[default]
    String,
    /// One Redis Hash per input, with a field per prediction.
    Hash,
    /// One Redis String per input: the model's output, from which every prediction follows.
    Output,
}

impl Layout {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::String, Self::Hash, Self::Output];

    /// The layout as the setting `CACHE_LAYOUT` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Hash => "hash",
            Self::Output => "output",
        }
    }

    /// What stands in a key in place of the prediction's name, where the entry is not one prediction's.
    pub(super) fn mark(self) -> Option<&'static str> {
        match self {
            Self::String => None,
            Self::Hash => Some("@hash"),
            Self::Output => Some("@output"),
        }
    }
}

/// A text that is not the name of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLayout;

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(name: &str) -> Result<Self, UnknownLayout> {
        Self::ALL.into_iter().find(|layout| layout.name() == name).ok_or(UnknownLayout)
    }
}
