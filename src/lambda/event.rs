//! A gateway's event → an HTTP request.
//!
//! The commonest event is read by our own type, in one pass: payload 2.0, which API Gateway's HTTP API and function URLs send.
//! Any other is left to lambda_http, which tries one type after the other, at several times the cost: payload 1.0 (API Gateway's
//! REST API), an Application Load Balancer's, VPC Lattice's. lambda_http could also make requests of them, but it builds an
//! absolute URI, puts the stage of a REST API in front of the path, and panics on invalid URIs and invalid base64. The API only
//! needs a path, a method, headers and a body.

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

/// An HTTP request as a gateway hands it to a function.
#[derive(Debug)]
pub struct Event {
    /// Which kind of event it is.
    pub origin: Origin,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Option<String>,
    is_base64: bool,
    request_id: Option<String>,
}

/// Which kind an event is of, and so which form its answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Payload 2.0: API Gateway's HTTP API, or a function URL.
    HttpApi,
    /// Payload 1.0: API Gateway's REST API.
    RestApi,
    /// An Application Load Balancer.
    LoadBalancer,
    /// VPC Lattice, payload 2.0.
    Lattice,
}

/// An event is no HTTP request, or not of a gateway that is known.
#[derive(Debug, thiserror::Error)]
#[error(
    "the event is no HTTP request: this function is called by API Gateway (an HTTP API or a REST API), a function URL, an \
     Application Load Balancer or VPC Lattice"
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
    /// Reads an event from JSON text.
    ///
    /// # Errors
    ///
    /// If it is not one of those that are known.
    pub fn read(json: &str) -> Result<Self, NotHttp> {
        let Ok(event) = serde_json::from_str::<HttpApiEvent>(json) else {
            return Self::of_other_kind(serde_json::from_str(json).map_err(|_| NotHttp)?);
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

    fn of_other_kind(event: LambdaRequest) -> Result<Self, NotHttp> {
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
                // A compressed answer reaches the gateway as base64, which a REST API passes on undecoded unless the media type
                // is configured as binary.
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
                // It holds the query, too.
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
            // The enum is non-exhaustive; the kinds that the enabled features of lambda_http allow are above.
            _ => return Err(NotHttp),
        };
        Ok(event)
    }

    /// The request. `invocation` is the id of the invocation, used where the gateway has none for the request. A body that is
    /// flagged as base64 but is not valid base64 is left out, and the request is [marked](UndecodableBody).
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

/// Where multi-value headers are sent, they include all single-value headers.
fn merged(multi_value: HeaderMap, single_value: HeaderMap) -> HeaderMap {
    if multi_value.is_empty() { single_value } else { multi_value }
}

/// The headers of payload 2.0: a value by name, in which several are separated by commas. What could not have come over HTTP is
/// left out.
struct Headers(HeaderMap);

/// A string, without a copy where nothing in it is escaped.
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
                        headers.append(name, value);
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
    fn what_is_no_header_of_http_is_left_out_and_the_others_are_read() {
        let text = r#"{"": "a", "a b": "a", "line": "a\nb", "X-One": "1", "umlaut": "\u00e4"}"#;
        let Headers(headers) = serde_json::from_str(text).expect("headers");
        let read: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(read, [("x-one", "1".as_bytes()), ("umlaut", "\u{e4}".as_bytes())]);
    }

    #[test]
    fn what_our_type_does_not_read_is_read_by_lambda_https() {
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
