//! The service in this process, and the checks that each of its answers must pass.

use std::{cell::Cell, sync::Arc};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use predict_once::{
    after_response, http::ASSETS, http::Api, http::ApiSettings, http::UndecodableBody, model::Model, service::Caching,
    service::PredictionService,
};
use prediction_cache::{MemoryCache, PredictionCache};
use proptest::{prelude::*, sample::select};
use serde_json::Value;
use test_support::models;
use tokio::runtime::Runtime;

/// The service in this process, and its model to compute the right answers.
pub(crate) struct Subject {
    runtime: Runtime,
    api: Api,
    model: Model,
}

impl Subject {
    pub(crate) fn new(cache: PredictionCache) -> Self {
        Self::on(current_thread(), cache)
    }

    pub(crate) fn on(runtime: Runtime, cache: PredictionCache) -> Self {
        let service = PredictionService::new(models::shipped(), cache, &Caching::default());
        Self { runtime, api: Api::new(Arc::new(service), ApiSettings::default()), model: models::shipped() }
    }

    /// Sends a request as Lambda does, runs the deferred work and checks the answer.
    pub(crate) fn check(&self, request: Request<Body>) -> Result<StatusCode, TestCaseError> {
        self.runtime.block_on(async {
            let (parts, body) = request.into_parts();
            let sent = to_bytes(body, usize::MAX).await.expect("it is in memory");
            let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
            let only_if_cached = says_only_if_cached(&parts.headers);
            let is_encoded = parts.headers.contains_key("content-encoding");
            let undecodable = parts.extensions.get::<UndecodableBody>().is_some();
            let request = Request::from_parts(parts, Body::from(sent.clone()));

            let (response, jobs) = after_response::collect(self.api.answer(request)).await;
            jobs.run(None).await;

            let (status, headers) = (response.status(), response.headers().clone());
            let body = to_bytes(response.into_body(), usize::MAX).await.expect("it is in memory");
            let seen = format!("{method} {path}: {status} {}", String::from_utf8_lossy(&body));
            prop_assert!(!status.is_server_error() || (status == 504 && only_if_cached), "{seen}");
            let is_error = status.is_client_error() || status.is_server_error();
            // 204 answers OPTIONS, 307 redirects from `/`, 308 from `/docs/`.
            prop_assert!(is_error || [200, 204, 307, 308].contains(&status.as_u16()), "{seen}");
            prop_assert!(headers.contains_key("x-request-id"), "{seen}");
            if is_error {
                prop_assert_eq!(headers.get("content-type").expect("there is one"), "application/problem+json");
                if method == Method::HEAD {
                    prop_assert!(body.is_empty(), "an answer to HEAD has no body: {seen}");
                } else {
                    let problem: Value = serde_json::from_slice(&body).expect(&seen);
                    prop_assert_eq!(&problem["status"], status.as_u16(), "{}", seen);
                }
            }
            prop_assert_eq!(status == 405 || status == 204, headers.contains_key("allow"), "{}", seen);

            // A byte order mark is ignored.
            let sent = sent.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&sent);
            // Compared as text: parsed as a double, a probability would be another number.
            match if undecodable { None } else { models::answer(&self.model, &path, sent) } {
                Some(right) if status == 200 => {
                    prop_assert_eq!(&body, &right, "{}", seen);
                }
                // The headers may be wrong, also about the coding of the body, or the body too large.
                Some(_) => prop_assert!(
                    [204, 405, 413, 415, 504].contains(&status.as_u16()) || (status == 400 && is_encoded),
                    "{seen}"
                ),
                None => {
                    let is_page = path == "/openapi.json" || ASSETS.iter().any(|asset| asset.path == path);
                    prop_assert!(status != 200 || is_page, "{seen}");
                }
            }
            Ok(status)
        })
    }

    pub(crate) fn path_of(&self, prediction: &str) -> String {
        self.api.path_of(prediction)
    }

    /// Posts a body to a prediction endpoint.
    pub(crate) fn post(&self, path: &str, body: impl Into<Body>) -> Result<StatusCode, TestCaseError> {
        let request = Request::post(path).header("content-type", "application/json");
        self.check(request.body(body.into()).expect("a valid request"))
    }
}

pub(crate) fn current_thread() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

pub(crate) fn in_memory() -> Subject {
    Subject::new(PredictionCache::new(Some(MemoryCache::new(100, 1 << 26)), None))
}

pub(crate) fn says_only_if_cached(headers: &HeaderMap) -> bool {
    headers.get_all("cache-control").iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|one| one.trim_ascii().eq_ignore_ascii_case(b"only-if-cached"))
    })
}

pub(crate) fn any_path() -> impl Strategy<Value = &'static str> {
    select(vec!["/decisions", "/probabilities", "/risk_categories"])
}

/// Counts how far the cases got: a fuzzer whose cases are all rejected early proves nothing.
#[derive(Default)]
pub(crate) struct Reached {
    pub(crate) all: Cell<u32>,
    pub(crate) router: Cell<u32>,
    pub(crate) predictions: Cell<u32>,
}

impl Reached {
    pub(crate) fn count(counter: &Cell<u32>) {
        counter.set(counter.get() + 1);
    }

    pub(crate) fn answered(&self, status: StatusCode) {
        Self::count(&self.router);
        if status == 200 {
            Self::count(&self.predictions);
        }
    }
}
