//! The request header that controls the cache (`cache-control`) and the response headers that report on it (`cache-status`,
//! `server-timing`).

use std::{borrow::Cow, fmt::Write, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{
    observe::milliseconds,
    service::{CachePolicy, Served},
};

pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Whether clients control how the cache is used for their requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCacheControl {
    /// `cache-control` is obeyed.
    #[default]
    Obey,
    /// `cache-control` is ignored: the cache is used for every request.
    Ignore,
}

impl CachePolicy {
    pub(super) fn of(control: ClientCacheControl, headers: &HeaderMap) -> Self {
        match control {
            ClientCacheControl::Obey => Self::from(headers),
            ClientCacheControl::Ignore => Self::default(),
        }
    }
}

impl From<&HeaderMap> for CachePolicy {
    /// `no-cache`: compute and store. `no-store`: compute only. `only-if-cached`: never compute. Other directives are ignored: they
    /// concern age, which predictions do not have.
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
    let status = match served.cache_status() {
        Cow::Borrowed(status) => HeaderValue::from_static(status),
        Cow::Owned(status) => HeaderValue::try_from(status).expect("its parts are ASCII"),
    };
    headers.insert(CACHE_STATUS, status);
    if let Some(timing) = server_timing(served) {
        headers.insert(SERVER_TIMING, timing);
    }
}

/// `cache;dur=0.1841, model;dur=0.0043`, in milliseconds; a step that did not take place is omitted.
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
    fn directives_are_read_from_every_header_in_any_case_and_beside_others() {
        assert_eq!(policy(&[]), (true, true, false));
        assert_eq!(policy(&["max-age=0, no-transform"]), (true, true, false));
        assert_eq!(policy(&["No-Cache"]), (false, true, false));
        assert_eq!(policy(&["max-age=0,no-store"]), (false, false, false));
        assert_eq!(policy(&["max-age=0", " only-if-cached "]), (true, true, true));
    }
}
