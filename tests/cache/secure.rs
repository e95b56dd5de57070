//! Redis over TLS, and ElastiCache's IAM tokens instead of passwords.

use std::time::{Duration, SystemTime};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use prediction_cache::redis::IamTokens;
use test_support::{
    applications::{aged, example},
    certificates::{Authority, text},
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

#[tokio::test]
async fn each_reason_why_there_is_no_connection_is_named_in_the_log() {
    let authority = Authority::new("reasons");
    let trusted = authority.certificate();
    let redis =
        Redis::start_with_certificate(Some(authority.of_a_server(authority.certify("IP:127.0.0.1"))), false).await;
    let (url, _) = redis.tls();
    let other = authority.certify("DNS:redis.example");
    let misnamed = Redis::start_with_certificate(Some(authority.of_a_server(other)), false).await;
    let expired = authority.certify_expired("IP:127.0.0.1").await;
    let expired = Redis::start_with_certificate(Some(authority.of_a_server(expired)), false).await;
    let certificate = authority.certify("IP:127.0.0.1");
    let demanding = Redis::start_with_certificate(Some(authority.of_a_server(certificate)), true).await;
    for (address, authorities, reason) in [
        (url.clone(), None, "invalid peer certificate: UnknownIssuer"),
        (misnamed.tls().0, Some(text(&trusted)), "invalid peer certificate: certificate not valid for name"),
        (expired.tls().0, Some(text(&trusted)), "invalid peer certificate: certificate expired"),
        (demanding.tls().0, Some(text(&trusted)), "received fatal alert: CertificateRequired"),
        (url.replace("rediss://", "redis://"), None, "does the port expect TLS?"),
        ("redis://127.0.0.1:1".to_owned(), None, "Connection refused"),
        ("redis://redis.invalid".to_owned(), None, "failed to lookup address information"),
    ] {
        for cluster in ["false", "true"] {
            let authorities = authorities.unwrap_or_default();
            let variables = [("REDIS_URL", &*address), ("REDIS_CA_FILE", authorities), ("REDIS_CLUSTER", cluster)];
            let (service, http) = Service::local(&variables).await;
            let answer = http.post("/decisions", &example()).await;
            assert_eq!((answer.status, answer.cache_status()), (200, UNAVAILABLE), "{reason}");
            let line = service.line_with("the cache is unavailable for lookups").await;
            assert!(line.contains(reason), "cluster {cluster}: {line}");
        }
    }
}

#[tokio::test]
async fn a_redis_that_demands_a_certificate_gets_one() {
    let authority = Authority::new("demands");
    let (server, client) = (authority.certify("IP:127.0.0.1"), authority.certify("DNS:client.example"));
    let redis = Redis::start_with_certificate(Some(authority.of_a_server(server.clone())), true).await;
    let (trusted, url) = (authority.certificate(), redis.tls().0);
    let with = |files: &[(&'static str, &str)]| {
        let files = files.iter().map(|(name, file)| (*name, (*file).to_owned()));
        [("REDIS_URL", url.clone()), ("REDIS_CA_FILE", text(&trusted).to_owned())].into_iter().chain(files).collect()
    };
    let started = |variables: Vec<(&'static str, String)>| {
        Service::start(
            &[("PORT", "0")]
                .into_iter()
                .chain(variables.iter().map(|(name, value)| (*name, &**value)))
                .collect::<Vec<_>>(),
        )
    };
    let (certificate, key) = (text(&client.certificate), text(&client.key));
    let service = started(with(&[("REDIS_CERT_FILE", certificate), ("REDIS_KEY_FILE", key)]));
    misses_and_then_hits(&service.http().await).await;

    for (files, message) in [
        (&[("REDIS_CERT_FILE", certificate)][..], "Error: REDIS_KEY_FILE must be set with REDIS_CERT_FILE"),
        (&[("REDIS_KEY_FILE", key)], "Error: REDIS_CERT_FILE must be set with REDIS_KEY_FILE"),
        (
            &[("REDIS_CERT_FILE", certificate), ("REDIS_KEY_FILE", text(&server.key))],
            "Error: REDIS_KEY_FILE does not fit REDIS_CERT_FILE: ",
        ),
        (
            &[("REDIS_CERT_FILE", key), ("REDIS_KEY_FILE", key)],
            "Error: REDIS_CERT_FILE must contain at least one certificate in PEM",
        ),
        (
            &[("REDIS_CERT_FILE", certificate), ("REDIS_KEY_FILE", certificate)],
            "Error: REDIS_KEY_FILE has no valid private key in PEM: ",
        ),
        (&[("REDIS_CERT_FILE", certificate), ("REDIS_KEY_FILE", "/no/such")], "Error: REDIS_KEY_FILE cannot be read: "),
    ] {
        let mut service = started(with(files));
        assert!(!service.ended().await, "{message}");
        service.line_with(message).await;
    }
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
