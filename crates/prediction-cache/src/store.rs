//! The interface of a store: a cache outside this process, which every process of the service shares.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{CacheKey, Fault, Tier};

/// What a lookup found.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// An entry, and where.
    Hit(Bytes, Tier),
    /// No entry.
    Miss,
    /// The key holds a value that is not an entry of this service, such as another Redis type.
    Foreign,
    /// The cache did not answer in time, or answered with an error.
    Unavailable(Fault),
}

/// A circuit breaker, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerState {
    /// What it guards: `lookups` or `writes`.
    pub commands: &'static str,
    /// Whether the store is tried only once per second.
    pub is_open: bool,
}

/// A cache outside this process. Each worker has its own, on its own thread.
///
/// A store keeps its own deadlines and circuit breakers, and logs its own faults: the caller gets one [`Lookup`] per key, whatever
/// happens.
pub trait Store: Send + Sync {
    /// The same store for another worker, with connections of its own.
    fn for_another_worker(&self) -> Box<dyn Store>;

    /// Connects, so that the first lookup need not. Waits no longer than a lookup may take.
    fn open(&self) -> BoxFuture<'_, ()>;

    /// Looks up entries within the deadline of one lookup, one result per key.
    fn lookup<'a>(&'a self, keys: &'a [&'a CacheKey]) -> BoxFuture<'a, Vec<Lookup>>;

    /// Stores entries within the deadline of a write, and within `time_left`.
    fn store<'a>(
        &'a self,
        entries: &'a [(CacheKey, Bytes)],
        time_left: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Fault>>;

    /// The state of its circuit breakers.
    fn breakers(&self) -> [BreakerState; 2];

    /// Closes the connections. A later request opens them again.
    fn close(&self);
}
