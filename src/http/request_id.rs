//! The id of a request (the client's, the gateway's, or a new one), and the trace that it belongs to.

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use uuid::Uuid;

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The gateway's id for a request, or the platform's if the gateway has none (as an extension of the request).
#[derive(Clone, Debug)]
pub struct GatewayRequestId(pub String);

/// Lambda's id for the invocation, as in its own log lines (as an extension of the request).
#[derive(Clone, Debug)]
pub struct FunctionRequestId(pub String);

/// The request's id: the client's `x-request-id` if valid, otherwise the gateway's, otherwise a new one (UUID, version 4).
pub(super) fn request_id<B>(request: &Request<B>) -> String {
    let sent = request.headers().get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
    if let Some(id) = sent.filter(|id| is_request_id(id)) {
        return id.to_owned();
    }
    match request.extensions().get::<GatewayRequestId>() {
        Some(GatewayRequestId(id)) if is_request_id(id) => id.clone(),
        _ => Uuid::new_v4().to_string(),
    }
}

/// Only characters that cannot break a log line, and not too many.
fn is_request_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/+=@-".contains(&byte);
    (1..=128).contains(&id.len()) && id.bytes().all(allowed)
}

/// Puts the id on a response.
pub(super) fn echo(request_id: &str, headers: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(X_REQUEST_ID, value);
    }
}

/// The trace id of a `traceparent` header (W3C Trace Context, level 1): 32 hexadecimal digits. Invalid ones are
/// ignored, as the recommendation says.
pub(super) fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let value = value.to_str().ok()?;
    let mut parts = value.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let names_something = |part: &str| part.bytes().any(|byte| byte != b'0');
    // A later version may have more parts; version 00 has not.
    let valid = hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
    let valid = valid && hex(trace, 32) && names_something(trace) && hex(parent, 16) && names_something(parent);
    (valid && hex(flags, 2)).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_clients_then_the_gateways_then_a_new_one() {
        let request = |sent: &str, gateway: bool| {
            let mut request = Request::new(());
            if !sent.is_empty() {
                request.headers_mut().insert(X_REQUEST_ID, HeaderValue::from_str(sent).expect("a header value"));
            }
            if gateway {
                request.extensions_mut().insert(GatewayRequestId("gateway-1".to_owned()));
            }
            request_id(&request)
        };
        assert_eq!(request("order-7/3", true), "order-7/3");
        for unusable in ["a b", "a\"b", "{a}", &"a".repeat(129)] {
            assert_eq!(request(unusable, true), "gateway-1", "{unusable}");
        }
        assert_eq!(request("", true), "gateway-1");
        let (one, other) = (request("", false), request("", false));
        assert!(Uuid::parse_str(&one).is_ok() && one != other, "{one} {other}");
    }

    #[test]
    fn a_trace_id_is_taken_from_a_valid_traceparent_only() {
        const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
        let trace = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TRACEPARENT, HeaderValue::from_str(value).expect("a header value"));
            }
            trace_id(&headers).map(str::to_owned)
        };
        let valid = format!("00-{TRACE}-b7ad6b7169203331-01");
        assert_eq!(trace(&[&valid]).as_deref(), Some(TRACE));
        assert_eq!(trace(&[&format!("cc-{TRACE}-b7ad6b7169203331-01-what-comes")]).as_deref(), Some(TRACE));
        for invalid in [
            &format!("ff-{TRACE}-b7ad6b7169203331-01"),
            &format!("00-{TRACE}-b7ad6b7169203331-01-more"),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            &format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()),
            &format!("00-{TRACE}-b7ad6b7169203331"),
            &"nonsense".to_owned(),
        ] {
            assert_eq!(trace(&[invalid]), None, "{invalid}");
        }
        assert_eq!(trace(&[&valid, &valid]), None);
    }
}
