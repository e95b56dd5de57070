//! What a running process tells of itself at `/metrics`, for `predict-once stats`.

use std::{collections::BTreeMap, time::SystemTime};

use serde::Serialize;

use super::totals::{OUTCOMES, Sample, Source, Totals, label, samples};
use crate::http::ProblemKind;

/// The counters since the start of a process, and its state.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stats {
    pub version: String,
    pub model: String,
    pub fingerprint: String,
    /// The time since the start of the process, in seconds. 0 if the metrics do not have it.
    pub uptime_seconds: u64,
    /// By endpoint.
    pub predictions: BTreeMap<String, Predictions>,
    /// Durations of requests for predictions, by the source of their answers: `memory`, `store` or `model`.
    pub latency: BTreeMap<&'static str, Latency>,
    /// Lookups in the cache, and waits for another request's run.
    pub lookups: Times,
    /// Model runs, one per input.
    pub runs: Times,
    /// Cache writes after the response.
    pub writes: Times,
    pub failed_writes: u64,
    /// Requests that were answered with an error, by its type. Types without any are left out.
    pub errors: BTreeMap<&'static str, u64>,
    /// The cache in memory.
    pub memory_entries: u64,
    /// The memory of its entries, estimated.
    pub memory_bytes: u64,
    /// Whether the circuit breaker of `lookups` and `writes` is open: a worker then tries the store once per second. Empty without a store.
    pub breakers_open: BTreeMap<String, bool>,
    pub connections: u64,
    pub runs_in_progress: u64,
    pub runs_waiting: u64,
    /// Requests refused because too many waited for the model.
    pub refused: u64,
    pub log_lines_dropped: u64,
}

/// Predictions by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Predictions {
    pub hit_memory: u64,
    pub hit_redis: u64,
    pub hit_dynamodb: u64,
    /// Not in the cache.
    pub miss: u64,
    /// The cache did not answer.
    pub unavailable: u64,
    /// Not looked up.
    pub bypass: u64,
}

/// Durations, interpolated within the buckets of the metrics. `None` without any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    pub requests: u64,
    pub median_ms: Option<f64>,
    pub p99_ms: Option<f64>,
}

/// How often something happened, and its mean duration. `None` if it never did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Times {
    pub count: u64,
    pub mean_ms: Option<f64>,
}

impl Stats {
    /// Reads the metrics of a process at the time `now`. `None` if they are not those of this service.
    pub fn read(metrics: &str, now: SystemTime) -> Option<Self> {
        let totals = Totals::read(metrics);
        let mut stats = Self {
            latency: Source::ALL.into_iter().map(|source| (source.name(), Latency::of(&totals, source))).collect(),
            lookups: Times::of(metrics, "cache_lookup_duration_seconds"),
            runs: Times::of(metrics, "model_run_duration_seconds"),
            writes: Times::of(metrics, "cache_write_duration_seconds"),
            failed_writes: totals.failed_writes as u64,
            errors: ProblemKind::ALL
                .into_iter()
                .zip(totals.errors)
                .filter(|(_, count)| *count > 0.0)
                .map(|(kind, count)| (kind.slug(), count as u64))
                .collect(),
            log_lines_dropped: totals.dropped_lines as u64,
            ..Self::default()
        };
        samples(metrics).for_each(|sample| stats.add(sample, now));
        (!stats.fingerprint.is_empty()).then_some(stats)
    }

    /// The predictions of all endpoints together.
    pub fn all_predictions(&self) -> Predictions {
        self.predictions.values().fold(Predictions::default(), |sum, one| Predictions {
            hit_memory: sum.hit_memory + one.hit_memory,
            hit_redis: sum.hit_redis + one.hit_redis,
            hit_dynamodb: sum.hit_dynamodb + one.hit_dynamodb,
            miss: sum.miss + one.miss,
            unavailable: sum.unavailable + one.unavailable,
            bypass: sum.bypass + one.bypass,
        })
    }

    fn add(&mut self, Sample { name, labels, value }: Sample<'_>, now: SystemTime) {
        let text = |name| label(labels, name).unwrap_or_default().to_owned();
        match name {
            "build_info" => {
                (self.version, self.model, self.fingerprint) = (text("version"), text("model"), text("fingerprint"))
            }
            "process_start_time_seconds" => {
                let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
                self.uptime_seconds = (now - value).max(0.0) as u64;
            }
            "predictions_total" => {
                let outcome = OUTCOMES.into_iter().find(|outcome| label(labels, "cache") == Some(outcome));
                if let Some(outcome) = outcome {
                    *self.predictions.entry(text("endpoint")).or_default().outcome(outcome) += value as u64;
                }
            }
            "cache_breaker_open" => drop(self.breakers_open.insert(text("commands"), value > 0.0)),
            "memory_cache_entries" => self.memory_entries = value as u64,
            "memory_cache_size_bytes" => self.memory_bytes = value as u64,
            "http_connections" => self.connections = value as u64,
            "model_runs_in_progress" => self.runs_in_progress = value as u64,
            "model_runs_waiting" => self.runs_waiting = value as u64,
            "model_requests_refused_total" => self.refused = value as u64,
            _ => {}
        }
    }
}

impl Predictions {
    /// All of them.
    pub fn count(&self) -> u64 {
        self.hits() + self.miss + self.unavailable + self.bypass
    }

    /// Those that the cache answered.
    pub fn hits(&self) -> u64 {
        self.hit_memory + self.hit_redis + self.hit_dynamodb
    }

    /// One of [`OUTCOMES`].
    fn outcome(&mut self, name: &str) -> &mut u64 {
        match name {
            "hit_memory" => &mut self.hit_memory,
            "hit_redis" => &mut self.hit_redis,
            "hit_dynamodb" => &mut self.hit_dynamodb,
            "miss" => &mut self.miss,
            "unavailable" => &mut self.unavailable,
            _ => &mut self.bypass,
        }
    }
}

impl Latency {
    fn of(totals: &Totals, source: Source) -> Self {
        let latency = &totals.latency[source as usize];
        let ms = |share| latency.quantile(share).map(|seconds| seconds * 1e3);
        Self { requests: latency.count() as u64, median_ms: ms(0.5), p99_ms: ms(0.99) }
    }
}

impl Times {
    /// From the histogram of this name.
    fn of(metrics: &str, name: &str) -> Self {
        let value = |suffix: &str| {
            samples(metrics)
                .find(|sample| sample.name.strip_prefix(name) == Some(suffix))
                .map_or(0.0, |sample| sample.value)
        };
        let (count, seconds) = (value("_count"), value("_sum"));
        Self { count: count as u64, mean_ms: (count > 0.0).then(|| seconds / count * 1e3) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn metrics_of_another_program_are_not_taken_for_this_service() {
        assert_eq!(Stats::read("# TYPE up gauge\nup 1\n", SystemTime::UNIX_EPOCH), None);
        assert_eq!(Stats::read("<html>not metrics</html>", SystemTime::UNIX_EPOCH), None);
    }

    #[test]
    fn counters_and_state_are_read_from_metrics() {
        let stats = Stats::read(
            "process_start_time_seconds 40.0\n\
             predict_once_build_info{version=\"0.1.0\",model=\"credit_risk\",fingerprint=\"745e951ab9a25fa9\"} 1\n\
             predict_once_predictions_total{endpoint=\"/decisions\",cache=\"hit_memory\"} 3\n\
             predict_once_predictions_total{endpoint=\"/decisions\",cache=\"miss\"} 2\n\
             predict_once_predictions_total{endpoint=\"/probabilities\",cache=\"hit_redis\"} 5\n\
             predict_once_cache_lookup_duration_seconds_sum 0.004\n\
             predict_once_cache_lookup_duration_seconds_count 8\n\
             predict_once_cache_breaker_open{commands=\"lookups\"} 1\n\
             predict_once_cache_breaker_open{commands=\"writes\"} 0\n\
             predict_once_memory_cache_entries 7\n\
             predict_once_memory_cache_size_bytes 1792\n# EOF\n",
            SystemTime::UNIX_EPOCH + Duration::from_secs(100),
        );
        let stats = stats.expect("this service's");
        assert_eq!((&*stats.model, &*stats.fingerprint, stats.uptime_seconds), ("credit_risk", "745e951ab9a25fa9", 60));
        assert_eq!(stats.predictions["/decisions"], Predictions { hit_memory: 3, miss: 2, ..Predictions::default() });
        let all = stats.all_predictions();
        assert_eq!((all.count(), all.hits(), all.hit_redis), (10, 8, 5));
        assert_eq!(stats.lookups, Times { count: 8, mean_ms: Some(0.5) });
        assert_eq!(stats.runs, Times::default());
        assert_eq!(stats.breakers_open, [("lookups".to_owned(), true), ("writes".to_owned(), false)].into());
        assert_eq!((stats.memory_entries, stats.memory_bytes), (7, 1792));
    }
}
