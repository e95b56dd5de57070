//! The documentation's paths.

use serde_json::{Map, Value, json};

use super::{DOCUMENTATION, OPENAPI, headers, problems};
use crate::http::assets::ASSETS;

/// The operations for the [`ASSETS`]. The files that the pages load share one path item.
pub(super) fn paths() -> Map<String, Value> {
    let mut files = Vec::new();
    let mut media_types = Map::new();
    let mut paths = Map::new();
    for asset in &ASSETS {
        let content = json!({ asset.content_type: { "schema": { "type": "string" } } });
        let (summary, operation_id) = match asset.path {
            "/docs" => ("This page, where you can try requests", "get_docs"),
            "/docs/errors" => ("What each error means and what to do about it", "get_docs_errors"),
            path => {
                files.push(path.trim_start_matches("/docs/"));
                media_types.insert(asset.content_type.to_owned(), content[asset.content_type].clone());
                continue;
            }
        };
        paths.insert(asset.path.to_owned(), get(summary, operation_id, content));
    }
    let content = json!({ "application/json": { "schema": { "type": "object" } } });
    paths.insert(OPENAPI.to_owned(), get("This document", "get_openapi", content));
    let mut operation = get("Files that the pages load", "get_docs_file", media_types.into());
    operation["get"]["parameters"] = json!([{
        "name": "file",
        "in": "path",
        "required": true,
        "description": "The file's name.",
        "schema": {
            "type": "string",
            "description": "One of:\n\n\
                            * `page.js`: the page's script, which loads the next four\n\
                            * `form.js`: the form\n\
                            * `controls.js`: its fields\n\
                            * `answer.js`: explains answers\n\
                            * `elements.js`: makes elements\n\
                            * `page.css`: the pages' style sheet\n\
                            * `form.css`: the form's\n\
                            * `icon.svg`: their icon\n\
                            * `swagger-ui-bundle.js`: Swagger UI\n\
                            * `swagger-ui.css`: its style sheet\n\
                            * `LICENSE-swagger-ui.txt`: its licence\n\
                            * `LICENSE-swagger-ui-bundle.txt`: the licences of its components",
            "enum": files,
        },
    }]);
    paths.insert("/docs/{file}".to_owned(), operation);
    paths
}

fn get(summary: &str, operation_id: &str, content: Value) -> Value {
    let headers = headers::header_references(&[
        ("etag", "ETag"),
        ("cache-control", "CacheControl"),
        ("vary", "Vary"),
        ("x-request-id", "RequestId"),
    ]);
    let mut responses = Map::from_iter([
        (
            "200".to_owned(),
            json!({ "description": "The file, gzipped if the client accepts that.", "headers": headers, "content": content }),
        ),
        ("304".to_owned(), json!({ "description": "`if-none-match` names the current version.", "headers": headers })),
    ]);
    responses.extend(problems::page_references());
    json!({
        "get": {
            "tags": [DOCUMENTATION],
            "summary": summary,
            "operationId": operation_id,
            "responses": responses,
        },
    })
}
