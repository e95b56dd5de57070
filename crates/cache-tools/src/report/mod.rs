//! `predict-once cache report`: the contents of Redis, its hit ratio and memory, and warnings.

mod forecast;
mod round_trip;
mod stats;
mod table;
mod warnings;

use std::{collections::HashMap, time::Duration};

use prediction_cache::Fault;
use redis::cmd;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use self::{
    forecast::MemoryForecast,
    round_trip::round_trip,
    stats::{NodeReport, Stats},
};
use super::{
    Target, ToolError,
    info::Info,
    nodes::{Node, RedisNodes},
    refused,
    sample::{KeyKind, Keys, Sample},
};

/// The time between the two readings of Redis's counters.
const WINDOW: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Serialize)]
pub(super) struct CacheReport {
    model: String,
    /// The model's fingerprint in keys of this layout.
    fingerprint: String,
    /// `CACHE_NAMESPACE`
    namespace: String,
    /// `CACHE_LAYOUT`
    layout: &'static str,
    /// Each server that holds keys.
    nodes: Vec<NodeReport>,
    /// The sum over all nodes.
    total: Stats,
    /// `None` if the Redis user may not run `SCAN`.
    sample: Option<SampleReport>,
    more_memory: MemoryForecast,
    warnings: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct SampleReport {
    /// The number of keys in the sample.
    keys: usize,
    /// Whether it covers every key, so that nothing is estimated.
    is_whole: bool,
    /// The kinds with at least one key.
    kinds: Vec<KindReport>,
}

/// Keys of one kind.
#[derive(Clone, Debug, Serialize)]
pub(super) struct KindReport {
    kind: KeyKind,
    /// The number of keys in the sample.
    sampled: usize,
    /// The estimated number of keys in Redis.
    entries: f64,
    /// Twice the standard error of `entries`: one report in twenty is off by more.
    entries_margin: f64,
    /// The fingerprints, layouts or tenancies that differ from the service's.
    parts: Vec<String>,
    /// The mean of `MEMORY USAGE`.
    mean_bytes: Option<f64>,
    /// The number of keys behind `mean_bytes`.
    weighed: usize,
}

impl CacheReport {
    /// Takes about a second.
    pub(super) async fn of(target: &Target) -> Result<Self, ToolError> {
        let mut redis = RedisNodes::connect(&target.redis).await.map_err(|fault| target.unreachable(fault))?;
        let began = Instant::now();
        let before = info(&mut redis).await?;
        let database = target.redis.connection.redis_settings().db();
        let sizes: Vec<_> = before.iter().map(|(node, info)| (node.clone(), info.keys(database).0)).collect();
        let mut warnings = Vec::new();
        let sample = Sample::take(target, &mut redis, &sizes).await;
        let sample = or_warn(sample, "SCAN", &mut warnings)?;
        let sample_report = match &sample {
            Some(sample) => Some(SampleReport::of(sample, &redis, &mut warnings).await?),
            None => None,
        };
        let mut round_trips = HashMap::new();
        for (node, _) in &before {
            let time = round_trip(&mut redis, node).await.map_err(refused("INFO keyspace"))?;
            round_trips.insert(node.address.clone(), time);
        }
        sleep_until(began + WINDOW).await;
        let after = info(&mut redis).await?;
        let seconds = began.elapsed().as_secs_f64();
        // Redis counts `PTTL` as a hit, so it comes after the last reading of the counters.
        let times = match &sample {
            Some(sample) => or_warn(sample.times_to_live(&redis, KeyKind::Current).await, "PTTL", &mut warnings)?,
            None => None,
        };
        let nodes: Vec<_> = after
            .iter()
            .map(|(node, info)| {
                let before = before.iter().find(|(other, _)| other == node).map(|(_, before)| before);
                let round_trip = round_trips.get(&node.address).copied();
                NodeReport::new(node, before.unwrap_or(info), info, seconds, database, round_trip)
            })
            .collect();
        let total = Stats::sum(nodes.iter().map(|node| &node.stats));
        let used_by_keys = after.iter().map(|(_, info)| info.used_by_keys()).sum();
        let more_memory = MemoryForecast::of(target, &nodes, &total, sample_report.as_ref(), used_by_keys);
        let mut report = Self {
            model: target.model.signature().name.clone(),
            fingerprint: target.fingerprint(target.layout).to_owned(),
            namespace: target.namespace.as_str().to_owned(),
            layout: target.layout.name(),
            nodes,
            total,
            sample: sample_report,
            more_memory,
            warnings,
        };
        report.add_warnings(target, &after, &times.unwrap_or_default());
        Ok(report)
    }
}

impl SampleReport {
    async fn of(sample: &Sample, redis: &RedisNodes, warnings: &mut Vec<String>) -> Result<Self, ToolError> {
        let mut kinds = Vec::new();
        let mut may_measure = true;
        for kind in KeyKind::ALL {
            let Some(keys) = sample.kinds.get(&kind) else { continue };
            let weight = if may_measure && kind != KeyKind::Foreign {
                let weight = or_warn(sample.mean_bytes(redis, kind).await, "MEMORY USAGE", warnings)?;
                may_measure = weight.is_some();
                weight.flatten()
            } else {
                None
            };
            kinds.push(KindReport::new(kind, keys, sample, weight));
        }
        Ok(Self { keys: sample.count, is_whole: sample.is_whole, kinds })
    }

    pub(super) fn kind(&self, kind: KeyKind) -> Option<&KindReport> {
        self.kinds.iter().find(|found| found.kind == kind)
    }
}

impl KindReport {
    fn new(kind: KeyKind, keys: &Keys, sample: &Sample, weight: Option<(f64, usize)>) -> Self {
        let share = keys.count as f64 / sample.count.max(1) as f64;
        let all: f64 = sample.kinds.values().map(|keys| keys.estimate).sum();
        let error = if sample.is_whole { 0.0 } else { (share * (1.0 - share) / sample.count.max(1) as f64).sqrt() };
        let mut parts: Vec<_> = keys.parts.iter().collect();
        parts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        Self {
            kind,
            sampled: keys.count,
            entries: keys.estimate.round(),
            entries_margin: (2.0 * error * all).round(),
            parts: parts.into_iter().map(|(part, _)| part.clone()).collect(),
            mean_bytes: weight.map(|(mean, _)| (mean * 10.0).round() / 10.0),
            weighed: weight.map_or(0, |(_, weighed)| weighed),
        }
    }
}

async fn info(redis: &mut RedisNodes) -> Result<Vec<(Node, Info)>, ToolError> {
    let answers = redis.on_every_node::<String>(cmd("INFO")).await.map_err(refused("INFO"))?;
    Ok(answers.into_iter().map(|(node, text)| (node, Info::parse(&text))).collect())
}

/// Turns an error reply into a warning and `None`: the report continues without that part.
fn or_warn<T>(
    answer: Result<T, Fault>,
    command: &'static str,
    warnings: &mut Vec<String>,
) -> Result<Option<T>, ToolError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Fault::Reply(code)) => {
            warnings.push(format!(
                "Redis refused {command} ({code}), so the report is incomplete: see docs/caching.md, Security"
            ));
            Ok(None)
        }
        Err(fault) => Err(refused(command)(fault)),
    }
}
