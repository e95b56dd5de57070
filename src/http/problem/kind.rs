//! The kinds of error.

use http::StatusCode;

/// The kinds of error. `docs/errors.md`, which the service serves, explains each; a problem's `type` links to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The body is not valid base64 or gzip, or did not arrive completely.
    UnreadableBody,
    /// A parameter of the query has an invalid value.
    InvalidQuery,
    /// The body is not JSON.
    InvalidJson,
    NoSuchPath,
    MethodNotAllowed,
    BodyTimeout,
    BodyTooLarge,
    /// The answer is larger than the platform transmits.
    AnswerTooLarge,
    /// The content type is not JSON, or the content encoding is not gzip.
    UnsupportedMediaType,
    /// The body is JSON, but not a valid input.
    InvalidFields,
    /// The model failed.
    InternalError,
    /// The bodies in memory leave no room for this one, or too many requests wait for the model.
    Overloaded,
    /// The request allowed only a cached prediction, and none was available.
    NotCached,
}

impl ProblemKind {
    /// In ascending order of status.
    pub const ALL: [Self; 13] = [
        Self::UnreadableBody,
        Self::InvalidQuery,
        Self::InvalidJson,
        Self::NoSuchPath,
        Self::MethodNotAllowed,
        Self::BodyTimeout,
        Self::BodyTooLarge,
        Self::AnswerTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidFields,
        Self::InternalError,
        Self::Overloaded,
        Self::NotCached,
    ];

    /// Status, `type` and `title`.
    pub(super) fn describe(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::UnreadableBody => (StatusCode::BAD_REQUEST, "/docs/errors#unreadable-body", "Unreadable body"),
            Self::InvalidQuery => (StatusCode::BAD_REQUEST, "/docs/errors#invalid-query", "Invalid query"),
            Self::InvalidJson => (StatusCode::BAD_REQUEST, "/docs/errors#invalid-json", "Invalid JSON"),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, "/docs/errors#no-such-path", "Path not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "/docs/errors#method-not-allowed", "Method not allowed")
            }
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "/docs/errors#body-timeout", "Body timeout"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "/docs/errors#body-too-large", "Body too large"),
            Self::AnswerTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "/docs/errors#answer-too-large", "Answer too large")
            }
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "/docs/errors#unsupported-media-type", "Unsupported media type")
            }
            Self::InvalidFields => (StatusCode::UNPROCESSABLE_ENTITY, "/docs/errors#invalid-fields", "Invalid fields"),
            Self::InternalError => {
                (StatusCode::INTERNAL_SERVER_ERROR, "/docs/errors#internal-error", "Prediction failed")
            }
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "/docs/errors#overloaded", "Service overloaded"),
            Self::NotCached => (StatusCode::GATEWAY_TIMEOUT, "/docs/errors#not-cached", "Not cached"),
        }
    }

    pub fn status(self) -> StatusCode {
        self.describe().0
    }

    /// The problem's `type`: a URI reference to its heading in the served `docs/errors.md`.
    pub fn uri(self) -> &'static str {
        self.describe().1
    }

    /// The part of [`Self::uri`] that names the kind: `invalid-fields`.
    pub fn slug(self) -> &'static str {
        self.uri().rsplit('#').next().unwrap_or_default()
    }

    pub fn title(self) -> &'static str {
        self.describe().2
    }
}
