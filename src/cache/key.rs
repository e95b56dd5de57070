//! The keys of the cache: `namespace:model:prediction:input`, as in `predict-once:9f86d081884c7d65:decision:2,30,0,0,2`.

use std::fmt::{Display, Write};

use sha2::{Digest, Sha256};

/// An input that prints longer than this, in bytes, is keyed by a digest.
const LONGEST_INPUT: usize = 200;

/// The first part of each key: what tells this service's entries from others' in the same Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// What a namespace may be.
    pub const ALLOWED: &'static str = "must be 1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`";

    /// `None` unless [`Self::ALLOWED`]. A colon would blur where the namespace ends, braces are Redis Cluster's hash tags.
    pub fn new(name: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        ((1..=64).contains(&name.len()) && name.chars().all(allowed)).then(|| Self(name.to_owned()))
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self("predict-once".to_owned())
    }
}

/// The keys of one model's predictions in one namespace.
#[derive(Clone, Debug)]
pub struct KeySpace {
    prefix: String,
}

impl KeySpace {
    /// `model` tells the model's predictions from any other's; it holds no colon.
    pub fn new(namespace: &Namespace, model: &str) -> Self {
        debug_assert!(!model.contains(':'), "a colon ends the model's part of the key");
        Self { prefix: format!("{}:{model}:", namespace.0) }
    }

    /// The key of the prediction called `prediction`, which holds no colon, for the model input that prints as `input`.
    pub fn key(&self, prediction: &str, input: impl Display) -> CacheKey {
        debug_assert!(!prediction.contains(':'), "a colon ends the prediction's part of the key");
        let mut key = String::with_capacity(self.prefix.len() + prediction.len() + 24);
        key.push_str(&self.prefix);
        key.push_str(prediction);
        // Writing to a String does not fail.
        let _ = write!(key, ":{input}");
        let start = self.prefix.len() + prediction.len() + 1;
        if key.len() - start > LONGEST_INPUT {
            let digest = Sha256::digest(&key.as_bytes()[start..]);
            key.truncate(start);
            // 128 bits. No input prints with a number sign.
            key.push('#');
            for byte in &digest[..16] {
                let _ = write!(key, "{byte:02x}");
            }
        }
        CacheKey(key)
    }
}

/// The key of one prediction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey(String);

impl CacheKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_namespace_model_prediction_input() {
        let keys = KeySpace::new(&Namespace::default(), "9f86d081884c7d65");
        assert_eq!(keys.key("decision", "2,30,0,0,2").as_str(), "predict-once:9f86d081884c7d65:decision:2,30,0,0,2");
    }

    #[test]
    fn a_long_input_is_keyed_by_its_digest() {
        let keys = KeySpace::new(&Namespace::default(), "m");
        let key = |length: usize, last: char| keys.key("p", format!("{}{last}", "1".repeat(length - 1))).0;
        assert_eq!(key(200, '2').len(), "predict-once:m:p:".len() + 200);
        assert_eq!(key(201, '2').len(), "predict-once:m:p:#".len() + 32);
        assert_ne!(key(201, '2'), key(201, '3'));
    }

    #[test]
    fn a_namespace_holds_nothing_that_a_key_or_a_cluster_reads_otherwise() {
        assert!(Namespace::new("team-a.risk_v2").is_some());
        for name in ["", "a:b", "a b", "{a}", "ä", &"a".repeat(65)] {
            assert_eq!(Namespace::new(name), None, "{name:?}");
        }
    }
}
