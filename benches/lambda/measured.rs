//! The measurements of a function.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

/// The reported percentiles: those that wrk prints for the local server.
const PERCENTILES: [f64; 20] = [
    1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 85.0, 90.0, 93.0, 95.0, 97.0, 98.0, 99.0, 99.5, 99.7, 99.8,
    99.9,
];

/// The measurements of a fresh process.
#[derive(Debug)]
pub(crate) struct Fresh {
    /// The time from its spawn to its first request for an event.
    pub(crate) start: Duration,
    /// The time from an event to the response, for the first event and for a later one.
    pub(crate) first_request: Duration,
    pub(crate) warm_request: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// Of the current round.
    pub(crate) fresh: Vec<Fresh>,
    /// Medians of the rounds, by measurement.
    rounds: BTreeMap<&'static str, Vec<f64>>,
    /// The first and the second invocations with each input, of all rounds.
    misses: Vec<Duration>,
    hits: Vec<Duration>,
}

impl Measured {
    pub(crate) fn end_round(&mut self, mut misses: Vec<Duration>, mut hits: Vec<Duration>, peak_mib: f64) {
        let fresh = std::mem::take(&mut self.fresh);
        let of_fresh = |time: fn(&Fresh) -> Duration| median(&mut fresh.iter().map(time).collect::<Vec<_>>());
        for (what, figure) in [
            ("start", microseconds(of_fresh(|each| each.start))),
            ("first_request", microseconds(of_fresh(|each| each.first_request))),
            ("warm_request", microseconds(of_fresh(|each| each.warm_request))),
            ("miss", microseconds(median(&mut misses))),
            ("hit", microseconds(median(&mut hits))),
            ("peak_mib", peak_mib),
        ] {
            self.rounds.entry(what).or_default().push(figure);
        }
        self.misses.append(&mut misses);
        self.hits.append(&mut hits);
    }

    /// The results as JSON. Times are in microseconds.
    pub(crate) fn summary(self) -> Value {
        let percentiles = json!({ "miss": percentiles(self.misses), "hit": percentiles(self.hits) });
        json!({ "rounds": self.rounds, "percentiles": percentiles })
    }
}

pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn percentiles(mut times: Vec<Duration>) -> Vec<(f64, f64)> {
    times.sort_unstable();
    let at = |percentile: f64| times[(times.len() as f64 * percentile / 100.0) as usize];
    PERCENTILES.map(|percentile| (percentile, microseconds(at(percentile)))).to_vec()
}

/// Rounds to a tenth.
fn microseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e7).round() / 10.0
}
