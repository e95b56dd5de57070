//! The interface of a store: a cache outside this process, shared by all processes of the service.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{CacheKey, Fault, Tier};

/// The result of a lookup.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// An entry, and the tier that held it.
    Hit(Bytes, Tier),
    Miss,
    /// The key holds a value that is not its entry: without a [digest](crate::Signer), or with another.
    Corrupt,
    /// The key holds another type of value, which another program has stored.
    Foreign,
    /// The cache did not answer in time, or answered with an error.
    Unavailable(Fault),
}

/// A circuit breaker, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerState {
    /// `lookups` or `writes`.
    pub commands: &'static str,
    /// Whether only probes, one per second, go to the store.
    pub is_open: bool,
}

/// A cache outside this process. Each worker has its own, on its own thread.
///
/// A store enforces its deadlines, has circuit breakers and logs its faults: the caller always gets one [`Lookup`] per key.
pub trait Store: Send + Sync {
    /// The same store for another worker, with its own connections.
    fn for_another_worker(&self) -> Box<dyn Store>;

    /// Connects ahead of the first lookup. Waits at most as long as a lookup may take.
    fn open(&self) -> BoxFuture<'_, ()>;

    /// Looks up entries within the deadline of one lookup, one result per key.
    fn lookup<'a>(&'a self, keys: &'a [&'a CacheKey]) -> BoxFuture<'a, Vec<Lookup>>;

    /// Stores entries within the deadline of a write and `time_left`.
    fn store<'a>(
        &'a self,
        entries: &'a [(&'a CacheKey, Bytes)],
        time_left: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Fault>>;

    /// Called after a lookup that found the value of another key. If a reply was lost, all later ones on that connection belong to other
    /// commands, so the store drops it: at most once per second, because entries written with another secret look the same.
    fn distrust(&self);

    /// Which store it is.
    fn tier(&self) -> Tier;

    fn breakers(&self) -> [BreakerState; 2];

    /// Closes the connections. A later request opens them again.
    fn close(&self);
}
