//! The counters of the last hour: a snapshot every ten seconds, about 200 KB in all.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use crate::server::totals::{OUTCOMES, Totals};

/// The time between two snapshots.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);

const PER_MINUTE: u64 = 6;

/// An hour has one more snapshot than intervals.
const KEPT: usize = 361;

pub(super) struct History {
    /// The number of the first snapshot that is kept.
    first: u64,
    snapshots: VecDeque<(Instant, Totals)>,
}

/// Predictions of one minute by outcome, in the order of [`OUTCOMES`].
pub(super) type Minute = [f64; OUTCOMES.len()];

impl History {
    /// Starts with counters that are 0.
    pub(super) fn new() -> Self {
        Self { first: 0, snapshots: [(Instant::now(), Totals::default())].into() }
    }

    /// Adds a snapshot, and drops one that is more than an hour old.
    pub(super) fn add(&mut self, totals: Totals) {
        if self.snapshots.len() == KEPT {
            self.snapshots.pop_front();
            self.first += 1;
        }
        self.snapshots.push_back((Instant::now(), totals));
    }

    /// What has been counted in the last hour, or since the start, and how long that is.
    pub(super) fn last_hour(&self, now: &Totals) -> (Totals, Duration) {
        match self.snapshots.front() {
            Some((start, totals)) => (now.since(totals), start.elapsed()),
            None => (now.clone(), Duration::ZERO),
        }
    }

    /// The predictions of each minute of the last hour, of which the last one is not over.
    pub(super) fn minutes(&self, now: &Totals) -> Vec<Minute> {
        let later = self.snapshots.iter().skip(1).map(|(_, totals)| totals).chain([now]);
        let mut minutes: BTreeMap<u64, Minute> = BTreeMap::new();
        for ((number, (_, earlier)), later) in (self.first..).zip(&self.snapshots).zip(later) {
            let minute = minutes.entry(number / PER_MINUTE).or_default();
            let added = later.since(earlier).predictions;
            minute.iter_mut().zip(added).for_each(|(sum, added)| *sum += added);
        }
        minutes.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(misses: f64) -> Totals {
        Totals { predictions: [0.0, 0.0, 0.0, misses, 0.0, 0.0], ..Totals::default() }
    }

    fn misses(history: &History, now: f64) -> Vec<f64> {
        history.minutes(&totals(now)).into_iter().map(|minute| minute[3]).collect()
    }

    #[test]
    fn predictions_are_added_up_by_minute() {
        let mut history = History::new();
        assert_eq!(misses(&history, 3.0), [3.0]);
        for n in 1..=7 {
            history.add(totals(f64::from(n)));
        }
        // Six intervals with one each, then one, and what came after the last snapshot.
        assert_eq!(misses(&history, 9.0), [6.0, 3.0]);
        assert_eq!(history.last_hour(&totals(9.0)).0, totals(9.0));
    }

    #[test]
    fn only_an_hour_is_kept() {
        let mut history = History::new();
        for n in 1..=1_000 {
            history.add(totals(f64::from(n)));
        }
        assert_eq!(history.snapshots.len(), KEPT);
        assert_eq!(history.last_hour(&totals(1_000.0)).0, totals(360.0));
        let minutes = misses(&history, 1_000.0);
        assert!(
            (60..=61).contains(&minutes.len()) && minutes[1..59].iter().all(|minute| *minute == 6.0),
            "{minutes:?}"
        );
        assert_eq!(minutes.iter().sum::<f64>(), 360.0);
    }
}
