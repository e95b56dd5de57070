//! The counters that the dashboard and `predict-once stats` show, as they are at one time.

use crate::{http::ProblemKind, server::prometheus::REQUEST_TIMES};

/// The values of the label `cache` of the predictions.
pub(super) const OUTCOMES: [&str; 6] = ["hit_memory", "hit_redis", "hit_dynamodb", "miss", "unavailable", "bypass"];

/// Read from the text of `/metrics`, so that both always agree.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Totals {
    /// Predictions by outcome, in the order of [`OUTCOMES`].
    pub(super) predictions: [f64; OUTCOMES.len()],
    /// Durations of requests for predictions.
    pub(super) latency: [Latency; Source::ALL.len()],
    /// Errors, in the order of [`ProblemKind::ALL`].
    pub(super) errors: [f64; ProblemKind::ALL.len()],
    /// Inputs for which the model ran, and the time that it took.
    pub(super) runs: f64,
    pub(super) run_seconds: f64,
    /// Lookups, and waits for another request's run.
    pub(super) lookup_seconds: f64,
    pub(super) failed_writes: f64,
    pub(super) dropped_lines: f64,
}

/// Where the predictions of a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Memory,
    Store,
    /// The model ran, for this request or for another that it joined.
    Model,
}

impl Source {
    pub(super) const ALL: [Self; 3] = [Self::Memory, Self::Store, Self::Model];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Store => "store",
            Self::Model => "model",
        }
    }

    /// `None` for an array some of whose predictions were in the cache.
    fn of_outcome(word: &str) -> Option<Self> {
        match word {
            "hit_memory" => Some(Self::Memory),
            "hit_redis" | "hit_dynamodb" => Some(Self::Store),
            "partial" => None,
            _ => Some(Self::Model),
        }
    }
}

/// A histogram: for each limit of [`REQUEST_TIMES`], and at last for all, the number of durations up to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Latency([f64; REQUEST_TIMES.len() + 1]);

impl Latency {
    pub(super) fn count(&self) -> f64 {
        self.0[REQUEST_TIMES.len()]
    }

    /// The duration in seconds below which this share of the durations is, interpolated as Prometheus does. `None` without any.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let rank = share * self.count();
        let bucket = self.0.iter().position(|up_to| *up_to >= rank && *up_to > 0.0)?;
        let below = |position: usize| position.checked_sub(1);
        let lower = below(bucket).map_or(0.0, |bucket| REQUEST_TIMES[bucket]);
        let Some(upper) = REQUEST_TIMES.get(bucket) else { return Some(lower) };
        let before = below(bucket).map_or(0.0, |bucket| self.0[bucket]);
        Some(lower + (upper - lower) * (rank - before) / (self.0[bucket] - before))
    }
}

impl Totals {
    /// Reads metrics in OpenMetrics, or in Prometheus' text format.
    pub(super) fn read(metrics: &str) -> Self {
        let mut totals = Self::default();
        samples(metrics).for_each(|Sample { name, labels, value }| totals.add(name, labels, value));
        totals
    }

    fn add(&mut self, name: &str, labels: &str, value: f64) {
        match name {
            "predictions_total" => {
                let outcome = OUTCOMES.iter().position(|outcome| label(labels, "cache") == Some(outcome));
                if let Some(outcome) = outcome {
                    self.predictions[outcome] += value;
                }
            }
            "prediction_duration_seconds_bucket" => {
                let source = label(labels, "cache").and_then(Source::of_outcome);
                let limit = label(labels, "le").and_then(|limit| match limit {
                    "+Inf" => Some(REQUEST_TIMES.len()),
                    limit => {
                        limit.parse::<f64>().ok().and_then(|limit| REQUEST_TIMES.iter().position(|time| *time == limit))
                    }
                });
                if let (Some(source), Some(limit)) = (source, limit) {
                    self.latency[source as usize].0[limit] += value;
                }
            }
            "errors_total" => {
                let kind = label(labels, "type");
                if let Some(kind) = ProblemKind::ALL.iter().position(|one| Some(one.slug()) == kind) {
                    self.errors[kind] += value;
                }
            }
            "model_run_duration_seconds_count" => self.runs = value,
            "model_run_duration_seconds_sum" => self.run_seconds = value,
            "cache_lookup_duration_seconds_sum" => self.lookup_seconds = value,
            "cache_writes_total" if label(labels, "result") == Some("failed") => self.failed_writes = value,
            "log_lines_dropped_total" => self.dropped_lines = value,
            _ => {}
        }
    }

    /// What has been counted since `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        fn less<const N: usize>(later: &[f64; N], earlier: &[f64; N]) -> [f64; N] {
            std::array::from_fn(|position| later[position] - earlier[position])
        }
        Self {
            predictions: less(&self.predictions, &earlier.predictions),
            latency: std::array::from_fn(|source| Latency(less(&self.latency[source].0, &earlier.latency[source].0))),
            errors: less(&self.errors, &earlier.errors),
            runs: self.runs - earlier.runs,
            run_seconds: self.run_seconds - earlier.run_seconds,
            lookup_seconds: self.lookup_seconds - earlier.lookup_seconds,
            failed_writes: self.failed_writes - earlier.failed_writes,
            dropped_lines: self.dropped_lines - earlier.dropped_lines,
        }
    }
}

/// A value of a metric.
pub(super) struct Sample<'a> {
    /// Without the prefix `predict_once_`.
    pub(super) name: &'a str,
    /// The text between the braces, and the last brace.
    pub(super) labels: &'a str,
    pub(super) value: f64,
}

/// The values in metrics in OpenMetrics, or in Prometheus' text format.
pub(super) fn samples(metrics: &str) -> impl Iterator<Item = Sample<'_>> {
    metrics.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let name = name.strip_prefix("predict_once_").unwrap_or(name);
        Some(Sample { name, labels, value: value.parse().ok()? })
    })
}

/// The value of a label. The values that are looked for contain no quotes.
pub(super) fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels.split(',').find_map(|label| {
        let value = label.strip_prefix(name)?.strip_prefix("=\"")?;
        value.trim_end_matches('}').strip_suffix('"')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_from_metrics() {
        let totals = Totals::read(
            "# TYPE predict_once_predictions counter\n\
             predict_once_predictions_total{endpoint=\"/decisions\",cache=\"hit_memory\"} 3\n\
             predict_once_predictions_total{endpoint=\"/probabilities\",cache=\"hit_memory\"} 4\n\
             predict_once_predictions_total{endpoint=\"/decisions\",cache=\"bypass\"} 1\n\
             predict_once_prediction_duration_seconds_bucket{le=\"0.0001\",cache=\"corrupt\"} 1\n\
             predict_once_prediction_duration_seconds_bucket{le=\"0.0001\",cache=\"miss\"} 2\n\
             predict_once_prediction_duration_seconds_bucket{le=\"0.0001\",cache=\"partial\"} 7\n\
             predict_once_prediction_duration_seconds_bucket{le=\"+Inf\",cache=\"miss\"} 5\n\
             predict_once_errors_total{type=\"invalid-fields\"} 6\n\
             predict_once_model_run_duration_seconds_sum 0.5\n\
             predict_once_model_run_duration_seconds_count 10\n\
             predict_once_cache_lookup_duration_seconds_sum 0.25\n\
             predict_once_cache_writes_total{result=\"failed\"} 8\n\
             predict_once_cache_writes_total{result=\"stored\"} 9\n\
             predict_once_log_lines_dropped_total 2\n# EOF\n",
        );
        assert_eq!(totals.predictions, [7.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        let [memory, _, model] = &totals.latency;
        assert_eq!((memory.count(), model.count(), model.0[1]), (0.0, 5.0, 3.0));
        assert_eq!(totals.errors.iter().sum::<f64>(), 6.0);
        assert_eq!((totals.runs, totals.run_seconds, totals.lookup_seconds), (10.0, 0.5, 0.25));
        assert_eq!((totals.failed_writes, totals.dropped_lines), (8.0, 2.0));
        assert_eq!(totals.since(&totals), Totals::default());
    }

    #[test]
    fn a_quantile_is_interpolated_within_its_bucket() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.5), None);
        // Ten up to 50 µs, and ten more up to 100 µs.
        latency.0 = std::array::from_fn(|bucket| if bucket == 0 { 10.0 } else { 20.0 });
        for (share, expected) in [(0.25, 2.5e-5), (0.5, 5e-5), (0.75, 7.5e-5), (1.0, 1e-4)] {
            let found = latency.quantile(share).expect("there are durations");
            assert!((found - expected).abs() < 1e-12, "{share}: {found}");
        }
        // All beyond the last limit, which is the most that is known.
        let mut slow = Latency::default();
        slow.0[REQUEST_TIMES.len()] = 1.0;
        assert_eq!(slow.quantile(0.5), Some(10.0));
    }
}
