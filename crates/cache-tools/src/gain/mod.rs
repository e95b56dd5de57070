//! `predict-once gain`: what a cache would bring for a model, before anybody deploys one.
//!
//! ```text
//! rows ─► distinct inputs ─┬─► runs of the model ──────────┐
//!                          └─► replay in memory caches ────┼─► report, break-even plot
//! lookups in memory, and in Redis if REDIS_URL is set ─────┘
//! ```
//!
//! It reads only: nothing is stored in Redis.

mod options;
mod replay;
mod report;

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use model_package::{Draw, EntryContent, Input};
use prediction_cache::{
    CacheKey, KeySpace, Lookup, Store,
    redis::{RedisConfig, RedisStore},
};

pub use self::options::{GainOptions, HELP};
use self::{
    replay::Requests,
    report::{GainReport, LookupTimes, RedisLookup, Saving},
};
use super::{Model, ToolError, ToolOutput, break_even, render};

/// A lookup in Redis within one zone, in milliseconds, where none is measured.
const ASSUMED_LOOKUP_MS: f64 = 0.3;

/// The most runs that are measured, and how long they may take.
const RUNS: usize = 200;
const RUNNING: Duration = Duration::from_secs(2);

/// The lookups in Redis that are measured.
const LOOKUPS: usize = 100;

/// The service whose gain is estimated.
pub struct Service {
    pub model: Arc<dyn Model>,
    /// Where lookups are measured.
    pub redis: Option<RedisConfig>,
    pub keys: KeySpace,
    pub content: EntryContent,
    /// What a second of a gigabyte of memory costs.
    pub cost_per_gb_second: Option<f64>,
    /// The memory that the process may use.
    pub gigabytes: f64,
}

/// # Errors
///
/// If the file of requests cannot be read, or the plot cannot be written.
pub async fn run(service: Service, options: GainOptions) -> Result<ToolOutput, ToolError> {
    let requests = match &options.requests {
        Some(file) => Some(Requests::read(file, &service).await?),
        None => None,
    };
    let drawn: Vec<_> = (0..RUNS as u64).map(|seed| service.model.signature().draw(Draw::Usual(seed))).collect();
    let inputs = requests.as_ref().map(Requests::inputs).filter(|inputs| !inputs.is_empty()).unwrap_or(&drawn);
    let run_ms = median_run(&*service.model, inputs);
    let memory_ms = replay::lookup_time(&service, inputs).as_secs_f64() * 1e3;
    let redis = match (options.lookup_ms, &service.redis) {
        (Some(ms), _) => RedisLookup { ms, basis: "as given".to_owned() },
        (None, Some(config)) => measure_redis(&service, config, &inputs[0]).await?,
        (None, None) => RedisLookup {
            ms: ASSUMED_LOOKUP_MS,
            basis: "assumed, within one zone; REDIS_URL measures it, --lookup-ms sets it".to_owned(),
        },
    };
    let lookups = LookupTimes { memory_ms, redis };
    let saving = |hit_ratio: f64, lookup_ms: f64| {
        Saving::new(hit_ratio * run_ms - lookup_ms, options.per_month, service.cost_per_gb_second, service.gigabytes)
    };
    let requests = requests.map(|requests| requests.replayed(&service, &lookups, saving));
    let report = GainReport::new(&service, run_ms, lookups, requests, options.per_month);
    if let Some(path) = &options.svg {
        let written = fs::write(path, report.plot());
        written.map_err(|error| ToolError::File { file: path.clone(), problem: error.to_string() })?;
    }
    Ok(ToolOutput { text: render(&report, options.json), status: 0 })
}

/// The median of the time of runs on these inputs, in milliseconds. A failed run takes its time, too.
fn median_run(model: &dyn Model, inputs: &[Input]) -> f64 {
    let start = Instant::now();
    let mut times: Vec<Duration> = Vec::new();
    for input in inputs.iter().cycle().take(RUNS) {
        let run = Instant::now();
        let _ = model.run(input);
        times.push(run.elapsed());
        if start.elapsed() > RUNNING {
            break;
        }
    }
    median_ms(times)
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

/// Looks up an entry in Redis many times.
async fn measure_redis(service: &Service, config: &RedisConfig, input: &Input) -> Result<RedisLookup, ToolError> {
    let address = config.connection.addr().to_string();
    let unreachable = |fault| ToolError::Unreachable { address: address.clone(), fault };
    let store = RedisStore::new(config.clone()).map_err(unreachable)?;
    store.open().await;
    let key = service.key(input);
    let mut times = Vec::new();
    for _ in 0..LOOKUPS {
        let start = Instant::now();
        let found = store.lookup(&[&key]).await;
        times.push(start.elapsed());
        if let Some(Lookup::Unavailable(fault)) = found.into_iter().next() {
            return Err(unreachable(fault));
        }
    }
    store.close();
    Ok(RedisLookup { ms: median_ms(times), basis: format!("measured at {address}") })
}

impl Service {
    /// The key of the model's first prediction.
    fn key(&self, input: &Input) -> CacheKey {
        self.keys.key(self.model.signature().predictions()[0].name(), input)
    }
}

/// The share of requests that have to be hits, so that looking up is as fast as computing.
fn break_even_hit_ratio(run_ms: f64, lookup_ms: f64) -> f64 {
    lookup_ms / run_ms
}

impl GainReport {
    fn plot(&self) -> String {
        let (hit_ratio, at) = match &self.requests {
            Some(requests) => (requests.repeated, format!("this model, at {:.0} % hits", 100.0 * requests.repeated)),
            None => (0.8, "this model, at 80 % hits".to_owned()),
        };
        let (run, lookup) = (self.run_ms, self.lookups.redis.ms);
        let point = break_even::Point { lookup, run, pays: hit_ratio > break_even_hit_ratio(run, lookup) };
        break_even::plot(&[point], [&at, "looking up is faster", "computing is faster"])
    }
}
