//! `predict-once cache report`: what is in this Redis, how well it does, and what it needs.

mod figures;
mod prospect;
mod table;
mod warnings;

use std::time::Duration;

use prediction_cache::Fault;
use redis::cmd;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use self::{
    figures::{Figures, NodeReport},
    prospect::Prospect,
};
use super::{
    Subject, ToolError,
    info::Info,
    nodes::{Node, RedisNodes},
    refused,
    sample::{Keys, Kind, Sample},
};

/// Over which time Redis's counters are compared.
const WINDOW: Duration = Duration::from_secs(1);

/// How well a Redis does.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// The model's name.
    model: String,
    /// Its fingerprint, in the keys of this layout.
    fingerprint: String,
    /// `CACHE_NAMESPACE`
    namespace: String,
    /// `CACHE_LAYOUT`
    layout: &'static str,
    /// Each server that holds keys.
    nodes: Vec<NodeReport>,
    /// All of them together.
    total: Figures,
    /// What was found among the keys. `None` if Redis does not allow to look.
    sample: Option<SampleReport>,
    /// What more memory would bring.
    more_memory: Prospect,
    /// What should be looked after.
    warnings: Vec<String>,
}

/// What was found among the keys.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SampleReport {
    /// How many were looked at.
    keys: usize,
    /// Whether these are all of them: then nothing is estimated.
    is_whole: bool,
    /// By kind, without those of which there were none.
    kinds: Vec<KindReport>,
}

/// Keys of one kind.
#[derive(Clone, Debug, Serialize)]
pub(super) struct KindReport {
    /// Whose they are.
    kind: Kind,
    /// How many of the sample.
    sampled: usize,
    /// How many there are likely to be.
    entries: f64,
    /// Twice the standard error of that: it is off by more in one of twenty reports.
    entries_margin: f64,
    /// Their fingerprints or layouts, where they are others' than the service's.
    parts: Vec<String>,
    /// `MEMORY USAGE`, on average.
    mean_bytes: Option<f64>,
    /// How many were weighed for it.
    weighed: usize,
}

impl Report {
    /// Asks Redis, which takes about a second.
    pub(super) async fn of(subject: &Subject) -> Result<Self, ToolError> {
        let mut redis = RedisNodes::connect(&subject.redis).await.map_err(|fault| subject.unreachable(fault))?;
        let began = Instant::now();
        let before = info(&mut redis).await?;
        let database = subject.redis.connection.redis_settings().db();
        let sizes: Vec<_> = before.iter().map(|(node, info)| (node.clone(), info.keys(database).0)).collect();
        let mut warnings = Vec::new();
        let sample = Sample::take(subject, &mut redis, &sizes).await;
        let sample = allowed(sample, "SCAN", &mut warnings)?;
        let weighed = match &sample {
            Some(sample) => Some(SampleReport::of(sample, &redis, &mut warnings).await?),
            None => None,
        };
        sleep_until(began + WINDOW).await;
        let after = info(&mut redis).await?;
        let seconds = began.elapsed().as_secs_f64();
        // Last, since Redis counts it as hits.
        let times = match &sample {
            Some(sample) => allowed(sample.times_to_live(&redis, Kind::Current).await, "PTTL", &mut warnings)?,
            None => None,
        };
        let nodes: Vec<_> = after
            .iter()
            .map(|(node, info)| {
                let before = before.iter().find(|(other, _)| other == node).map(|(_, before)| before);
                NodeReport::new(node, before.unwrap_or(info), info, seconds, database)
            })
            .collect();
        let total = Figures::sum(nodes.iter().map(|node| &node.figures));
        let used_by_keys = after.iter().map(|(_, info)| info.used_by_keys()).sum();
        let more_memory = Prospect::of(subject, &nodes, &total, weighed.as_ref(), used_by_keys);
        let mut report = Self {
            model: subject.model.signature().name.clone(),
            fingerprint: subject.fingerprint(subject.layout).to_owned(),
            namespace: subject.namespace.as_str().to_owned(),
            layout: subject.layout.name(),
            nodes,
            total,
            sample: weighed,
            more_memory,
            warnings,
        };
        report.warn(subject, &after, &times.unwrap_or_default());
        Ok(report)
    }
}

impl SampleReport {
    async fn of(sample: &Sample, redis: &RedisNodes, warnings: &mut Vec<String>) -> Result<Self, ToolError> {
        let mut kinds = Vec::new();
        let mut may_weigh = true;
        for kind in Kind::ALL {
            let Some(keys) = sample.kinds.get(&kind) else { continue };
            let weight = if may_weigh && kind != Kind::Foreign {
                let weight = allowed(sample.mean_bytes(redis, kind).await, "MEMORY USAGE", warnings)?;
                may_weigh = weight.is_some();
                weight.flatten()
            } else {
                None
            };
            kinds.push(KindReport::new(kind, keys, sample, weight));
        }
        Ok(Self { keys: sample.count, is_whole: sample.whole, kinds })
    }

    /// Keys of one kind, if there are any.
    pub(super) fn kind(&self, kind: Kind) -> Option<&KindReport> {
        self.kinds.iter().find(|found| found.kind == kind)
    }
}

impl KindReport {
    fn new(kind: Kind, keys: &Keys, sample: &Sample, weight: Option<(f64, usize)>) -> Self {
        let share = keys.count as f64 / sample.count.max(1) as f64;
        let all: f64 = sample.kinds.values().map(|keys| keys.estimate).sum();
        let error = if sample.whole { 0.0 } else { (share * (1.0 - share) / sample.count.max(1) as f64).sqrt() };
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
    let answers = redis.each::<String>(cmd("INFO")).await.map_err(refused("INFO"))?;
    Ok(answers.into_iter().map(|(node, text)| (node, Info::parse(&text))).collect())
}

/// What Redis answered. A refusal is a warning, and the rest of the report goes on without it.
fn allowed<T>(
    answer: Result<T, Fault>,
    command: &'static str,
    warnings: &mut Vec<String>,
) -> Result<Option<T>, ToolError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Fault::Reply(code)) => {
            warnings.push(format!(
                "Redis refuses {command} ({code}), so the report is incomplete: see docs/caching.md, Security"
            ));
            Ok(None)
        }
        Err(fault) => Err(refused(command)(fault)),
    }
}
