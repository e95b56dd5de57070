//! What a request says to the cache (`cache-control`) and what the response tells of it (`cache-status`, `server-timing`).

use std::{fmt::Write, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::json;
use utoipa::{
    Modify,
    openapi::{
        Header, HeaderBuilder, ObjectBuilder, OpenApi, RefOr, Type,
        path::{ParameterBuilder, ParameterIn},
    },
};

use crate::{
    cache::Tier,
    service::{CacheOutcome, CachePolicy, Served},
    telemetry::milliseconds,
};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

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

fn cache_status(outcome: CacheOutcome) -> &'static str {
    match outcome {
        CacheOutcome::Hit(Tier::Memory) => "predict-once; hit; detail=memory",
        CacheOutcome::Hit(Tier::Redis) => "predict-once; hit; detail=redis",
        CacheOutcome::Miss => "predict-once; fwd=miss",
        CacheOutcome::Corrupt => "predict-once; fwd=miss; detail=corrupt",
        CacheOutcome::Unavailable => "predict-once; fwd=miss; detail=unavailable",
        CacheOutcome::Bypass => "predict-once; fwd=request",
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

/// Documents these headers on every prediction endpoint.
pub(super) struct CacheHeaders;

impl Modify for CacheHeaders {
    fn modify(&self, openapi: &mut OpenApi) {
        let cache_control = ParameterBuilder::new()
            .name(header::CACHE_CONTROL.as_str())
            .parameter_in(ParameterIn::Header)
            .description(Some(
                "How far the cache may take part: `no-cache` does not look but stores, `no-store` does neither, \
                 `only-if-cached` is answered from the cache or with a 504. Other directives are ignored.",
            ))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).examples([
                "no-cache",
                "no-store",
                "only-if-cached",
            ])))
            .build();
        for operation in openapi.paths.paths.values_mut().filter_map(|path| path.post.as_mut()) {
            operation.parameters.get_or_insert_default().push(cache_control.clone().into());
            // The answers that a lookup precedes.
            for status in ["200", "504"] {
                if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(status) {
                    response.headers.insert(CACHE_STATUS.to_string(), cache_status_header().into());
                    response.headers.insert(SERVER_TIMING.to_string(), server_timing_header().into());
                }
            }
        }
    }
}

fn cache_status_header() -> Header {
    let values = [
        CacheOutcome::Hit(Tier::Memory),
        CacheOutcome::Hit(Tier::Redis),
        CacheOutcome::Miss,
        CacheOutcome::Corrupt,
        CacheOutcome::Unavailable,
        CacheOutcome::Bypass,
    ]
    .map(cache_status);
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values))))
        .description(Some("The cache's part in the answer (RFC 9211)."))
        .build()
}

fn server_timing_header() -> Header {
    HeaderBuilder::new()
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .pattern(Some(r"^(cache|model);dur=[0-9]+\.[0-9]{4}(, model;dur=[0-9]+\.[0-9]{4})?$")),
        ))
        .description(Some("Milliseconds that the lookup in the cache and the model took, as far as each took place."))
        .example(Some(json!("cache;dur=0.1841, model;dur=0.0043")))
        .build()
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
