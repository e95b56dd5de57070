//! `GET /dashboard`: what the cache brings and what is wrong, at a glance. Only at the addresses that clients cannot reach.
//!
//! ```text
//! metrics ─► totals ─┬─► history (a snapshot every ten seconds, for an hour)
//!                    └─► data (JSON) ─► the page, every few seconds
//! ```

mod history;

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use axum_core::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use model_package::EntryContent;
use parking_lot::Mutex;
use prediction_cache::{MemoryUsage, ParsedKey};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use self::history::{History, INTERVAL};
use super::{
    connections::Connections,
    prometheus::Metrics,
    totals::{OUTCOMES, Source, Totals},
};
use crate::{
    http::{Asset, DASHBOARD, ProblemKind},
    service::ThreadUse,
    settings::memory_limit,
};

/// The path of the page; below it are the files that it loads.
pub(super) const PAGE: &str = "/dashboard";
const DATA: &str = "/dashboard/data";

/// The number of inputs that are shown.
const INPUTS: usize = 10;

/// What the dashboard shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DashboardSettings {
    /// What a second of a gigabyte of memory costs.
    pub cost_per_gb_second: Option<f64>,
    /// Whether the commonest inputs are shown with their fields.
    pub show_inputs: bool,
}

pub(super) struct Dashboard {
    metrics: Arc<Metrics>,
    /// The API's connections, whose number is reported.
    connections: Arc<Connections>,
    settings: DashboardSettings,
    started: Instant,
    /// Names inputs by keyed digests, which cannot be looked up in a list of likely inputs.
    names: RandomState,
    history: Mutex<History>,
}

/// A file of the page, or its data.
pub(super) enum Part {
    File(&'static Asset),
    Data,
}

impl Dashboard {
    pub(super) fn new(metrics: Arc<Metrics>, connections: Arc<Connections>, settings: DashboardSettings) -> Self {
        let (started, names, history) = (Instant::now(), RandomState::new(), Mutex::new(History::new()));
        Self { metrics, connections, settings, started, names, history }
    }

    /// Adds to the history until dropped.
    pub(super) async fn record(&self) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // The first tick is immediate.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let totals = self.totals();
            self.history.lock().add(totals);
        }
    }

    /// `None` if the path is not the dashboard's.
    pub(super) fn part(&self, path: &str) -> Option<Part> {
        if path == DATA {
            return Some(Part::Data);
        }
        DASHBOARD.iter().find(|asset| asset.path == path).map(Part::File)
    }

    pub(super) fn answer(&self, part: Part, request: &HeaderMap) -> Response {
        match part {
            Part::File(asset) => asset.answer(request),
            Part::Data => {
                let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
                (headers, self.data().to_string()).into_response()
            }
        }
    }

    fn totals(&self) -> Totals {
        Totals::read(&self.metrics.text(self.connections.open()))
    }

    fn data(&self) -> Value {
        let now = self.totals();
        let (hour, minutes, time) = {
            let history = self.history.lock();
            let (hour, time) = history.last_hour(&now);
            (hour, history.minutes(&now), time)
        };
        let service = self.metrics.service();
        let model = service.model();
        let predictions =
            OUTCOMES.into_iter().zip(hour.predictions).map(|(name, count)| (name.to_owned(), count.into()));
        let latency = Source::ALL.into_iter().map(|source| {
            let latency = &hour.latency[source as usize];
            let ms = |share| latency.quantile(share).map(|seconds| seconds * 1e3);
            (source.name().to_owned(), json!({ "requests": latency.count(), "median_ms": ms(0.5), "p99_ms": ms(0.99) }))
        });
        let errors = ProblemKind::ALL.into_iter().zip(hour.errors).filter(|(_, count)| *count > 0.0);
        let errors = errors.map(|(kind, count)| json!({ "type": kind.slug(), "title": kind.title(), "count": count }));
        let memory = service.memory_usage().map(|MemoryUsage { entries, max_entries, bytes, max_bytes }| {
            json!({ "entries": entries, "max_entries": max_entries, "bytes": bytes, "max_bytes": max_bytes })
        });
        let breakers = self.metrics.open_breakers();
        let store = service
            .store_tier()
            .map(|tier| json!({ "name": tier.name(), "breakers_open": breakers, "failed_writes": hour.failed_writes }));
        let ThreadUse { running, waiting, refused } = service.thread_use();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "model": model.signature().name,
            "fingerprint": model.fingerprint(EntryContent::Answer),
            "time": SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            "uptime_seconds": self.started.elapsed().as_secs(),
            "window_seconds": time.as_secs(),
            "predictions": predictions.collect::<serde_json::Map<_, _>>(),
            "minutes": minutes,
            "latency": latency.collect::<serde_json::Map<_, _>>(),
            "saved": self.saved(&hour, &now),
            "memory": memory,
            "store": store,
            "runs": { "running": running, "waiting": waiting, "refused": refused },
            "log_lines_dropped": now.dropped_lines,
            "connections": self.connections.open(),
            "errors": errors.collect::<Vec<_>>(),
            "inputs": self.inputs(),
        })
    }

    /// What the cache has saved in `hour`: for each prediction without a run the mean time of a run, less the time of all lookups.
    fn saved(&self, hour: &Totals, now: &Totals) -> Value {
        if now.runs == 0.0 {
            return Value::Null;
        }
        let predictions: f64 = hour.predictions.iter().sum();
        let seconds = (predictions - hour.runs) * now.run_seconds / now.runs - hour.lookup_seconds;
        let gigabytes = memory_limit().map_or(1.0, |bytes| bytes as f64 / f64::from(1 << 30));
        let money = self.settings.cost_per_gb_second.map(|cost| cost * gigabytes * seconds);
        json!({ "seconds": seconds, "mean_run_ms": now.run_seconds / now.runs * 1e3, "money": money })
    }

    /// The commonest inputs, by a digest of their keys; their fields only if the settings say so.
    fn inputs(&self) -> Vec<Value> {
        let service = self.metrics.service();
        let commonest = service.commonest_inputs().map(|inputs| inputs.most_frequent(INPUTS)).unwrap_or_default();
        let show = |(key, count): (Box<str>, u64)| {
            let name = format!("{:016x}", self.names.hash_one(&key));
            let parsed = ParsedKey::parse(&key);
            let prediction = parsed.and_then(|key| key.prediction);
            let fields = parsed.filter(|_| self.settings.show_inputs);
            let fields = fields.and_then(|key| service.model().signature().decode(key.input));
            let fields = fields.map(|fields| {
                fields.into_iter().map(|field| json!({ "name": field.name, "value": field.text })).collect::<Vec<_>>()
            });
            json!({ "key": name, "prediction": prediction, "count": count, "fields": fields })
        };
        commonest.into_iter().map(show).collect()
    }
}
