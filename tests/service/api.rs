//! The API over plain HTTP: the three endpoints and every status of the documented table.

use model_package::EntryContent;
use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use test_support::{
    applications::{aged, example, with},
    models,
    service::{Answer, Http, Service},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const ENDPOINTS: [(&str, &str); 3] =
    [("/decisions", "decision"), ("/probabilities", "probability"), ("/risk_categories", "risk_category")];

async fn started() -> (Service, Http) {
    Service::local(&[]).await
}

/// Asserts that an answer is a problem document and returns its body.
fn problem(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{problem}");
    for text in ["type", "title", "detail"] {
        assert!(problem[text].as_str().is_some_and(|text| !text.is_empty()), "{text} of {problem}");
    }
    problem
}

/// The pointers of a problem's errors, in order.
fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors in {problem}"));
    errors.iter().map(|error| error["pointer"].as_str().expect("text")).collect()
}

#[tokio::test]
async fn each_endpoint_answers_with_its_own_prediction() {
    let (_service, http) = started().await;
    let mut bodies = Vec::new();
    for (path, field) in ENDPOINTS {
        let answer = http.post(path, &example()).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{answer:?}");
        let body = answer.json();
        assert_eq!(body.as_object().expect("an object").keys().collect::<Vec<_>>(), [field]);
        bodies.push(body[field].clone());
    }
    assert!(bodies[0] == "ACCEPT" || bodies[0] == "DECLINE", "{bodies:?}");
    assert!(bodies[1].as_f64().is_some_and(|p| (0.0..=1.0).contains(&p)), "{bodies:?}");
    assert!(["low_risk", "medium_risk", "high_risk", "very_high_risk"].iter().any(|c| bodies[2] == *c), "{bodies:?}");
}

#[tokio::test]
async fn the_first_answer_is_a_miss_and_the_next_the_same_from_memory() {
    let (_service, http) = started().await;
    for (path, _) in ENDPOINTS {
        let miss = http.post(path, &example()).await;
        assert_eq!(miss.cache_status(), "predict-once; fwd=miss");
        let hit = http.post(path, &example()).await;
        assert_eq!(hit.cache_status(), "predict-once; hit; detail=memory");
        assert_eq!(hit.text, miss.text);
    }
}

#[tokio::test]
async fn only_the_models_answers_name_it() {
    let (_service, http) = started().await;
    let named = format!("credit_risk; fingerprint={}", models::shipped().fingerprint(EntryContent::Answer));
    assert_eq!(named.len(), "credit_risk; fingerprint=".len() + 16, "{named}");
    for outcome in ["predict-once; fwd=miss", "predict-once; hit; detail=memory"] {
        for (path, _) in ENDPOINTS {
            let answer = http.post(path, &example()).await;
            assert_eq!((answer.cache_status(), answer.header("x-model")), (outcome, named.as_str()));
        }
    }
    for other in
        [http.post("/decisions", &json!({})).await, http.post("/none", &example()).await, http.get("/docs").await]
    {
        assert!(!other.headers.contains_key("x-model"), "{other:?}");
    }
}

#[tokio::test]
async fn server_timing_reports_each_step_in_milliseconds() {
    let (_service, http) = started().await;
    let names = |answer: &Answer| -> Vec<String> {
        let timing = answer.header("server-timing").to_owned();
        let entries = timing.split(", ").map(|entry| entry.split_once(";dur=").expect(&timing));
        entries
            .inspect(|(_, ms)| assert!(ms.parse::<f64>().is_ok(), "{timing}"))
            .map(|(name, _)| name.to_owned())
            .collect()
    };
    assert_eq!(names(&http.post("/decisions", &example()).await), ["cache", "model"]);
    assert_eq!(names(&http.post("/decisions", &example()).await), ["cache"]);
    assert_eq!(names(&http.post_with("/decisions", &example(), "no-cache").await), ["model"]);
}

#[tokio::test]
async fn without_a_cache_each_answer_is_computed_and_says_so() {
    let (_service, http) = Service::local(&[("MEMORY_CACHE_ENTRIES", "0")]).await;
    for _ in 0..2 {
        assert_eq!(http.post("/decisions", &example()).await.cache_status(), "predict-once; fwd=bypass");
    }
}

#[tokio::test]
async fn cache_control_determines_how_the_cache_is_used() {
    let (_service, http) = started().await;
    let status = async |age, cache_control: &str| {
        let answer = http.post_with("/decisions", &aged(age), cache_control).await;
        (answer.status, answer.cache_status().to_owned())
    };
    let bypass = (200, "predict-once; fwd=request".to_owned());
    let hit = (200, "predict-once; hit; detail=memory".to_owned());
    let miss = (200, "predict-once; fwd=miss".to_owned());

    assert_eq!(status(40, "no-store").await, bypass);
    assert_eq!(status(40, "max-age=60").await, miss, "no-store stored nothing");

    assert_eq!(status(41, "no-cache").await, bypass);
    assert_eq!(status(41, "max-age=60").await, hit, "no-cache stored");

    assert_eq!(status(42, "only-if-cached").await, (504, "predict-once; fwd=miss".to_owned()));
    assert_eq!(status(42, "only-if-cached").await.0, 504, "nothing was computed and so nothing stored");
    assert_eq!(status(42, "").await, miss);
    assert_eq!(status(42, "only-if-cached").await, hit);
    assert_eq!(status(42, "only-if-cached, no-cache").await, (504, "predict-once; fwd=request".to_owned()));

    problem(&http.post_with("/decisions", &aged(43), "only-if-cached").await, 504);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_a_400() {
    let (_service, http) = started().await;
    let text = example().to_string();
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    for body in [
        String::new(),
        " ".to_owned(),
        "{".to_owned(),
        "nonsense".to_owned(),
        "NaN".to_owned(),
        text.replace("0.25", "NaN"),
        text.replace("0.25", "1e999"),
        text.replace("0.25", "-Infinity"),
        text.replace("0.25", ".25"),
        text.replace(r#""yes""#, "'yes'"),
        text.replacen('}', ",}", 1),
        format!("{text}{text}"),
        "[1e999]".to_owned(),
        text.replacen('{', &format!("{{\"deep\": {deep}, "), 1),
        deep,
    ] {
        let answer = http.post_text("/decisions", "application/json", body.clone()).await;
        problem(&answer, 400);
    }
    let not_utf8 = [b"{\"age_in_years\": \"".as_slice(), &[0xff, 0xfe], b"\"}"].concat();
    problem(&http.post_text("/decisions", "application/json", not_utf8).await, 400);
}

#[tokio::test]
async fn an_invalid_application_is_a_422_that_names_every_field() {
    let (_service, http) = started().await;
    let rate = "#/installment_rate_in_percentage_of_disposable_income";
    let all = [rate, "#/age_in_years", "#/foreign_worker", "#/present_employment_since", "#/personal_status_and_sex"];

    assert_eq!(pointers(&problem(&http.post("/decisions", &json!({})).await, 422)), all);

    let unknown = problem(&http.post("/decisions", &json!({"age": 30, "a/b": 1, "name": "x"})).await, 422);
    let expected: BTreeSet<_> = all.into_iter().chain(["#/age", "#/a~1b", "#/name"]).collect();
    assert_eq!(pointers(&unknown).into_iter().collect::<BTreeSet<_>>(), expected);

    for (field, value) in [
        ("installment_rate_in_percentage_of_disposable_income", json!(0)),
        ("installment_rate_in_percentage_of_disposable_income", json!(-0.1)),
        ("installment_rate_in_percentage_of_disposable_income", json!(1.01)),
        ("installment_rate_in_percentage_of_disposable_income", json!(25)),
        ("installment_rate_in_percentage_of_disposable_income", json!("0.25")),
        ("installment_rate_in_percentage_of_disposable_income", Value::Null),
        ("age_in_years", json!(17)),
        ("age_in_years", json!(121)),
        ("age_in_years", json!(30.5)),
        ("age_in_years", json!("30")),
        ("age_in_years", json!(-30)),
        ("age_in_years", json!(true)),
        ("age_in_years", json!([30])),
        ("foreign_worker", json!("YES")),
        ("foreign_worker", json!(true)),
        ("present_employment_since", json!("")),
        ("present_employment_since", json!(3)),
        ("personal_status_and_sex", json!("male:single")),
        ("personal_status_and_sex", json!({"male": "single"})),
    ] {
        let invalid = problem(&http.post("/risk_categories", &with(field, value)).await, 422);
        assert_eq!(pointers(&invalid), [format!("#/{field}")], "{invalid}");
    }
    let invalid = problem(&http.post("/decisions", &with("age_in_years", 17)).await, 422);
    assert_eq!(invalid["errors"][0]["detail"], "must be an integer from 18 to 120");
}

#[tokio::test]
async fn a_repeated_field_is_a_422_even_with_the_same_value() {
    let (_service, http) = started().await;
    let twice = example().to_string().replacen('{', r#"{"age_in_years": 30, "#, 1);
    let answer = problem(&http.post_text("/decisions", "application/json", twice).await, 422);
    assert_eq!(pointers(&answer), ["#/age_in_years"]);
}

#[tokio::test]
async fn a_body_that_is_not_an_object_is_a_422_even_an_array_of_field_values() {
    let (_service, http) = started().await;
    for body in [json!("x"), json!(1), json!(null), json!([])] {
        let answer = problem(&http.post("/decisions", &body).await, 422);
        assert_eq!(answer["errors"], Value::Null, "there is no field to point at");
    }
    let values = json!([0.25, 30, "yes", "unemployed", "male: single"]);
    let answer = problem(&http.post("/decisions", &values).await, 422);
    assert_eq!(pointers(&answer), ["#/0", "#/1", "#/2", "#/3", "#/4"]);
}

#[tokio::test]
async fn different_spellings_of_a_number_share_an_entry() {
    let (_service, http) = started().await;
    assert_eq!(http.post("/decisions", &aged(30)).await.cache_status(), "predict-once; fwd=miss");
    for years in ["30.0", "3e1", "30.000"] {
        let body = example().to_string().replace(":30", &format!(":{years}"));
        let answer = http.post_text("/decisions", "application/json", body).await;
        assert_eq!((answer.status, answer.cache_status()), (200, "predict-once; hit; detail=memory"), "{years}");
    }
}

#[tokio::test]
async fn the_data_sets_spelling_and_rates_of_one_band_share_an_entry() {
    let (_service, http) = started().await;
    http.post("/decisions", &example()).await;
    for same in [
        with("personal_status_and_sex", "male : single"),
        with("installment_rate_in_percentage_of_disposable_income", 0.3),
    ] {
        assert_eq!(http.post("/decisions", &same).await.cache_status(), "predict-once; hit; detail=memory", "{same}");
    }
}

#[tokio::test]
async fn a_body_over_1_mib_is_a_413_and_one_of_1_mib_is_read() {
    let (_service, http) = started().await;
    let padded = |length: usize| {
        let text = example().to_string();
        text.clone() + &" ".repeat(length - text.len())
    };
    assert_eq!(http.post_text("/decisions", "application/json", padded(1024 * 1024)).await.status, 200);
    problem(&http.post_text("/decisions", "application/json", padded(1024 * 1024 + 1)).await, 413);
}

#[tokio::test]
async fn a_body_that_is_announced_as_too_large_is_a_413_before_it_is_sent() {
    let (_service, http) = started().await;
    for announced in ["content-length: 1048577\r\nexpect: 100-continue", "content-length: 99999999999"] {
        let mut stream = TcpStream::connect(http.address).await.expect("the server listens");
        let head =
            format!("POST /decisions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{announced}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut answer)).await;
        ended.expect("the server waits for no body").expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 413 "), "{announced}: {answer}");
    }
}

#[tokio::test]
async fn a_content_type_that_is_not_json_is_a_415_and_parameters_are_allowed() {
    let (_service, http) = started().await;
    let text = example().to_string();
    for json in ["application/json", "application/json; charset=utf-8", "Application/JSON ;x=y"] {
        assert_eq!(http.post_text("/decisions", json, text.clone()).await.status, 200, "{json}");
    }
    for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        problem(&http.post_text("/decisions", other, text.clone()).await, 415);
    }
    problem(&http.send(http.client.post(http.url("/decisions")).body(text)).await, 415);
}

#[tokio::test]
async fn an_unknown_path_is_a_404_and_another_method_a_405_with_allow() {
    let (_service, http) = started().await;
    for path in ["/", "/decision", "/decisions/", "/decisions/1", "/DECISIONS", "/docs/none"] {
        problem(&http.post(path, &example()).await, 404);
    }
    for (path, _) in ENDPOINTS {
        let answer = http.get(path).await;
        problem(&answer, 405);
        assert_eq!(answer.header("allow"), "POST,OPTIONS");
    }
    for path in ["/docs", "/openapi.json"] {
        let answer = http.post(path, &example()).await;
        problem(&answer, 405);
        assert_eq!(answer.header("allow"), "GET,HEAD,OPTIONS");
    }
}

#[tokio::test]
async fn the_local_server_reports_its_health() {
    let (_service, http) = started().await;
    assert_eq!(http.get("/health").await.status, 200);
}

#[tokio::test]
async fn pipelined_requests_on_one_connection_are_all_answered() {
    let (_service, http) = started().await;
    let mut stream = TcpStream::connect(http.address).await.expect("the server listens");
    let body = example().to_string();
    let one = |close| {
        format!(
            "POST /decisions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: {}\r\n\r\n{body}",
            body.len(),
            if close { "close" } else { "keep-alive" },
        )
    };
    stream.write_all([one(false), one(false), one(true)].concat().as_bytes()).await.expect("sent");
    let mut answers = String::new();
    test_support::soon("the answers", stream.read_to_string(&mut answers)).await.expect("text");
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
}

#[test]
fn a_failed_start_prints_one_line_that_names_the_variable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = port.local_addr().expect("an address").port().to_string();
    for (variable, value, said) in [
        ("PORT", "many", "Error: PORT must be a whole number from 0 to 65535\n".to_owned()),
        ("PORT", &taken, format!("Error: HOST and PORT: cannot listen on 127.0.0.1:{taken}: Address")),
        ("REDIS_URL", "http://127.0.0.1", "Error: REDIS_URL must start with redis:// or rediss://\n".to_owned()),
    ] {
        let mut service = std::process::Command::new(test_support::service::binary());
        let ended = service.env_clear().env("RUST_BACKTRACE", "1").env(variable, value).output().expect("it starts");
        let text = String::from_utf8(ended.stderr).expect("UTF-8");
        assert!(!ended.status.success() && text.starts_with(&said) && text.lines().count() == 1, "{variable}: {text}");
    }
}

#[tokio::test]
async fn json_under_a_name_of_its_own_and_behind_a_byte_order_mark_is_json() {
    let (_service, http) = Service::local(&[]).await;
    let text = example().to_string();
    for (content_type, body, status) in [
        ("application/vnd.api+json; charset=utf-8", text.clone(), 200),
        ("application/json", format!("\u{feff}{text}"), 200),
        ("application/+json", text.clone(), 415),
        ("text/x+json", text.clone(), 415),
        ("application/json", format!("\u{feff}\u{feff}{text}"), 400),
    ] {
        assert_eq!(http.post_text("/decisions", content_type, body).await.status, status, "{content_type}");
    }
}
