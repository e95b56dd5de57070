//! How long the model has run on a thread, which does nothing else meanwhile.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::costs::Took;

/// In nanoseconds: enough for centuries.
#[derive(Debug, Default)]
pub(in crate::service) struct RunTime(AtomicU64);

/// A piece of time that is being measured.
pub(in crate::service) struct Watch {
    start: Instant,
    run_time: Duration,
}

impl RunTime {
    pub(in crate::service) fn add(&self, run: Duration) {
        self.0.fetch_add(run.as_nanos().try_into().unwrap_or(u64::MAX), Relaxed);
    }

    fn so_far(&self) -> Duration {
        Duration::from_nanos(self.0.load(Relaxed))
    }

    pub(in crate::service) fn watch(&self) -> Watch {
        Watch { start: Instant::now(), run_time: self.so_far() }
    }

    /// What has passed since `watch` began.
    pub(in crate::service) fn since(&self, watch: &Watch) -> Took {
        Took { time: watch.start.elapsed(), runs: self.so_far().saturating_sub(watch.run_time) }
    }
}
