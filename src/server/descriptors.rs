//! How many connections the system lets the process open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What else is open: files and listeners, and for each worker its runtime and its connections to Redis, some of them being replaced.
const OTHERS: usize = 32;
const OTHERS_OF_A_WORKER: usize = 16;

/// How many of these connections are possible. Shells and service managers often set 1,024 descriptors or fewer, for programs that
/// cannot do with more, and leave it to the others to raise that.
pub(super) fn allow(connections: usize, workers: usize) -> usize {
    let others = OTHERS + OTHERS_OF_A_WORKER * workers;
    let wanted = (connections + others) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(allowed) = current.filter(|current| *current < wanted) else { return connections };
    let raised = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raising = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum });
    let descriptors = if raising.is_ok() { raised } else { allowed };
    let possible = usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(others).clamp(1, connections);
    if possible < connections {
        tracing::warn!(
            "MAX_CONNECTIONS is lowered to {possible}: the process may open only {descriptors} files (ulimit -n)"
        );
    }
    possible
}
