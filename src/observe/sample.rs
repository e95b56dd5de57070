//! `LOG_SAMPLE`: the hits whose lines are written.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Takes a share of the hits, evenly: the first, and then every tenth with a share of 0.1.
#[derive(Debug)]
pub struct LogSample {
    /// From 0 to 1.
    share: f64,
    hits: AtomicU64,
}

impl LogSample {
    /// A sample of this share, from 0 to 1.
    pub const fn of(share: f64) -> Self {
        Self { share, hits: AtomicU64::new(0) }
    }

    /// Counts a hit. Returns whether its line is written.
    pub(super) fn takes_next(&self) -> bool {
        let before = self.hits.fetch_add(1, Relaxed) as f64;
        (before * self.share).ceil() < ((before + 1.0) * self.share).ceil()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_takes_its_share_of_the_hits_evenly() {
        let taken = |share| {
            let sample = LogSample::of(share);
            (0..1000).filter(|_| sample.takes_next()).collect::<Vec<_>>()
        };
        assert_eq!(taken(0.25)[..3], [0, 4, 8]);
        for (share, count) in [(0.0, 0), (0.001, 1), (0.1, 100), (0.25, 250), (0.9, 900), (1.0, 1000)] {
            assert_eq!(taken(share).len(), count, "{share}");
        }
    }
}
