//! Observability: log lines, metrics, traces, and the vocabulary of outcomes that they share with the headers.

mod lines;
pub mod log;
mod metrics;
pub(crate) mod outcome;
pub(crate) mod request_line;
pub mod sample;
mod trace_context;
pub mod traces;

use std::time::Duration;

pub(crate) use self::trace_context::{TRACEPARENT, TRACESTATE};

/// Lambda's id of the invocation, as in its own log lines. An extension of the request.
#[derive(Clone, Debug)]
pub struct FunctionRequestId(pub String);

/// The invocation's X-Ray trace header, which Lambda sends beside the event. An extension of the request.
#[derive(Clone, Debug)]
pub struct LambdaTraceHeader(pub String);

/// Milliseconds with four decimals: a lookup in memory takes less than a microsecond.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e7).round() / 1e4
}
