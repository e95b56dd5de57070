//! Requests with an array of inputs, answered by an array.

use model_package::Precision;
use serde_json::{Value, json};
use test_support::{
    applications::{aged, example, with},
    eventually, models,
    onnx::{INT64, Onnx},
    packages,
    runtime_api::RuntimeApi,
    service::{Answer, Http, Service},
};

const ENDPOINTS: [&str; 3] = ["/decisions", "/probabilities", "/risk_categories"];
const MISS: &str = "predict-once; fwd=miss";
const HIT: &str = "predict-once; hit; detail=memory";

async fn post(http: &Http, path: &str, inputs: &[Value]) -> Answer {
    http.post(path, &json!(inputs)).await
}

/// The array of the model's own answers to the inputs.
fn truth(path: &str, inputs: &[Value]) -> String {
    let model = models::shipped();
    let answer = |input: &Value| models::answer(&model, path, input.to_string().as_bytes()).expect("valid");
    format!("[{}]", inputs.iter().map(answer).collect::<Vec<_>>().join(","))
}

#[tokio::test]
async fn an_array_is_answered_by_an_array_of_the_same_length_and_order() {
    let (_service, http) = Service::local(&[]).await;
    let inputs: Vec<_> = [50, 18, 33, 18].map(aged).into();
    for path in ENDPOINTS {
        let answer = post(&http, path, &inputs).await;
        assert_eq!((answer.status, answer.cache_status(), &answer.text), (200, MISS, &truth(path, &inputs)));
        assert!(answer.header("server-timing").contains("model;dur="));
        let again = post(&http, path, &inputs).await;
        assert_eq!((again.cache_status(), &again.text), (HIT, &answer.text));
    }
    let single = post(&http, "/decisions", &inputs[..1]).await;
    assert_eq!((single.cache_status(), &single.text), (HIT, &truth("/decisions", &inputs[..1])));
}

#[tokio::test]
async fn an_array_and_single_requests_share_their_predictions() {
    let (_service, http) = Service::local(&[]).await;
    http.post("/decisions", &aged(30)).await;
    let inputs: Vec<_> = [30, 31, 30, 32].map(aged).into();
    let answer = post(&http, "/decisions", &inputs).await;
    assert_eq!(answer.cache_status(), "predict-once; fwd=partial; detail=\"hit=2 miss=2\"");
    assert_eq!(answer.text, truth("/decisions", &inputs));
    assert_eq!(http.post("/decisions", &aged(32)).await.cache_status(), HIT);
}

#[tokio::test]
async fn the_errors_of_all_inputs_are_in_one_answer_and_nothing_is_computed() {
    let (_service, http) = Service::local(&[]).await;
    let inputs = [aged(30), with("age_in_years", 17), json!([]), with("foreign_worker", "ys"), json!({ "a/b": 1 })];
    let answer = post(&http, "/decisions", &inputs).await;
    let problem = answer.json();
    assert_eq!((answer.status, &problem["type"]), (422, &json!("/docs/errors#invalid-fields")));
    assert_eq!(problem["detail"], "one or more inputs are invalid; see errors");
    let errors = problem["errors"].as_array().expect("errors");
    let pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().expect("a text")).collect();
    assert_eq!(pointers[..3], ["#/1/age_in_years", "#/2", "#/3/foreign_worker"]);
    assert_eq!((errors.len(), pointers[8]), (9, "#/4/a~1b"), "five fields are missing, and one is unknown");
    assert_eq!(
        errors[1],
        json!({
            "pointer": "#/2", "code": "invalid", "detail": "must be a JSON object", "received": "an array",
        })
    );
    assert_eq!(errors[2]["suggestion"], "\"yes\"");
    assert_eq!(http.post("/decisions", &aged(30)).await.cache_status(), MISS, "the valid one was not computed");
}

#[tokio::test]
async fn the_first_hundred_errors_are_listed_and_the_others_counted() {
    let (_service, http) = Service::local(&[]).await;
    let inputs: Vec<_> = (0..1000).map(|_| json!({})).collect();
    let problem = post(&http, "/decisions", &inputs).await.json();
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(100));
    assert_eq!(problem["detail"], "one or more inputs are invalid; see errors (4900 more are not listed)");
}

#[tokio::test]
async fn an_array_has_one_to_a_thousand_inputs() {
    let (_service, http) = Service::local(&[]).await;
    for (count, status) in [(0, 422), (1, 200), (1000, 200), (1001, 422)] {
        let inputs: Vec<_> = (0..count).map(|n| aged(18 + (n % 103) as u8)).collect();
        let answer = post(&http, "/decisions", &inputs).await;
        assert_eq!(answer.status, status, "{count}");
        if status == 422 {
            let count = if count == 0 { ", not 0" } else { ", and this one holds more" };
            assert_eq!(answer.json()["detail"], format!("an array must hold 1 to 1000 inputs{count}"));
        }
    }
    let neither = http.post("/decisions", &Value::Null).await;
    assert_eq!(neither.json()["detail"], "the body must be a JSON object, or an array of them, not null");
}

#[tokio::test]
async fn cache_control_applies_to_all_inputs_of_an_array() {
    let (_service, http) = Service::local(&[]).await;
    let inputs = json!([aged(30), aged(31)]);
    http.post("/decisions", &aged(30)).await;
    let refused = http.post_with("/decisions", &inputs, "only-if-cached").await;
    assert_eq!((refused.status, refused.cache_status()), (504, "predict-once; fwd=partial; detail=\"hit=1 miss=1\""));
    assert_eq!(http.post_with("/decisions", &inputs, "no-store").await.cache_status(), "predict-once; fwd=request");
    assert_eq!(http.post_with("/decisions", &inputs, "only-if-cached").await.status, 504, "it was not stored");
    assert_eq!(http.post_with("/decisions", &inputs, "no-cache").await.cache_status(), "predict-once; fwd=request");
    let cached = http.post_with("/decisions", &inputs, "only-if-cached").await;
    assert_eq!((cached.status, cached.cache_status()), (200, HIT));
    let (_service, http) = Service::local(&[("MEMORY_CACHE_ENTRIES", "0")]).await;
    assert_eq!(http.post("/decisions", &inputs).await.cache_status(), "predict-once; fwd=bypass");
}

/// A package of one number with this graph in float64.
fn serve_graph(name: &str, graph: Vec<u8>) -> String {
    let directory = packages::write(&packages::package(packages::NUMBER, graph), name);
    directory.to_str().expect("a path in UTF-8").to_owned()
}

#[tokio::test]
async fn an_input_that_the_model_cannot_answer_has_a_problem_in_its_place_and_the_others_their_answers() {
    let start = || Onnx::of(Precision::Float64, 1);
    // The answer to 1,000 is infinite; the graph fails on a position that the table does not have.
    let overflowing = start().node("Exp", &["x"], "y", &[]).file("y", 1);
    let failing = start()
        .constant("table", &[3, 1], &[1.0, std::f64::consts::E, 3.0])
        .integers("column", &[1], &[-1])
        .node("Cast", &["x"], "position", &[("to", INT64)])
        .node("Reshape", &["position", "column"], "positions", &[])
        .node("Gather", &["table", "positions"], "y", &[("axis", 0)])
        .file("y", 1);
    for (name, graph) in [("overflowing", overflowing), ("failing", failing)] {
        let (service, http) = Service::local(&[("MODEL_DIR", &*serve_graph(name, graph))]).await;
        let inputs = json!([0, 1000, 1, 1000].map(|number| json!({ "number": number })));
        let alone = http.post("/values", &json!({ "number": 1000 })).await;
        let problem = alone.json();
        assert_eq!((alone.status, &problem["type"]), (500, &json!("/docs/errors#internal-error")));
        let answer = http.post("/values", &inputs).await;
        let e = json!({ "value": std::f64::consts::E });
        assert_eq!((answer.status, answer.json()), (200, json!([{ "value": 1.0 }, problem, e, problem])), "{name}");
        let id = answer.header("x-request-id");
        let is_logged = || service.lines().iter().any(|line| line.contains("the model failed") && line.contains(id));
        eventually("the error is logged under the request's id", || async { is_logged() }).await;
        assert_eq!(http.post("/values", &json!({ "number": 1 })).await.cache_status(), HIT, "the others were stored");
        let all = http.post("/values", &json!([{ "number": 1000 }, { "number": 1001 }])).await;
        assert_eq!((all.status, all.json()), (500, problem), "{name}: no input has an answer");
    }
}

#[tokio::test]
async fn a_slow_array_does_not_delay_other_requests() {
    let directory = packages::write(&packages::products(1_500, 6), "slow-array");
    let directory = directory.to_str().expect("a path in UTF-8");
    let (_service, http) = Service::local(&[("MODEL_DIR", directory)]).await;
    let inputs: Vec<_> = (0..1_000).map(|number| json!({ "number": number })).collect();
    let (inputs, others) = (json!(inputs), std::cell::Cell::new(0));
    let ask_others = async {
        loop {
            assert_eq!(http.get("/health").await.status, 200);
            others.set(others.get() + 1);
        }
    };
    tokio::select! {
        answer = http.post("/values", &inputs) => assert_eq!(answer.status, 200),
        () = ask_others => {}
    }
    // Some requests are answered before the array's run starts; more than 20 show that the run was split into dozens of parts.
    assert!(others.get() > 20, "{}", others.get());
}

#[tokio::test]
async fn an_array_is_one_log_line_and_counts_once_per_input() {
    let mut api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[]);
    let event = |inputs: Value| {
        let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
        event["body"] = inputs.to_string().into();
        event
    };
    api.invoke(&event(json!([example()]))).await;
    api.invoke(&event(json!([example(), aged(40), aged(41), aged(40)]))).await;
    api.idle().await;
    let lines: Vec<_> = service.json_lines().into_iter().filter(|line| line["message"] == "request").collect();
    let counts = |line: &Value| ["inputs", "hits", "CacheHit", "CacheMiss"].map(|name| line[name].as_u64());
    assert_eq!(counts(&lines[0]), [Some(1), Some(0), None, Some(1)]);
    assert_eq!(counts(&lines[1]), [Some(4), Some(1), Some(1), Some(3)]);
    assert_eq!((&lines[1]["cache"], lines.len()), (&json!("partial"), 2));
    let [one, all] = ["ModelTime", "model_ms"].map(|name| lines[1][name].as_f64().expect("a time"));
    assert!(one < all, "one run's, of two: {one}, {all}");
}
