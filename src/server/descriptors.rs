//! The process's limit of file descriptors, which bounds its connections.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for files, listeners and connections to one private address.
const RESERVED: usize = 32;
/// Descriptors for a worker's runtime and its connections to Redis, including those that are being replaced.
const RESERVED_PER_WORKER: usize = 16;
/// With fewer connections, a load balancer's own would wait for each other.
const FEWEST_CONNECTIONS: usize = 16;

/// Raises the limit of descriptors as far as needed, and returns how many of the connections fit beside `others`. Shells and service
/// managers often default to a soft limit of 1,024 descriptors (for `select(2)`); programs that can use more are expected to raise it.
///
/// # Errors
///
/// If the limit leaves less than one connection per worker, or fewer than 16 of the connections.
pub(super) fn allow(connections: usize, others: usize, workers: usize) -> io::Result<usize> {
    let reserved = RESERVED + others + RESERVED_PER_WORKER * workers;
    let needed = (connections + reserved) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(allowed) = current.filter(|current| *current < needed) else { return Ok(connections) };
    let raised = maximum.map_or(needed, |maximum| maximum.min(needed));
    let result = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum });
    let descriptors = if result.is_ok() { raised } else { allowed };
    let possible = usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(reserved).min(connections);
    let fewest = connections.min(FEWEST_CONNECTIONS.max(workers));
    if possible < fewest {
        return Err(io::Error::other(format!(
            "WORKERS: {workers} workers and {fewest} connections need {} open files, and the process may open only {descriptors}: \
             lower WORKERS, or raise the limit (ulimit -n)",
            reserved + fewest
        )));
    }
    if possible < connections {
        tracing::warn!(
            "MAX_CONNECTIONS is lowered to {possible}: the process may open only {descriptors} files (ulimit -n)"
        );
    }
    Ok(possible)
}
