//! Reads a request's body as the model's inputs.

use std::{
    io::{self, Read},
    time::Duration,
};

use axum_core::{body::Body, extract::Request};
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use model_package::{Inputs, InvalidInput};
use tokio::time::timeout;

use super::{
    body_memory::{self, Share},
    problem::{Problem, ProblemKind, invalid_json},
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
    let Some(coding) = Coding::of(headers) else { return Err(unknown_coding()) };
    let share = request.extensions().get::<Share>().cloned();
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
    let body = match coding {
        Coding::Identity => body,
        Coding::Gzip => {
            let body = inflated(&body).map_err(|_| not_gzip())?.ok_or_else(inflates_too_far)?;
            if share.is_some_and(|share| !share.take(body.len())) {
                return Err(overloaded());
            }
            body
        }
    };
    // Some programs write a byte order mark, which RFC 8259 lets a parser ignore.
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&body);
    model.signature().read_all(body).map_err(|invalid| match invalid {
        InvalidInput::Syntax(error) => invalid_json(body, &error),
        invalid => invalid.into(),
    })
}

pub(super) fn undecodable() -> Problem {
    Problem::new(ProblemKind::UnreadableBody, "the body is not valid base64")
}

fn not_gzip() -> Problem {
    Problem::new(ProblemKind::UnreadableBody, "the body is not valid gzip")
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

fn unknown_coding() -> Problem {
    let detail = "the content-encoding must be gzip, or absent";
    Problem::new(ProblemKind::UnsupportedMediaType, detail)
        .with_header(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"))
}

pub(super) fn too_slow() -> Problem {
    let detail = format!("the body did not arrive within {} seconds", BODY_TIMEOUT.as_secs());
    Problem::new(ProblemKind::BodyTimeout, detail)
}

pub(super) fn too_large() -> Problem {
    Problem::new(ProblemKind::BodyTooLarge, format!("the body is larger than {} MiB", BODY_LIMIT >> 20))
}

fn inflates_too_far() -> Problem {
    let detail = format!(
        "the body inflates to more than {} MiB, or to more than 256 KiB and a hundred times what was sent",
        BODY_LIMIT >> 20
    );
    Problem::new(ProblemKind::BodyTooLarge, detail)
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

/// The content coding of a body.
#[derive(Clone, Copy)]
enum Coding {
    Identity,
    Gzip,
}

impl Coding {
    /// `None` if it is another one.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut coding = Self::Identity;
        for value in headers.get_all(header::CONTENT_ENCODING) {
            for name in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                match (coding, name.to_ascii_lowercase().as_slice()) {
                    (_, b"" | b"identity") => {}
                    (Self::Identity, b"gzip" | b"x-gzip") => coding = Self::Gzip,
                    _ => return None,
                }
            }
        }
        Some(coding)
    }
}

/// Inflates a body as far as it is allowed to: whatever it would inflate to, no more of it is. `None` if it is larger.
fn inflated(gzipped: &[u8]) -> io::Result<Option<Bytes>> {
    /// Inputs rarely shrink to less than a fiftieth. Reading what inflates further would take time that the client has not paid for with
    /// bytes, so beyond this size, a body may be only this many times as long as what was sent.
    const FREE: usize = 256 * 1024;
    const RATIO: usize = 100;
    let limit = BODY_LIMIT.min(FREE + RATIO * gzipped.len());
    let mut body = Vec::new();
    let length = MultiGzDecoder::new(gzipped).take(limit as u64 + 1).read_to_end(&mut body)?;
    Ok((length <= limit).then(|| body.into()))
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
