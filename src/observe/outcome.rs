//! The vocabulary of outcomes: every way in which a prediction can come about, with its name in the `cache-status` header, in the log and
//! traces, and in the metrics.

use std::borrow::Cow;

use prediction_cache::Tier;

use crate::service::{CacheOutcome, Served, Tally};

/// The names of an outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// The value of `cache-status` (RFC 9211).
    pub(crate) cache_status: &'static str,
    /// The word in the log and in traces.
    pub(crate) word: &'static str,
    /// What it means, for clients.
    pub(crate) meaning: &'static str,
}

/// Every outcome of a single input. `cache-status` of an array of mixed outcomes has their counts.
pub(crate) const OUTCOMES: [Outcome; Tier::ALL.len() + 10] = [
    of(CacheOutcome::Hit(Tier::Memory), false),
    of(CacheOutcome::Hit(Tier::Redis), false),
    of(CacheOutcome::Hit(Tier::DynamoDb), false),
    of(CacheOutcome::Miss, false),
    of(CacheOutcome::Miss, true),
    of(CacheOutcome::Corrupt, false),
    of(CacheOutcome::Unavailable, false),
    of(CacheOutcome::Unavailable, true),
    of(CacheOutcome::Bypass, false),
    of(CacheOutcome::Bypass, true),
    of(CacheOutcome::Cost, false),
    of(CacheOutcome::Cost, true),
    of(CacheOutcome::Off, false),
];

/// The names of an outcome, whose prediction came from another request's run if it is `collapsed`.
const fn of(outcome: CacheOutcome, collapsed: bool) -> Outcome {
    let (cache_status, word, meaning) = match (outcome, collapsed) {
        (CacheOutcome::Hit(Tier::Memory), _) => {
            ("predict-once; hit; detail=memory", "hit_memory", "from the cache in the service's memory")
        }
        (CacheOutcome::Hit(Tier::Redis), _) => {
            ("predict-once; hit; detail=redis", "hit_redis", "from the cache in Redis")
        }
        (CacheOutcome::Hit(Tier::DynamoDb), _) => {
            ("predict-once; hit; detail=dynamodb", "hit_dynamodb", "from the cache in DynamoDB")
        }
        (CacheOutcome::Miss, false) => {
            ("predict-once; fwd=miss", "miss", "not in the cache: computed, and stored after the answer")
        }
        // Regardless of what the other request found in the cache.
        (CacheOutcome::Miss | CacheOutcome::Corrupt, true) => (
            "predict-once; fwd=miss; collapsed",
            "collapsed",
            "not in the cache: the result of another request that was already computing it",
        ),
        (CacheOutcome::Corrupt, false) => (
            "predict-once; fwd=miss; detail=corrupt",
            "corrupt",
            "the cache held an invalid entry: computed, and overwritten after the answer",
        ),
        (CacheOutcome::Unavailable, false) => {
            ("predict-once; fwd=miss; detail=unavailable", "unavailable", "the cache did not answer: computed")
        }
        (CacheOutcome::Unavailable, true) => (
            "predict-once; fwd=miss; collapsed; detail=unavailable",
            "collapsed",
            "the cache did not answer: the result of another request that was already computing it",
        ),
        (CacheOutcome::Bypass, false) => (
            "predict-once; fwd=request",
            "bypass",
            "the request's `cache-control` did not allow a cached answer: computed",
        ),
        (CacheOutcome::Bypass, true) => (
            "predict-once; fwd=request; collapsed",
            "collapsed",
            "the request's `cache-control` did not allow a cached answer: the result of another request that was already computing it",
        ),
        (CacheOutcome::Off, _) => (
            "predict-once; fwd=bypass",
            "off",
            "the service has no cache, or none for requests without a tenant: computed, and not stored",
        ),
        (CacheOutcome::Cost, false) => (
            "predict-once; fwd=bypass; detail=cost",
            "cost",
            "not looked up, since the model is faster than the cache: computed",
        ),
        (CacheOutcome::Cost, true) => (
            "predict-once; fwd=bypass; collapsed; detail=cost",
            "collapsed",
            "not looked up, since the model is faster than the cache: the result of another request that was already computing it",
        ),
        (CacheOutcome::Partial { .. }, _) => ("predict-once; fwd=partial", "partial", "some inputs were in the cache"),
    };
    Outcome { cache_status, word, meaning }
}

impl Served {
    /// The value of `cache-status`.
    pub(crate) fn cache_status(&self) -> Cow<'static, str> {
        match self.outcome {
            CacheOutcome::Partial { hits, others } => {
                format!("predict-once; fwd=partial; detail=\"hit={hits} miss={others}\"").into()
            }
            outcome => of(outcome, self.collapsed).cache_status.into(),
        }
    }

    /// The word in the log and in traces.
    pub(crate) fn word(&self) -> &'static str {
        of(self.outcome, self.collapsed).word
    }
}

/// A count of predictions with the same outcome.
pub(crate) struct Series {
    /// The label of the Prometheus metric `predictions`.
    pub(crate) label: &'static str,
    /// The name of the CloudWatch metric, to which other series may add.
    pub(crate) metric: &'static str,
    /// The number.
    pub(crate) predictions: usize,
}

impl Tally {
    /// The numbers, with the names of their metrics.
    pub(crate) fn series(self) -> [Series; Tier::ALL.len() + 3] {
        let Self { hits: _, hits_by_tier: [in_memory, in_redis, in_dynamodb], misses, unavailable, bypassed } = self;
        [
            ("hit_memory", "CacheHit", in_memory),
            ("hit_redis", "CacheHit", in_redis),
            ("hit_dynamodb", "CacheHit", in_dynamodb),
            ("miss", "CacheMiss", misses),
            ("unavailable", "CacheUnavailable", unavailable),
            ("bypass", "CacheBypass", bypassed),
        ]
        .map(|(label, metric, predictions)| Series { label, metric, predictions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text after `start`, up to the brace that ends it.
    fn table(text: &'static str, start: &str) -> &'static str {
        let (_, table) = text.split_once(start).expect(start);
        table.split('}').next().unwrap_or_default()
    }

    #[test]
    fn the_page_and_the_scripts_know_every_tier() {
        let page = table(include_str!("../../assets/docs/answer.js"), "const TIERS = {");
        let request = table(include_str!("../../scripts/request"), "PLACES = {");
        let smoke_test = table(include_str!("../../scripts/smoke-test"), "STORES = {");
        for tier in Tier::ALL {
            let name = tier.name();
            assert!(page.contains(&format!(" {name}: ")), "assets/docs/answer.js: {name}");
            assert!(request.contains(&format!("\"{name}\": ")), "scripts/request: {name}");
            let is_store = tier != Tier::Memory;
            assert_eq!(smoke_test.contains(&format!("\"{name}\": ")), is_store, "scripts/smoke-test: {name}");
        }
    }
}
