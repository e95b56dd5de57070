//! An HTTP response → the answer that the sender of the event expects.

use axum_core::{body::Body, response::Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use serde::{
    Serialize, Serializer,
    ser::{Error, SerializeMap},
};
use serde_json::value::RawValue;

use super::event::Origin;

/// The answer to an event.
pub(super) struct Answer {
    origin: Origin,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    pub(super) async fn new(origin: Origin, response: Response) -> Self {
        let (parts, body): (_, Body) = response.into_parts();
        let body = body.collect().await.expect("the bodies of the API are in memory").to_bytes();
        Self { origin, status: parts.status, headers: parts.headers, body }
    }

    /// The answer to a warm-up.
    pub(super) fn warm() -> Self {
        Self {
            origin: Origin::HttpApi,
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from_static(b"ok"),
        }
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { origin, status, headers, body } = self;
        if *origin == Origin::Direct {
            // The body itself, which is JSON, as is every answer to a prediction.
            let body: Option<&RawValue> = serde_json::from_slice(body).map_err(S::Error::custom)?;
            return body.serialize(serializer);
        }
        let mut answer = serializer.serialize_map(None)?;
        answer.serialize_entry("statusCode", &status.as_u16())?;
        match origin {
            Origin::HttpApi => {
                answer.serialize_entry("headers", &SingleValue(headers))?;
                // API Gateway does not need cookies, but cargo-lambda rejects an answer without them.
                answer.serialize_entry::<_, [&str]>("cookies", &[])?;
            }
            Origin::Lattice => answer.serialize_entry("headers", &SingleValue(headers))?,
            // A REST API would send a header twice if it were in both forms.
            Origin::RestApi => answer.serialize_entry("multiValueHeaders", &MultiValue(headers))?,
            // A load balancer reads the form that its target group is configured for.
            Origin::LoadBalancer => {
                answer.serialize_entry("headers", &SingleValue(headers))?;
                answer.serialize_entry("multiValueHeaders", &MultiValue(headers))?;
                answer.serialize_entry("statusDescription", &status.to_string())?;
            }
            Origin::Direct => {}
        }
        // A compressed body is never valid UTF-8: gzip begins with the bytes 1f 8b.
        match std::str::from_utf8(body) {
            Ok(text) => {
                answer.serialize_entry("body", text)?;
                answer.serialize_entry("isBase64Encoded", &false)?;
            }
            Err(_) => {
                answer.serialize_entry("body", &STANDARD.encode(body))?;
                answer.serialize_entry("isBase64Encoded", &true)?;
            }
        }
        answer.end()
    }
}

/// Each header once, its values separated by commas (RFC 9110, 5.3).
struct SingleValue<'a>(&'a HeaderMap);

impl Serialize for SingleValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        for name in self.0.keys() {
            let mut values = self.0.get_all(name).iter().map(text);
            let first = values.next().unwrap_or_default();
            match values.next() {
                None => members.serialize_entry(name.as_str(), first)?,
                Some(second) => {
                    let all: Vec<_> = [first, second].into_iter().chain(values).collect();
                    members.serialize_entry(name.as_str(), &all.join(", "))?;
                }
            }
        }
        members.end()
    }
}

/// Each header with a list of its values.
struct MultiValue<'a>(&'a HeaderMap);

impl Serialize for MultiValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values = |name| self.0.get_all(name).iter().map(text).collect::<Vec<_>>();
        serializer.collect_map(self.0.keys().map(|name| (name.as_str(), values(name))))
    }
}

/// Response headers are set by the service and are ASCII.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}
