//! General HTTP behaviour: HEAD and OPTIONS, entity tags and compression, CORS, request ids and traces.

use std::io::Read;

use predict_once::http::ASSETS;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{
    applications::example,
    eventually,
    runtime_api::RuntimeApi,
    service::{Answer, Http, Service},
};

/// The paths of all files, including the OpenAPI document, which is generated on first use.
fn files() -> impl Iterator<Item = &'static str> {
    ASSETS.iter().map(|asset| asset.path).chain(["/openapi.json"])
}

const PAGE: &str = "https://shop.example";

fn http_api(path: &str, headers: Value) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    if path.starts_with("/docs") {
        event["requestContext"]["http"]["method"] = "GET".into();
    }
    event["rawPath"] = path.into();
    event["headers"].as_object_mut().expect("headers").extend(headers.as_object().expect("an object").clone());
    event
}

async fn request(http: &Http, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers
        .iter()
        .fold(http.client.request(method, http.url(path)), |request, (name, value)| request.header(*name, *value));
    http.send(request).await
}

fn has(answer: &Answer, name: &str) -> bool {
    answer.headers.contains_key(name)
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let (_service, http) = Service::local(&[]).await;
    for path in files() {
        let (get, head) = (http.get(path).await, request(&http, Method::HEAD, path, &[]).await);
        assert_eq!((get.status, head.status), (200, 200), "{path}");
        assert!(!get.text.is_empty() && head.text.is_empty(), "{path}");
        for name in ["content-type", "content-length", "etag", "cache-control", "vary", "content-security-policy"] {
            assert_eq!(get.header(name), head.header(name), "{name} of {path}");
        }
    }
}

#[tokio::test]
async fn options_list_the_methods_and_the_media_type_of_a_path() {
    let (_service, http) = Service::local(&[]).await;
    let answer = request(&http, Method::OPTIONS, "/decisions", &[]).await;
    assert_eq!((answer.status, answer.header("allow")), (204, "POST,OPTIONS"));
    assert_eq!(answer.header("accept-post"), "application/json");
    let answer = request(&http, Method::OPTIONS, "/docs", &[]).await;
    assert_eq!((answer.status, answer.header("allow")), (204, "GET,HEAD,OPTIONS"));
    assert_eq!(request(&http, Method::OPTIONS, "/nowhere", &[]).await.status, 404);
}

#[tokio::test]
async fn an_answer_is_json_for_any_accept_header() {
    let (_service, http) = Service::local(&[]).await;
    for (accept, input, content_type) in [
        ("application/xml", example(), "application/json"),
        ("text/html", example(), "application/json"),
        ("application/json", json!({}), "application/problem+json"),
    ] {
        let request = http.client.post(http.url("/decisions")).json(&input).header("accept", accept);
        assert_eq!(http.send(request).await.header("content-type"), content_type, "{accept}");
    }
}

#[tokio::test]
async fn a_client_with_the_current_file_gets_a_304_and_any_other_client_the_file() {
    let (_service, http) = Service::local(&[]).await;
    for path in files() {
        let first = http.get(path).await;
        assert_eq!(first.header("cache-control"), "public, max-age=300");
        let etag = first.header("etag");
        for has_it in [etag, "*", &format!("\"other\", {etag}"), &format!("W/{etag}")] {
            let again = request(&http, Method::GET, path, &[("if-none-match", has_it)]).await;
            assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", etag), "{has_it}");
        }
        let gzip = [("if-none-match", etag), ("accept-encoding", "gzip")];
        let other = request(&http, Method::GET, path, &gzip).await;
        assert_eq!((other.status, other.header("content-encoding")), (200, "gzip"), "another representation");
        assert_ne!(other.header("etag"), etag);
    }
}

#[tokio::test]
async fn a_file_has_the_same_content_with_and_without_gzip() {
    let (_service, http) = Service::local(&[]).await;
    for path in files() {
        let plain = http.get(path).await;
        assert!(!has(&plain, "content-encoding"));
        let gzipped = http.client.get(http.url(path)).header("accept-encoding", "br, gzip").send().await;
        let gzipped = gzipped.expect("an answer").bytes().await.expect("bytes");
        let mut inflated = String::new();
        flate2::read::GzDecoder::new(&*gzipped).read_to_string(&mut inflated).expect("gzip");
        assert!(inflated == plain.text, "{path}");
        assert!(gzipped.len() < plain.text.len(), "{path}");
    }
}

#[tokio::test]
async fn a_page_may_only_load_the_services_own_files_and_run_no_inline_script() {
    let (_service, http) = Service::local(&[]).await;
    for path in ["/docs", "/docs/errors"] {
        let page = http.get(path).await;
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
    }
}

#[tokio::test]
async fn the_docs_path_with_a_slash_redirects_to_the_one_without_below_any_prefix() {
    let (_service, http) = Service::local(&[]).await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let answer = http.send(client.get(http.url("/docs/"))).await;
    assert_eq!((answer.status, answer.header("location")), (308, "../docs"));
    assert_eq!(http.get("/docs/").await.status, 200);
}

#[tokio::test]
async fn the_gateway_is_given_a_gzipped_file_in_base64_and_a_rest_api_a_plain_one() {
    let mut api = RuntimeApi::start().await;
    let _service = Service::lambda(&api, &[]);
    let gzip = json!({ "accept-encoding": "gzip, br" });
    let answer = api.invoke(&http_api("/docs", gzip)).await;
    assert_eq!((answer.status(), answer.header("content-encoding")), (200, Some("gzip")));
    assert_eq!(answer.payload["isBase64Encoded"], true);
    // gzip's magic number in base64.
    assert!(answer.payload["body"].as_str().expect("text").starts_with("H4sI"));

    let mut rest: Value = serde_json::from_str(include_str!("../../events/rest-api.json")).expect("JSON");
    rest["path"] = "/docs".into();
    rest["httpMethod"] = "GET".into();
    rest["multiValueHeaders"]["Accept-Encoding"] = json!(["gzip"]);
    let answer = api.invoke(&rest).await;
    assert_eq!((answer.status(), answer.header("content-encoding")), (200, None));
    assert_eq!(answer.payload["isBase64Encoded"], false);
    assert!(answer.payload["body"].as_str().expect("text").starts_with("<!doctype html>"));
}

#[tokio::test]
async fn without_the_setting_no_page_of_another_origin_may_call() {
    let (_service, http) = Service::local(&[]).await;
    let preflight = [("origin", PAGE), ("access-control-request-method", "POST")];
    let answer = request(&http, Method::OPTIONS, "/decisions", &preflight).await;
    assert!(!has(&answer, "access-control-allow-origin"), "{answer:?}");
    let answer = http.send(http.client.post(http.url("/decisions")).json(&example()).header("origin", PAGE)).await;
    assert!(answer.status == 200 && !has(&answer, "access-control-allow-origin"), "{answer:?}");
}

#[tokio::test]
async fn only_a_page_of_an_allowed_origin_may_call_and_read_the_headers() {
    let origins = format!("http://localhost:3000, {PAGE}");
    let (_service, http) = Service::local(&[("CORS_ALLOWED_ORIGINS", &origins)]).await;
    let preflight = |origin| {
        [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "baggage,cache-control,content-type,sentry-trace,tracestate,x-request-id",
            ),
        ]
    };
    for origin in [PAGE, "http://localhost:3000"] {
        let answer = request(&http, Method::OPTIONS, "/decisions", &preflight(origin)).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, origin));
        assert_eq!(answer.header("access-control-max-age"), "7200");
        for (name, part) in [
            ("access-control-allow-methods", "POST"),
            ("access-control-allow-headers", "content-type"),
            ("access-control-allow-headers", "cache-control"),
            ("access-control-allow-headers", "x-request-id"),
            ("access-control-allow-headers", "traceparent"),
            ("access-control-allow-headers", "content-encoding"),
            // Tracing libraries add these to a page's requests.
            ("access-control-allow-headers", "tracestate"),
            ("access-control-allow-headers", "baggage"),
            ("access-control-allow-headers", "sentry-trace"),
            // For gateways that authorise the actual request.
            ("access-control-allow-headers", "authorization"),
            ("access-control-allow-headers", "x-api-key"),
            ("access-control-allow-headers", "x-amz-date"),
            ("access-control-allow-headers", "x-amz-security-token"),
            ("access-control-allow-headers", "x-amz-content-sha256"),
        ] {
            assert!(answer.header(name).contains(part), "{name}: {}", answer.header(name));
        }
        let post = http.client.post(http.url("/decisions")).header("origin", origin);
        let answer = http.send(post.json(&example())).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, origin));
        assert!(answer.header("vary").contains("origin"));
        for name in ["cache-status", "server-timing", "x-model", "x-request-id"] {
            assert!(answer.header("access-control-expose-headers").contains(name), "{name}");
        }
        let wrong = http.send(http.client.post(http.url("/decisions")).header("origin", origin)).await;
        assert_eq!((wrong.status, wrong.header("access-control-allow-origin")), (415, origin), "errors are readable");
    }
    let answer = request(&http, Method::OPTIONS, "/decisions", &preflight("https://other.example")).await;
    assert!(!has(&answer, "access-control-allow-origin"), "{answer:?}");
}

#[tokio::test]
async fn the_operator_may_allow_further_headers() {
    let asks = [
        ("origin", PAGE),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "newrelic,x-client-version"),
    ];
    let variables = [("CORS_ALLOWED_ORIGINS", PAGE), ("CORS_ALLOWED_HEADERS", "X-Client-Version, newrelic")];
    for (variables, are_allowed) in [(&variables[..1], false), (&variables, true)] {
        let (_service, http) = Service::local(variables).await;
        let answer = request(&http, Method::OPTIONS, "/decisions", &asks).await;
        let allowed = answer.header("access-control-allow-headers");
        for name in ["x-client-version", "newrelic"] {
            assert_eq!(allowed.split(',').any(|one| one.trim() == name), are_allowed, "{name} in {allowed}");
        }
        assert!(allowed.contains("content-type"), "{allowed}");
    }
}

#[tokio::test]
async fn the_operator_may_have_clients_cache_control_ignored() {
    let (_service, http) = Service::local(&[("CLIENT_CACHE_CONTROL", "ignore")]).await;
    let ask = async |cache_control: &str| http.post_with("/decisions", &example(), cache_control).await;
    let computed = ask("only-if-cached").await;
    assert_eq!((computed.status, computed.cache_status()), (200, "predict-once; fwd=miss"));
    for cache_control in ["no-cache", "no-store", "only-if-cached"] {
        assert_eq!(ask(cache_control).await.cache_status(), "predict-once; hit; detail=memory", "{cache_control}");
    }
}

#[tokio::test]
async fn preflight_answers_allow_the_headers_that_gateways_authorise_calls_by() {
    let mut api = RuntimeApi::start().await;
    let _service = Service::lambda(&api, &[("CORS_ALLOWED_ORIGINS", PAGE)]);
    let asks = json!({
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-amz-date,x-amz-security-token,x-api-key",
    });
    let mut http = http_api("/decisions", asks.clone());
    http["requestContext"]["http"]["method"] = "OPTIONS".into();
    let mut rest: Value = serde_json::from_str(include_str!("../../events/rest-api.json")).expect("JSON");
    rest["httpMethod"] = "OPTIONS".into();
    let asks = asks.as_object().expect("an object").iter().map(|(name, value)| (name.clone(), json!([value])));
    rest["multiValueHeaders"] = asks.collect::<serde_json::Map<_, _>>().into();
    for (kind, event) in [("HTTP API", http), ("REST API", rest)] {
        let outcome = api.invoke(&event).await;
        assert_eq!((outcome.status(), outcome.header("access-control-allow-origin")), (200, Some(PAGE)), "{kind}");
        let allowed = outcome.header("access-control-allow-headers").unwrap_or_default();
        for name in ["authorization", "content-type", "x-amz-date", "x-amz-security-token", "x-api-key"] {
            assert!(allowed.split(',').any(|one| one.trim() == name), "{kind}: {name} in {allowed}");
        }
    }
}

#[tokio::test]
async fn a_star_allows_pages_of_every_origin() {
    let (_service, http) = Service::local(&[("CORS_ALLOWED_ORIGINS", "*")]).await;
    let answer = http.send(http.client.post(http.url("/decisions")).json(&example()).header("origin", PAGE)).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn the_request_id_of_the_client_is_in_the_answer_and_in_the_log() {
    let (service, http) = Service::local(&[]).await;
    let named = |id: &'static str| http.client.post(http.url("/decisions")).json(&example()).header("x-request-id", id);
    assert_eq!(http.send(named("order-4711")).await.header("x-request-id"), "order-4711");
    service.line_with("request_id=\"order-4711\"").await;
    let missing = http.send(http.client.get(http.url("/nowhere")).header("x-request-id", "lost")).await;
    assert_eq!((missing.status, missing.header("x-request-id")), (404, "lost"), "errors have it too");

    let replaced = http.send(named("a b\"c")).await;
    let replaced = replaced.header("x-request-id").to_owned();
    assert!(uuid::Uuid::parse_str(&replaced).is_ok(), "{replaced}");
    service.line_with(&format!("request_id=\"{replaced}\"")).await;
}

#[tokio::test]
async fn behind_a_gateway_a_request_without_an_id_gets_the_gateways_and_the_log_has_the_invocations_too() {
    let mut api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[]);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let outcome = api.invoke(&http_api("/decisions", json!({ "traceparent": trace }))).await;
    let event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    let gateways = event["requestContext"]["requestId"].as_str().expect("text");
    assert_eq!(outcome.header("x-request-id"), Some(gateways));
    let own =
        api.invoke(&http_api("/decisions", json!({ "x-request-id": "order-1", "traceparent": "00-0-0-0" }))).await;
    assert_eq!(own.header("x-request-id"), Some("order-1"));
    // A load balancer sends no id, so the invocation's is used.
    let alb = serde_json::from_str(include_str!("../../events/alb.json")).expect("JSON");
    assert_eq!(api.invoke(&alb).await.header("x-request-id"), Some("3"));

    let requests = || service.json_lines().into_iter().filter(|line| line["message"] == "request").collect::<Vec<_>>();
    eventually("three lines", || async { requests().len() == 3 }).await;
    let ids: Vec<_> = requests()
        .iter()
        .map(|line| ["request_id", "function_request_id", "trace_id"].map(|name| line[name].clone()))
        .collect();
    assert_eq!(
        ids,
        [
            [json!(gateways), json!("1"), json!("0af7651916cd43dd8448eb211c80319c")],
            [json!("order-1"), json!("2"), Value::Null],
            [json!("3"), json!("3"), Value::Null],
        ]
    );
}
