//! When the cache in Redis is asked: the setting `CACHE_STRATEGY`.

use std::str::FromStr;

/// When the cache in Redis is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Before the model, always.
    #[default]
    LookupFirst,
    /// Before the model where that is expected to be faster.
    Auto,
}

impl FromStr for Strategy {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "lookup_first" => Ok(Self::LookupFirst),
            "auto" => Ok(Self::Auto),
            _ => Err(()),
        }
    }
}
