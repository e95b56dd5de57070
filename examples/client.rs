//! Sends the example application as docs/clients.md explains: with timeouts, retries and readable errors.

use std::{
    env,
    hash::{BuildHasher, RandomState},
    process,
    time::{Duration, Instant},
};

use reqwest::{Client, header::HeaderMap};
use serde_json::{Value, json};

const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(4);
const TOTAL: Duration = Duration::from_secs(10);
const ATTEMPTS: u32 = 5;

/// The response of the service, or of a gateway in front of it; `body` is null if it is not JSON.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Reply {
    /// Whether to retry. The service's own 504, not-cached, is final.
    fn retryable(&self) -> bool {
        let own = self.body["type"].as_str().is_some_and(|slug| slug.ends_with("#not-cached"));
        [429, 500, 502, 503, 504].contains(&self.status) && !own
    }

    /// The error, and for each invalid field what is allowed and what was probably meant.
    fn explanation(&self) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut lines = format!("{} {}: {}", self.status, text(&self.body["title"]), text(&self.body["detail"]));
        for field in self.body["errors"].as_array().into_iter().flatten() {
            lines += &format!("\n{}: {}", text(&field["pointer"]), text(&field["detail"]));
            if let Some(suggestion) = field["suggestion"].as_str() {
                lines += &format!("\n  did you mean {suggestion}?");
            }
        }
        lines
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// `hit (memory)`, `hit (redis)` or `miss`.
    fn cache_outcome(&self) -> String {
        let status = self.header("cache-status");
        let outcome = if status.contains("; hit") { "hit" } else { "miss" };
        match status.split_once("detail=") {
            Some((_, detail)) => format!("{outcome} ({detail})"),
            None => outcome.to_owned(),
        }
    }
}

/// Retries transient failures; returns the last reply or error.
async fn predict(client: &Client, url: &str, application: &Value) -> reqwest::Result<Reply> {
    let id = format!("{:016x}", random());
    let deadline = Instant::now() + TOTAL;
    let mut attempt = 1;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let outcome = send(client, url, application, &id, ATTEMPT.min(left)).await;
        // at most 0.2 s, 0.4 s, 0.8 s, 1.6 s
        let pause = Duration::from_millis(100 << attempt).mul_f64(random() as f64 / u64::MAX as f64);
        let last = attempt == ATTEMPTS || Instant::now() + pause >= deadline;
        if last || outcome.as_ref().is_ok_and(|reply| !reply.retryable()) {
            return outcome;
        }
        tokio::time::sleep(pause).await;
        attempt += 1;
    }
}

async fn send(client: &Client, url: &str, application: &Value, id: &str, timeout: Duration) -> reqwest::Result<Reply> {
    let request = client.post(url).header("x-request-id", id).json(application).timeout(timeout);
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
    Ok(Reply { status, headers, body })
}

/// A random number, without a crate for it: the standard library seeds its hash maps with one.
fn random() -> u64 {
    RandomState::new().hash_one(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> reqwest::Result<()> {
    let service = env::var("PREDICT_ONCE_URL").unwrap_or_else(|_| "http://127.0.0.1:8080".to_owned());
    let application = json!({
        "installment_rate_in_percentage_of_disposable_income": 0.25,
        "age_in_years": 30,
        "foreign_worker": "yes",
        "present_employment_since": "unemployed",
        "personal_status_and_sex": "male: single"
    });
    // One for the whole program: it keeps connections open.
    let client = Client::builder().connect_timeout(CONNECT).build()?;
    let reply = predict(&client, &format!("{service}/decisions"), &application).await?;
    if reply.status != 200 {
        eprintln!("{}", reply.explanation());
        process::exit(1);
    }
    println!("decision: {}", reply.body["decision"].as_str().unwrap_or_default());
    println!("cache: {}", reply.cache_outcome());
    println!("server-timing: {}", reply.header("server-timing"));
    println!("x-request-id: {}", reply.header("x-request-id"));
    Ok(())
}
