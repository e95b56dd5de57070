//! A bounded sample of the keys in Redis, taken with `SCAN` in small steps.
//!
//! `SCAN` walks the table in the order of a hash that the server seeds at random, so the first keys it returns are a random sample. It
//! does not count as use: neither the keys' idle time nor Redis's hits and misses change.

use std::collections::{BTreeMap, HashSet};

use prediction_cache::{Fault, ParsedKey};
use redis::{Cmd, cmd};

use super::{
    Target,
    nodes::{Node, RedisNodes},
};

/// The largest sample, over all nodes.
const MAX_KEYS: usize = 4_000;

/// The smallest limit per node of a large cluster.
const MIN_KEYS_PER_NODE: usize = 200;

/// The number of keys per step. A step blocks Redis.
const STEP: usize = 100;

/// The limit of steps per node: a table that has shrunk is sparse, so its steps return few keys.
const MAX_STEPS: usize = 200;

/// How many keys of a kind get a `MEMORY USAGE` command.
const MAX_WEIGHED: usize = 300;

/// How many keys get a `PTTL` command: each counts as a hit in Redis's statistics.
const MAX_TTLS: usize = 100;

/// The relation of a key to the service as it is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeyKind {
    /// The service reads and writes this key.
    Current,
    /// This model, another `CACHE_LAYOUT`.
    OtherLayout,
    /// This model, another `CACHE_PER_TENANT`.
    OtherTenancy,
    /// Another model, or another version of this one, in this namespace.
    OtherModel,
    /// Outside this namespace.
    Foreign,
}

/// Keys of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    /// The estimated number of such keys on all nodes.
    pub(super) estimate: f64,
    /// The keys in the sample, except foreign ones.
    pub(super) sampled: Vec<String>,
    pub(super) count: usize,
    /// The number of sampled keys by fingerprint, layout or tenancy.
    pub(super) parts: BTreeMap<String, usize>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    pub(super) kinds: BTreeMap<KeyKind, Keys>,
    pub(super) count: usize,
    /// Whether it covers every key.
    pub(super) is_whole: bool,
}

impl Sample {
    /// Samples each node; `nodes` has the number of its keys.
    pub(super) async fn take(target: &Target, redis: &mut RedisNodes, nodes: &[(Node, u64)]) -> Result<Self, Fault> {
        let mut sample = Self { is_whole: true, ..Self::default() };
        let limit = (MAX_KEYS / nodes.len().max(1)).max(MIN_KEYS_PER_NODE);
        for (node, size) in nodes {
            let mut seen = HashSet::new();
            let mut cursor = 0_u64;
            for _ in 0..MAX_STEPS {
                let mut scan = cmd("SCAN");
                scan.arg(cursor).arg("COUNT").arg(STEP);
                let keys: Vec<Vec<u8>>;
                (cursor, keys) = redis.on_node(node, scan).await?;
                seen.extend(keys);
                if cursor == 0 || seen.len() >= limit {
                    break;
                }
            }
            sample.is_whole &= cursor == 0;
            let weight = if cursor == 0 { 1.0 } else { *size as f64 / seen.len().max(1) as f64 };
            sample.count += seen.len();
            seen.into_iter().for_each(|key| sample.add(target, &key, weight));
        }
        Ok(sample)
    }

    /// Adds a key that represents `weight` keys.
    fn add(&mut self, target: &Target, key: &[u8], weight: f64) {
        let text = std::str::from_utf8(key).ok();
        let parsed = text.and_then(ParsedKey::parse).filter(|key| key.namespace == target.namespace.as_str());
        let (kind, part) = match parsed {
            None => (KeyKind::Foreign, None),
            Some(key) if key.fingerprint != target.fingerprint(key.layout) => {
                (KeyKind::OtherModel, Some(key.fingerprint))
            }
            Some(key) if !target.matches_tenancy(&key) => {
                (KeyKind::OtherTenancy, Some(if key.tenant.is_some() { "a tenant's own" } else { "of no tenant" }))
            }
            Some(key) if key.layout != target.layout => (KeyKind::OtherLayout, Some(key.layout.name())),
            Some(_) => (KeyKind::Current, None),
        };
        let keys = self.kinds.entry(kind).or_default();
        keys.estimate += weight;
        keys.count += 1;
        if let (Some(text), true) = (text, kind != KeyKind::Foreign) {
            keys.sampled.push(text.to_owned());
        }
        if let Some(part) = part {
            *keys.parts.entry(part.to_owned()).or_default() += 1;
        }
    }

    /// The mean memory of an entry of this kind in bytes, and the number of entries measured. `None` if there were none.
    pub(super) async fn mean_bytes(&self, redis: &RedisNodes, kind: KeyKind) -> Result<Option<(f64, usize)>, Fault> {
        let memory_usage = |key: &String| {
            let mut usage = cmd("MEMORY");
            usage.arg("USAGE").arg(key);
            usage
        };
        // Keys that have disappeared since the scan have no usage.
        let sizes: Vec<_> =
            self.query::<Option<u64>>(redis, kind, MAX_WEIGHED, memory_usage).await?.into_iter().flatten().collect();
        let count = sizes.len();
        Ok((count > 0).then(|| (sizes.iter().sum::<u64>() as f64 / count as f64, count)))
    }

    /// The times to live of some entries of this kind, in seconds; `None` for an entry without one.
    pub(super) async fn times_to_live(&self, redis: &RedisNodes, kind: KeyKind) -> Result<Vec<Option<u64>>, Fault> {
        let times = self.query::<i64>(redis, kind, MAX_TTLS, |key| Cmd::pttl(key)).await?;
        let existing = times.into_iter().filter(|time| *time != -2);
        Ok(existing.map(|time| u64::try_from(time).ok().map(|time| time / 1000)).collect())
    }

    async fn query<T: ::redis::FromRedisValue>(
        &self,
        redis: &RedisNodes,
        kind: KeyKind,
        limit: usize,
        command: impl Fn(&String) -> Cmd,
    ) -> Result<Vec<T>, Fault> {
        let Some(keys) = self.kinds.get(&kind) else { return Ok(Vec::new()) };
        let mut answers = Vec::new();
        for step in keys.sampled[..limit.min(keys.sampled.len())].chunks(STEP) {
            for answer in redis.run_all(step.iter().map(&command).collect()).await {
                answers.push(answer?);
            }
        }
        Ok(answers)
    }
}

impl KeyKind {
    pub(super) const ALL: [Self; 5] =
        [Self::Current, Self::OtherLayout, Self::OtherTenancy, Self::OtherModel, Self::Foreign];
}
