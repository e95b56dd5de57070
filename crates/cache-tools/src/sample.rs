//! A bounded sample of the keys in Redis: `SCAN` in small steps, never all of them.
//!
//! `SCAN` walks through a table in the order of a hash that the server seeds at random, so the first keys that it meets are as good
//! as any. It does not touch them: neither their idle time nor Redis's hits and misses change.

use std::collections::{BTreeMap, HashSet};

use prediction_cache::{Fault, ParsedKey};
use redis::{Cmd, cmd};

use super::{
    Subject,
    nodes::{Node, RedisNodes},
};

/// How many keys are looked at, in all nodes together.
const MOST_KEYS: usize = 4_000;

/// How many at least of each node, however many nodes there are.
const LEAST_KEYS: usize = 200;

/// How many keys a step looks at. Redis does nothing else meanwhile.
const STEP: usize = 100;

/// How many steps a node is asked for: a table that was large once has few keys in many places.
const MOST_STEPS: usize = 200;

/// How many keys of a kind are weighed.
const WEIGHED: usize = 300;

/// How many keys are asked for their time to live: each counts as a hit in Redis's statistics.
const TIMED: usize = 100;

/// Whose an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// The service's, as it is configured.
    Current,
    /// This model's, in another layout.
    OtherLayout,
    /// This model's, for a service with another `CACHE_PER_TENANT`.
    OtherTenancy,
    /// Of another model, or of another version of this one, in this namespace.
    OtherModel,
    /// Anybody's outside this namespace.
    Foreign,
}

/// Keys of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    /// How many there are likely to be in all nodes.
    pub(super) estimate: f64,
    /// Those of the sample. Not kept of what is foreign.
    pub(super) sampled: Vec<String>,
    pub(super) count: usize,
    /// By fingerprint, or by layout.
    pub(super) parts: BTreeMap<String, usize>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    pub(super) kinds: BTreeMap<Kind, Keys>,
    pub(super) count: usize,
    /// Whether these are all keys.
    pub(super) whole: bool,
}

impl Sample {
    /// Looks at keys of each node, of which this many are known to be there.
    pub(super) async fn take(subject: &Subject, redis: &mut RedisNodes, nodes: &[(Node, u64)]) -> Result<Self, Fault> {
        let mut sample = Self { whole: true, ..Self::default() };
        let most = (MOST_KEYS / nodes.len().max(1)).max(LEAST_KEYS);
        for (node, size) in nodes {
            let mut seen = HashSet::new();
            let mut cursor = 0_u64;
            for _ in 0..MOST_STEPS {
                let mut scan = cmd("SCAN");
                scan.arg(cursor).arg("COUNT").arg(STEP);
                let keys: Vec<Vec<u8>>;
                (cursor, keys) = redis.on(node, scan).await?;
                seen.extend(keys);
                if cursor == 0 || seen.len() >= most {
                    break;
                }
            }
            sample.whole &= cursor == 0;
            let each = if cursor == 0 { 1.0 } else { *size as f64 / seen.len().max(1) as f64 };
            sample.count += seen.len();
            seen.into_iter().for_each(|key| sample.add(subject, &key, each));
        }
        Ok(sample)
    }

    /// Adds a key that stands for `each` keys.
    fn add(&mut self, subject: &Subject, key: &[u8], each: f64) {
        let text = std::str::from_utf8(key).ok();
        let parsed = text.and_then(ParsedKey::parse).filter(|key| key.namespace == subject.namespace.as_str());
        let (kind, part) = match parsed {
            None => (Kind::Foreign, None),
            Some(key) if key.fingerprint != subject.fingerprint(key.layout) => {
                (Kind::OtherModel, Some(key.fingerprint))
            }
            Some(key) if !subject.is_of_this_tenancy(&key) => {
                (Kind::OtherTenancy, Some(if key.tenant.is_some() { "a tenant's own" } else { "of no tenant" }))
            }
            Some(key) if key.layout != subject.layout => (Kind::OtherLayout, Some(key.layout.name())),
            Some(_) => (Kind::Current, None),
        };
        let keys = self.kinds.entry(kind).or_default();
        keys.estimate += each;
        keys.count += 1;
        if let (Some(text), true) = (text, kind != Kind::Foreign) {
            keys.sampled.push(text.to_owned());
        }
        if let Some(part) = part {
            *keys.parts.entry(part.to_owned()).or_default() += 1;
        }
    }

    /// How much memory an entry of this kind takes on average, and how many were weighed. `None` without any.
    pub(super) async fn mean_bytes(&self, redis: &RedisNodes, kind: Kind) -> Result<Option<(f64, usize)>, Fault> {
        let weigh = |key: &String| {
            let mut usage = cmd("MEMORY");
            usage.arg("USAGE").arg(key);
            usage
        };
        // Meanwhile, some may have gone.
        let weights: Vec<_> =
            self.ask::<Option<u64>>(redis, kind, WEIGHED, weigh).await?.into_iter().flatten().collect();
        let count = weights.len();
        Ok((count > 0).then(|| (weights.iter().sum::<u64>() as f64 / count as f64, count)))
    }

    /// The times to live in seconds of some entries of this kind; `None` for one that has none.
    pub(super) async fn times_to_live(&self, redis: &RedisNodes, kind: Kind) -> Result<Vec<Option<u64>>, Fault> {
        let times = self.ask::<i64>(redis, kind, TIMED, |key| Cmd::pttl(key)).await?;
        let there = times.into_iter().filter(|time| *time != -2);
        Ok(there.map(|time| u64::try_from(time).ok().map(|time| time / 1000)).collect())
    }

    async fn ask<T: ::redis::FromRedisValue>(
        &self,
        redis: &RedisNodes,
        kind: Kind,
        most: usize,
        command: impl Fn(&String) -> Cmd,
    ) -> Result<Vec<T>, Fault> {
        let Some(keys) = self.kinds.get(&kind) else { return Ok(Vec::new()) };
        let mut answers = Vec::new();
        for step in keys.sampled[..most.min(keys.sampled.len())].chunks(STEP) {
            for answer in redis.all(step.iter().map(&command).collect()).await {
                answers.push(answer?);
            }
        }
        Ok(answers)
    }
}

impl Kind {
    /// All of them.
    pub(super) const ALL: [Self; 5] =
        [Self::Current, Self::OtherLayout, Self::OtherTenancy, Self::OtherModel, Self::Foreign];
}
