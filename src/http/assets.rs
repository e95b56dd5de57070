//! The documentation's files: the page to try the API, the page on errors, and their scripts and styles. `build/docs.rs` compresses
//! them into the binary.

use std::{
    borrow::Cow,
    io::{Read, Write},
    sync::OnceLock,
};

use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

/// A file of the documentation or the dashboard, stored gzipped only. The entity tags are derived from the uncompressed bytes.
#[derive(Debug)]
pub struct Asset {
    pub path: &'static str,
    pub content_type: &'static str,
    etag: Cow<'static, str>,
    gzip_etag: Cow<'static, str>,
    gzipped: Bytes,
    /// For clients that do not accept gzip: inflated by the first such request, and shared by all others.
    inflated: OnceLock<Bytes>,
}

/// Every file except the OpenAPI document, which depends on the model.
pub static ASSETS: [Asset; 14] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The files of the dashboard.
pub static DASHBOARD: [Asset; 5] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

/// The documentation changes only with a deployment, so a copy up to five minutes old is acceptable.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// Allows only the service's own files and no requests to other servers. Swagger UI loads some of its icons from `data:` URLs.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

/// Redirects `/` to `/docs` below `base`. Not for ever: on a developer's machine, another service may use the address tomorrow.
pub(super) fn redirect_to_docs(base: &str) -> Response {
    // Base paths consist of characters that a URL may contain.
    let location = HeaderValue::try_from(format!("{base}/docs"));
    let location = location.unwrap_or(HeaderValue::from_static("/docs"));
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
}

/// Redirects `/docs/` to `/docs`. The location is relative, so a path prefix added by a gateway is kept.
pub(super) fn redirect() -> Response {
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, HeaderValue::from_static("../docs"))]).into_response()
}

impl Asset {
    /// Compresses and tags `bytes` as `build/docs.rs` does.
    pub(super) fn compress(path: &'static str, content_type: &'static str, bytes: &[u8]) -> Self {
        let digest = hex::encode(&Sha256::digest(bytes)[..8]);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let gzipped = encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to a Vec does not fail");
        Self {
            path,
            content_type,
            etag: format!("\"{digest}\"").into(),
            gzip_etag: format!("\"{digest}-gz\"").into(),
            gzipped: gzipped.into(),
            inflated: OnceLock::new(),
        }
    }

    /// Answers with the file, or with 304 if the client has the current version.
    pub(crate) fn answer(&self, request: &HeaderMap) -> Response {
        let gzip = accepts_gzip(request);
        let etag = if gzip { &self.gzip_etag } else { &self.etag };
        let common = [
            (header::ETAG, HeaderValue::try_from(&**etag).expect("hexadecimal digits in quotes")),
            (header::CACHE_CONTROL, CACHE_CONTROL),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
        ];
        if has_already(request, etag) {
            return (StatusCode::NOT_MODIFIED, common).into_response();
        }
        let security = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.content_type)),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ];
        let body = if gzip { &self.gzipped } else { self.inflated.get_or_init(|| self.inflate()) };
        let body = body.clone();
        let mut response = (common, security, body).into_response();
        if gzip {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    /// Takes milliseconds, once per file and process.
    fn inflate(&self) -> Bytes {
        let mut bytes = Vec::new();
        GzDecoder::new(&*self.gzipped).read_to_end(&mut bytes).expect("the stored bytes are complete gzip");
        bytes.into()
    }
}

/// Whether `accept-encoding` (RFC 9110, 12.5.3) admits gzip.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let weight = |coding: &str| {
        let weight = |parameter: &str| parameter.trim().strip_prefix("q=").map(|q| q.trim().parse().unwrap_or(0.0));
        coding.split(';').skip(1).find_map(weight).unwrap_or(1.0_f32)
    };
    let find = |name: &str| {
        let named = |coding: &&str| coding.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(name);
        list(request, &header::ACCEPT_ENCODING).find(named).map(weight)
    };
    find("gzip").or_else(|| find("*")).is_some_and(|weight| weight > 0.0)
}

/// Whether `if-none-match` (RFC 9110, 13.1.2) names the entity tag.
fn has_already(request: &HeaderMap, etag: &str) -> bool {
    list(request, &header::IF_NONE_MATCH).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// The members of a comma-separated header.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_only_to_clients_that_accept_it() {
        let accepts = |value: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]))
        };
        for value in ["gzip", "br, GZIP;q=0.5", "*", "identity;q=0, *;q=0.1", "deflate, gzip; q=1.0"] {
            assert!(accepts(value), "{value}");
        }
        for value in ["", "identity", "br", "gzip;q=0", "*;q=0", "gzip;q=0, *", "gzip;q=much"] {
            assert!(!accepts(value), "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
