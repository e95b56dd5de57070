//! The documentation: the OpenAPI document and a page to read.

use std::sync::LazyLock;

use axum::{
    Router,
    http::{HeaderValue, header},
    response::{Html, IntoResponse},
    routing::get,
};
use utoipa::OpenApi;

use super::problem::PointedError;

/// What the document says of the API as a whole. The endpoints add themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "predict-once",
        description = "Credit-risk predictions. The same prediction is never computed twice: a request that was seen \
                       before is answered from a cache, and the response's `cache-status` says so."
    ),
    // What only the error answers refer to is not collected from the endpoints.
    components(schemas(PointedError))
)]
struct Api;

/// The OpenAPI document, generated from the handlers and types.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = Api::openapi();
    document.merge(super::predictions().into_openapi());
    document
}

pub(super) fn router() -> Router {
    Router::new().route("/openapi.json", get(document)).route("/docs", get(page))
}

async fn document() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> =
        LazyLock::new(|| openapi().to_json().expect("the document is strings, numbers and maps with string keys"));
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], DOCUMENT.as_str())
}

async fn page() -> Html<&'static str> {
    Html(include_str!("docs.html"))
}
