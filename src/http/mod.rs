//! The HTTP API: routes, requests and responses.

mod answer_limit;
mod assets;
mod base_path;
mod body;
mod body_memory;
mod cache_status;
mod contributions;
mod cors;
mod embeddings;
mod openapi;
mod predictions;
mod problem;
mod request_id;

use std::{convert::Infallible, sync::Arc};

use axum_core::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use hyper::body::Body as _;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::CorsLayer;

use self::{
    openapi::{OPENAPI, OpenApi},
    predictions::{Endpoint, contributions_path, prediction_paths},
};
use crate::{
    model::Model,
    observe::{
        request_line::RequestLine,
        traces::{RequestTrace, Traces},
    },
    service::{CachePolicy, PredictionService},
};

pub use self::{
    answer_limit::AnswerLimit,
    assets::{ASSETS, Asset, DASHBOARD},
    base_path::{BasePath, BasePaths},
    body::UndecodableBody,
    body_memory::BodyMemory,
    cache_status::ClientCacheControl,
    cors::{AllowedHeaders, AllowedOrigins},
    openapi::document as openapi_document,
    problem::ProblemKind,
    request_id::GatewayRequestId,
};

/// How the API is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiSettings {
    pub base_paths: BasePaths,
    pub client_cache_control: ClientCacheControl,
    /// The origins whose pages may call the API from a browser (CORS).
    pub allowed_origins: Option<AllowedOrigins>,
    /// The headers that these pages may send besides those that the service knows.
    pub allowed_headers: AllowedHeaders,
}

/// The prediction endpoints and their documentation. Clones share their state.
#[derive(Clone)]
pub struct Api {
    parts: Arc<Parts>,
    cors: Option<CorsLayer>,
    traces: Option<Arc<Traces>>,
    bodies: Option<Arc<BodyMemory>>,
}

struct Parts {
    service: Arc<PredictionService>,
    endpoints: Vec<Endpoint>,
    openapi: OpenApi,
    base_paths: BasePaths,
    client_cache_control: ClientCacheControl,
}

/// The target of a path.
#[derive(Clone, Copy)]
enum Route<'a> {
    Prediction(&'a Endpoint),
    Asset(&'static Asset),
    OpenApi,
    /// `/`, or a base path, which redirects readers to the documentation.
    Root,
    /// `/docs/`, which redirects to `/docs`.
    DocsWithSlash,
    /// For load balancers. The local server answers it before the API.
    Health,
}

impl Api {
    /// Builds the API over `service`.
    pub fn new(service: Arc<PredictionService>, settings: ApiSettings) -> Self {
        let ApiSettings { base_paths, client_cache_control, allowed_origins, allowed_headers } = settings;
        let endpoints = predictions::endpoints(service.model());
        let cors = allowed_origins.map(|origins| cors::layer(origins, allowed_headers));
        let parts = Parts { service, endpoints, openapi: OpenApi::default(), base_paths, client_cache_control };
        Self { parts: Arc::new(parts), cors, traces: None, bodies: None }
    }

    /// The prefixes below which it answers too.
    pub fn base_paths(&self) -> &BasePaths {
        &self.parts.base_paths
    }

    /// The matched route's path, or `unmatched`. Unknown paths are never used as a label, so clients cannot create new metric series.
    pub fn endpoint(&self, path: &str) -> &str {
        self.parts.route(path).map_or("unmatched", Route::path)
    }

    /// The path of the prediction with this name or this endpoint. For others, a path that leads to an error.
    pub fn path_of(&self, prediction: &str) -> String {
        let name = prediction.strip_prefix('/').unwrap_or(prediction);
        let signature = self.parts.service.model().signature();
        let named = signature.predictions().iter().find(|prediction| prediction.name() == name);
        let contributions = signature.contributions().filter(|contributions| contributions.name == name);
        let endpoint = contributions.and_then(|contributions| contributions.endpoint.as_deref());
        format!("/{}", named.map(|prediction| prediction.endpoint()).or(endpoint).unwrap_or(name))
    }

    /// Traces requests with `traces`, if any.
    pub fn traced(self, traces: Option<Arc<Traces>>) -> Self {
        Self { traces, ..self }
    }

    /// Limits the memory of bodies. Large ones beyond it are answered with 503.
    pub fn limited(self, bodies: Option<Arc<BodyMemory>>) -> Self {
        Self { bodies, ..self }
    }

    /// Answers a request; its log line and its trace are [deferred](crate::after_response).
    pub async fn answer(&self, mut request: Request) -> Response {
        let Self { parts, cors, traces, bodies } = self;
        let bodies = bodies.as_ref();
        let route = parts.route(request.uri().path());
        let trace = traces.as_ref().map(|traces| RequestTrace::begin(traces, &mut request, route.map(Route::path)));
        let trace_id = trace.as_ref().map(|trace| trace.id());
        let request_id = request_id::request_id(&request);
        let line = RequestLine::of(&request, &request_id, route.map_or("unmatched", Route::path), trace_id);
        let mut response = match cors {
            None => parts.answer(route, bodies, request).await,
            Some(cors) => {
                let answer = async |request| Ok::<_, Infallible>(parts.answer(route, bodies, request).await);
                let Ok(response) = cors.layer(service_fn(answer)).oneshot(request).await;
                response
            }
        };
        request_id::echo(&request_id, response.headers_mut());
        line.end(&mut response);
        if let Some(trace) = trace {
            trace.end(&request_id, &response);
        }
        response
    }
}

impl Parts {
    fn route(&self, path: &str) -> Option<Route<'_>> {
        let whole = path;
        let path = self.base_paths.strip(whole);
        if let Some(endpoint) = self.endpoints.iter().find(|endpoint| endpoint.path == path) {
            return Some(Route::Prediction(endpoint));
        }
        match path {
            OPENAPI => Some(Route::OpenApi),
            "/" => Some(Route::Root),
            "/docs/" => Some(Route::DocsWithSlash),
            HEALTH => Some(Route::Health),
            _ => {
                let asset = ASSETS.iter().find(|asset| asset.path == path).map(Route::Asset);
                asset.or_else(|| self.base_paths.contains(whole).then_some(Route::Root))
            }
        }
    }

    async fn answer(
        &self,
        route: Option<Route<'_>>,
        bodies: Option<&Arc<BodyMemory>>,
        mut request: Request,
    ) -> Response {
        let method = request.method().clone();
        let is_read = method == Method::GET || method == Method::HEAD;
        let removed = request.extensions_mut().remove::<BasePath>();
        let base = self.base_paths.base(request.uri().path(), removed);
        let base = base.as_ref();
        let limit = request.extensions().get::<AnswerLimit>().copied();
        let mut response = match route {
            Some(Route::Prediction(endpoint)) if method == Method::POST => {
                let policy = CachePolicy::of(self.client_cache_control, request.headers());
                endpoint.answer(&self.service, policy, bodies, base, request).await
            }
            Some(Route::Asset(asset)) if is_read => asset.answer(request.headers()),
            Some(Route::OpenApi) if is_read => self.openapi.answer(self.service.model(), base, request.headers()),
            Some(Route::Root) if is_read => assets::redirect_to_docs(base),
            Some(Route::DocsWithSlash) if is_read => assets::redirect(),
            Some(Route::Health) if is_read => "ok\n".into_response(),
            // A body that is sent to the root needs a path, not another method.
            Some(Route::Root) | None => {
                let predictions: Vec<_> = self.endpoints.iter().map(|endpoint| endpoint.path.as_str()).collect();
                let path = self.base_paths.strip(request.uri().path());
                problem::no_such_path(path, &predictions, base).into_response()
            }
            Some(route) if method == Method::OPTIONS => route.options(self.service.model()),
            Some(route) => problem::method_not_allowed(&method, route.allow()).below(base).into_response(),
        };
        if let Some(limit) = limit {
            response = limit.enforce(response, base).await;
        }
        if let Some(Route::Prediction(endpoint)) = route
            && endpoint.is_openai()
        {
            response = embeddings::as_openai(response).await;
        }
        if method == Method::HEAD {
            let length = HeaderValue::from(response.body().size_hint().exact().unwrap_or_default());
            response.headers_mut().insert(header::CONTENT_LENGTH, length);
            *response.body_mut() = Body::empty();
        }
        response
    }
}

impl<'a> Route<'a> {
    fn path(self) -> &'a str {
        match self {
            Self::Prediction(endpoint) => &endpoint.path,
            Self::Asset(asset) => asset.path,
            Self::OpenApi => OPENAPI,
            Self::Root => "/",
            Self::DocsWithSlash => "/docs/",
            Self::Health => HEALTH,
        }
    }

    fn allow(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Prediction(_) => "POST,OPTIONS",
            Self::Asset(_) | Self::OpenApi | Self::Root | Self::DocsWithSlash | Self::Health => "GET,HEAD,OPTIONS",
        })
    }

    /// Answers OPTIONS with the methods and, for a prediction, its media types (`accept-post`, W3C Linked Data Platform).
    fn options(self, model: &Model) -> Response {
        const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
        let mut response = (StatusCode::NO_CONTENT, [(header::ALLOW, self.allow())]).into_response();
        if let Self::Prediction(_) = self {
            response.headers_mut().insert(ACCEPT_POST, body::accepted(model));
        }
        response
    }
}

/// The path of the health check.
pub const HEALTH: &str = "/health";

/// The paths of the predictions for `model`, of their contributions and of the embeddings.
pub fn endpoint_paths(model: &Model) -> impl Iterator<Item = String> {
    let embeddings = embeddings::endpoint(model).map(|(path, _)| path.to_owned());
    prediction_paths(model).chain(contributions_path(model)).chain(embeddings)
}

/// The API's paths for `model`, except `/` and `/docs/`, which redirect to `/docs`.
pub fn paths(model: &Model) -> Vec<String> {
    let documentation = ASSETS.iter().map(|asset| asset.path).chain([OPENAPI]);
    endpoint_paths(model).chain(documentation.map(str::to_owned)).collect()
}
