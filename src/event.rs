//! A gateway's event → an HTTP request.
//!
//! Four callers send three kinds of event: API Gateway's HTTP API and a Lambda function URL (payload 2.0), its REST API
//! (payload 1.0) and an Application Load Balancer. One type reads what all of them have, in one pass. lambda_http tries one type
//! after the other instead, and builds an absolute URI: that costs more than a hit does, puts the stage of a REST API in front of
//! the path, and panics on invalid URIs and invalid base64. The API only needs a path, a method, headers and a body.

mod path;

use std::{borrow::Cow, fmt};

use axum_core::body::Body;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use crate::http::{GatewayRequestId, UndecodableBody};

/// An HTTP request as a gateway hands it to a function.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Event {
    origin: Origin,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: String,
    is_base64: bool,
    request_id: Option<String>,
}

/// Which kind of event it is, and so which form its answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Payload 2.0: API Gateway's HTTP API, or a function URL.
    HttpApi,
    /// Payload 1.0: API Gateway's REST API.
    RestApi,
    /// An Application Load Balancer.
    LoadBalancer,
}

/// An event as it is written. Any member may be null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    raw_path: Option<String>,
    path: Option<String>,
    http_method: Option<String>,
    headers: Option<Headers>,
    multi_value_headers: Option<Headers>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
    request_context: Option<Context>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    http: Option<ContextHttp>,
    elb: Option<ContextElb>,
    request_id: Option<String>,
    stage: Option<String>,
}

#[derive(Deserialize)]
struct ContextHttp {
    method: Option<String>,
}

#[derive(Deserialize)]
struct ContextElb {}

impl Event {
    /// Which kind of event it is.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The request. `invocation` is the id of the invocation, used where the gateway has none for the request. A body that is
    /// flagged as base64 but is not valid base64 is left out, and the request is [marked](UndecodableBody).
    pub fn into_request(self, invocation: &str) -> Request<Body> {
        let Self { method, path, headers, body, is_base64, request_id, .. } = self;
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

/// Why an event is no HTTP request.
struct NotHttp;

impl fmt::Display for NotHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the event is no HTTP request: this function is called by API Gateway (an HTTP API or a REST API), a function URL or \
             an Application Load Balancer",
        )
    }
}

impl TryFrom<Written> for Event {
    type Error = NotHttp;

    fn try_from(written: Written) -> Result<Self, NotHttp> {
        let Written {
            raw_path,
            path,
            http_method,
            headers,
            multi_value_headers,
            body,
            is_base64_encoded,
            request_context,
        } = written;
        let Context { http, elb, request_id, stage } = request_context.ok_or(NotHttp)?;
        let single_value = headers.unwrap_or_default().0;
        // Where multi-value headers are sent, they include all single-value headers.
        let merged = |single_value| match multi_value_headers {
            Some(Headers(multi_value)) if !multi_value.is_empty() => multi_value,
            _ => single_value,
        };
        let (origin, method, path, headers) = match (http, elb) {
            (Some(http), _) => {
                let path = raw_path.map(|path| path::below_stage(path, stage.as_deref().unwrap_or_default()));
                (Origin::HttpApi, http.method, path, single_value)
            }
            (None, Some(ContextElb {})) => (Origin::LoadBalancer, http_method, path, merged(single_value)),
            (None, None) => {
                let mut headers = merged(single_value);
                // A compressed answer reaches the gateway as base64, which a REST API passes on undecoded unless the media type
                // is configured as binary.
                headers.remove(header::ACCEPT_ENCODING);
                (Origin::RestApi, http_method, path, headers)
            }
        };
        let method = method.and_then(|method| method.parse().ok()).ok_or(NotHttp)?;
        Ok(Self {
            origin,
            method,
            path: path.unwrap_or_default(),
            headers,
            body: body.unwrap_or_default(),
            is_base64: is_base64_encoded.unwrap_or_default(),
            request_id,
        })
    }
}

/// Headers by name: a value, or a list of them. What could not have come over HTTP is left out.
#[derive(Default)]
struct Headers(HeaderMap);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("headers by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Headers, A::Error> {
        let mut headers = HeaderMap::with_capacity(16);
        while let Some(Name(name)) = members.next_key()? {
            members.next_value_seed(Values { name, headers: &mut headers })?;
        }
        Ok(Headers(headers))
    }
}

/// A header's name, if it can be one.
struct Name(Option<HeaderName>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a header's name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(HeaderName::from_bytes(name.as_bytes()).ok()))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

/// Adds the value or the values of a header.
struct Values<'a> {
    name: Option<HeaderName>,
    headers: &'a mut HeaderMap,
}

impl Values<'_> {
    fn add(&mut self, value: &str) {
        if let (Some(name), Ok(value)) = (&self.name, HeaderValue::from_bytes(value.as_bytes())) {
            self.headers.append(name, value);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a header's value, or a list of them")
    }

    fn visit_str<E>(mut self, value: &str) -> Result<(), E> {
        self.add(value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut values: A) -> Result<(), A::Error> {
        while let Some(value) = values.next_element::<Cow<'de, str>>()? {
            self.add(&value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_header_of_http_is_left_out_and_the_others_are_read() {
        let text = r#"{"": "a", "a b": "a", "line": "a\nb", "none": null, "X-One": "1", "two": ["2", "b\nc", "3"], "umlaut": "\u00e4"}"#;
        let Headers(headers) = serde_json::from_str(text).expect("headers");
        let read: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(
            read,
            [
                ("x-one", "1".as_bytes()),
                ("two", "2".as_bytes()),
                ("two", "3".as_bytes()),
                ("umlaut", "\u{e4}".as_bytes())
            ]
        );
        assert!(serde_json::from_str::<Headers>(r#"{"a": 1}"#).is_err());
    }
}
