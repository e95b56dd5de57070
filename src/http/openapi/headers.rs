//! The headers that requests and responses carry.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::reference;
use crate::http::cache_status::CACHE_STATUSES;

/// The request headers of a prediction, as components.
pub(super) fn parameters() -> Value {
    let header = |name: &str, description: &str, examples: &[&str]| {
        json!({
            "name": name,
            "in": "header",
            "required": false,
            "description": description,
            "schema": { "type": "string", "examples": examples },
        })
    };
    json!({
        "CacheControl": header(
            "cache-control",
            "What the cache may do for this request (RFC 9111). Left out, it may do everything.\n\n\
             * `no-cache`: do not look into the cache, compute; then store the answer\n\
             * `no-store`: neither look nor store\n\
             * `only-if-cached`: answer from the cache, or with 504\n\n\
             Other directives are about age, which a prediction has none of, and are ignored.",
            &["no-cache", "no-store", "only-if-cached"],
        ),
        "RequestId": header(
            "x-request-id",
            "Your own name for the request, 1 to 128 of `A-Z a-z 0-9 . _ : / + = @ -`. It comes back in the response and stands in \
             the service's log. Without one (or with one that is not of this form), the gateway's name or a new one is used.",
            &["order-4711"],
        ),
        "TraceParent": header(
            "traceparent",
            "The trace that the request belongs to (W3C Trace Context). Its trace id stands in the service's log. One that is not \
             valid is ignored.",
            &["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
        ),
    })
}

/// References to [`parameters`].
pub(super) fn parameter_references() -> Value {
    ["CacheControl", "RequestId", "TraceParent"].map(|name| reference("parameters", name)).into()
}

/// The response headers, as components.
pub(super) fn headers() -> Value {
    let header =
        |description: &str, schema: Value| json!({ "description": description, "required": true, "schema": schema });
    let mut cache_status = String::from("What the cache had to do with the answer (RFC 9211).\n");
    for (value, meaning) in CACHE_STATUSES {
        // Writing to a String does not fail.
        let _ = write!(cache_status, "\n* `{value}`: {meaning}");
    }
    cache_status
        .push_str("\n\nWith a 504, which `only-if-cached` asked for, and with a 500 nothing was computed or stored.");
    let mut headers = json!({
        "CacheStatus": header(
            &cache_status,
            json!({ "type": "string", "enum": CACHE_STATUSES.map(|(value, _)| value) }),
        ),
        "ServerTiming": header(
            "The milliseconds that the lookup in the cache and the model took, as far as each took place (W3C Server Timing).",
            json!({ "type": "string", "examples": ["cache;dur=0.1841, model;dur=0.0043", "cache;dur=0.0004"] }),
        ),
        "Model": header(
            "The model that answered: its name, and a fingerprint that changes when its answers can.",
            json!({ "type": "string", "examples": ["my_model; fingerprint=46148657701c99ac"] }),
        ),
        "RequestId": header(
            "The request's name: yours if you sent one, else the gateway's, else a new one. Quote it when you report a problem.",
            json!({ "type": "string", "examples": ["order-4711", "9a4d4a56-2f6b-4c5e-9d0e-0f2f3f1f9a3b"] }),
        ),
        "ETag": header(
            "What tells this version from others: send it as `if-none-match`, and an unchanged file is a 304 without a body.",
            json!({ "type": "string", "examples": ["\"4f1d2c3b4a596877-gz\""] }),
        ),
        "CacheControl": header(
            "How long a browser may keep it.",
            json!({ "type": "string", "const": "public, max-age=300" }),
        ),
        "Vary": header("The representation depends on what you accept.", json!({ "type": "string", "const": "accept-encoding" })),
        "Accept": header("What the body may be sent as.", json!({ "type": "string", "const": "application/json" })),
        "AcceptEncoding": header(
            "How the body may be encoded: not at all.",
            json!({ "type": "string", "const": "identity" }),
        ),
        "Allow": header("The methods that the path answers.", json!({ "type": "string", "examples": ["POST,OPTIONS"] })),
    });
    // Nothing is timed when the cache is not asked and the model does not run; a 405 only has the methods.
    for optional in ["ServerTiming", "Allow", "Accept", "AcceptEncoding"] {
        headers[optional]["required"] = false.into();
    }
    headers
}

/// References to some of [`headers`], under their names in a response.
pub(super) fn header_references(names: &[(&str, &str)]) -> Map<String, Value> {
    names.iter().map(|(header, name)| ((*header).to_owned(), reference("headers", name))).collect()
}
