//! The HTTP API: routes, requests and responses.

mod body;
mod cache_status;
mod cors;
mod docs;
mod openapi;
mod predictions;
mod problem;
mod request_id;
mod request_log;

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware,
    response::{IntoResponse, Response},
};
use tower::util::option_layer;

use crate::{model::Model, service::PredictionService};

pub use self::{
    body::UndecodableBody,
    cors::AllowedOrigins,
    docs::{ASSETS, Asset},
    openapi::document as openapi_document,
    problem::ProblemKind,
    request_id::{FunctionRequestId, GatewayRequestId},
};

/// The API of a service: the prediction endpoints and their documentation, also for scripts of these origins.
pub fn router(service: Arc<PredictionService>, origins: Option<AllowedOrigins>) -> Router {
    let paths = prediction_paths(service.model());
    docs::add_routes(predictions::add_routes(Router::new(), service.model()))
        .with_state(service)
        .fallback(async move |uri: Uri| problem::no_such_path(&uri, &paths))
        .method_not_allowed_fallback(async |method: Method| problem::method_not_allowed(&method))
        .layer(option_layer(origins.map(cors::layer)))
        .layer(middleware::from_fn(request_log::log))
}

/// All paths of the router for this model, except `/docs/`, which redirects to `/docs`.
pub fn paths(model: &Model) -> Vec<String> {
    let documentation = ASSETS.iter().map(|asset| asset.path).chain([docs::OPENAPI]);
    prediction_paths(model).into_iter().chain(documentation.map(str::to_owned)).collect()
}

/// The paths of a model's predictions, in their order.
fn prediction_paths(model: &Model) -> Vec<String> {
    model.predictions().iter().map(|prediction| format!("/{}", prediction.endpoint())).collect()
}

/// The answer to OPTIONS: the methods that a path supports.
fn no_content(allow: &'static str) -> Response {
    (StatusCode::NO_CONTENT, [(header::ALLOW, HeaderValue::from_static(allow))]).into_response()
}
