//! The prediction endpoints: all predictions of a model share one flow.

use std::{sync::Arc, time::Instant};

use axum_core::{
    extract::Request,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use model_package::{Embedding, EntryContent, ModelError};
use prediction_cache::Tenant;

use super::{
    body::{self, overloaded},
    body_memory::BodyMemory,
    cache_status,
    contributions::{self, InvalidExplain},
    embeddings,
    problem::Problem,
};
use crate::{
    model::Model,
    observe::traces::Trace,
    service::{Body, CachePolicy, NoPrediction, PredictionService, Question},
};

pub(super) const X_MODEL: HeaderName = HeaderName::from_static("x-model");

pub(super) struct Endpoint {
    pub(super) path: String,
    question: Question,
    /// For the endpoint in the form of OpenAI's API.
    embedding: Option<Embedding>,
    /// The size of the largest body, in bytes.
    body_limit: usize,
    x_model: HeaderValue,
}

/// The endpoints of the model's predictions, in their order.
pub(super) fn endpoints(model: &Model) -> Vec<Endpoint> {
    // Names consist of a-z, 0-9, `_` and `-`, fingerprints of hexadecimal digits.
    let x_model = format!("{}; fingerprint={}", model.signature().name, model.fingerprint(EntryContent::Answer));
    let x_model = HeaderValue::try_from(x_model).expect("its parts are ASCII");
    let predictions =
        prediction_paths(model).enumerate().map(|(prediction, path)| (path, Question::Prediction(prediction), None));
    let contributions = contributions_path(model).map(|path| (path, Question::Contributions, None));
    let embeddings = embeddings::endpoint(model)
        .map(|(path, embedding)| (path.to_owned(), Question::Vector(embedding.prediction), Some(embedding)));
    let all = predictions.chain(contributions).chain(embeddings);
    let body_limit = body::limit(model);
    let endpoint =
        |(path, question, embedding)| Endpoint { path, question, embedding, body_limit, x_model: x_model.clone() };
    all.map(endpoint).collect()
}

impl Endpoint {
    /// Answers a request. Its body and the answer count in `bodies`, if any; `base` stands in front of the paths in an error.
    pub(super) async fn answer(
        &self,
        service: &PredictionService,
        policy: CachePolicy,
        bodies: Option<&Arc<BodyMemory>>,
        base: &str,
        request: Request,
    ) -> Response {
        let predicted = self.predict(service, policy, bodies, base, request).await;
        predicted.unwrap_or_else(|problem| problem.below(base).into_response())
    }

    /// Whether requests, answers and errors have the form of OpenAI's API.
    pub(super) fn is_openai(&self) -> bool {
        self.embedding.is_some()
    }

    async fn predict(
        &self,
        service: &PredictionService,
        policy: CachePolicy,
        bodies: Option<&Arc<BodyMemory>>,
        base: &str,
        mut request: Request,
    ) -> Result<Response, Problem> {
        let tenant = if service.is_per_tenant() { request.extensions_mut().remove::<Tenant>() } else { None };
        let tenant = tenant.as_ref();
        let trace = request.extensions().get::<Trace>().map(|trace| (trace.clone(), Instant::now()));
        // Held until the answer is there: inputs take memory too.
        let (request, _share) = match bodies {
            Some(bodies) => bodies.count(request, self.body_limit),
            None => (request, None),
        };
        let top = contributions::requested(service.model(), self.question, request.uri().query());
        let top = top.map_err(|InvalidExplain| contributions::invalid_query(service.model()))?;
        let read = match self.embedding {
            None => body::read(request, service, self.body_limit).await.map(|(inputs, body)| (inputs, body, None)),
            Some(embedding) => {
                let read = embeddings::read(request, service, embedding, self.body_limit).await;
                read.map(|(inputs, format)| (inputs, Bytes::new(), Some(format)))
            }
        };
        if let Some((trace, start)) = trace {
            trace.parsed(start);
        }
        let (inputs, body, format) = read?;
        let _memory = match bodies {
            Some(bodies) => bodies.hold_inputs(&inputs, body.len()).ok_or_else(overloaded)?,
            None => None,
        };
        let mut answer = service.predict(self.question, &inputs, policy, tenant).await;
        if let Some(top) = top {
            let explained = match self.question {
                Question::Contributions | Question::Vector(_) => None,
                Question::Prediction(_) => {
                    Some(service.predict(Question::Contributions, &inputs, policy, tenant).await)
                }
            };
            answer = contributions::explained(service.model(), answer, explained, &body, top);
        }
        let content = answer.body.and_then(|predictions| match (predictions, format) {
            (vectors, Some(format)) => {
                let answer = embeddings::answer(service.model(), vectors, format);
                answer.map(|body| (body, None)).map_err(NoPrediction::Failed)
            }
            (Body::One(body), None) => Ok((body, None)),
            (Body::Many { distinct, order }, None) => Ok(array(distinct, &order, base)),
        });
        let mut response = match content {
            Ok((body, error)) => {
                let body = match bodies {
                    Some(bodies) => bodies.hold(body).ok_or_else(overloaded)?,
                    None => body,
                };
                let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
                let mut response = (content_type, body).into_response();
                if let Some(error) = error {
                    response.extensions_mut().insert(error);
                }
                response
            }
            Err(none @ NoPrediction::Overloaded) => {
                // As for a body without room, the headers say nothing about the cache.
                let mut response = Problem::from(none).below(base).into_response();
                response.extensions_mut().insert(answer.served);
                return Ok(response);
            }
            Err(none) => Problem::from(none).below(base).into_response(),
        };
        cache_status::describe(&answer.served, response.headers_mut());
        response.headers_mut().insert(X_MODEL, self.x_model.clone());
        response.extensions_mut().insert(answer.served);
        Ok(response)
    }
}

/// An array of predictions, with a problem in place of each one that the model does not have. Also returns the first error, for the log.
fn array(distinct: Vec<Result<Bytes, ModelError>>, order: &[usize], base: &str) -> (Bytes, Option<Arc<ModelError>>) {
    let mut error = None;
    let mut failed = |failed| {
        error.get_or_insert_with(|| Arc::new(failed));
        // Strings and numbers always serialise.
        serde_json::to_vec(&Problem::internal().below(base)).unwrap_or_default().into()
    };
    let objects: Vec<Bytes> = distinct.into_iter().map(|object| object.unwrap_or_else(&mut failed)).collect();
    let mut array = Vec::with_capacity(32 * order.len() + 2);
    array.push(b'[');
    for (position, object) in order.iter().enumerate() {
        if position > 0 {
            array.push(b',');
        }
        array.extend_from_slice(&objects[*object]);
    }
    array.push(b']');
    (array.into(), error)
}

/// The paths of a model's predictions, in their order.
pub(super) fn prediction_paths(model: &Model) -> impl Iterator<Item = String> {
    model.signature().predictions().iter().map(|prediction| format!("/{}", prediction.endpoint()))
}

/// The path of the contributions, if they have an endpoint.
pub(super) fn contributions_path(model: &Model) -> Option<String> {
    let endpoint = model.signature().contributions()?.endpoint.as_ref()?;
    Some(format!("/{endpoint}"))
}
