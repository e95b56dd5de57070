//! Whether to look up in the store before the model runs: the setting `CACHE_STRATEGY`. The service sees a [`Judge`] per prediction,
//! tells it how long lookups and runs took, and follows its [`Plan`].

mod audit;
mod costs;
mod judge;
mod run_time;

use std::str::FromStr;

pub(super) use self::{
    costs::{Plan, Probe, is_sample},
    judge::Judge,
    run_time::RunTime,
};

/// When the store is asked.
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
