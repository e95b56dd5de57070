//! The time to live of entries.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use crate::CacheKey;

/// A time to live in seconds, within 10 % of `ttl`, which the key determines: entries that are stored together do not expire together.
pub(crate) fn spread(ttl: Duration, key: &CacheKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.as_str().hash(&mut hasher);
    (ttl.as_secs() * (900 + hasher.finish() % 201) / 1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeySpace, Layout, Namespace};

    #[test]
    fn entries_that_are_stored_together_expire_within_ten_per_cent_of_the_time_to_live() {
        let keys = KeySpace::new(&Namespace::default(), Layout::String, "model");
        let ttl = |seconds, input| spread(Duration::from_secs(seconds), &keys.key("decision", input));
        let times: Vec<_> = (0..1000).map(|input| ttl(1000, input)).collect();
        assert!(times.iter().all(|seconds| (900..=1100).contains(seconds)));
        let in_one_second = |second: u64| times.iter().filter(|seconds| **seconds == second).count();
        assert!((900..=1100).map(in_one_second).max() < Some(30));
        assert_eq!(ttl(1, 0), 1);
    }
}
