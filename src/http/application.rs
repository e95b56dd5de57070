//! A request's body → a credit application, or the problem with it.

use std::time::Duration;

use axum::{
    body,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use tokio::time::timeout;

use super::problem::Problem;
use crate::credit::CreditApplication;

/// Far more than an application needs: all fields with generous whitespace are under 1 KiB.
const BODY_LIMIT: usize = 64 * 1024;

/// How long a client of the local server may take to send it. Under Lambda the body is there before the request is.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Marks a request whose body was flagged as base64 in the gateway's event and is not (as an extension of the request).
#[derive(Clone, Copy, Debug)]
pub struct UndecodableBody;

/// Reads the application that a request carries.
pub(super) async fn read(request: Request) -> Result<CreditApplication, Problem> {
    if request.extensions().get::<UndecodableBody>().is_some() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "the body is said to be base64, and is not"));
    }
    if !is_json(request.headers()) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be sent as content-type application/json",
        ));
    }
    let Ok(body) = timeout(BODY_TIMEOUT, body::to_bytes(request.into_body(), BODY_LIMIT)).await else {
        let detail = format!("the body did not arrive within {} seconds", BODY_TIMEOUT.as_secs());
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
    };
    let body = match body {
        Ok(body) => body,
        Err(error) if is_over_limit(&error) => {
            let detail = format!("the body is larger than {} KiB", BODY_LIMIT / 1024);
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        Err(_) => return Err(Problem::new(StatusCode::BAD_REQUEST, "the body did not arrive whole")),
    };
    Ok(CreditApplication::from_json(&body)?)
}

/// Whether the media type is `application/json`, with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
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
