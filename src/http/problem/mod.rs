//! The errors that clients see: `application/problem+json` (RFC 9457).

mod invalid_input;
mod kind;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use axum_core::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, header};
use model_package::{ModelError, closest_match};
use serde::{Serialize, Serializer};

use self::invalid_input::PointedError;
pub(super) use self::invalid_input::invalid_json;
pub use self::kind::ProblemKind;
use crate::{observe::request_line::Refusal, service::NoPrediction};

/// An error response. Its texts are for the client. The internal cause, the kind and the names of invalid fields reach the log as
/// extensions of the response.
#[derive(Debug)]
pub(crate) struct Problem {
    kind: ProblemKind,
    /// What stands in front of the service's paths.
    base: String,
    detail: Cow<'static, str>,
    errors: Vec<PointedError>,
    header: Option<(HeaderName, HeaderValue)>,
    cause: Option<Arc<ModelError>>,
}

impl Problem {
    pub(super) fn new(kind: ProblemKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, base: String::new(), detail: detail.into(), errors: Vec::new(), header: None, cause: None }
    }

    /// Puts `base` in front of the path in `type`.
    pub(super) fn below(self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self }
    }

    /// Adds a response header, such as one that names what is accepted.
    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    pub(super) fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// The invalid fields with their codes, for the log: only names that the model has.
    fn invalid_fields(&self) -> Option<String> {
        /// The most fields that are named.
        const MOST: usize = 20;
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for error in &self.errors {
            *counts.entry((&error.logged, error.code.name())).or_default() += 1;
        }
        let list = counts.iter().take(MOST).map(|((field, code), count)| match count {
            1 => format!("{field}:{code}"),
            _ => format!("{field}:{code}*{count}"),
        });
        let list = list.collect::<Vec<_>>().join(" ");
        (!list.is_empty()).then_some(list)
    }

    /// An internal failure. The client does not see its cause.
    pub(super) fn internal() -> Self {
        Self::new(
            ProblemKind::InternalError,
            "the model failed on this input; the error is logged under this x-request-id",
        )
    }

    /// A lack of room that passes within a second or so.
    pub(super) fn overloaded(detail: &'static str) -> Self {
        Self::new(ProblemKind::Overloaded, detail).with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }
}

impl From<NoPrediction> for Problem {
    fn from(none: NoPrediction) -> Self {
        match none {
            NoPrediction::NotCached => Self::new(
                ProblemKind::NotCached,
                "this prediction is not cached, and cache-control: only-if-cached forbids computing it",
            ),
            NoPrediction::Overloaded => Self::overloaded("too many requests are waiting for the model; try again"),
            NoPrediction::Failed(error) => Self { cause: Some(Arc::new(error)), ..Self::internal() },
        }
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            r#type: Cow<'a, str>,
            title: &'a str,
            status: u16,
            detail: &'a str,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            errors: &'a [PointedError],
        }
        let (status, uri, title) = self.kind.describe();
        let r#type = if self.base.is_empty() { uri.into() } else { format!("{}{uri}", self.base).into() };
        Body { r#type, title, status: status.as_u16(), detail: &self.detail, errors: &self.errors }
            .serialize(serializer)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
        // Strings and numbers always serialise; even an empty body would leave the status.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let refusal = Refusal { error: self.kind.slug(), invalid_fields: self.invalid_fields() };
        let mut response = (self.kind.status(), content_type, body).into_response();
        response.headers_mut().extend(self.header);
        response.extensions_mut().insert(refusal);
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

/// 404; suggests one of `predictions` or of the documentation's paths if it is similar. `base` stands in front of each of them.
pub(super) fn no_such_path(path: &str, predictions: &[&str], base: &str) -> Problem {
    let known = predictions.iter().copied().chain(["/docs", "/docs/errors", "/openapi.json"]);
    let detail = match closest_match(path, known) {
        Some(path) => format!("there is no such path; did you mean {base}{path}?"),
        None => {
            let predictions: Vec<_> = predictions.iter().map(|path| format!("{base}{path}")).collect();
            let predictions = predictions.join(", ");
            format!("there is no such path; predictions are at {predictions}, the documentation is at {base}/docs")
        }
    };
    Problem::new(ProblemKind::NoSuchPath, detail).below(base)
}

/// 405; `allow` lists the methods that the path supports.
pub(super) fn method_not_allowed(method: &Method, allow: HeaderValue) -> Problem {
    Problem::new(
        ProblemKind::MethodNotAllowed,
        format!("this path does not support {method}; the allow header lists the supported methods"),
    )
    .with_header(header::ALLOW, allow)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn a_model_failure_is_a_500_that_reveals_no_internals() {
        let failed = NoPrediction::Failed(ModelError::Output("NaN at node 7".to_owned()));
        let problem = Problem::from(failed);
        assert_eq!(problem.kind.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let text = serde_json::to_string(&problem).expect("strings and numbers");
        assert!(!text.contains("NaN") && !text.contains("node"), "{text}");
    }
}
