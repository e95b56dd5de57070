//! The three prediction endpoints: one flow, three types.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{application, cache_status, problem::Problem};
use crate::{
    credit::{CreditApplication, Decision, Prediction, Probability, RiskCategory},
    service::{CachePolicy, PredictionService},
};

/// Looks up or computes a prediction and answers with the body that `respond` makes of it.
async fn predict<P: Prediction, B: Serialize>(
    service: &PredictionService,
    request: Request,
    respond: impl FnOnce(P) -> B,
) -> Result<Response, Problem> {
    let policy = CachePolicy::from(request.headers());
    let application = application::read(request).await?;
    let answer = service.predict(&application, policy).await;
    let mut response = match answer.prediction {
        Ok(prediction) => json(&respond(prediction)),
        Err(none) => Problem::from(none).into_response(),
    };
    cache_status::describe(&answer.served, response.headers_mut());
    response.extensions_mut().insert(answer.served);
    Ok(response)
}

fn json(body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(text) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the answer cannot be serialised");
            Problem::internal().into_response()
        }
    }
}

/// Whether the credit is granted.
#[derive(Serialize, ToSchema)]
struct DecisionAnswer {
    decision: Decision,
}

/// Decides on a credit application
#[utoipa::path(
    post,
    path = "/decisions",
    request_body = CreditApplication,
    responses((status = OK, body = DecisionAnswer), Problems)
)]
pub(super) async fn decisions(
    State(service): State<Arc<PredictionService>>,
    request: Request,
) -> Result<Response, Problem> {
    predict(&service, request, |decision| DecisionAnswer { decision }).await
}

/// How probable it is that the credit goes bad.
#[derive(Serialize, ToSchema)]
struct ProbabilityAnswer {
    probability: Probability,
}

/// Estimates the probability that the credit goes bad
#[utoipa::path(
    post,
    path = "/probabilities",
    request_body = CreditApplication,
    responses((status = OK, body = ProbabilityAnswer), Problems)
)]
pub(super) async fn probabilities(
    State(service): State<Arc<PredictionService>>,
    request: Request,
) -> Result<Response, Problem> {
    predict(&service, request, |probability| ProbabilityAnswer { probability }).await
}

/// How risky the credit is.
#[derive(Serialize, ToSchema)]
struct RiskCategoryAnswer {
    risk_category: RiskCategory,
}

/// Puts a credit application into a risk category
#[utoipa::path(
    post,
    path = "/risk_categories",
    request_body = CreditApplication,
    responses((status = OK, body = RiskCategoryAnswer), Problems)
)]
pub(super) async fn risk_categories(
    State(service): State<Arc<PredictionService>>,
    request: Request,
) -> Result<Response, Problem> {
    predict(&service, request, |risk_category| RiskCategoryAnswer { risk_category }).await
}

/// The error answers that the three endpoints share.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code, reason = "read by the derive, which documents each variant")]
enum Problems {
    /// The body is not JSON.
    #[response(status = 400, content_type = "application/problem+json")]
    NotJson(#[to_schema] Problem),
    /// The body is larger than 64 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Problem),
    /// The content type is not `application/json`.
    #[response(status = 415, content_type = "application/problem+json")]
    NotSentAsJson(#[to_schema] Problem),
    /// The body is JSON, but no valid credit application. Every invalid field is listed.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// The prediction failed; the fault is ours.
    #[response(status = 500, content_type = "application/problem+json")]
    Failed(#[to_schema] Problem),
    /// The request's `cache-control: only-if-cached` allows nothing but a cached prediction, and there is none.
    #[response(status = 504, content_type = "application/problem+json")]
    NotCached(#[to_schema] Problem),
}
