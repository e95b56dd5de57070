//! What the service tells of itself: log lines, metrics, traces, and the vocabulary of outcomes that they share with the headers.

pub mod log;
mod metrics;
pub(crate) mod outcome;
pub(crate) mod request_line;
mod trace_context;
pub mod traces;

use std::time::Duration;

pub(crate) use self::trace_context::TRACEPARENT;

/// Lambda's id for the invocation, as in its own log lines (as an extension of the request).
#[derive(Clone, Debug)]
pub struct FunctionRequestId(pub String);

/// X-Ray's trace header of the invocation, as Lambda sends it beside the event (as an extension of the request).
#[derive(Clone, Debug)]
pub struct LambdaTraceHeader(pub String);

/// Milliseconds with four decimals: a lookup in this process takes less than a microsecond.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e7).round() / 1e4
}
