//! An invocation's event: an HTTP request from a gateway, a prediction asked for directly, or a warm-up.

use axum_core::body::Body;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    headers::{Text, text},
    path::Located,
};

pub use super::{
    gateway::{HttpEvent, Origin},
    unsupported::UnsupportedEvent,
};

/// What an invocation asks for.
#[derive(Debug)]
pub enum Event {
    /// An HTTP request.
    Http(HttpEvent),
    /// A prediction, asked for without HTTP: by Step Functions, or with `aws lambda invoke`.
    Direct(DirectEvent),
    /// Nothing: the event keeps the environment warm.
    WarmUp,
}

/// `{"prediction": "decision", "input": {…}}`
#[derive(Debug)]
pub struct DirectEvent {
    /// The name of a prediction or of its endpoint.
    pub prediction: String,
    /// JSON: what the body of an HTTP request would be. Empty if the event has none.
    input: String,
}

impl Event {
    /// # Errors
    ///
    /// If the service does not know the event.
    pub fn read(json: &str) -> Result<Self, UnsupportedEvent> {
        if let Ok(event) = serde_json::from_str(json)
            && let Some(event) = HttpEvent::new(event)
        {
            return Ok(Self::Http(event));
        }
        if let Some(event) = DirectEvent::read(json) {
            return Ok(Self::Direct(event));
        }
        if is_warm_up(json) { Ok(Self::WarmUp) } else { Err(UnsupportedEvent::new(json)) }
    }
}

impl DirectEvent {
    fn read(json: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Members<'a> {
            #[serde(borrow)]
            prediction: Text<'a>,
            #[serde(borrow)]
            input: Option<&'a RawValue>,
        }
        let Members { prediction, input } = serde_json::from_str(json).ok()?;
        let input = input.map(|input| input.get().to_owned()).unwrap_or_default();
        Some(Self { prediction: prediction.0.into_owned(), input })
    }

    /// Converts the event to the request that posts its input to `path`. `invocation` is the invocation's id.
    pub fn into_request(self, path: String, invocation: &str) -> Request<Body> {
        let event = HttpEvent {
            origin: Origin::Direct,
            method: Method::POST,
            located: Located::unchanged(path),
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
            body: Some(self.input),
            is_base64: false,
            request_id: None,
        };
        event.into_request(invocation)
    }
}

/// Whether the event only keeps the environment warm: a schedule of EventBridge, serverless-plugin-warmup's event, or lambda-warmer's.
fn is_warm_up(json: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Members<'a> {
        #[serde(borrow)]
        source: Option<Text<'a>>,
        #[serde(borrow)]
        detail_type: Option<Text<'a>>,
        warmer: Option<bool>,
    }
    serde_json::from_str(json).is_ok_and(|Members { source, detail_type, warmer }| {
        let is_schedule =
            matches!(text(&source), "aws.events" | "aws.scheduler") && text(&detail_type) == "Scheduled Event";
        is_schedule || text(&source) == "serverless-plugin-warmup" || warmer == Some(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_ups_are_recognised_and_other_events_of_event_bridge_are_not() {
        let read = |json: &str| Event::read(json);
        for warm in [
            r#"{"source": "serverless-plugin-warmup"}"#,
            r#"{"warmer": true, "concurrency": 3}"#,
            r#"{"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}"#,
            r#"{"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"}"#,
        ] {
            assert!(matches!(read(warm), Ok(Event::WarmUp)), "{warm}");
        }
        for other in [
            r#"{"source": "aws.s3", "detail-type": "Object Created", "detail": {}}"#,
            r#"{"source": "shop", "detail-type": "Scheduled Event"}"#,
            r#"{"warmer": false}"#,
            r#"{"warmer": "true"}"#,
            r#"{"source": ["serverless-plugin-warmup"]}"#,
        ] {
            assert!(read(other).is_err(), "{other}");
        }
    }
}
