//! A gateway's event → an HTTP request.
//!
//! One type has the members of every gateway's event, so that each is read in one pass. lambda_http would try one type after the other
//! at several times the cost, fail the invocation because of one header that HTTP does not allow, build an absolute URI, put a REST
//! API's stage in front of the path, and panic on invalid URIs and invalid base64. The API needs only a path, a method, headers and a
//! body.

use axum_core::body::Body;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{
    headers::{Headers, Text, text},
    path::{self, Located},
};
use crate::http::{AnswerLimit, BasePath, GatewayRequestId, UndecodableBody};

/// An HTTP request in a gateway's event.
#[derive(Debug)]
pub struct HttpEvent {
    pub origin: Origin,
    pub(super) method: Method,
    pub(super) located: Located,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<String>,
    pub(super) is_base64: bool,
    pub(super) request_id: Option<String>,
}

/// The sender of an event. It determines the form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Payload 2.0: API Gateway's HTTP API, or a function URL.
    HttpApi,
    /// Payload 1.0: API Gateway's REST API.
    RestApi,
    /// An Application Load Balancer (ALB).
    LoadBalancer,
    /// VPC Lattice, event structure 1 or 2.
    Lattice,
    /// No gateway.
    Direct,
}

impl Origin {
    /// The largest answer that reaches the client. Beyond it, Lambda or the load balancer would answer with an error of its own.
    fn answer_limit(self) -> AnswerLimit {
        match self {
            Self::HttpApi | Self::RestApi | Self::Lattice => AnswerLimit::LAMBDA,
            Self::LoadBalancer => AnswerLimit { megabytes: 1, ..AnswerLimit::LAMBDA },
            Self::Direct => AnswerLimit { in_json: false, ..AnswerLimit::LAMBDA },
        }
    }
}

/// The members of every gateway's event that the service reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GatewayEvent<'a> {
    /// Payload 2.0.
    raw_path: Option<String>,
    /// VPC Lattice, event structure 1.
    #[serde(rename = "raw_path")]
    lattice_path: Option<String>,
    /// The other gateways.
    path: Option<String>,
    /// Payload 1.0, and load balancers.
    #[serde(borrow)]
    http_method: Option<Text<'a>>,
    /// VPC Lattice.
    #[serde(borrow)]
    method: Option<Text<'a>>,
    headers: Option<Headers>,
    multi_value_headers: Option<Headers>,
    body: Option<String>,
    #[serde(alias = "is_base64_encoded")]
    is_base64_encoded: Option<bool>,
    /// Payload 2.0: `POST /decisions`, `ANY /{proxy+}` or `$default`.
    #[serde(borrow)]
    route_key: Option<Text<'a>>,
    /// Payload 1.0: `/decisions` or `/{proxy+}`.
    #[serde(borrow)]
    resource: Option<Text<'a>>,
    #[serde(borrow)]
    path_parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    request_context: Option<Context<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    /// Payload 2.0.
    #[serde(borrow)]
    http: Option<ContextHttp<'a>>,
    /// Load balancers.
    elb: Option<IgnoredAny>,
    request_id: Option<String>,
    #[serde(borrow)]
    stage: Option<Text<'a>>,
    /// Payload 1.0: the path as the client sent it.
    #[serde(borrow)]
    path: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct ContextHttp<'a> {
    #[serde(borrow)]
    method: Text<'a>,
    /// The path as the client sent it.
    #[serde(borrow)]
    path: Option<Text<'a>>,
}

impl HttpEvent {
    /// `None` if no gateway sends such an event.
    pub(super) fn new(event: GatewayEvent<'_>) -> Option<Self> {
        let parameters = event.path_parameters.map(RawValue::get);
        let (origin, method, located) =
            match (&event.request_context, event.raw_path, &event.http_method, &event.method) {
                (Some(Context { http: Some(http), stage, .. }), Some(path), ..) => {
                    let stage = path::below_stage(&path, text(stage));
                    let route = text(&event.route_key).split_once(' ').map_or("", |(_, route)| route);
                    let below = path::below_mapping(&path, route, parameters).or(stage);
                    (Origin::HttpApi, &*http.method.0, Located::new(path, below, Some(text(&http.path))))
                }
                (Some(Context { elb: Some(_), .. }), _, Some(Text(method)), _) => {
                    (Origin::LoadBalancer, &**method, Located::unchanged(event.path.unwrap_or_default()))
                }
                (Some(context), _, Some(Text(method)), _) => {
                    let path = event.path.unwrap_or_default();
                    let below = path::below_mapping(&path, text(&event.resource), parameters);
                    (Origin::RestApi, &**method, Located::new(path, below, Some(text(&context.path))))
                }
                (context, _, None, Some(Text(method))) => {
                    let mut path = if context.is_some() { event.path? } else { event.lattice_path? };
                    // The path includes the query.
                    path.truncate(path.find('?').unwrap_or(path.len()));
                    (Origin::Lattice, &**method, Located::unchanged(path))
                }
                _ => return None,
            };
        // Multi-value headers, if sent, include all single-value headers.
        let [Headers(single), Headers(multi)] =
            [event.headers, event.multi_value_headers].map(Option::unwrap_or_default);
        let mut headers = if multi.is_empty() { single } else { multi };
        if origin == Origin::RestApi {
            // A compressed answer would be base64, which a REST API forwards undecoded unless the media type is configured as binary.
            headers.remove(header::ACCEPT_ENCODING);
        }
        Some(Self {
            origin,
            method: method.parse().ok()?,
            located,
            headers,
            body: event.body,
            is_base64: event.is_base64_encoded.unwrap_or_default(),
            request_id: event.request_context.and_then(|context| context.request_id),
        })
    }

    /// Converts the event to a request. `invocation` is the invocation's id, used if the gateway sent no request id. If the body is
    /// flagged as base64 but is not valid base64, it is omitted and the request is [marked](UndecodableBody).
    pub fn into_request(self, invocation: &str) -> Request<Body> {
        let Self { origin, method, located, headers, body, is_base64, request_id } = self;
        let body = body.unwrap_or_default();
        let body = if is_base64 { STANDARD.decode(body).ok().map(Bytes::from) } else { Some(body.into()) };
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = path::uri(located.path);
        *request.headers_mut() = headers;
        let extensions = request.extensions_mut();
        extensions.insert(GatewayRequestId(request_id.unwrap_or_else(|| invocation.to_owned())));
        extensions.insert(origin.answer_limit());
        if let Some(base) = BasePath::parse(&located.base) {
            extensions.insert(base);
        }
        match body {
            Some(body) => *request.body_mut() = Body::from(body),
            None => {
                extensions.insert(UndecodableBody);
            }
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(json: &str) -> HttpEvent {
        serde_json::from_str(json).ok().and_then(HttpEvent::new).expect(json)
    }

    #[test]
    fn an_http_api_may_send_null_instead_of_headers_and_leave_members_out() {
        let event = include_str!("../../events/http-api.json");
        let mut odd: serde_json::Value = serde_json::from_str(event).expect("JSON");
        odd["headers"] = serde_json::Value::Null;
        odd["isBase64Encoded"] = serde_json::Value::Null;
        let mut bare = odd.clone();
        for name in ["headers", "isBase64Encoded", "routeKey"] {
            bare.as_object_mut().expect("an object").remove(name);
        }
        for (event, headers) in [(event.to_owned(), 9), (odd.to_string(), 0), (bare.to_string(), 0)] {
            let event = http(&event);
            assert_eq!(
                (event.origin, event.located.path.as_str(), event.headers.len()),
                (Origin::HttpApi, "/decisions", headers)
            );
        }
    }
}
