//! A gateway's event → an HTTP request.
//!
//! The most common event, payload 2.0 of API Gateway's HTTP API and of function URLs, is deserialised in one pass by a type of this
//! module. lambda_http deserialises all others by trying one type after the other, at several times the cost: payload 1.0 (API
//! Gateway's REST API), an Application Load Balancer's and VPC Lattice's. lambda_http could also convert them to requests, but it
//! builds an absolute URI, puts a REST API's stage in front of the path, and panics on invalid URIs and invalid base64. The API needs
//! only a path, a method, headers and a body.

use std::{borrow::Cow, fmt};

use axum_core::body::Body;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use lambda_http::request::LambdaRequest;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use super::path;
use crate::http::{GatewayRequestId, UndecodableBody};

/// An HTTP request in a gateway's event.
#[derive(Debug)]
pub struct Event {
    pub origin: Origin,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Option<String>,
    is_base64: bool,
    request_id: Option<String>,
}

/// The gateway that sent an event. It determines the form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Payload 2.0: API Gateway's HTTP API, or a function URL.
    HttpApi,
    /// Payload 1.0: API Gateway's REST API.
    RestApi,
    /// An Application Load Balancer (ALB).
    LoadBalancer,
    /// VPC Lattice, payload 2.0.
    Lattice,
}

/// The event is not an HTTP request from a supported gateway.
#[derive(Debug, thiserror::Error)]
#[error(
    "the event is not a supported HTTP request: call this function through API Gateway (an HTTP API or a REST API), a function URL, \
     an Application Load Balancer or VPC Lattice"
)]
pub struct NotHttp;

/// Payload 2.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpApiEvent {
    raw_path: String,
    headers: Headers,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    request_context: HttpApiContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpApiContext {
    http: HttpApiRequest,
    request_id: Option<String>,
    #[serde(default)]
    stage: String,
}

#[derive(Deserialize)]
struct HttpApiRequest {
    method: String,
}

impl Event {
    /// # Errors
    ///
    /// If the JSON is not a supported gateway's event.
    pub fn read(json: &str) -> Result<Self, NotHttp> {
        let Ok(event) = serde_json::from_str::<HttpApiEvent>(json) else {
            return Self::from_lambda_http(serde_json::from_str(json).map_err(|_| NotHttp)?);
        };
        let HttpApiContext { http, request_id, stage } = event.request_context;
        Ok(Self {
            origin: Origin::HttpApi,
            method: http.method.parse().map_err(|_| NotHttp)?,
            path: path::below_stage(event.raw_path, &stage),
            headers: event.headers.0,
            body: event.body,
            is_base64: event.is_base64_encoded,
            request_id,
        })
    }

    fn from_lambda_http(event: LambdaRequest) -> Result<Self, NotHttp> {
        let event = match event {
            LambdaRequest::ApiGatewayV2(event) => Self {
                origin: Origin::HttpApi,
                method: event.request_context.http.method,
                path: path::below_stage(
                    event.raw_path.unwrap_or_default(),
                    &event.request_context.stage.unwrap_or_default(),
                ),
                headers: event.headers,
                body: event.body,
                is_base64: event.is_base64_encoded,
                request_id: event.request_context.request_id,
            },
            LambdaRequest::ApiGatewayV1(event) => {
                let mut headers = merged(event.multi_value_headers, event.headers);
                // A compressed answer would be base64, which a REST API forwards undecoded unless the media type is configured as
                // binary.
                headers.remove(header::ACCEPT_ENCODING);
                Self {
                    origin: Origin::RestApi,
                    method: event.http_method,
                    path: event.path.unwrap_or_default(),
                    headers,
                    body: event.body,
                    is_base64: event.is_base64_encoded,
                    request_id: event.request_context.request_id,
                }
            }
            LambdaRequest::Alb(event) => Self {
                origin: Origin::LoadBalancer,
                method: event.http_method,
                path: event.path.unwrap_or_default(),
                headers: merged(event.multi_value_headers, event.headers),
                body: event.body,
                is_base64: event.is_base64_encoded,
                request_id: None,
            },
            LambdaRequest::VpcLatticeV2(event) => {
                let mut path = event.path.ok_or(NotHttp)?;
                // The path includes the query.
                path.truncate(path.find('?').unwrap_or(path.len()));
                Self {
                    origin: Origin::Lattice,
                    method: event.method.ok_or(NotHttp)?,
                    path,
                    headers: event.headers,
                    body: event.body,
                    is_base64: event.is_base64_encoded,
                    request_id: None,
                }
            }
            // The enum is non-exhaustive; every kind that the enabled features of lambda_http allow is above.
            _ => return Err(NotHttp),
        };
        Ok(event)
    }

    /// Converts the event to a request. `invocation` is the invocation's id, used if the gateway sent no request id. If the body is
    /// flagged as base64 but is not valid base64, it is omitted and the request is [marked](UndecodableBody).
    pub fn into_request(self, invocation: &str) -> Request<Body> {
        let Self { method, path, headers, body, is_base64, request_id, .. } = self;
        let body = body.unwrap_or_default();
        let body = if is_base64 { STANDARD.decode(body).ok().map(Bytes::from) } else { Some(body.into()) };
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = path::uri(path);
        *request.headers_mut() = headers;
        match body {
            Some(body) => *request.body_mut() = Body::from(body),
            None => {
                request.extensions_mut().insert(UndecodableBody);
            }
        }
        request.extensions_mut().insert(GatewayRequestId(request_id.unwrap_or_else(|| invocation.to_owned())));
        request
    }
}

/// Multi-value headers, if sent, include all single-value headers.
fn merged(multi_value: HeaderMap, single_value: HeaderMap) -> HeaderMap {
    if multi_value.is_empty() { single_value } else { multi_value }
}

/// The headers of payload 2.0: one value per name, with several values joined by commas. Names and values that are invalid in HTTP
/// are skipped.
struct Headers(HeaderMap);

/// A string, borrowed unless the JSON has escapes in it.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByName;

        impl<'de> Visitor<'de> for ByName {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("headers by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Headers, A::Error> {
                let mut headers = HeaderMap::with_capacity(16);
                while let Some((Text(name), Text(value))) = members.next_entry::<Text<'de>, Text<'de>>()? {
                    let (name, value) =
                        (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()));
                    if let (Ok(name), Ok(value)) = (name, value) {
                        // Further headers than a map holds (32,768) are left out.
                        let _ = headers.try_append(name, value);
                    }
                }
                Ok(Headers(headers))
            }
        }

        deserializer.deserialize_map(ByName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_headers_than_a_map_holds_are_left_out() {
        let headers: serde_json::Map<_, _> = (0..40_000).map(|n| (format!("x-{n}"), "1".into())).collect();
        let text = serde_json::Value::Object(headers).to_string();
        let Headers(headers) = serde_json::from_str(&text).expect("headers");
        assert!((20_000..40_000).contains(&headers.len()), "{}", headers.len());
    }

    #[test]
    fn invalid_headers_are_skipped_and_the_others_are_read() {
        let text = r#"{"": "a", "a b": "a", "line": "a\nb", "X-One": "1", "umlaut": "\u00e4"}"#;
        let Headers(headers) = serde_json::from_str(text).expect("headers");
        let read: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(read, [("x-one", "1".as_bytes()), ("umlaut", "\u{e4}".as_bytes())]);
    }

    #[test]
    fn an_event_that_our_type_does_not_accept_is_read_by_lambda_http() {
        let event = include_str!("../../events/http-api.json");
        let mut odd: serde_json::Value = serde_json::from_str(event).expect("JSON");
        odd["headers"] = serde_json::Value::Null;
        for (event, headers) in [(event.to_owned(), 9), (odd.to_string(), 0)] {
            let event = Event::read(&event).expect("an event");
            assert_eq!(
                (event.origin, event.path.as_str(), event.headers.len()),
                (Origin::HttpApi, "/decisions", headers)
            );
        }
    }
}
