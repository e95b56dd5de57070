//! Requests, a given share of which are for inputs requested before.

use test_support::random::Random;

pub(crate) struct Traffic {
    random: Random,
    /// The number of inputs that are requested repeatedly.
    popular: u64,
    hit_ratio: f64,
    /// The next input that has not been requested yet.
    next: u64,
}

impl Traffic {
    pub(crate) fn new(popular: u64, hit_ratio: f64) -> Self {
        Self { random: Random::new(7), popular, hit_ratio, next: popular }
    }

    /// Changes the share of popular inputs from the next request on.
    pub(crate) fn becomes(&mut self, hit_ratio: f64) {
        self.hit_ratio = hit_ratio;
    }
}

impl Iterator for Traffic {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.random.fraction() < self.hit_ratio {
            return Some(self.random.below(self.popular));
        }
        self.next += 1;
        Some(self.next)
    }
}
