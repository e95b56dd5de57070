//! Limits the size of answers where the platform does: an answer that is too large becomes an error that the client, the log line and
//! the metrics agree on, instead of one that the platform makes of it.

use std::io;

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use hyper::body::Body as _;

use super::{
    cache_status::{CACHE_STATUS, SERVER_TIMING},
    predictions::X_MODEL,
    problem::{Problem, ProblemKind},
};

/// A request extension: the largest answer that its sender transmits.
#[derive(Clone, Copy, Debug)]
pub struct AnswerLimit {
    /// The limit of the whole answer, in MB of 2^20 bytes.
    pub megabytes: usize,
    /// Whether the body is transmitted within a JSON string, which escapes quotes.
    pub in_json: bool,
}

impl AnswerLimit {
    /// Lambda's.
    pub(crate) const LAMBDA: Self = Self { megabytes: 6, in_json: true };

    /// Room for the status and the headers.
    const HEADERS: usize = 16 << 10;

    /// Replaces a response that is too large by an error. What the response says about the cache remains true.
    pub(super) async fn enforce(self, response: Response, base: &str) -> Response {
        /// In a JSON string, a control character takes the most bytes: `\u0000`.
        const MOST_PER_BYTE: usize = 6;
        let limit = (self.megabytes << 20) - Self::HEADERS;
        if response.body().size_hint().exact().is_some_and(|bytes| bytes <= (limit / MOST_PER_BYTE) as u64) {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        let body = body.collect().await.expect("the bodies of the API are in memory").to_bytes();
        if self.length(&body) <= limit {
            return Response::from_parts(parts, Body::from(body));
        }
        let mut problem = self.too_large().below(base).into_response();
        for name in [CACHE_STATUS, SERVER_TIMING, X_MODEL] {
            problem.headers_mut().extend(parts.headers.remove(&name).map(|value| (name, value)));
        }
        parts.extensions.extend(std::mem::take(problem.extensions_mut()));
        *problem.extensions_mut() = parts.extensions;
        problem
    }

    pub(super) fn too_large(self) -> Problem {
        let detail = format!(
            "the answer is larger than {} MB, which is the most that this way of calling the service transmits; send fewer inputs at once",
            self.megabytes
        );
        Problem::new(ProblemKind::AnswerTooLarge, detail)
    }

    /// The number of bytes in which the body is transmitted.
    fn length(self, body: &[u8]) -> usize {
        match str::from_utf8(body) {
            Ok(text) if self.in_json => {
                let mut length = Length(0);
                // Counting does not fail.
                let _ = serde_json::to_writer(&mut length, text);
                length.0
            }
            Ok(text) => text.len(),
            // As base64.
            Err(_) => body.len().div_ceil(3) * 4,
        }
    }
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_counts_as_it_is_transmitted() {
        let length = |in_json, body: &[u8]| AnswerLimit { megabytes: 1, in_json }.length(body);
        assert_eq!(length(true, b"{\"a\":\"\n\"}"), r#""{\"a\":\"\n\"}""#.len());
        assert_eq!(length(false, b"{\"a\":1}"), 7);
        assert_eq!(length(true, &[0x1f, 0x8b, 0, 0]), 8);
    }
}
