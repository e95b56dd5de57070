//! The prediction endpoints: all predictions of a model share one flow.

use std::{sync::Arc, time::Instant};

use axum_core::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, header};
use model_package::Stored;
use prediction_cache::Tenant;

use super::{
    body::{self, overloaded},
    body_memory::BodyMemory,
    cache_status,
    problem::Problem,
};
use crate::{
    model::Model,
    observe::traces::Trace,
    service::{CachePolicy, PredictionService},
};

pub(super) const X_MODEL: HeaderName = HeaderName::from_static("x-model");

pub(super) struct Endpoint {
    pub(super) path: String,
    prediction: usize,
    x_model: HeaderValue,
}

/// The endpoints of the model's predictions, in their order.
pub(super) fn endpoints(model: &Model) -> Vec<Endpoint> {
    // Names consist of a-z, 0-9, `_` and `-`, fingerprints of hexadecimal digits.
    let x_model = format!("{}; fingerprint={}", model.signature().name, model.fingerprint(Stored::Answer));
    let x_model = HeaderValue::try_from(x_model).expect("its parts are ASCII");
    let paths = prediction_paths(model).enumerate();
    paths.map(|(prediction, path)| Endpoint { path, prediction, x_model: x_model.clone() }).collect()
}

impl Endpoint {
    /// The request's body and the answer count in `bodies`, if any.
    pub(super) async fn answer(
        &self,
        service: &PredictionService,
        bodies: Option<&Arc<BodyMemory>>,
        request: Request,
    ) -> Response {
        self.predict(service, bodies, request).await.unwrap_or_else(Problem::into_response)
    }

    async fn predict(
        &self,
        service: &PredictionService,
        bodies: Option<&Arc<BodyMemory>>,
        mut request: Request,
    ) -> Result<Response, Problem> {
        let tenant = if service.is_per_tenant() { request.extensions_mut().remove::<Tenant>() } else { None };
        let tenant = tenant.as_ref();
        let policy = CachePolicy::from(request.headers());
        let trace = request.extensions().get::<Trace>().map(|trace| (trace.clone(), Instant::now()));
        // Held until the answer is there: inputs take memory too.
        let (request, _share) = match bodies {
            Some(bodies) => bodies.count(request),
            None => (request, None),
        };
        let inputs = body::read(request, service.model()).await;
        if let Some((trace, start)) = trace {
            trace.parsed(start);
        }
        let answer = service.predict(self.prediction, &inputs?, policy, tenant).await;
        let mut response = match answer.body {
            Ok(body) => {
                let body = match bodies {
                    Some(bodies) => bodies.hold(body).ok_or_else(overloaded)?,
                    None => body,
                };
                ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
            }
            Err(none) => Problem::from(none).into_response(),
        };
        cache_status::describe(&answer.served, response.headers_mut());
        response.headers_mut().insert(X_MODEL, self.x_model.clone());
        response.extensions_mut().insert(answer.served);
        Ok(response)
    }
}

/// The paths of a model's predictions, in their order.
pub(super) fn prediction_paths(model: &Model) -> impl Iterator<Item = String> {
    model.signature().predictions().iter().map(|prediction| format!("/{}", prediction.endpoint()))
}
