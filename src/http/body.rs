//! Reads a request's body as the model's inputs.

use std::time::Duration;

use axum_core::{body::Body, extract::Request};
use http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use model_package::Inputs;
use tokio::time::timeout;

use super::{
    body_memory,
    problem::{Problem, ProblemKind},
};
use crate::model::Model;

/// Fits an array with the maximum number of inputs of twenty fields each.
pub(super) const BODY_LIMIT: usize = 1024 * 1024;

/// How much of an oversized body is read and discarded: a client reads the response only when it has sent the whole body.
const DISCARD_LIMIT: usize = 16 * BODY_LIMIT;

/// How long a client of the local server may take to send the body. Under Lambda, the whole body arrives with the event.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request extension: the gateway's event flagged the body as base64, but it is not valid base64.
#[derive(Clone, Copy, Debug)]
pub struct UndecodableBody;

pub(super) async fn read(request: Request, model: &Model) -> Result<Inputs, Problem> {
    if request.extensions().get::<UndecodableBody>().is_some() {
        return Err(undecodable());
    }
    let headers = request.headers();
    if !is_json(headers) {
        return Err(not_json(headers.get(header::CONTENT_TYPE).map(|sent| sent.to_str().unwrap_or(OTHER_TYPE))));
    }
    if is_encoded(headers) {
        return Err(encoded());
    }
    let mut body = request.into_body();
    let read = async {
        let read = Limited::new(&mut body, BODY_LIMIT).collect().await;
        if read.is_err() {
            discard(&mut body).await;
        }
        read
    };
    let body = match timeout(BODY_TIMEOUT, read).await {
        Err(_) => return Err(too_slow()),
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
        Ok(Err(error)) if body_memory::is_no_room(&*error) => return Err(overloaded()),
        Ok(Err(_)) => {
            return Err(Problem::new(
                ProblemKind::UnreadableBody,
                "the connection ended before the whole body had arrived",
            ));
        }
    };
    // Some programs write a byte order mark, which RFC 8259 lets a parser ignore.
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&body);
    Ok(model.signature().read_all(body)?)
}

pub(super) fn undecodable() -> Problem {
    Problem::new(ProblemKind::UnreadableBody, "the body is not valid base64")
}

/// Stands for a content type too long or too odd to repeat.
const OTHER_TYPE: &str = "something else";

/// `sent` is the content type of the request.
pub(super) fn not_json(sent: Option<&str>) -> Problem {
    const LONGEST: usize = 100;
    let got = match sent {
        None => "none",
        Some(sent) if sent.len() > LONGEST => OTHER_TYPE,
        Some(sent) => sent,
    };
    let detail = format!("the content-type must be application/json, got {got}");
    Problem::new(ProblemKind::UnsupportedMediaType, detail)
        .with_header(header::ACCEPT, HeaderValue::from_static("application/json"))
}

fn encoded() -> Problem {
    let detail = "the body must be sent uncompressed, without a content-encoding";
    Problem::new(ProblemKind::UnsupportedMediaType, detail)
        .with_header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))
}

pub(super) fn too_slow() -> Problem {
    let detail = format!("the body did not arrive within {} seconds", BODY_TIMEOUT.as_secs());
    Problem::new(ProblemKind::BodyTimeout, detail)
}

pub(super) fn too_large() -> Problem {
    Problem::new(ProblemKind::BodyTooLarge, format!("the body is larger than {} MiB", BODY_LIMIT >> 20))
}

/// The body, or its answer, does not fit in the [`body_memory`].
pub(super) fn overloaded() -> Problem {
    Problem::new(ProblemKind::Overloaded, "too many large bodies are being processed; try again")
        .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

/// Whether the media type is `application/json` or `application/*+json` (RFC 6839), with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = media_type.strip_prefix("application/");
    subtype
        .is_some_and(|subtype| subtype == "json" || subtype.strip_suffix("+json").is_some_and(|name| !name.is_empty()))
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Reads the rest of the body up to [`DISCARD_LIMIT`].
async fn discard(body: &mut Body) {
    let mut left = DISCARD_LIMIT;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len()));
        if left == 0 {
            return;
        }
    }
}
