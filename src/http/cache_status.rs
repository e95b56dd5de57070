//! What a request says to the cache (`cache-control`) and what the response tells of it (`cache-status`, `server-timing`).

use std::{fmt::Write, time::Duration};

use crate::{
    cache::Tier,
    service::{CacheOutcome, CachePolicy, Served},
    telemetry::milliseconds,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

impl From<&HeaderMap> for CachePolicy {
    /// `no-cache`: do not look, but store. `no-store`: neither. `only-if-cached`: nothing but a cached answer. Other
    /// directives are about age, and a prediction has none.
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
    headers.insert(CACHE_STATUS, HeaderValue::from_static(cache_status(served.outcome)));
    if let Some(timing) = server_timing(served) {
        headers.insert(SERVER_TIMING, timing);
    }
}

/// Every value of `cache-status`, and what it means.
pub(super) const CACHE_STATUSES: [(&str, &str); 7] = [
    (cache_status(CacheOutcome::Hit(Tier::Memory)), "from the cache, which is in the service's memory"),
    (cache_status(CacheOutcome::Hit(Tier::Redis)), "from the cache, which is in Redis"),
    (cache_status(CacheOutcome::Miss), "not in the cache: computed, and stored after the answer"),
    (cache_status(CacheOutcome::Corrupt), "the cache held something that is no prediction: computed, and stored anew"),
    (cache_status(CacheOutcome::Unavailable), "the cache did not answer: computed"),
    (cache_status(CacheOutcome::Bypass), "the request's `cache-control` allowed no cached answer: computed"),
    (cache_status(CacheOutcome::Off), "the service has no cache: computed, and not stored"),
];

const fn cache_status(outcome: CacheOutcome) -> &'static str {
    match outcome {
        CacheOutcome::Hit(Tier::Memory) => "predict-once; hit; detail=memory",
        CacheOutcome::Hit(Tier::Redis) => "predict-once; hit; detail=redis",
        CacheOutcome::Miss => "predict-once; fwd=miss",
        CacheOutcome::Corrupt => "predict-once; fwd=miss; detail=corrupt",
        CacheOutcome::Unavailable => "predict-once; fwd=miss; detail=unavailable",
        CacheOutcome::Bypass => "predict-once; fwd=request",
        CacheOutcome::Off => "predict-once; fwd=bypass",
    }
}

/// `cache;dur=0.1841, model;dur=0.0043`, in milliseconds, as far as each took place.
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
