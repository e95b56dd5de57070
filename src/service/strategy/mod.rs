//! Whether to look up the store before running the model: the setting `CACHE_STRATEGY`. The service has a [`Planner`] per prediction,
//! records the times of lookups and runs in it, and follows its [`Plan`].

mod audit;
mod costs;
mod planner;
mod run_time;

use std::str::FromStr;

pub(super) use self::{
    costs::{Plan, Probe, is_sample},
    planner::Planner,
    run_time::RunTime,
};

/// When the store is looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Always, before the model runs.
    #[default]
    LookupFirst,
    /// Before the model runs, if that is expected to be faster.
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
