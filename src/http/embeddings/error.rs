//! Errors in the form that OpenAI's clients read.

use axum_core::{body::Body, response::Response};
use http::{HeaderValue, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};

/// A response of the endpoint: a problem becomes an error of OpenAI's API, anything else remains as it is.
pub(crate) async fn as_openai(mut response: Response) -> Response {
    let is_problem =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == "application/problem+json");
    if !is_problem {
        return response;
    }
    let body =
        std::mem::take(response.body_mut()).collect().await.expect("the bodies of the API are in memory").to_bytes();
    let problem = serde_json::from_slice(&body).expect("a problem is JSON");
    *response.body_mut() = Body::from(openai_error(&problem).to_string());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The error for a problem: `param` is the member that is invalid, `code` the kind of problem.
pub(crate) fn openai_error(problem: &Value) -> Value {
    let error = &problem["errors"][0];
    let parameter = error["pointer"].as_str().and_then(|pointer| pointer.strip_prefix("#/"));
    let message = match (parameter, error["detail"].as_str()) {
        (Some(parameter), Some(detail)) => format!("{parameter} {detail}").into(),
        _ => problem["detail"].clone(),
    };
    let is_server = problem["status"].as_u64().is_some_and(|status| status >= 500);
    let kind = problem["type"].as_str().and_then(|uri| uri.rsplit('#').next()).unwrap_or_default();
    json!({
        "error": {
            "message": message,
            "type": if is_server { "server_error" } else { "invalid_request_error" },
            "param": parameter,
            "code": kind.replace('-', "_"),
        },
    })
}
