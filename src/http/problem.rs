//! Errors as the client sees them: `application/problem+json` (RFC 9457).

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    credit::{FieldError, InvalidApplication},
    service::NoPrediction,
};

/// An error answer. Its texts are for the client; what went wrong inside is logged where it happened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// `about:blank`: the status says it all (RFC 9457, section 4.2.1).
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    #[schema(example = "Unprocessable Entity")]
    title: &'static str,
    /// The HTTP status.
    #[serde(serialize_with = "status_number")]
    #[schema(value_type = u16, example = 422)]
    status: StatusCode,
    /// What was wrong with this request.
    #[schema(example = "the credit application is invalid: errors has every field that is")]
    detail: Cow<'static, str>,
    /// Every missing, unknown, repeated and invalid field of the application.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<PointedError>,
}

/// What is wrong with one field.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PointedError {
    /// Where the field is or should be: a JSON Pointer (RFC 6901) as a URI fragment.
    #[schema(example = "#/age_in_years")]
    pointer: String,
    /// What is allowed there.
    #[schema(example = "must be an integer from 18 to 120")]
    detail: Cow<'static, str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self { kind: "about:blank", title, status, detail: detail.into(), errors: Vec::new() }
    }

    /// Something failed that is not the client's to know.
    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the prediction failed; the fault is ours")
    }
}

impl From<NoPrediction> for Problem {
    fn from(none: NoPrediction) -> Self {
        match none {
            NoPrediction::NotCached => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "there is no cached prediction, and cache-control: only-if-cached allows no other",
            ),
            NoPrediction::Failed(error) => {
                tracing::error!(%error, "the model failed");
                Self::internal()
            }
        }
    }
}

impl From<InvalidApplication> for Problem {
    fn from(invalid: InvalidApplication) -> Self {
        let status = match invalid {
            InvalidApplication::Syntax(_) => StatusCode::BAD_REQUEST,
            InvalidApplication::NotAnObject | InvalidApplication::Fields(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let mut problem = Self::new(status, invalid.to_string());
        if let InvalidApplication::Fields(errors) = invalid {
            problem.errors = errors.into_iter().map(PointedError::from).collect();
        }
        problem
    }
}

impl From<FieldError> for PointedError {
    fn from(FieldError { field, detail }: FieldError) -> Self {
        Self { pointer: pointer(&field), detail }
    }
}

/// `#/name`, with `~` and `/` escaped as JSON Pointer has it, and percent-encoded as a URI fragment has it.
fn pointer(field: &str) -> String {
    let mut pointer = String::from("#/");
    for byte in field.bytes() {
        match byte {
            b'~' => pointer.push_str("~0"),
            b'/' => pointer.push_str("~1"),
            b if b.is_ascii_alphanumeric() || b"-._!$&'()*+,;=:@?".contains(&b) => pointer.push(char::from(b)),
            b => pointer.push_str(&format!("%{b:02X}")),
        }
    }
    pointer
}

fn status_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
        // Strings and numbers always serialise; an empty body would still carry the status.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        (self.status, content_type, body).into_response()
    }
}

/// 404.
pub(super) async fn no_such_path() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "there is no such path; predictions are at /decisions, /probabilities and /risk_categories, the documentation at /docs",
    )
}

/// 405; the router adds `allow`.
pub(super) async fn method_not_allowed(method: Method) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("this path does not answer {method}; see the allow header"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credit::ModelError;

    #[test]
    fn a_failed_model_is_a_500_that_tells_nothing_of_the_inside() {
        let failed = NoPrediction::Failed(ModelError::Output("NaN at node 7".to_owned()));
        let problem = Problem::from(failed);
        assert_eq!(problem.status, StatusCode::INTERNAL_SERVER_ERROR);
        let text = serde_json::to_string(&problem).expect("strings and numbers");
        assert!(!text.contains("NaN") && !text.contains("node"), "{text}");
    }

    #[test]
    fn a_pointer_is_a_uri_fragment_whatever_the_field_is_called() {
        assert_eq!(pointer("age_in_years"), "#/age_in_years");
        assert_eq!(pointer(""), "#/");
        assert_eq!(pointer("a/b~c"), "#/a~1b~0c");
        assert_eq!(pointer("50 % ä\n\""), "#/50%20%25%20%C3%A4%0A%22");
    }
}
