//! The entry point of the Lambda function.

use std::convert::Infallible;

use axum::{Router, response::Response};
use lambda_http::{TransformResponse, request::LambdaRequest};
use lambda_runtime::{Error, LambdaEvent, Runtime, layers::TracingLayer, service_fn};
use tower::ServiceExt;

use crate::{after_response::AfterResponseLayer, event, http::FunctionRequestId};

/// Whether this process was started by Lambda or an emulator of it.
pub fn is_environment() -> bool {
    std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// Answers invocations with `router` until the platform ends the process.
///
/// An event that is not HTTP is reported to the platform as an error of that invocation.
///
/// # Errors
///
/// If the Runtime API cannot be reached.
pub async fn run(router: Router) -> Result<(), Error> {
    let handler = service_fn(move |event: LambdaEvent<LambdaRequest>| {
        let origin = event.payload.request_origin();
        // lambda_http shapes the response as the event's origin expects it.
        TransformResponse::Request(origin, Box::pin(answer(router.clone(), event)))
    });
    Runtime::new(handler).layer(AfterResponseLayer).layer(TracingLayer::new()).run().await
}

async fn answer(router: Router, event: LambdaEvent<LambdaRequest>) -> Result<Response, Infallible> {
    let mut request = event::into_request(event.payload, &event.context.request_id);
    request.extensions_mut().insert(FunctionRequestId(event.context.request_id));
    router.oneshot(request).await
}
