//! Reads a request's body.

use std::{
    io::{self, Read},
    time::Duration,
};

use axum_core::{body::Body, extract::Request};
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use model_package::{
    Format, Inputs, InvalidInput, Signature,
    field::{Field, Kind},
};
use tokio::time::timeout;

use super::{
    body_memory::{self, Share},
    problem::{Problem, ProblemKind, invalid_json},
};
use crate::{
    model::Model,
    service::{NoPrediction, PredictionService},
};

/// In bytes: fits an array with the maximum number of inputs of twenty fields each.
const USUAL_LIMIT: usize = 1 << 20;

/// The highest limit, for models with images: the maximum size of a Lambda function's event.
const HIGHEST_LIMIT: usize = 6 << 20;

/// How much of an oversized body is read and discarded: a client reads the response only when it has sent the whole body.
const DISCARD_LIMIT: usize = 16 << 20;

/// A client that asks before it sends the body (RFC 9110, section 10.1.1), as curl does with a large one.
const CONTINUE: &str = "100-continue";

/// How long a client of the local server may take to send the body. Under Lambda, the whole body arrives with the event.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request extension: the gateway's event flagged the body as base64, but it is not valid base64.
#[derive(Clone, Copy, Debug)]
pub struct UndecodableBody;

/// The size of the largest body, in bytes: fits an image in base64 for each field that is one.
pub(super) fn limit(model: &Model) -> usize {
    let image = |field: &Field| match field.kind() {
        Kind::Image(image) => image.max_bytes().div_ceil(3) * 4,
        Kind::Number(_) | Kind::Boolean | Kind::Category(_) | Kind::Date(_) | Kind::Array(_) | Kind::Text(_) => 0,
    };
    let images: usize = model.signature().fields().iter().map(image).sum();
    if images == 0 { USUAL_LIMIT } else { (USUAL_LIMIT + images).min(HIGHEST_LIMIT) }
}

/// The media types of a request's body, JSON first.
pub(super) fn media_types(model: &Model) -> Vec<&'static str> {
    let images = model.signature().only_image().map(|_| Format::ALL.map(Format::media_type));
    ["application/json"].into_iter().chain(images.into_iter().flatten()).collect()
}

/// The media types of a request's body, as a header.
pub(super) fn accepted(model: &Model) -> HeaderValue {
    HeaderValue::try_from(media_types(model).join(", ")).expect("media types are ASCII")
}

/// Reads the inputs from a body of at most `limit` bytes, the model's [`limit`]. Also returns the JSON that they were read from.
pub(super) async fn read(
    request: Request,
    service: &PredictionService,
    limit: usize,
) -> Result<(Inputs, Bytes), Problem> {
    let model = service.model();
    let media_type = media_type(request.headers());
    let is_image =
        model.signature().only_image().is_some() && Format::ALL.iter().any(|format| format.media_type() == media_type);
    let body = match is_image {
        true => receive(request, limit).await?,
        false => read_json(request, model, limit).await?,
    };
    parse(service, body.len(), move |signature| parsed(signature, is_image, body)).await
}

/// Parses a body of so many bytes: on a thread of its own if that takes long.
pub(super) async fn parse<T: Send + 'static>(
    service: &PredictionService,
    bytes: usize,
    parse: impl FnOnce(&Signature) -> Result<T, Box<Problem>> + Send + 'static,
) -> Result<T, Problem> {
    match service.read_body(bytes, parse).await {
        Some(parsed) => parsed.map_err(|problem| *problem),
        None => Err(NoPrediction::Overloaded.into()),
    }
}

/// The inputs of a body, and its JSON, if it is not an image.
fn parsed(signature: &Signature, is_image: bool, body: Bytes) -> Result<(Inputs, Bytes), Box<Problem>> {
    if let Some(image) = signature.only_image().filter(|_| is_image) {
        let input = signature.read_image(image, &body).map_err(Problem::from)?;
        return Ok((Inputs::One(input), Bytes::new()));
    }
    let inputs = signature.read_all(&body).map_err(|invalid| match invalid {
        InvalidInput::Syntax(error) => invalid_json(&body, &error),
        invalid => invalid.into(),
    })?;
    Ok((inputs, body))
}

/// Reads the text of a body of at most `limit` bytes that must be JSON.
pub(super) async fn read_json(request: Request, model: &Model, limit: usize) -> Result<Bytes, Problem> {
    let headers = request.headers();
    // What is wrong with the bytes is reported first.
    let is_decodable = request.extensions().get::<UndecodableBody>().is_none();
    if is_decodable && !is_json(&media_type(headers)) {
        let sent = headers.get(header::CONTENT_TYPE).map(|sent| sent.to_str().unwrap_or(OTHER_TYPE));
        return Err(unsupported(model, sent));
    }
    let body = receive(request, limit).await?;
    // Some programs write a byte order mark, which RFC 8259 lets a parser ignore.
    const MARK: &[u8] = "\u{feff}".as_bytes();
    Ok(if body.starts_with(MARK) { body.slice(MARK.len()..) } else { body })
}

/// The bytes of a body, without its content coding. `limit` is the most that there may be.
async fn receive(request: Request, limit: usize) -> Result<Bytes, Problem> {
    if request.extensions().get::<UndecodableBody>().is_some() {
        return Err(undecodable());
    }
    let Some(coding) = Coding::of(request.headers()) else { return Err(unknown_coding()) };
    if is_refused_unread(&request, limit) {
        return Err(too_large(limit));
    }
    let share = request.extensions().get::<Share>().cloned();
    let mut body = request.into_body();
    let read = async {
        let read = Limited::new(&mut body, limit).collect().await;
        if read.is_err() {
            discard(&mut body).await;
        }
        read
    };
    let body = match timeout(BODY_TIMEOUT, read).await {
        Err(_) => return Err(too_slow()),
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large(limit)),
        Ok(Err(error)) if body_memory::is_no_room(&*error) => return Err(overloaded()),
        Ok(Err(_)) => {
            return Err(Problem::new(
                ProblemKind::UnreadableBody,
                "the connection ended before the whole body had arrived",
            ));
        }
    };
    match coding {
        Coding::Identity => Ok(body),
        Coding::Gzip => {
            let body = inflated(&body, limit).map_err(|_| not_gzip())?.ok_or_else(|| inflates_too_far(limit))?;
            if share.is_some_and(|share| !share.take(body.len())) {
                return Err(overloaded());
            }
            Ok(body)
        }
    }
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
pub(super) fn unsupported(model: &Model, sent: Option<&str>) -> Problem {
    const LONGEST: usize = 100;
    let got = match sent {
        None => "none",
        Some(sent) if sent.len() > LONGEST => OTHER_TYPE,
        Some(sent) => sent,
    };
    let detail = format!("the content-type must be {}, got {got}", media_types(model).join(" or "));
    Problem::new(ProblemKind::UnsupportedMediaType, detail).with_header(header::ACCEPT, accepted(model))
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

pub(super) fn too_large(limit: usize) -> Problem {
    Problem::new(ProblemKind::BodyTooLarge, format!("the body is larger than {}", size(limit)))
}

fn inflates_too_far(limit: usize) -> Problem {
    let detail = format!(
        "the body inflates to more than {}, or to more than 256 KiB and a hundred times what was sent",
        size(limit)
    );
    Problem::new(ProblemKind::BodyTooLarge, detail)
}

/// The body, or its answer, does not fit in the [`body_memory`].
pub(super) fn overloaded() -> Problem {
    Problem::overloaded("too many large bodies are being processed; try again")
}

/// `1 MiB`, or a number of bytes.
pub(super) fn size(bytes: usize) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{} MiB", bytes >> 20) } else { format!("{bytes} bytes") }
}

/// The content type without its parameters, in lower case.
fn media_type(headers: &HeaderMap) -> String {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether it is `application/json` or `application/*+json` (RFC 6839).
fn is_json(media_type: &str) -> bool {
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
fn inflated(gzipped: &[u8], limit: usize) -> io::Result<Option<Bytes>> {
    /// Inputs rarely shrink to less than a fiftieth. Reading what inflates further would take time that the client has not paid for with
    /// bytes, so beyond this size, a body may be only this many times as long as what was sent.
    const FREE: usize = 256 * 1024;
    const RATIO: usize = 100;
    let limit = limit.min(FREE + RATIO * gzipped.len());
    let mut body = Vec::new();
    let length = MultiGzDecoder::new(gzipped).take(limit as u64 + 1).read_to_end(&mut body)?;
    Ok((length <= limit).then(|| body.into()))
}

/// Whether the body is too large, and nothing of it has to be read before the client reads an answer: the client waits for leave to send
/// it, or will not get to its end in any case.
fn is_refused_unread(request: &Request, limit: usize) -> bool {
    let Some(length) = request.body().size_hint().exact() else { return false };
    let waits = request
        .headers()
        .get(header::EXPECT)
        .is_some_and(|expects| expects.as_bytes().eq_ignore_ascii_case(CONTINUE.as_bytes()));
    length > DISCARD_LIMIT as u64 || waits && length > limit as u64
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
