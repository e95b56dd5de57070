//! A gateway's event → an HTTP request.
//!
//! Four callers send three kinds of event: API Gateway's HTTP API and a Lambda function URL (payload 2.0), its REST API
//! (payload 1.0) and an Application Load Balancer. lambda_http tells them apart and could also convert them, but it builds
//! an absolute URI for that, which costs time, puts the stage of a REST API in front of the path, and panics on invalid URIs
//! and invalid base64. The router only needs a path, a method, headers and a body.

use std::borrow::Cow;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Method, Request, Uri, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use lambda_http::request::LambdaRequest;

use crate::http::{GatewayRequestId, UndecodableBody};

/// Converts an event. `invocation` is the id of the invocation, used where the gateway has none for the request. A body that
/// is flagged as base64 but is not valid base64 is left out, and the request is [marked](UndecodableBody).
pub fn into_request(event: LambdaRequest, invocation: &str) -> Request<Body> {
    let (mut request, id) = match event {
        LambdaRequest::ApiGatewayV2(event) => {
            let method = event.request_context.http.method;
            let request = request(method, event.raw_path, event.headers, event.body, event.is_base64_encoded);
            (request, event.request_context.request_id)
        }
        LambdaRequest::ApiGatewayV1(event) => {
            let mut headers = merged(event.multi_value_headers, event.headers);
            // A compressed answer reaches the gateway as base64, which a REST API passes on undecoded unless the media type is
            // configured as binary.
            headers.remove(header::ACCEPT_ENCODING);
            let request = request(event.http_method, event.path, headers, event.body, event.is_base64_encoded);
            (request, event.request_context.request_id)
        }
        LambdaRequest::Alb(event) => {
            let headers = merged(event.multi_value_headers, event.headers);
            (request(event.http_method, event.path, headers, event.body, event.is_base64_encoded), None)
        }
        // The enum is non-exhaustive; the kinds that the enabled features of lambda_http allow are above.
        _ => (request(Method::GET, None, HeaderMap::new(), None, false), None),
    };
    request.extensions_mut().insert(GatewayRequestId(id.unwrap_or_else(|| invocation.to_owned())));
    request
}

/// Where multi-value headers are sent, they include all single-value headers.
fn merged(multi_value: HeaderMap, single_value: HeaderMap) -> HeaderMap {
    if multi_value.is_empty() { single_value } else { multi_value }
}

fn request(
    method: Method,
    path: Option<String>,
    headers: HeaderMap,
    body: Option<String>,
    is_base64: bool,
) -> Request<Body> {
    let body = body.unwrap_or_default();
    let body = if is_base64 { STANDARD.decode(body).ok().map(Bytes::from) } else { Some(body.into()) };
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = uri(path.unwrap_or_default());
    *request.headers_mut() = headers;
    match body {
        Some(body) => *request.body_mut() = Body::from(body),
        None => {
            request.extensions_mut().insert(UndecodableBody);
        }
    }
    request
}

/// The path as a URI. Payload 2.0 percent-decodes it, so it may not be a valid URI. Such a path is none of our routes, so one
/// that matches no route takes its place.
fn uri(path: String) -> Uri {
    let path = if path.starts_with('/') { Cow::Owned(path) } else { Cow::Borrowed("/") };
    // In a decoded path these characters are part of the path, but here they would end it.
    let parsed = if path.contains(['?', '#']) { None } else { path.parse().ok() };
    parsed.unwrap_or_else(|| Uri::from_static("/-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_no_uri_becomes_one_that_matches_no_route() {
        for path in ["/decisions", "/docs/", "/%20"] {
            assert_eq!(uri(path.to_owned()).path(), path);
        }
        for path in ["/a b", "/decisions?x", "/decisions#x", "/\u{e4}", "/\"", &"/a".repeat(70_000)] {
            let uri = uri(path.to_owned());
            assert!(uri.path() == "/-" || uri.path() == path, "{path} became {uri}");
            assert_ne!(uri.path(), "/decisions");
        }
        assert_eq!(uri(String::new()).path(), "/");
        assert_eq!(uri("decisions".to_owned()).path(), "/");
    }
}
