//! The prediction endpoints: one flow, a type for each.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{body, cache_status, no_content, problem::Problem};
use crate::{
    domain,
    prediction::{Prediction, PredictionVisitor},
    service::{CachePolicy, PredictionService},
};

/// The paths of all predictions.
pub(super) static PREDICTION_PATHS: LazyLock<Vec<String>> = LazyLock::new(|| {
    struct Paths(Vec<String>);
    impl PredictionVisitor for Paths {
        fn visit<P: Prediction>(&mut self) {
            self.0.push(path::<P>());
        }
    }
    let mut paths = Paths(Vec::new());
    domain::each_prediction(&mut paths);
    paths.0
});

/// The path of a prediction.
pub(super) fn path<P: Prediction>() -> String {
    format!("/{}", P::ENDPOINT)
}

/// Routes every prediction of the domain.
pub(super) fn routes() -> Router<Arc<PredictionService>> {
    struct Routes(Router<Arc<PredictionService>>);
    impl PredictionVisitor for Routes {
        fn visit<P: Prediction>(&mut self) {
            let routes = std::mem::take(&mut self.0);
            self.0 = routes.route(&path::<P>(), post(predict::<P>).options(options));
        }
    }
    let mut routes = Routes(Router::new());
    domain::each_prediction(&mut routes);
    routes.0
}

/// Looks up or computes a prediction and answers with it.
async fn predict<P: Prediction>(
    State(service): State<Arc<PredictionService>>,
    request: Request,
) -> Result<Response, Problem> {
    let policy = CachePolicy::from(request.headers());
    let input = body::read(request).await?;
    let answer = service.predict::<P>(&input, policy).await;
    let mut response = match answer.prediction {
        Ok(prediction) => json(&Answer(prediction)),
        Err(none) => Problem::from(none).into_response(),
    };
    cache_status::describe(&answer.served, response.headers_mut());
    response.extensions_mut().insert(answer.served);
    Ok(response)
}

/// An object of one member: the prediction under its name.
pub(super) struct Answer<P>(pub(super) P);

impl<P: Prediction> Serialize for Answer<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(1))?;
        object.serialize_entry(P::NAME, &self.0)?;
        object.end()
    }
}

fn json(body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(text) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the answer cannot be serialised");
            Problem::internal().into_response()
        }
    }
}

/// What a prediction's path answers, and what it reads (`accept-post`, W3C Linked Data Platform).
async fn options() -> Response {
    const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
    let mut response = no_content("POST,OPTIONS");
    response.headers_mut().insert(ACCEPT_POST, HeaderValue::from_static("application/json"));
    response
}
