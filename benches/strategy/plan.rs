//! How much is measured: the whole grid (`make bench-strategy`), or its corners (`STRATEGY=short`).

use std::{env, time::Duration};

pub(crate) struct Plan {
    /// Whether only the decisions are judged: figures of a few hundred requests are chance.
    pub(crate) short: bool,
    /// How long a run of each model takes.
    pub(crate) run_times: Vec<Duration>,
    /// How much farther away Redis is than on this machine.
    pub(crate) distances: Vec<Duration>,
    /// The shares of the requests that are for inputs that were asked for before.
    pub(crate) hit_ratios: Vec<f64>,
}

/// So many requests may pass before `auto` is judged.
pub(crate) const WARM_UP: usize = 200;

impl Plan {
    pub(crate) fn from_environment() -> Result<Self, String> {
        let [fast, quick, slow, slowest] = [5, 300, 3_000, 30_000].map(Duration::from_micros);
        let [here, near, far, farthest] = [0, 300, 1_000, 5_000].map(Duration::from_micros);
        match env::var("STRATEGY").unwrap_or_default().as_str() {
            "" | "full" => Ok(Self {
                short: false,
                run_times: vec![fast, quick, slow, slowest],
                distances: vec![here, near, far, farthest],
                hit_ratios: vec![0.8, 0.995],
            }),
            "short" => {
                let (run_times, distances) = (vec![fast, slow], vec![here, farthest]);
                Ok(Self { short: true, run_times, distances, hit_ratios: vec![0.8] })
            }
            other => Err(format!("STRATEGY must be full or short, not {other:?}")),
        }
    }

    /// How many requests are measured with a model of this run time: more of the faster ones, whose times vary more.
    pub(crate) fn requests(&self, run_time: Duration) -> usize {
        match run_time.as_millis() {
            _ if self.short => 200,
            0 => 4_000,
            1..10 => 2_000,
            _ => 800,
        }
    }

    /// How many requests pass before the first change, and after each.
    pub(crate) fn settled(&self) -> usize {
        if self.short { 500 } else { 2_000 }
    }

    /// After how many requests nobody waits any more for `auto` to follow a change.
    pub(crate) fn patience(&self) -> usize {
        if self.short { 1_000 } else { 10_000 }
    }

    /// The position of the model with which changes are measured: it is slower than a Redis nearby.
    pub(crate) fn changing_model(&self) -> usize {
        self.run_times.iter().position(|time| *time == Duration::from_millis(3)).expect("it is in both plans")
    }
}
