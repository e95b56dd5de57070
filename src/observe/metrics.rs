//! A request's metrics in CloudWatch's embedded metric format, as members of its log line.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{milliseconds, outcome::Series};
use crate::service::Served;

/// Serialises as the directive that tells CloudWatch which members are metrics, followed by these members.
pub(super) struct EmbeddedMetrics<'a> {
    namespace: &'a str,
    metrics: Vec<Metric>,
}

struct Metric {
    name: &'static str,
    value: MetricValue,
}

#[derive(Serialize)]
#[serde(untagged)]
enum MetricValue {
    Count(usize),
    Milliseconds(f64),
}

impl<'a> EmbeddedMetrics<'a> {
    /// The metrics of a prediction, if the request was for one, of a fault of the service, and the number of log lines dropped since the
    /// last one; `None` without any. The request's write must have ended.
    pub(super) fn new(namespace: &'a str, served: Option<&Served>, is_fault: bool, dropped: u64) -> Option<Self> {
        let mut metrics = served.map(Self::of_prediction).unwrap_or_default();
        if is_fault {
            metrics.push(Metric { name: "ServerFault", value: MetricValue::Count(1) });
        }
        if dropped > 0 {
            metrics.push(Metric { name: "LogLinesDropped", value: MetricValue::Count(dropped as usize) });
        }
        (!metrics.is_empty()).then_some(Self { namespace, metrics })
    }

    /// One event that is not supported.
    pub(super) fn of_unsupported_event(namespace: &'a str) -> Self {
        Self { namespace, metrics: vec![Metric { name: "UnsupportedEvent", value: MetricValue::Count(1) }] }
    }

    fn of_prediction(served: &Served) -> Vec<Metric> {
        let mut metrics: Vec<Metric> = Vec::with_capacity(6);
        for Series { metric: name, predictions, .. } in
            served.tally.series().into_iter().filter(|one| one.predictions > 0)
        {
            match metrics.iter_mut().find(|metric| metric.name == name) {
                Some(Metric { value: MetricValue::Count(count), .. }) => *count += predictions,
                _ => metrics.push(Metric { name, value: MetricValue::Count(predictions) }),
            }
        }
        let write = served.write.as_ref().and_then(|write| write.get());
        // Per input, so that it means the same for one input and for many.
        let model_ms = served.model_time.map(|time| milliseconds(time) / served.runs.max(1) as f64);
        let times = [
            ("CacheReadTime", served.cache_time.map(milliseconds)),
            ("ModelTime", model_ms),
            ("CacheWriteTime", write.map(|write| milliseconds(write.time))),
        ];
        metrics.extend(
            times.into_iter().filter_map(|(name, ms)| Some(Metric { name, value: MetricValue::Milliseconds(ms?) })),
        );
        metrics.extend(write.map(|write| {
            let failed = MetricValue::Count(usize::from(!write.stored));
            Metric { name: "CacheWriteFailed", value: failed }
        }));
        metrics
    }
}

impl Serialize for EmbeddedMetrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Directive<'a> {
            timestamp: u64,
            cloud_watch_metrics: [Set<'a>; 1],
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Set<'a> {
            namespace: &'a str,
            dimensions: [[&'a str; 1]; 1],
            metrics: Vec<Definition>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Definition {
            name: &'static str,
            unit: &'static str,
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let metrics =
            self.metrics.iter().map(|Metric { name, value }| Definition { name, unit: value.unit() }).collect();
        let set = Set { namespace: self.namespace, dimensions: [["service"]], metrics };
        let mut members = serializer.serialize_map(None)?;
        let directive = Directive { timestamp: now.as_millis() as u64, cloud_watch_metrics: [set] };
        members.serialize_entry("_aws", &directive)?;
        for Metric { name, value } in &self.metrics {
            members.serialize_entry(name, value)?;
        }
        members.end()
    }
}

impl MetricValue {
    /// The unit's name in CloudWatch.
    fn unit(&self) -> &'static str {
        match self {
            Self::Count(_) => "Count",
            Self::Milliseconds(_) => "Milliseconds",
        }
    }
}
