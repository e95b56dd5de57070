//! The extent of the measurement: the whole grid (`make bench-strategy`), or its corners (`STRATEGY=short`).

use std::{env, time::Duration};

pub(crate) struct Plan {
    /// Whether to judge only the decisions, because times of a few hundred requests are too noisy.
    pub(crate) short: bool,
    /// The run times of the models.
    pub(crate) run_times: Vec<Duration>,
    /// The added latencies of Redis.
    pub(crate) distances: Vec<Duration>,
    /// The shares of the requests for inputs that were requested before.
    pub(crate) hit_ratios: Vec<f64>,
}

/// The number of requests before `auto` is judged.
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

    /// The number of requests measured with a model of this run time: more for faster models, whose times vary more.
    pub(crate) fn requests(&self, run_time: Duration) -> usize {
        match run_time.as_millis() {
            _ if self.short => 200,
            0 => 4_000,
            1..10 => 2_000,
            _ => 800,
        }
    }

    /// The number of requests before the first change and after each change.
    pub(crate) fn settled(&self) -> usize {
        if self.short { 500 } else { 2_000 }
    }

    /// The maximum number of requests for `auto` to adapt to a change.
    pub(crate) fn patience(&self) -> usize {
        if self.short { 1_000 } else { 10_000 }
    }

    /// The position of the model for measuring changes, which is slower than a nearby Redis.
    pub(crate) fn changing_model(&self) -> usize {
        self.run_times.iter().position(|time| *time == Duration::from_millis(3)).expect("it is in both plans")
    }
}
