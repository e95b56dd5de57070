//! The HTTP API: routes, and what a request and a response look like.

mod application;
mod cache_status;
mod docs;
mod predictions;
mod problem;
mod request_log;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, post},
};

use crate::service::PredictionService;

pub use self::{application::UndecodableBody, request_log::RequestId};

/// The API on top of a service: three prediction endpoints and their documentation.
pub fn router(service: Arc<PredictionService>) -> Router {
    Router::new()
        .route("/decisions", post(predictions::decisions))
        .route("/probabilities", post(predictions::probabilities))
        .route("/risk_categories", post(predictions::risk_categories))
        .route("/docs", get(docs::page))
        .route("/openapi.json", get(docs::document))
        .with_state(service)
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(middleware::from_fn(request_log::log))
}
