//! What the local server says when it starts.

use model_package::EntryContent;
use test_support::{models, redis::Redis, runtime_api::RuntimeApi, service::Service};

/// The lines up to the one that says that the server listens, without their time.
async fn first_lines(variables: &[(&str, &str)]) -> (Vec<String>, String) {
    let (service, http) = Service::local(variables).await;
    let lines = service.lines();
    let end = lines.iter().position(|line| line.contains("listening on")).expect("it listens");
    let lines = lines[..end].iter().map(|line| line.split_once(' ').expect("a time").1.trim_start().to_owned());
    (lines.collect(), http.address.to_string())
}

#[tokio::test]
async fn the_first_lines_name_the_model_the_cache_the_endpoints_and_the_page() {
    let fingerprint = models::shipped().fingerprint(EntryContent::Answer).to_owned();
    let (lines, address) = first_lines(&[("MEMORY_CACHE_BYTES", "1048576")]).await;
    let expected = [
        format!("INFO model credit_risk, fingerprint {fingerprint}, embedded in the binary"),
        "INFO cache: memory (at most 10000 entries and 1.0 MiB)".to_owned(),
        format!(
            "INFO predictions: POST http://{address}/decisions, http://{address}/probabilities, http://{address}/risk_categories"
        ),
        format!("INFO documentation: http://{address}/docs"),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn the_tiers_of_the_cache_are_named_in_their_order_and_never_a_password() {
    let redis = Redis::start().await;
    let url = redis.url().replace("redis://", "redis://default:horse@");
    let address = redis.url().replace("redis://", "");
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/models/credit_risk");
    let memory = [("MEMORY_CACHE_ENTRIES", "7"), ("MEMORY_CACHE_BYTES", "2097152")];
    let both = [("REDIS_URL", &*url), ("CACHE_LAYOUT", "output"), ("MODEL_DIR", directory), memory[0], memory[1]];
    let (lines, _) = first_lines(&both).await;
    assert!(lines[0].ends_with(&format!(", from {directory}")), "{lines:?}");
    assert_eq!(
        lines[1],
        format!("INFO cache: memory (at most 7 entries and 2.0 MiB), then Redis at {address} (layout output)")
    );
    let (lines, _) = first_lines(&[("MEMORY_CACHE_ENTRIES", "0")]).await;
    assert_eq!(lines[1], "INFO cache: none");
    let (lines, _) = first_lines(&[("REDIS_URL", &*url), ("CACHE_BYPASS", "true")]).await;
    assert!(lines.contains(&"INFO cache: off (CACHE_BYPASS)".to_owned()), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains("horse")));
}

#[tokio::test]
async fn a_variable_that_resembles_a_setting_is_warned_of_and_a_foreign_one_is_not() {
    let variables = [("MODEL_DRI", "/models/mine"), ("REDIS_HOST", "redis"), ("PATH", "/bin"), ("CACHE_TTL", "60")];
    let (lines, _) = first_lines(&variables).await;
    let warnings: Vec<_> = lines.iter().filter(|line| line.starts_with("WARN")).map(String::as_str).collect();
    assert_eq!(
        warnings,
        [
            "WARN CACHE_TTL is not a setting: did you mean CACHE_TTL_SECONDS?",
            "WARN MODEL_DRI is not a setting: did you mean MODEL_DIR?"
        ]
    );
}

#[tokio::test]
async fn a_function_says_nothing_of_itself_when_it_starts() {
    let api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[("MODEL_DRI", "/models/mine")]);
    api.first_asked().await;
    assert_eq!(service.lines(), Vec::<String>::new());
}
