//! Bodies that are made to cost memory or time.

use std::fs;

use futures_util::future::join_all;
use test_support::service::{Answer, Http, Service};

/// The most memory that the process had at once, in KiB.
fn peak_memory(service: &Service) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).expect("it runs, on Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("Linux counts it");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// `unit`, repeated up to 1 MiB, between these.
fn filled(opening: &str, unit: &str, closing: &str) -> String {
    let count = ((1 << 20) - opening.len() - closing.len()) / unit.len();
    format!("{opening}{}{closing}", unit.repeat(count))
}

async fn post(http: &Http, body: String) -> Answer {
    http.post_text("/decisions", "application/json", body).await
}

#[tokio::test]
async fn a_body_takes_a_small_multiple_of_its_memory_whatever_it_holds() {
    let bodies = [
        filled("[", "{},", "{}]"),
        filled("[", "{\"\":0},", "{}]"),
        filled("{", "\"\":0,", "\"\":0}"),
        filled("{", "\"a\":{},", "\"a\":{}}"),
        filled("{", "\"a\":{\"b\":0},", "\"a\":{}}"),
        filled("{\"a\":{", "\"b\":{},", "\"b\":{}}}"),
        filled("[[", "0,", "0]]"),
    ];
    let (service, http) = Service::local(&[("WORKERS", "1")]).await;
    post(&http, "{}".to_owned()).await;
    for body in bodies {
        let before = peak_memory(&service);
        let answers = join_all((0..2).map(|_| post(&http, body.clone()))).await;
        answers.iter().for_each(|answer| assert_eq!(answer.status, 422, "{}", &body[..20]));
        // The kernel's count is approximate, and can fall.
        let grown = peak_memory(&service).saturating_sub(before);
        // Two bodies of 1 MiB, in the server's buffers and as they are parsed.
        assert!(grown < 16 * 1024, "{grown} KiB for {}", &body[..20]);
    }
}

#[tokio::test]
async fn an_array_is_not_read_beyond_the_inputs_that_it_may_hold() {
    let (_service, http) = Service::local(&[]).await;
    let answer = post(&http, format!("[{}never parsed", "{},".repeat(1001))).await;
    assert_eq!((answer.status, &answer.json()["title"]), (422, &"Invalid fields".into()));
}
