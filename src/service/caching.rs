//! How predictions are cached.

use model_package::EntryContent;
use prediction_cache::{Layout, Namespace};

use super::Strategy;

/// How predictions are cached.
#[derive(Clone, Debug, Default)]
pub struct Caching {
    /// `CACHE_NAMESPACE`: the first part of every cache key. 1 to 64 characters of A-Z, a-z, 0-9, `.`, `_` and `-`; default
    /// `predict-once`.
    pub namespace: Namespace,
    /// `CACHE_LAYOUT`: `string` (default): an entry per prediction; `hash`: a Redis Hash per input, with a field per prediction;
    /// `output`: the model's output per input.
    pub layout: Layout,
    /// `CACHE_STRATEGY`: `lookup_first` (default): look up in the store before running the model; `auto`: only if that is expected to be
    /// faster than the model.
    pub strategy: Strategy,
    /// `CACHE_PER_TENANT`: `true` if each tenant has its own entries, under Lambda's tenant isolation; default `false`.
    pub per_tenant: bool,
}

impl Caching {
    /// The content of the entries.
    pub fn entry_content(&self) -> EntryContent {
        match self.layout {
            Layout::String | Layout::Hash => EntryContent::Answer,
            Layout::Output => EntryContent::Output,
        }
    }
}
