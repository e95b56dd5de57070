//! One log line per request, written when the response has left.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};

use crate::{
    after_response,
    service::Served,
    telemetry::{self, RequestRecord},
};

/// The platform's name for a request (as an extension of the request). Without one, requests are numbered.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

impl RequestId {
    fn next() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        Self(format!("local-{}", COUNT.fetch_add(1, Ordering::Relaxed)))
    }
}

pub(super) async fn log(mut request: Request, next: Next) -> Response {
    let RequestId(request_id) = request.extensions_mut().remove().unwrap_or_else(RequestId::next);
    let endpoint = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let served = response.extensions().get::<Served>().cloned();
    let record = RequestRecord { request_id, endpoint, status: response.status().as_u16(), served };
    after_response::defer(move |_| async move { telemetry::request_served(&record) });
    response
}
