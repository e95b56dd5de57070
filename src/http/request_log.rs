//! One log line per request, written when the response has left.

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};

use super::request_id::{self, FunctionRequestId};
use crate::{
    after_response,
    service::Served,
    telemetry::{self, RequestRecord},
};

pub(super) async fn log(mut request: Request, next: Next) -> Response {
    let request_id = request_id::request_id(&request);
    let trace_id = request_id::trace_id(request.headers()).map(str::to_owned);
    let function_request_id = request.extensions_mut().remove().map(|FunctionRequestId(id)| id);
    let endpoint = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let mut response = next.run(request).await;
    request_id::echo(&request_id, response.headers_mut());
    let served = response.extensions().get::<Served>().cloned();
    let status = response.status().as_u16();
    let record = RequestRecord { request_id, function_request_id, trace_id, endpoint, status, served };
    after_response::defer(move |_| async move { telemetry::request_served(&record) });
    response
}
