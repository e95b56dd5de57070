//! How a request controls the cache (`cache-control`), and how the response reports on it (`cache-status`, `server-timing`).

use std::{fmt::Write, time::Duration};

use crate::{
    cache::Tier,
    service::{CacheOutcome, CachePolicy, Served},
    telemetry::milliseconds,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};

pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

impl From<&HeaderMap> for CachePolicy {
    /// `no-cache`: compute and store. `no-store`: compute only. `only-if-cached`: never compute. Other directives concern age,
    /// which predictions do not have.
    fn from(headers: &HeaderMap) -> Self {
        let mut policy = Self::default();
        for value in headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()) {
            for directive in value.split(',').map(str::trim) {
                if directive.eq_ignore_ascii_case("no-cache") {
                    policy.read = false;
                } else if directive.eq_ignore_ascii_case("no-store") {
                    policy.read = false;
                    policy.store = false;
                } else if directive.eq_ignore_ascii_case("only-if-cached") {
                    policy.only_if_cached = true;
                }
            }
        }
        policy
    }
}

/// Adds `cache-status` (RFC 9211) and `server-timing` to a response.
pub(super) fn describe(served: &Served, headers: &mut HeaderMap) {
    headers.insert(CACHE_STATUS, status(served));
    if let Some(timing) = server_timing(served) {
        headers.insert(SERVER_TIMING, timing);
    }
}

/// Every value of `cache-status`, and what it means.
pub(super) const CACHE_STATUSES: [(&str, &str); 12] = [
    (cache_status(CacheOutcome::Hit(Tier::Memory), false), "from the cache in the service's memory"),
    (cache_status(CacheOutcome::Hit(Tier::Redis), false), "from the cache in Redis"),
    (cache_status(CacheOutcome::Miss, false), "not in the cache: computed, and stored after the answer"),
    (
        cache_status(CacheOutcome::Miss, true),
        "not in the cache: the result of another request that was already computing it",
    ),
    (
        cache_status(CacheOutcome::Corrupt, false),
        "the cache held an invalid entry: computed, and overwritten after the answer",
    ),
    (cache_status(CacheOutcome::Unavailable, false), "the cache did not answer: computed"),
    (
        cache_status(CacheOutcome::Unavailable, true),
        "the cache did not answer: the result of another request that was already computing it",
    ),
    (
        cache_status(CacheOutcome::Bypass, false),
        "the request's `cache-control` did not allow a cached answer: computed",
    ),
    (
        cache_status(CacheOutcome::Bypass, true),
        "the same, but with the result of another request that was already computing it",
    ),
    (cache_status(CacheOutcome::Cost, false), "not looked up, since the model is faster than the cache: computed"),
    (cache_status(CacheOutcome::Cost, true), "the same, and the prediction was being computed for another request"),
    (
        cache_status(CacheOutcome::Off, false),
        "the service has no cache, or none for requests without a tenant: computed, and not stored",
    ),
];

fn status(served: &Served) -> HeaderValue {
    match served.outcome {
        CacheOutcome::Partial { hits, others } => {
            let text = format!("predict-once; fwd=partial; detail=\"hit={hits} miss={others}\"");
            HeaderValue::try_from(text).expect("its parts are ASCII")
        }
        outcome => HeaderValue::from_static(cache_status(outcome, served.collapsed)),
    }
}

const fn cache_status(outcome: CacheOutcome, collapsed: bool) -> &'static str {
    match (outcome, collapsed) {
        (CacheOutcome::Hit(Tier::Memory), _) => "predict-once; hit; detail=memory",
        (CacheOutcome::Hit(Tier::Redis), _) => "predict-once; hit; detail=redis",
        // Regardless of what the other request found there.
        (CacheOutcome::Miss | CacheOutcome::Corrupt, true) => "predict-once; fwd=miss; collapsed",
        (CacheOutcome::Miss, false) => "predict-once; fwd=miss",
        (CacheOutcome::Corrupt, false) => "predict-once; fwd=miss; detail=corrupt",
        (CacheOutcome::Unavailable, false) => "predict-once; fwd=miss; detail=unavailable",
        (CacheOutcome::Unavailable, true) => "predict-once; fwd=miss; collapsed; detail=unavailable",
        (CacheOutcome::Bypass, false) => "predict-once; fwd=request",
        (CacheOutcome::Bypass, true) => "predict-once; fwd=request; collapsed",
        (CacheOutcome::Off, _) => "predict-once; fwd=bypass",
        (CacheOutcome::Cost, false) => "predict-once; fwd=bypass; detail=cost",
        (CacheOutcome::Cost, true) => "predict-once; fwd=bypass; collapsed; detail=cost",
        // With the counts of the request, which `status` adds.
        (CacheOutcome::Partial { .. }, _) => "predict-once; fwd=partial",
    }
}

/// `cache;dur=0.1841, model;dur=0.0043`, in milliseconds, for each that took place.
fn server_timing(served: &Served) -> Option<HeaderValue> {
    let mut text = String::with_capacity(40);
    let mut add = |name: &str, time: Option<Duration>| {
        if let Some(time) = time {
            let separator = if text.is_empty() { "" } else { ", " };
            // Writing to a String does not fail.
            let _ = write!(text, "{separator}{name};dur={:.4}", milliseconds(time));
        }
    };
    add("cache", served.cache_time);
    add("model", served.model_time);
    HeaderValue::try_from(text).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(values: &[&str]) -> (bool, bool, bool) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CACHE_CONTROL, HeaderValue::from_str(value).expect("a header value"));
        }
        let CachePolicy { read, store, only_if_cached } = CachePolicy::from(&headers);
        (read, store, only_if_cached)
    }

    #[test]
    fn the_directives_are_read_from_every_header_whatever_their_case_and_company() {
        assert_eq!(policy(&[]), (true, true, false));
        assert_eq!(policy(&["max-age=0, no-transform"]), (true, true, false));
        assert_eq!(policy(&["No-Cache"]), (false, true, false));
        assert_eq!(policy(&["max-age=0,no-store"]), (false, false, false));
        assert_eq!(policy(&["max-age=0", " only-if-cached "]), (true, true, true));
    }
}
