//! How long the model has run on a thread, which does nothing else meanwhile.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::costs::Took;

/// In nanoseconds: enough for centuries.
#[derive(Debug, Default)]
pub(super) struct RunTime(AtomicU64);

/// A piece of time that is being measured.
pub(super) struct Watch {
    start: Instant,
    run_time: Duration,
}

impl RunTime {
    pub(super) fn add(&self, run: Duration) {
        self.0.fetch_add(run.as_nanos().try_into().unwrap_or(u64::MAX), Relaxed);
    }

    fn so_far(&self) -> Duration {
        Duration::from_nanos(self.0.load(Relaxed))
    }

    pub(super) fn watch(&self) -> Watch {
        Watch { start: Instant::now(), run_time: self.so_far() }
    }

    /// What has passed since `watch` began.
    pub(super) fn since(&self, watch: &Watch) -> Took {
        Took { time: watch.start.elapsed(), runs: self.so_far().saturating_sub(watch.run_time) }
    }
}
