//! The process's limit of file descriptors, which bounds its connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for files and listeners.
const RESERVED: usize = 32;
/// Descriptors for a worker's runtime and its connections to Redis, including those that are being replaced.
const RESERVED_PER_WORKER: usize = 16;

/// Raises the limit of descriptors as far as needed, and returns how many of the connections fit. Shells and service managers often
/// default to a soft limit of 1,024 descriptors (for `select(2)`); programs that can use more are expected to raise it.
pub(super) fn allow(connections: usize, workers: usize) -> usize {
    let reserved = RESERVED + RESERVED_PER_WORKER * workers;
    let needed = (connections + reserved) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(allowed) = current.filter(|current| *current < needed) else { return connections };
    let raised = maximum.map_or(needed, |maximum| maximum.min(needed));
    let result = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum });
    let descriptors = if result.is_ok() { raised } else { allowed };
    let possible = usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(reserved).clamp(1, connections);
    if possible < connections {
        tracing::warn!(
            "MAX_CONNECTIONS is lowered to {possible}: the process may open only {descriptors} files (ulimit -n)"
        );
    }
    possible
}
