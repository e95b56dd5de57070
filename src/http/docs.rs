//! The documentation: the OpenAPI document and a page to read.

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, header},
    response::{Html, IntoResponse},
};
use utoipa::OpenApi;

use super::{cache_status::CacheHeaders, predictions, problem::PointedError};

/// The OpenAPI document, out of the annotations of handlers and types.
///
/// It is made when it is first asked for. utoipa-axum would make it whenever the router is built, to take the routes from
/// it, and that is at every cold start.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "predict-once",
        description = "Credit-risk predictions. The same prediction is never computed twice: a request that was seen \
                       before is answered from a cache, and the response's `cache-status` says so."
    ),
    paths(predictions::decisions, predictions::probabilities, predictions::risk_categories),
    // What only the error answers refer to is not collected from the endpoints.
    components(schemas(PointedError)),
    modifiers(&CacheHeaders)
)]
struct Api;

pub(super) async fn document() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> =
        LazyLock::new(|| Api::openapi().to_json().expect("the document is strings, numbers and maps with string keys"));
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], DOCUMENT.as_str())
}

pub(super) async fn page() -> Html<&'static str> {
    Html(include_str!("docs.html"))
}
