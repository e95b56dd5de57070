//! The HTTP API: routes, and what a request and a response look like.

mod application;
mod cache_status;
mod docs;
mod predictions;
mod problem;
mod request_log;

use std::sync::Arc;

use axum::{Router, middleware};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::service::PredictionService;

pub use self::{application::UndecodableBody, docs::openapi, request_log::RequestId};

/// The API on top of a service: three prediction endpoints and the documentation.
pub fn router(service: Arc<PredictionService>) -> Router {
    let (predictions, _) = predictions().with_state(service).split_for_parts();
    predictions
        .merge(docs::router())
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(middleware::from_fn(request_log::log))
}

/// The prediction endpoints, routed and documented in one place.
fn predictions() -> OpenApiRouter<Arc<PredictionService>> {
    OpenApiRouter::new()
        .routes(routes!(predictions::decisions))
        .routes(routes!(predictions::probabilities))
        .routes(routes!(predictions::risk_categories))
}
