//! Redis over TLS, and ElastiCache's IAM tokens instead of passwords.

use std::time::{Duration, SystemTime};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use prediction_cache::redis::IamTokens;
use test_support::{
    applications::{aged, example},
    eventually,
    redis::Redis,
    service::{Http, Service},
};

const HIT: &str = "predict-once; hit; detail=redis";
const MISS: &str = "predict-once; fwd=miss";
const UNAVAILABLE: &str = "predict-once; fwd=miss; detail=unavailable";

async fn misses_and_then_hits(http: &Http) {
    assert_eq!(http.post("/decisions", &example()).await.cache_status(), MISS);
    eventually("a hit", || async { http.post("/decisions", &example()).await.cache_status() == HIT }).await;
}

#[tokio::test]
async fn a_redis_behind_tls_is_a_cache_if_its_authority_is_trusted() {
    let redis = Redis::start_tls().await;
    let (url, authority) = redis.tls();
    let (_service, http) = Service::local(&[("REDIS_URL", &url), ("REDIS_CA_FILE", &authority)]).await;
    misses_and_then_hits(&http).await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_disables_the_cache_without_an_error() {
    let redis = Redis::start_tls().await;
    let (url, _) = redis.tls();
    let (service, http) = Service::local(&[("REDIS_URL", &url)]).await;
    let answer = http.post("/decisions", &example()).await;
    assert_eq!((answer.status, answer.cache_status()), (200, UNAVAILABLE));
    service.line_with("the cache is unavailable").await;
    let plain = url.replace("rediss://", "redis://");
    let (_service, http) = Service::local(&[("REDIS_URL", &plain), ("CACHE_READ_TIMEOUT_MS", "200")]).await;
    let answer = http.post("/decisions", &example()).await;
    assert_eq!((answer.status, answer.cache_status()), (200, UNAVAILABLE), "plain text on the TLS port");
}

#[tokio::test]
async fn a_malformed_file_of_authorities_stops_the_start_and_names_its_variable() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("malformed.pem");
    std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nnonsense!\n-----END CERTIFICATE-----\n").expect("written");
    let path = path.to_str().expect("UTF-8");
    let mut service = Service::start(&[("REDIS_URL", "rediss://127.0.0.1"), ("REDIS_CA_FILE", path)]);
    assert!(!service.ended().await);
    service.line_with("Error: REDIS_CA_FILE is not valid PEM: ").await;
}

/// Gives the user of a real Redis the tokens of the next minutes as passwords, so that it accepts what ElastiCache would.
pub(crate) async fn with_tokens(redis: &Redis, secret: &str) {
    let tokens = IamTokens {
        cache: "predictions".to_owned(),
        user: "predict-once".to_owned(),
        region: "eu-central-1".to_owned(),
        serverless: true,
        // Not used here.
        credentials: SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()),
    };
    let now = SystemTime::now();
    let passwords: Vec<_> = (0..180)
        .map(|second| {
            let credentials = Credentials::new("ASIAEXAMPLE", secret, Some("session".to_owned()), None, "test");
            let at = now + Duration::from_secs(second);
            format!(">{}", tokens.sign(credentials, at).expect("signed"))
        })
        .collect();
    let mut command = vec!["ACL", "SETUSER", "predict-once", "on", "~*", "+@all"];
    command.extend(passwords.iter().map(String::as_str));
    redis.command::<()>(&command).await;
    redis.command::<()>(&["ACL", "SETUSER", "default", "-get", "-set"]).await;
}

#[tokio::test]
async fn an_iam_token_of_the_environments_credentials_opens_the_connection() {
    let redis = Redis::start_tls().await;
    let (url, authority) = redis.tls();
    with_tokens(&redis, "the-secret-key").await;
    let with_secret = |secret: &'static str| {
        [
            ("REDIS_URL", url.as_str()),
            ("REDIS_CA_FILE", authority.as_str()),
            ("REDIS_AUTH", "iam"),
            ("REDIS_USERNAME", "predict-once"),
            ("REDIS_IAM_CACHE_NAME", "predictions"),
            ("REDIS_IAM_SERVERLESS", "true"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_SESSION_TOKEN", "session"),
            ("LOG_LEVEL", "trace"),
        ]
    };
    let (_service, http) = Service::local(&with_secret("the-secret-key")).await;
    misses_and_then_hits(&http).await;

    let (service, http) = Service::local(&with_secret("another-secret")).await;
    let answer = http.post("/decisions", &aged(40)).await;
    assert_eq!((answer.status, answer.cache_status()), (200, UNAVAILABLE));
    service.line_with("authentication failed").await;
    for line in service.lines() {
        assert!(!line.contains("X-Amz-Signature") && !line.contains("another-secret"), "{line}");
    }
}
