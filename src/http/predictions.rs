//! The prediction endpoints: one flow for all of a model's predictions.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::post,
};

use super::{body, cache_status, no_content, prediction_paths, problem::Problem};
use crate::{
    model::{Inputs, Model},
    service::{CachePolicy, PredictionService},
};

pub(super) const X_MODEL: HeaderName = HeaderName::from_static("x-model");

/// Adds a route for every prediction of the model. (Merging two routers would build both.)
pub(super) fn add_routes(router: Router<Arc<PredictionService>>, model: &Model) -> Router<Arc<PredictionService>> {
    // Names are of a-z, 0-9, `_` and `-`, fingerprints of hexadecimal digits.
    let x_model = format!("{}; fingerprint={}", model.signature().name, model.fingerprint());
    let x_model = HeaderValue::try_from(x_model).expect("its parts are ASCII");
    prediction_paths(model).iter().enumerate().fold(router, |routes, (prediction, path)| {
        let x_model = x_model.clone();
        let handler = async move |State(service): State<Arc<PredictionService>>, request: Request| {
            predict(&service, prediction, x_model, request).await
        };
        routes.route(path, post(handler).options(options))
    })
}

/// Looks up or computes a prediction and answers with it.
async fn predict(
    service: &PredictionService,
    prediction: usize,
    x_model: HeaderValue,
    request: Request,
) -> Result<Response, Problem> {
    let policy = CachePolicy::from(request.headers());
    let answer = match body::read(request, service.model()).await? {
        Inputs::One(input) => service.predict(prediction, &input, policy).await,
        Inputs::Many(inputs) => service.predict_many(prediction, &inputs, policy).await,
    };
    let mut response = match answer.body {
        Ok(body) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
        Err(none) => Problem::from(none).into_response(),
    };
    cache_status::describe(&answer.served, response.headers_mut());
    response.headers_mut().insert(X_MODEL, x_model);
    response.extensions_mut().insert(answer.served);
    Ok(response)
}

/// The methods of a prediction's path, and the media type that it reads (`accept-post`, W3C Linked Data Platform).
async fn options() -> Response {
    const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
    let mut response = no_content("POST,OPTIONS");
    response.headers_mut().insert(ACCEPT_POST, HeaderValue::from_static("application/json"));
    response
}
