//! The error responses. The examples come from the code that answers requests.

use std::fmt::Write;

use http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{headers, reference};
use crate::{
    http::{
        AnswerLimit, body, contributions,
        predictions::prediction_paths,
        problem::{self, Problem, ProblemKind},
    },
    model::Model,
    service::NoPrediction,
};

pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// The schemas `Problem` and `FieldError`. `base` stands in front of paths, here and in the other functions.
pub(super) fn schemas(base: &str) -> Map<String, Value> {
    let mut kinds = String::from(
        "The kind of error: a URI reference to its explanation. It is stable, so use it to distinguish errors in your \
         code.\n",
    );
    for kind in ProblemKind::ALL {
        // Writing to a String does not fail.
        let _ = write!(kinds, "\n* `{base}{}`: {}", kind.uri(), kind.title());
    }
    let problem = json!({
        "type": "object",
        "description": "An error (RFC 9457).",
        "properties": {
            "type": { "type": "string", "format": "uri-reference", "description": kinds },
            "title": { "type": "string", "description": "The kind of error in a few words." },
            "status": { "type": "integer", "description": "The response's status.", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "What was wrong with this request, in human-readable form." },
            "errors": {
                "type": "array",
                "description": "The invalid fields, reported together.",
                "items": reference("schemas", "FieldError"),
                "minItems": 1,
            },
        },
        "required": ["type", "title", "status", "detail"],
    });
    let field_error = json!({
        "type": "object",
        "description": "What is wrong with one field.",
        "properties": {
            "pointer": {
                "type": "string",
                "format": "uri-reference",
                "description": "Which field: a JSON Pointer (RFC 6901) as a URI fragment.",
            },
            "code": {
                "type": "string",
                "description": "The kind of mistake: `missing` (the field is absent), `invalid` (its value is not allowed), \
                                `repeated` (it appears more than once), `unknown` (the input has no such field).",
                "enum": ["missing", "invalid", "repeated", "unknown"],
            },
            "detail": { "type": "string", "description": "What is allowed, in human-readable form." },
            "received": {
                "type": "string",
                "description": "What was sent, if anything, in human-readable form. Long values are truncated; for a repeated \
                                field, this is the number of members.",
            },
            "suggestion": { "type": "string", "description": "What was probably meant, if the service can guess it." },
        },
        "required": ["pointer", "code", "detail"],
    });
    Map::from_iter([("Problem".to_owned(), problem), ("FieldError".to_owned(), field_error)])
}

/// The error responses as components, except the one for invalid fields, whose examples depend on the endpoint.
pub(super) fn responses(model: &Model, base: &str) -> Value {
    let example = |kind| example(kind, model, base).map(|problem| problem.below(base));
    let mut responses = Map::new();
    for (status, name) in PREDICTION_STATUSES.into_iter().chain(PAGE_STATUSES) {
        let examples = ProblemKind::ALL.into_iter().filter(|kind| kind.status() == status).filter_map(&example);
        let examples: Vec<_> = examples.collect();
        let titles: Vec<_> = examples.iter().map(|problem| problem.kind().title()).collect();
        let mut response = response(&format!("{}.", titles.join(". ")), examples);
        if status == StatusCode::REQUEST_TIMEOUT {
            response["description"] = format!("{}. (Local server only.)", titles.join(". ")).into();
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response["description"] =
                format!("{}. (Not from a function that answers one request at a time.)", titles.join(". ")).into();
        }
        if [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::GATEWAY_TIMEOUT].contains(&status) {
            let more = headers::header_references(&[
                ("cache-status", "CacheStatus"),
                ("server-timing", "ServerTiming"),
                ("x-model", "Model"),
            ]);
            response["headers"].as_object_mut().expect("a response has headers").extend(more);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let more = headers::header_references(&[("retry-after", "RetryAfter")]);
            response["headers"].as_object_mut().expect("a response has headers").extend(more);
        }
        if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            let more = headers::header_references(&[("accept", "Accept"), ("accept-encoding", "AcceptEncoding")]);
            response["headers"].as_object_mut().expect("a response has headers").extend(more);
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            let more = headers::header_references(&[("allow", "Allow")]);
            response["headers"].as_object_mut().expect("a response has headers").extend(more);
        }
        responses.insert(name.to_owned(), response);
    }
    responses.into()
}

/// The error statuses of a prediction endpoint, except the one for invalid fields, and the names of their components.
const PREDICTION_STATUSES: [(StatusCode, &str); 7] = [
    (StatusCode::BAD_REQUEST, "UnreadableBody"),
    (StatusCode::REQUEST_TIMEOUT, "BodyTimeout"),
    (StatusCode::PAYLOAD_TOO_LARGE, "BodyTooLarge"),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType"),
    (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
    (StatusCode::SERVICE_UNAVAILABLE, "Overloaded"),
    (StatusCode::GATEWAY_TIMEOUT, "NotCached"),
];

/// The error statuses of a page of the documentation, and the names of their components.
const PAGE_STATUSES: [(StatusCode, &str); 2] =
    [(StatusCode::NOT_FOUND, "PathNotFound"), (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed")];

/// The [`responses`] of a prediction endpoint, by status.
pub(super) fn of_predictions(model: &Model, base: &str) -> Map<String, Value> {
    let mut responses = responses(model, base);
    Map::from_iter(PREDICTION_STATUSES.map(|(status, name)| (status.as_str().to_owned(), responses[name].take())))
}

/// References to the [`responses`] of a prediction endpoint, by status.
pub(super) fn references() -> Map<String, Value> {
    by_status(PREDICTION_STATUSES)
}

/// References to the [`responses`] of a page of the documentation, by status.
pub(super) fn page_references() -> Map<String, Value> {
    by_status(PAGE_STATUSES)
}

fn by_status<const N: usize>(statuses: [(StatusCode, &str); N]) -> Map<String, Value> {
    Map::from_iter(statuses.map(|(status, name)| (status.as_str().to_owned(), reference("responses", name))))
}

/// The response to an input with invalid fields.
pub(super) fn invalid_fields(examples: Map<String, Value>) -> Value {
    let mut response = response("Fields are missing, unknown, repeated or invalid: `errors` lists them all.", []);
    response["content"][PROBLEM_JSON]["examples"] = examples.into();
    response
}

fn response(description: &str, examples: impl IntoIterator<Item = Problem>) -> Value {
    let examples = examples.into_iter().map(|problem| {
        let name = problem.kind().slug().replace('-', "_");
        (name, json!({ "summary": problem.kind().title(), "value": problem }))
    });
    json!({
        "description": description,
        "headers": headers::header_references(&[("x-request-id", "RequestId")]),
        "content": {
            PROBLEM_JSON: { "schema": reference("schemas", "Problem"), "examples": Map::from_iter(examples) },
        },
    })
}

/// The service's own answer for this kind of error. `None` for invalid fields, whose examples come from the model package.
fn example(kind: ProblemKind, model: &Model, base: &str) -> Option<Problem> {
    Some(match kind {
        ProblemKind::UnreadableBody => body::undecodable(),
        ProblemKind::InvalidQuery => model.signature().contributions().map(|_| contributions::invalid_query(model))?,
        ProblemKind::InvalidJson => Problem::from(model.signature().read(br#"{"field": }"#).err()?),
        ProblemKind::NoSuchPath => {
            let paths: Vec<_> = prediction_paths(model).collect();
            let paths: Vec<_> = paths.iter().map(String::as_str).collect();
            problem::no_such_path("/doc", &paths, base)
        }
        ProblemKind::MethodNotAllowed => problem::method_not_allowed(&Method::DELETE, HeaderValue::from_static("POST")),
        ProblemKind::BodyTimeout => body::too_slow(),
        ProblemKind::BodyTooLarge => body::too_large(body::limit(model)),
        ProblemKind::AnswerTooLarge => AnswerLimit::LAMBDA.too_large(),
        ProblemKind::UnsupportedMediaType => body::unsupported(model, Some("application/x-www-form-urlencoded")),
        ProblemKind::InvalidFields => return None,
        ProblemKind::InternalError => Problem::internal(),
        ProblemKind::Overloaded => body::overloaded(),
        ProblemKind::NotCached => NoPrediction::NotCached.into(),
    })
}
