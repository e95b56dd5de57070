//! Requests of which a given share were asked before.

use crate::support::random::Random;

/// So many inputs are popular.
const POPULAR: u64 = 50;

pub(crate) struct Traffic {
    random: Random,
    hit_ratio: f64,
    /// The next input that nobody has asked for.
    next: u64,
}

impl Traffic {
    pub(crate) fn new(hit_ratio: f64) -> Self {
        Self { random: Random::new(7), hit_ratio, next: POPULAR }
    }

    /// From the next request on, another share is for popular inputs.
    pub(crate) fn becomes(&mut self, hit_ratio: f64) {
        self.hit_ratio = hit_ratio;
    }
}

impl Iterator for Traffic {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.random.fraction() < self.hit_ratio {
            return Some(self.random.below(POPULAR));
        }
        self.next += 1;
        Some(self.next)
    }
}
