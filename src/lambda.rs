//! The entry point of the Lambda function.

use lambda_runtime::{Error, LambdaEvent, Runtime, layers::TracingLayer, service_fn};
use serde_json::value::RawValue;

use crate::{
    after_response::AfterResponseLayer,
    event::Event,
    event_answer::EventAnswer,
    http::{Api, FunctionRequestId},
};

/// Whether this process was started by Lambda or an emulator of it.
pub fn is_environment() -> bool {
    std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// Answers invocations with `api` until the platform ends the process.
///
/// An event that is not HTTP is reported to the platform as an error of that invocation.
///
/// # Errors
///
/// If the Runtime API cannot be reached.
pub async fn run(api: Api) -> Result<(), Error> {
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| answer(api.clone(), event));
    Runtime::new(handler).layer(AfterResponseLayer).layer(TracingLayer::new()).run().await
}

async fn answer(api: Api, event: LambdaEvent<Box<RawValue>>) -> Result<EventAnswer, Error> {
    let LambdaEvent { payload, context } = event;
    let event = Event::read(payload.get())?;
    let origin = event.origin;
    let mut request = event.into_request(&context.request_id);
    request.extensions_mut().insert(FunctionRequestId(context.request_id));
    Ok(EventAnswer::new(origin, api.answer(request).await).await?)
}
