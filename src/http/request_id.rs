//! The request id: the client's, the gateway's, or a new one.

use std::hash::{BuildHasher, RandomState};

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use uuid::{Builder, Uuid};

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request extension: the gateway's id for the request, or the platform's if the gateway has none.
#[derive(Clone, Debug)]
pub struct GatewayRequestId(pub String);

/// The client's `x-request-id` if valid, otherwise the gateway's id, otherwise a new one (UUID, version 4).
pub(super) fn request_id<B>(request: &Request<B>) -> String {
    let sent = request.headers().get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
    if let Some(id) = sent.filter(|id| is_request_id(id)) {
        return id.to_owned();
    }
    match request.extensions().get::<GatewayRequestId>() {
        Some(GatewayRequestId(id)) if is_request_id(id) => id.clone(),
        _ => new_id().to_string(),
    }
}

/// Hashes with the thread's random keys, which the operating system chose once: asking it for each id would cost a system call per
/// request.
fn new_id() -> Uuid {
    let keys = RandomState::new();
    let halves = [0, 1].map(|half| keys.hash_one(half));
    Builder::from_random_bytes((u128::from(halves[0]) << 64 | u128::from(halves[1])).to_ne_bytes()).into_uuid()
}

/// Accepts 1 to 128 characters that cannot break a log line.
fn is_request_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/+=@-".contains(&byte);
    (1..=128).contains(&id.len()) && id.bytes().all(allowed)
}

pub(super) fn echo(request_id: &str, headers: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(X_REQUEST_ID, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_id_comes_first_then_the_gateways_then_a_new_one() {
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
}
