//! The request and response headers, and the query parameter.

use std::fmt::Write;

use model_package::Signature;
use serde_json::{Map, Value, json};

use super::reference;
use crate::{
    http::contributions::{self, EXPLAIN},
    observe::outcome::{OUTCOMES, Outcome},
};

const EXPLAIN_PARAMETER: &str = "Explain";

/// The request headers and the query parameter of a prediction: `components/parameters`.
pub(super) fn parameters(signature: &Signature) -> Value {
    let header = |name: &str, description: &str, examples: &[&str]| {
        json!({
            "name": name,
            "in": "header",
            "required": false,
            "description": description,
            "schema": { "type": "string", "examples": examples },
        })
    };
    let mut parameters = json!({
        "CacheControl": header(
            "cache-control",
            "How the cache may be used for this request (RFC 9111). By default, it is read and written.\n\n\
             * `no-cache`: compute and store, without a lookup\n\
             * `no-store`: compute, without a lookup and without storing\n\
             * `only-if-cached`: answer from the cache, or with 504\n\n\
             Other directives concern age, which predictions do not have, and are ignored.\n\n\
             Some clients send `no-cache` with every request, so that none is answered from the cache: Postman does, until *Send no-cache \
             header* is turned off in its settings, and so does a browser whose developer tools disable the cache. The operator of the \
             service can have it ignore this header.",
            &["no-cache", "no-store", "only-if-cached"],
        ),
        "RequestId": header(
            "x-request-id",
            "Your own id for the request: 1 to 128 characters of `A-Z a-z 0-9 . _ : / + = @ -`. The response returns it, and the \
             service logs it. If it is missing or invalid, the gateway's id or a new one is used.",
            &["order-4711"],
        ),
        "TraceParent": header(
            "traceparent",
            "The trace that the request belongs to (W3C Trace Context). The service logs its trace id. Invalid values \
             are ignored.",
            &["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
        ),
    });
    if let Some(contributions) = signature.contributions() {
        parameters[EXPLAIN_PARAMETER] = json!({
            "name": EXPLAIN,
            "in": "query",
            "required": false,
            "description": format!(
                "Adds `{}` to the answer: how much each field adds to the model's score, for the fields with the largest contributions. \
                 The value is their number.",
                contributions.name
            ),
            "schema": {
                "type": "integer",
                "minimum": 1,
                "maximum": signature.fields().len(),
                "examples": [contributions::example(signature)],
            },
        });
    }
    parameters
}

/// References to [`parameters`]; `explains` if there are contributions.
pub(super) fn parameter_references(explains: bool) -> Value {
    let headers = ["CacheControl", "RequestId", "TraceParent"];
    let all = explains.then_some(EXPLAIN_PARAMETER).into_iter().chain(headers);
    all.map(|name| reference("parameters", name)).collect()
}

/// The response headers: `components/headers`.
pub(super) fn headers() -> Value {
    let header =
        |description: &str, schema: Value| json!({ "description": description, "required": true, "schema": schema });
    let mut cache_status = String::from("How the cache was involved in the answer (RFC 9211).\n");
    for Outcome { cache_status: value, meaning, .. } in OUTCOMES {
        // Writing to a String does not fail.
        let _ = write!(cache_status, "\n* `{value}`: {meaning}");
    }
    cache_status.push_str("\n\nWith a 504 (from `only-if-cached`) or a 500, nothing was computed or stored.");
    let mut headers = json!({
        "CacheStatus": header(
            &cache_status,
            json!({
                "type": "string",
                "anyOf": [
                    { "enum": OUTCOMES.map(|outcome| outcome.cache_status) },
                    { "pattern": "^predict-once; fwd=partial; detail=\"hit=[0-9]+ miss=[0-9]+\"$" },
                ],
            }),
        ),
        "ServerTiming": header(
            "The times of the cache lookup and the model run in milliseconds; a step that did not take place is omitted (W3C Server Timing).",
            json!({ "type": "string", "examples": ["cache;dur=0.1841, model;dur=0.0043", "cache;dur=0.0004"] }),
        ),
        "Model": header(
            "The model that answered: its name, and a fingerprint that changes whenever its answers may change.",
            json!({ "type": "string", "examples": ["my_model; fingerprint=46148657701c99ac"] }),
        ),
        "RequestId": header(
            "The request's id: yours if you sent one, otherwise the gateway's or a new one. Quote it when you report a problem.",
            json!({ "type": "string", "examples": ["order-4711", "9a4d4a56-2f6b-4c5e-9d0e-0f2f3f1f9a3b"] }),
        ),
        "ETag": header(
            "Identifies this version: send it as `if-none-match` to get a 304 without a body if the file is unchanged.",
            json!({ "type": "string", "examples": ["\"4f1d2c3b4a596877-gz\""] }),
        ),
        "CacheControl": header(
            "How long browsers may cache the file.",
            json!({ "type": "string", "const": "public, max-age=300" }),
        ),
        "Vary": header("The response depends on these request headers.", json!({ "type": "string", "const": "accept-encoding" })),
        "Accept": header("The media type that the body must have.", json!({ "type": "string", "const": "application/json" })),
        "AcceptEncoding": header(
            "The only content encoding that a body may have.",
            json!({ "type": "string", "const": "gzip" }),
        ),
        "RetryAfter": header("The seconds after which to try again.", json!({ "type": "string", "const": "1" })),
        "Allow": header("The methods that the path supports.", json!({ "type": "string", "examples": ["POST,OPTIONS"] })),
    });
    // A request with neither a lookup nor a model run has no timing; the others appear only on some errors.
    for optional in ["ServerTiming", "Allow", "Accept", "AcceptEncoding"] {
        headers[optional]["required"] = false.into();
    }
    headers
}

/// References to some of [`headers`], under their names in a response.
pub(super) fn header_references(names: &[(&str, &str)]) -> Map<String, Value> {
    names.iter().map(|(header, name)| ((*header).to_owned(), reference("headers", name))).collect()
}
