//! One log line per request, written after the response has been sent.

use std::sync::Arc;

use axum_core::{extract::Request, response::Response};
use opentelemetry::trace::TraceId;

use super::{
    request_id::{self, FunctionRequestId},
    trace_parent::TraceParent,
};
use crate::{
    after_response,
    model::ModelError,
    telemetry::{self, RequestRecord},
};

/// What of a request is logged.
pub(super) struct RequestLog {
    request_id: String,
    function_request_id: Option<String>,
    trace_id: Option<String>,
    endpoint: String,
}

impl RequestLog {
    /// `endpoint` is the path of the route, `trace` the request's, where requests are traced.
    pub(super) fn of(request: &Request, endpoint: &str, trace: Option<TraceId>) -> Self {
        Self {
            request_id: request_id::request_id(request),
            function_request_id: request.extensions().get().map(|FunctionRequestId(id)| id.clone()),
            trace_id: match trace {
                Some(trace) => Some(trace.to_string()),
                None => TraceParent::of(request.headers()).map(|parent| parent.trace.to_owned()),
            },
            endpoint: endpoint.to_owned(),
        }
    }

    /// Puts the request's id on its response, and defers the line.
    pub(super) fn end(self, response: &mut Response) {
        let Self { request_id, function_request_id, trace_id, endpoint } = self;
        if let Some(error) = response.extensions_mut().remove::<Arc<ModelError>>() {
            tracing::error!(%error, request_id, "the model failed");
        }
        request_id::echo(&request_id, response.headers_mut());
        let served = response.extensions().get().cloned();
        let status = response.status().as_u16();
        let record = RequestRecord { request_id, function_request_id, trace_id, endpoint, status, served };
        after_response::defer(move |_| async move { telemetry::request_served(&record) });
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Mutex, PoisonError},
    };

    use axum_core::{body::Body, response::IntoResponse};

    use super::*;
    use crate::{http::problem::Problem, service::NoPrediction};

    /// What the log's lines are written into.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_went_wrong_in_the_model_is_logged_under_the_requests_id() {
        let lines = Lines::default();
        let written = lines.clone();
        let _default = tracing::subscriber::set_default(
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || written.clone()).finish(),
        );
        let request = Request::get("/").header("x-request-id", "order-4711").body(Body::empty()).expect("a request");
        let mut response = Problem::from(NoPrediction::Failed(ModelError::Output("NaN".to_owned()))).into_response();
        after_response::collect(async { RequestLog::of(&request, "/", None).end(&mut response) }).await;
        assert_eq!(response.status(), 500);
        let text = String::from_utf8(lines.0.lock().expect("one thread").clone()).expect("UTF-8");
        assert!(text.contains("the model failed") && text.contains("NaN") && text.contains("order-4711"), "{text}");
    }
}
