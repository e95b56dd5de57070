//! The errors that clients see: `application/problem+json` (RFC 9457).

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use axum_core::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use model_package::{FieldError, FieldErrorCode, InvalidInput, ItemError, ItemProblem, ModelError, closest_match};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, Serializer};

use crate::{observe::request_line::Refusal, service::NoPrediction};

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
    fn describe(self) -> (StatusCode, &'static str, &'static str) {
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

/// An error response. Its texts are for the client; the internal cause reaches the log as an extension of the response, as do its kind and the names of invalid fields.
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

impl From<InvalidInput> for Problem {
    fn from(invalid: InvalidInput) -> Self {
        use ProblemKind::{InvalidFields, InvalidJson};
        match invalid {
            InvalidInput::Empty => Self::new(InvalidJson, "the body is empty; it must be a JSON object"),
            InvalidInput::Syntax(error) => Self::new(InvalidJson, format!("the body is not valid JSON: {error}")),
            InvalidInput::NotAnObject(kind) => {
                Self::new(InvalidFields, format!("the body must be a JSON object, or an array of them, not {kind}"))
            }
            InvalidInput::NoInputs(most) => {
                Self::new(InvalidFields, format!("an array must hold 1 to {most} inputs, not 0"))
            }
            InvalidInput::TooManyInputs(most) => {
                Self::new(InvalidFields, format!("an array must hold 1 to {most} inputs, and this one holds more"))
            }
            InvalidInput::Fields { errors, unlisted } => Self {
                errors: errors.into_iter().map(|error| PointedError::new("#", error)).collect(),
                ..Self::new(InvalidFields, format!("one or more fields are invalid; see errors{}", others(unlisted)))
            },
            InvalidInput::Items { errors, unlisted } => Self {
                errors: errors.into_iter().map(PointedError::from).collect(),
                ..Self::new(InvalidFields, format!("one or more inputs are invalid; see errors{}", others(unlisted)))
            },
        }
    }
}

/// 400 for a body that is not JSON. Names the numbers that many programs write although JSON does not have them.
pub(super) fn invalid_json(body: &[u8], error: &serde_json::Error) -> Problem {
    let detail = match no_number(body, error) {
        Some(word) => format!(
            "the body is not valid JSON: {word} at line {} column {} is not a JSON value; where a value is missing, send null or leave the \
             field out",
            error.line(),
            error.column()
        ),
        None => format!("the body is not valid JSON: {error}"),
    };
    Problem::new(ProblemKind::InvalidJson, detail)
}

/// `NaN` or an infinity, if that is where the parser stopped.
fn no_number(body: &[u8], error: &serde_json::Error) -> Option<&'static str> {
    let line = body.split(|byte| *byte == b'\n').nth(error.line().checked_sub(1)?)?;
    let at = error.column().checked_sub(1)?.min(line.len());
    let is_word = |byte: &u8| byte.is_ascii_alphabetic();
    let start = line[..at].iter().rposition(|byte| !is_word(byte)).map_or(0, |before| before + 1);
    let word = line[start..].split(|byte| !is_word(byte)).next()?;
    ["NaN", "Infinity", "inf"].into_iter().find(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

fn others(unlisted: usize) -> String {
    if unlisted == 0 { String::new() } else { format!(" ({unlisted} more are not listed)") }
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

/// An error of a field or an item of the body.
#[derive(Debug, Serialize)]
struct PointedError {
    /// The name for the log: the model's, or that of the field that an unknown one resembles.
    #[serde(skip)]
    logged: String,
    pointer: String,
    code: FieldErrorCode,
    detail: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<String>,
}

impl PointedError {
    /// `object` is the pointer to the object that has the field.
    fn new(object: &str, error: FieldError) -> Self {
        let FieldError { field, code, detail, received, suggestion } = error;
        let pointer = pointer(object, &field);
        let logged = match code {
            FieldErrorCode::Unknown => "?".to_owned(),
            FieldErrorCode::Missing | FieldErrorCode::Invalid | FieldErrorCode::Repeated => field,
        };
        Self { logged, pointer, code, detail, received, suggestion }
    }
}

impl From<ItemError> for PointedError {
    fn from(ItemError { position, problem }: ItemError) -> Self {
        let item = format!("#/{position}");
        match problem {
            ItemProblem::Field(error) => Self::new(&item, error),
            ItemProblem::NotAnObject(kind) => Self {
                logged: "#".to_owned(),
                pointer: item,
                code: FieldErrorCode::Invalid,
                detail: "must be a JSON object".into(),
                received: Some(kind.to_owned()),
                suggestion: None,
            },
        }
    }
}

/// The characters to percent-encode in a URI fragment (RFC 3986, 3.5).
const NOT_IN_FRAGMENT: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/')
    .remove(b'?');

/// `#/name`: a JSON Pointer (RFC 6901), in which `~` and `/` are escaped, as a URI fragment.
fn pointer(object: &str, field: &str) -> String {
    let escaped = field.replace('~', "~0").replace('/', "~1");
    format!("{object}/{}", utf8_percent_encode(&escaped, &NOT_IN_FRAGMENT))
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
    use super::*;

    #[test]
    fn a_model_failure_is_a_500_that_reveals_no_internals() {
        let failed = NoPrediction::Failed(ModelError::Output("NaN at node 7".to_owned()));
        let problem = Problem::from(failed);
        assert_eq!(problem.kind.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let text = serde_json::to_string(&problem).expect("strings and numbers");
        assert!(!text.contains("NaN") && !text.contains("node"), "{text}");
    }

    #[test]
    fn the_detail_for_a_body_that_is_not_an_object_says_what_it_must_be() {
        let detail = |invalid: InvalidInput| Problem::from(invalid).detail.into_owned();
        assert_eq!(detail(InvalidInput::Empty), "the body is empty; it must be a JSON object");
        assert_eq!(
            detail(InvalidInput::NotAnObject("null")),
            "the body must be a JSON object, or an array of them, not null"
        );
        assert_eq!(
            detail(InvalidInput::Items { errors: Vec::new(), unlisted: 3 }),
            "one or more inputs are invalid; see errors (3 more are not listed)"
        );
    }

    #[test]
    fn the_names_of_invalid_fields_for_the_log_are_counted_and_never_the_clients() {
        let error = |field: &str, code| {
            let detail = "must be valid".into();
            FieldError { field: field.to_owned(), code, detail, received: Some("4711".to_owned()), suggestion: None }
        };
        let items =
            [("age", FieldErrorCode::Invalid), ("age", FieldErrorCode::Invalid), ("Mr Smith", FieldErrorCode::Unknown)];
        let items = items
            .into_iter()
            .zip(0..)
            .map(|((field, code), position)| ItemError { position, problem: ItemProblem::Field(error(field, code)) });
        let other = ItemError { position: 9, problem: ItemProblem::NotAnObject("null") };
        let errors = items.chain([other]).collect();
        let problem = Problem::from(InvalidInput::Items { errors, unlisted: 0 });
        assert_eq!(problem.invalid_fields().as_deref(), Some("#:invalid ?:unknown age:invalid*2"));
        assert_eq!(Problem::from(InvalidInput::Empty).invalid_fields(), None);
    }

    #[test]
    fn a_number_that_json_does_not_have_is_named() {
        let detail = |body: &str| {
            let error = serde_json::from_str::<serde_json::Value>(body).expect_err(body);
            invalid_json(body.as_bytes(), &error).detail.into_owned()
        };
        for (body, word, place) in [
            ("{\"a\": NaN}", "NaN", "line 1 column 7"),
            ("{\"a\": 1,\n \"b\":NaN}", "NaN", "line 2 column 6"),
            ("[{\"a\": -Infinity}]", "Infinity", "line 1 column 9"),
            ("{\"a\": Infinity}", "Infinity", "line 1 column 7"),
            ("{\"a\": inf}", "inf", "line 1 column 7"),
        ] {
            let expected = format!("the body is not valid JSON: {word} at {place} is not a JSON value; ");
            assert!(detail(body).starts_with(&expected), "{}", detail(body));
        }
        for body in ["{\"NaN\": x}", "{", "{\"a\": \"NaN\" b}", ""] {
            assert!(!detail(body).contains("is not a JSON value"), "{}", detail(body));
        }
    }

    #[test]
    fn a_pointer_is_a_valid_uri_fragment_for_any_field_name() {
        assert_eq!(pointer("#", "age_in_years"), "#/age_in_years");
        assert_eq!(pointer("#/3", "age_in_years"), "#/3/age_in_years");
        assert_eq!(pointer("#", ""), "#/");
        assert_eq!(pointer("#", "a/b~c"), "#/a~1b~0c");
        assert_eq!(pointer("#", "50 % ä\n\""), "#/50%20%25%20%C3%A4%0A%22");
    }
}
