//! Predictions in DynamoDB, and what happens when it fails: every request still gets the right answer. `tests/dynamodb/run` does the
//! same with moto's DynamoDB, which checks signatures and rights.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model_package::EntryContent;
use serde_json::{Value, json};
use test_support::{
    applications::{aged, example},
    certificates::{Authority, text},
    dynamodb::{Behaviour, DynamoDb},
    eventually, models,
    proxy::{Mode, Proxy},
    runtime_api::RuntimeApi,
    service::{Http, Service},
};

const HIT: &str = "predict-once; hit; detail=dynamodb";
const MISS: &str = "predict-once; fwd=miss";
const UNAVAILABLE: &str = "predict-once; fwd=miss; detail=unavailable";
const CORRUPT: &str = "predict-once; fwd=miss; detail=corrupt";

async fn service(settings: &[(&'static str, String)], more: &[(&str, &str)]) -> (Service, Http) {
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, &**value)).collect();
    Service::local(&[&settings[..], more].concat()).await
}

/// A service of one worker whose table already holds the example's prediction.
async fn filled(more: &[(&str, &str)]) -> (DynamoDb, Service, Http) {
    let dynamodb = DynamoDb::start().await;
    let (service, http) = service(&dynamodb.settings(), &[&[("WORKERS", "1")], more].concat()).await;
    assert_eq!(http.post("/decisions", &example()).await.cache_status(), MISS);
    hits_again(&http).await;
    (dynamodb, service, http)
}

async fn asked(http: &Http, application: &Value) -> String {
    let answer = http.post("/decisions", application).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.cache_status().to_owned()
}

async fn hits_again(http: &Http) {
    eventually("a hit", || async { asked(http, &example()).await == HIT }).await;
}

#[tokio::test]
async fn a_miss_is_stored_as_an_item_that_expires_and_the_next_process_hits() {
    let dynamodb = DynamoDb::start().await;
    let more = [("CACHE_NAMESPACE", "team-a"), ("CACHE_TTL_SECONDS", "1000")];
    let (_one, http) = service(&dynamodb.settings(), &more).await;
    let first = http.post("/decisions", &example()).await;
    assert_eq!(first.cache_status(), MISS);
    dynamodb.holds(1).await;
    let (key, item) = dynamodb.items().pop_first().expect("one item");
    assert_eq!(key, format!("team-a:{}:decision:2,30,0,0,2", models::shipped().fingerprint(EntryContent::Answer)));
    assert_eq!(item["key"]["S"], key);
    assert!(item["value"]["B"].is_string(), "{item}");
    let expires: u64 = item["expires"]["N"].as_str().expect("a number").parse().expect("a number");
    let lives = expires - SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    assert!((880..=1100).contains(&lives), "{lives}");
    let (other, http) = service(&dynamodb.settings(), &more).await;
    let second = http.post("/decisions", &example()).await;
    assert_eq!((second.cache_status(), &second.text), (HIT, &first.text));
    other.line_with("hit_dynamodb").await;
}

#[tokio::test]
async fn every_request_is_signed_and_uses_a_connection_that_is_kept() {
    let token = ("AWS_SESSION_TOKEN", "the-token");
    let (dynamodb, _service, http) = filled(&[token]).await;
    for age in 30..50 {
        asked(&http, &aged(age)).await;
    }
    // The age of 30 is the example's.
    dynamodb.holds(20).await;
    let received = dynamodb.received();
    assert!(received.len() >= 41, "{}", received.len());
    for request in &received {
        let header = |name: &str| request.headers[name].to_str().expect("text");
        let signed = header("authorization");
        assert!(signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{signed}");
        assert!(signed.contains("/eu-central-1/dynamodb/aws4_request, SignedHeaders="), "{signed}");
        assert!(signed.contains("host;x-amz-date;x-amz-security-token;x-amz-target"), "{signed}");
        assert_eq!(header("x-amz-security-token"), "the-token");
    }
    // A lookup may meet the write of the request before it.
    assert!((1..=2).contains(&dynamodb.connections()), "{}", dynamodb.connections());
}

#[tokio::test]
async fn an_array_is_looked_up_and_stored_in_as_few_requests_as_dynamodb_allows() {
    let dynamodb = DynamoDb::start().await;
    let (_service, http) = service(&dynamodb.settings(), &[]).await;
    let domestic = |age| {
        let mut application = aged(age);
        application["foreign_worker"] = json!("no");
        application
    };
    let array = Value::from((18..118).map(aged).chain((18..48).map(domestic)).collect::<Vec<_>>());
    let first = http.post("/decisions", &array).await;
    assert_eq!((first.status, first.cache_status()), (200, MISS));
    dynamodb.holds(130).await;
    let second = http.post_alone("/decisions", &array).await;
    assert_eq!((second.cache_status(), &second.text), (HIT, &first.text));
    let sizes = |operation: &str| {
        let received = dynamodb.received().into_iter().filter(|request| request.operation == operation);
        let mut sizes: Vec<_> = received.map(|request| request.size).collect();
        sizes.sort_unstable();
        sizes
    };
    assert_eq!(sizes("BatchGetItem"), [30, 30, 100, 100]);
    assert_eq!(sizes("BatchWriteItem"), [5, 25, 25, 25, 25, 25]);
}

#[tokio::test]
async fn keys_that_dynamodb_leaves_out_are_asked_for_again_until_the_deadline() {
    let dynamodb = DynamoDb::start().await;
    let (service, http) = service(&dynamodb.settings(), &[("CACHE_READ_TIMEOUT_MS", "2000")]).await;
    let array = Value::from((20..26).map(aged).collect::<Vec<_>>());
    dynamodb.behave(Behaviour::OnlyTheFirst);
    let first = http.post("/decisions", &array).await;
    assert_eq!(first.cache_status(), MISS);
    dynamodb.holds(6).await;
    let second = http.post_alone("/decisions", &array).await;
    assert_eq!((second.cache_status(), &second.text), (HIT, &first.text));
    dynamodb.behave(Behaviour::Nothing);
    let third = http.post("/decisions", &array).await;
    assert_eq!((third.cache_status(), &third.text), (UNAVAILABLE, &first.text));
    service.line_with("the cache refuses lookups fault=error reply UnprocessedKeys").await;
}

#[tokio::test]
async fn throttling_is_a_named_miss_at_once_and_pauses_nothing() {
    for code in ["ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"] {
        let (dynamodb, service, http) = filled(&[]).await;
        dynamodb.behave(Behaviour::Refuse(code));
        let before = dynamodb.received().len();
        for age in 40..43 {
            assert_eq!(asked(&http, &aged(age)).await, UNAVAILABLE);
        }
        let lookups = dynamodb.received()[before..].iter().filter(|r| r.operation == "BatchGetItem").count();
        assert_eq!(lookups, 3, "one lookup for each request");
        service.line_with(&format!("the cache refuses lookups fault=error reply {code}")).await;
        dynamodb.behave(Behaviour::Serve);
        assert_eq!(asked(&http, &example()).await, HIT);
        service.line_with("the cache accepts lookups again").await;
    }
}

#[tokio::test]
async fn expired_credentials_missing_rights_and_a_missing_table_open_the_breaker_and_are_named() {
    for code in ["ExpiredTokenException", "UnrecognizedClientException", "AccessDeniedException"] {
        let (dynamodb, service, http) = filled(&[]).await;
        dynamodb.behave(Behaviour::Refuse(code));
        let before = dynamodb.received().len();
        for age in 40..60 {
            assert_eq!(asked(&http, &aged(age)).await, UNAVAILABLE);
        }
        let lookups = dynamodb.received()[before..].iter().filter(|r| r.operation == "BatchGetItem").count();
        assert!(lookups < 20, "{lookups}: probes, one per second");
        service
            .line_with(&format!("unavailable for lookups; probing it once per second fault=access refused ({code})"))
            .await;
        dynamodb.behave(Behaviour::Serve);
        hits_again(&http).await;
    }
    let dynamodb = DynamoDb::start().await;
    let (service, http) = service(&dynamodb.settings(), &[("DYNAMODB_TABLE", "another")]).await;
    assert_eq!(asked(&http, &example()).await, UNAVAILABLE);
    service.line_with("access refused (ResourceNotFoundException)").await;
}

#[tokio::test]
async fn without_credentials_the_model_answers_and_the_log_says_why() {
    let dynamodb = DynamoDb::start().await;
    let settings = dynamodb.settings();
    let without: Vec<_> = settings.into_iter().filter(|(name, _)| *name != "AWS_SECRET_ACCESS_KEY").collect();
    let (service, http) = service(&without, &[]).await;
    assert_eq!(asked(&http, &example()).await, UNAVAILABLE);
    let line = service.line_with("probing it once per second").await;
    assert!(line.contains("access refused (no AWS credentials"), "{line}");
    assert!(dynamodb.received().is_empty());
}

#[tokio::test]
async fn a_silent_or_slow_dynamodb_delays_no_answer_beyond_the_deadline() {
    for behaviour in [Behaviour::Silent, Behaviour::Slow(Duration::from_secs(20))] {
        let (dynamodb, service, http) = filled(&[("CACHE_READ_TIMEOUT_MS", "100")]).await;
        dynamodb.behave(behaviour);
        let before = dynamodb.received().len();
        let mut outcomes = Vec::new();
        for age in 40..50 {
            outcomes.push(asked(&http, &aged(age)).await);
        }
        assert_eq!(outcomes, [UNAVAILABLE; 10]);
        service.line_with("the cache is unavailable for lookups").await;
        let lookups = dynamodb.received()[before..].iter().filter(|r| r.operation == "BatchGetItem").count();
        assert!(lookups < 10, "{lookups}: the breaker is open");
        dynamodb.behave(Behaviour::Serve);
        hits_again(&http).await;
    }
}

#[tokio::test]
async fn connections_that_died_silently_are_replaced_within_the_deadline() {
    let dynamodb = DynamoDb::start().await;
    let proxy = Proxy::start(dynamodb.address, |_| {}).await;
    let (_service, http) = service(&dynamodb.settings_at(proxy.port), &[("WORKERS", "1")]).await;
    hits_again(&http).await;
    for strike in [Proxy::silence_open_connections, Proxy::reset_open_connections, Proxy::close_open_connections] {
        strike(&proxy);
        assert_eq!(asked(&http, &example()).await, HIT);
    }
    proxy.set(Mode::Refuse);
    assert_eq!(asked(&http, &example()).await, UNAVAILABLE);
    proxy.set(Mode::Pass);
    hits_again(&http).await;
}

#[tokio::test]
async fn an_answer_that_is_not_dynamodbs_is_a_named_miss() {
    for garbage in ["", "<html>sign in</html>", "{}", "[1]", "null"] {
        let (dynamodb, service, http) = filled(&[]).await;
        dynamodb.behave(Behaviour::Garbage(garbage));
        assert_eq!(asked(&http, &example()).await, UNAVAILABLE, "{garbage}");
        service.line_with("the answer is not in DynamoDB's protocol").await;
        dynamodb.behave(Behaviour::Serve);
        hits_again(&http).await;
    }
}

#[tokio::test]
async fn an_invalid_foreign_or_forged_item_is_never_served_and_is_overwritten() {
    let (dynamodb, _service, http) = filled(&[]).await;
    let truth = http.post("/decisions", &example()).await;
    assert_eq!(truth.cache_status(), HIT);
    // `ACCEPT`, without a digest and with that of another key.
    for value in
        [json!({"B": "QUNDRVBU"}), json!({"B": "QUNDRVBUI2FhYWFhYWFhYWFh"}), json!({"S": "ACCEPT"}), json!({"B": "%"})]
    {
        dynamodb.overwrite("value", &value);
        let answer = http.post("/decisions", &example()).await;
        assert_eq!((answer.cache_status(), &answer.text), (CORRUPT, &truth.text), "{value}");
        hits_again(&http).await;
    }
}

#[tokio::test]
async fn an_expired_item_that_the_table_has_not_deleted_yet_is_a_miss() {
    let (dynamodb, _service, http) = filled(&[]).await;
    dynamodb.overwrite("expires", &json!({"N": "1700000000"}));
    assert_eq!(asked(&http, &example()).await, MISS);
    hits_again(&http).await;
}

#[tokio::test]
async fn the_output_answers_every_endpoint_from_one_item() {
    let dynamodb = DynamoDb::start().await;
    let (_service, http) = service(&dynamodb.settings(), &[("CACHE_LAYOUT", "output")]).await;
    hits_again(&http).await;
    assert_eq!(dynamodb.items().len(), 1);
    for path in ["/decisions", "/probabilities", "/risk_categories"] {
        assert_eq!(http.post(path, &example()).await.cache_status(), HIT, "{path}");
    }
}

#[tokio::test]
async fn over_tls_only_a_trusted_certificate_is_accepted() {
    let authority = Authority::new("dynamodb");
    let dynamodb = DynamoDb::start_tls(&authority.certify("IP:127.0.0.1")).await;
    let ca = authority.certificate();
    let (_service, http) = service(&dynamodb.settings(), &[("AWS_CA_BUNDLE", text(&ca))]).await;
    hits_again(&http).await;
    let (distrustful, http) = service(&dynamodb.settings(), &[]).await;
    assert_eq!(asked(&http, &example()).await, UNAVAILABLE);
    distrustful.line_with("connection lost or refused (invalid peer certificate: UnknownIssuer)").await;
}

#[tokio::test]
async fn a_function_opens_its_connection_before_the_first_event() {
    let dynamodb = DynamoDb::start().await;
    let api = RuntimeApi::start().await;
    let settings = dynamodb.settings();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, &**value)).collect();
    let _function = Service::lambda(&api, &settings);
    eventually("a connection", || async { dynamodb.connections() == 1 }).await;
    assert!(dynamodb.received().is_empty());
}

#[tokio::test]
async fn the_cache_tools_say_that_they_work_on_redis_only() {
    let dynamodb = DynamoDb::start().await;
    let output = tokio::process::Command::new(test_support::service::binary())
        .args(["cache", "report"])
        .env_clear()
        .envs(dynamodb.settings())
        .output()
        .await
        .expect("the binary starts");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.starts_with("Error: CACHE_STORE is dynamodb: `predict-once cache` works on Redis only. "), "{error}");
    assert!(error.contains("`predict-once stats URL`"), "{error}");
}
