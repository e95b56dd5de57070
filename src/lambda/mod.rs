//! The Lambda function: its entry point, its events and its answers.

mod answer;
pub mod event;
mod gateway;
mod headers;
mod path;
mod unsupported;

use futures_util::future::BoxFuture;
use lambda_runtime::{Error, LambdaEvent, Runtime, layers::TracingLayer, service_fn};
use prediction_cache::Tenant;
use serde_json::value::RawValue;
use tokio_util::task::TaskTracker;

use self::{
    answer::Answer,
    event::{Event, Origin, UnsupportedEvent},
};
use crate::{
    after_response::AfterResponseLayer,
    http::Api,
    observe::{FunctionRequestId, LambdaTraceHeader, request_line},
};

/// Whether Lambda, or an emulator of it, started this process.
pub fn is_environment() -> bool {
    std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// Whether this environment serves several invocations at once, as on a Lambda Managed Instance.
pub fn is_concurrent() -> bool {
    let max = std::env::var("AWS_LAMBDA_MAX_CONCURRENCY").ok().and_then(|max| max.parse::<u32>().ok());
    max.is_some_and(|max| max > 1)
}

/// Answers invocations with `api` until `shutdown`: one at a time, or as many at once as the platform sends.
///
/// An [unsupported event](UnsupportedEvent) fails its invocation; a warm-up is answered without any work.
///
/// # Errors
///
/// If the Runtime API cannot be reached.
// Not generic: the binary that calls a generic function would compile the whole request path once more.
pub async fn run(api: Api, shutdown: BoxFuture<'static, ()>) -> Result<(), Error> {
    // Boxed: the runtime's layers move the future several times, and it is large.
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| Box::pin(answer(api.clone(), event)));
    let invocations = TaskTracker::new();
    let runtime = Runtime::new(handler).layer(AfterResponseLayer::new(&invocations)).layer(TracingLayer::new());
    tokio::select! {
        result = runtime.run_concurrent() => result,
        () = shutdown => {
            // Only with concurrent invocations is one in progress here; otherwise the platform sends the signal between invocations.
            invocations.close();
            invocations.wait().await;
            Ok(())
        }
    }
}

async fn answer(api: Api, event: LambdaEvent<Box<RawValue>>) -> Result<Answer, UnsupportedEvent> {
    let LambdaEvent { payload, context } = event;
    let event = Event::read(payload.get()).inspect_err(|_| request_line::unsupported_event())?;
    let (origin, mut request) = match event {
        Event::Http(event) => (event.origin, event.into_request(&context.request_id)),
        Event::Direct(event) => {
            let path = api.path_of(&event.prediction);
            (Origin::Direct, event.into_request(path, &context.request_id))
        }
        Event::WarmUp => return Ok(Answer::warm()),
    };
    if let Some(tenant) = context.tenant_id.as_deref().and_then(Tenant::new) {
        request.extensions_mut().insert(tenant);
    }
    if let Some(header) = context.xray_trace_id {
        request.extensions_mut().insert(LambdaTraceHeader(header));
    }
    request.extensions_mut().insert(FunctionRequestId(context.request_id));
    Ok(Answer::new(origin, api.answer(request).await).await)
}
