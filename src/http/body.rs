//! A request's body → the model's input, or a problem.

use std::time::Duration;

use axum::{
    body,
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
};
use tokio::time::timeout;

use super::problem::{Problem, ProblemKind};
use crate::model::{Input, Model};

/// Far more than an input of a hundred fields needs.
pub(super) const BODY_LIMIT: usize = 64 * 1024;

/// How long a client of the local server may take to send it. Under Lambda the whole body arrives with the event.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Marks a request whose body was flagged as base64 in the gateway's event but is not (as an extension of the request).
#[derive(Clone, Copy, Debug)]
pub struct UndecodableBody;

/// Reads the input of `model` that a request carries.
pub(super) async fn read(request: Request, model: &Model) -> Result<Input, Problem> {
    if request.extensions().get::<UndecodableBody>().is_some() {
        return Err(undecodable());
    }
    let headers = request.headers();
    if !is_json(headers) {
        return Err(no_json(headers.get(header::CONTENT_TYPE).map(|sent| sent.to_str().unwrap_or("something else"))));
    }
    if is_encoded(headers) {
        return Err(encoded());
    }
    let Ok(body) = timeout(BODY_TIMEOUT, body::to_bytes(request.into_body(), BODY_LIMIT)).await else {
        return Err(too_slow());
    };
    let body = match body {
        Ok(body) => body,
        Err(error) if is_over_limit(&error) => return Err(too_large()),
        Err(_) => {
            return Err(Problem::new(
                ProblemKind::UnreadableBody,
                "the connection ended before the whole body had arrived",
            ));
        }
    };
    Ok(model.read(&body)?)
}

pub(super) fn undecodable() -> Problem {
    Problem::new(ProblemKind::UnreadableBody, "the body is not valid base64")
}

/// `sent` is the content type that was sent instead.
pub(super) fn no_json(sent: Option<&str>) -> Problem {
    const LONGEST: usize = 100;
    let came = match sent {
        None => "without a content type".to_owned(),
        Some(sent) if sent.len() > LONGEST => "as something else".to_owned(),
        Some(sent) => format!("as {sent}"),
    };
    let detail = format!("the body must be sent as content-type: application/json, and was sent {came}");
    Problem::new(ProblemKind::UnsupportedMediaType, detail)
        .with_header(header::ACCEPT, HeaderValue::from_static("application/json"))
}

fn encoded() -> Problem {
    let detail = "the body must be sent uncompressed, without a content-encoding";
    Problem::new(ProblemKind::UnsupportedMediaType, detail)
        .with_header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))
}

pub(super) fn too_slow() -> Problem {
    let detail = format!("the body took longer than {} seconds", BODY_TIMEOUT.as_secs());
    Problem::new(ProblemKind::BodyTimeout, detail)
}

pub(super) fn too_large() -> Problem {
    Problem::new(ProblemKind::BodyTooLarge, format!("the body is larger than {} KiB", BODY_LIMIT / 1024))
}

/// Whether the media type is `application/json`, with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Whether the body is compressed.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn is_over_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = error.source();
    }
    false
}
