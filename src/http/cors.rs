//! Lets web pages of other origins call the API from a browser (CORS, off by default).

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{
    cache_status::{CACHE_STATUS, SERVER_TIMING},
    predictions::X_MODEL,
    request_id::X_REQUEST_ID,
};
use crate::observe::{TRACEPARENT, TRACESTATE};

/// The origins whose pages may call the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// `*`
    Any,
    /// The values that browsers send in `origin`.
    Only(Vec<HeaderValue>),
}

impl AllowedOrigins {
    /// The error message for an invalid list.
    pub const ALLOWED: &'static str = "must be `*` or a comma-separated list of origins: `http://` or `https://`, a host, optionally a port (not the scheme's default), and no path";

    /// Parses `*` or a comma-separated list of origins.
    pub fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        text.split(',').map(|origin| parse_origin(origin.trim())).collect::<Option<_>>().map(Self::Only)
    }
}

/// Further headers that pages of the allowed origins may send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHeaders(Vec<HeaderName>);

impl AllowedHeaders {
    /// The error message for an invalid list.
    pub const ALLOWED: &'static str = "must be a comma-separated list of header names, such as x-client-version";

    /// Parses a comma-separated list of header names.
    pub fn parse(text: &str) -> Option<Self> {
        text.split(',').map(|name| name.trim().parse().ok()).collect::<Option<_>>().map(Self)
    }
}

/// An origin (RFC 6454) as browsers write it: the scheme, the host in lower case, and the port unless it is the scheme's default. Any
/// other spelling would never match.
fn parse_origin(origin: &str) -> Option<HeaderValue> {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"))?;
    let authority: http::uri::Authority = authority.parse().ok()?;
    let plain = !authority.as_str().contains('@') && !authority.host().is_empty();
    let port = authority.as_str().strip_prefix(authority.host())?;
    let default_port = if origin.starts_with("https:") { ":443" } else { ":80" };
    let valid_port =
        port.is_empty() || (authority.port_u16().is_some() && port != default_port && !port.starts_with(":0"));
    let lower = !origin.contains(|c: char| c.is_ascii_uppercase() || c == '*');
    (plain && valid_port && lower).then(|| HeaderValue::from_str(origin).ok()).flatten()
}

/// The request headers that the service reads.
const READ: [HeaderName; 6] =
    [header::CACHE_CONTROL, header::CONTENT_ENCODING, header::CONTENT_TYPE, TRACEPARENT, TRACESTATE, X_REQUEST_ID];

/// The request headers that tracing libraries add to a page's requests. Were they not allowed, adding such a library to a page would
/// break its calls.
const ADDED_BY_TRACING: [HeaderName; 2] = [HeaderName::from_static("baggage"), HeaderName::from_static("sentry-trace")];

/// The request headers that gateways authorise by: a token, an API key, an AWS signature (Signature Version 4).
const READ_BY_GATEWAYS: [HeaderName; 5] = [
    header::AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-amz-content-sha256"),
    HeaderName::from_static("x-amz-date"),
    HeaderName::from_static("x-amz-security-token"),
];

/// Adds CORS headers to responses and answers preflight requests. Credentials (cookies, HTTP authentication) are not allowed: the API
/// does not use them.
pub(super) fn layer(origins: AllowedOrigins, AllowedHeaders(further): AllowedHeaders) -> CorsLayer {
    let origins = match origins {
        AllowedOrigins::Any => AllowOrigin::any(),
        AllowedOrigins::Only(origins) => AllowOrigin::list(origins),
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers([&READ[..], &ADDED_BY_TRACING, &READ_BY_GATEWAYS, &further].concat())
        .expose_headers([CACHE_STATUS, SERVER_TIMING, X_MODEL, X_REQUEST_ID])
        .max_age(Duration::from_secs(2 * 60 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_headers_are_names() {
        let names =
            |names: &[&'static str]| Some(AllowedHeaders(names.iter().copied().map(HeaderName::from_static).collect()));
        assert_eq!(AllowedHeaders::parse("X-Client, newrelic"), names(&["x-client", "newrelic"]));
        for refused in ["x client", "x-client,", "x@y", " "] {
            assert_eq!(AllowedHeaders::parse(refused), None, "{refused}");
        }
    }

    #[test]
    fn origins_are_accepted_only_in_the_spelling_of_browsers() {
        let only = |origins: &[&'static str]| {
            Some(AllowedOrigins::Only(origins.iter().copied().map(HeaderValue::from_static).collect()))
        };
        assert_eq!(AllowedOrigins::parse(" * "), Some(AllowedOrigins::Any));
        assert_eq!(AllowedOrigins::parse("https://a.example"), only(&["https://a.example"]));
        assert_eq!(
            AllowedOrigins::parse("https://a.example, http://localhost:3000,http://[::1]:8080"),
            only(&["https://a.example", "http://localhost:3000", "http://[::1]:8080"])
        );
        for refused in [
            "a.example",
            "https://",
            "https://a.example/",
            "https://a.example/path",
            "https://*.example",
            "https://A.example",
            "https://user@a.example",
            "https://a.example:port",
            "https://a.example:99999",
            "https://a.example:443",
            "http://a.example:80",
            "https://a.example:0444",
            "ftp://a.example",
            "null",
            "https://a.example,",
            "https://a.example,*",
        ] {
            assert_eq!(AllowedOrigins::parse(refused), None, "{refused}");
        }
    }
}
