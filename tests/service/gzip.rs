//! Compressed request bodies.

use std::{fs, io::Write};

use flate2::{Compression, write::GzEncoder};
use futures_util::future::join_all;
use serde_json::{Value, json};
use test_support::{
    applications::{aged, example},
    eventually,
    runtime_api::RuntimeApi,
    service::{Answer, Http, Service},
};

use crate::memory::half_sent;

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

async fn post(http: &Http, coding: &str, body: Vec<u8>) -> Answer {
    let request = http.client.post(http.url("/decisions")).header("content-type", "application/json");
    http.send(request.header("content-encoding", coding).body(body)).await
}

#[tokio::test]
async fn a_gzipped_body_is_answered_as_the_same_body_uncompressed() {
    let (_service, http) = Service::local(&[]).await;
    for input in [example(), json!([example(), aged(45)]), json!({})] {
        let plain = http.post("/decisions", &input).await;
        for coding in ["gzip", "GZIP", "x-gzip", "identity, gzip"] {
            let answer = post(&http, coding, gzipped(input.to_string().as_bytes())).await;
            assert_eq!((answer.status, &answer.text), (plain.status, &plain.text), "{coding}");
        }
        // A file in two parts, as some programs write it.
        let text = input.to_string();
        let (one, other) = text.as_bytes().split_at(1);
        let answer = post(&http, "gzip", [gzipped(one), gzipped(other)].concat()).await;
        assert_eq!((answer.status, &answer.text), (plain.status, &plain.text));
    }
}

#[tokio::test]
async fn a_gateways_event_may_hold_a_gzipped_body_as_base64() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let mut api = RuntimeApi::start().await;
    let _service = Service::lambda(&api, &[]);
    let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    event["headers"]["content-encoding"] = "gzip".into();
    event["body"] = STANDARD.encode(gzipped(example().to_string().as_bytes())).into();
    event["isBase64Encoded"] = true.into();
    let outcome = api.invoke(&event).await;
    assert_eq!(outcome.status(), 200, "{outcome:?}");
    assert!(outcome.body()["decision"].is_string());
}

#[tokio::test]
async fn a_body_that_is_not_the_gzip_it_says_is_a_400() {
    let (_service, http) = Service::local(&[]).await;
    let mut truncated = gzipped(example().to_string().as_bytes());
    truncated.truncate(truncated.len() - 9);
    let mut corrupt = gzipped(example().to_string().as_bytes());
    let last = corrupt.len() - 1;
    corrupt[last] ^= 1;
    for body in [example().to_string().into_bytes(), truncated, corrupt, Vec::new()] {
        let answer = post(&http, "gzip", body).await;
        let problem = answer.json();
        assert_eq!((answer.status, &problem["type"]), (400, &json!("/docs/errors#unreadable-body")));
        assert_eq!(problem["detail"], "the body is not valid gzip");
    }
}

#[tokio::test]
async fn other_codings_are_refused_with_the_one_that_is_accepted() {
    let (_service, http) = Service::local(&[]).await;
    for coding in ["br", "deflate", "gzip, gzip", "gzip, br", "zstd"] {
        let answer = post(&http, coding, gzipped(example().to_string().as_bytes())).await;
        assert_eq!((answer.status, answer.header("accept-encoding")), (415, "gzip"), "{coding}");
    }
}

#[tokio::test]
async fn a_body_may_inflate_far_only_if_much_was_sent() {
    let (_service, http) = Service::local(&[]).await;
    let padded = |bytes: usize| format!("{}{}", example(), " ".repeat(bytes)).into_bytes();
    for (body, status) in [(padded(200 << 10), 200), (padded(500 << 10), 413)] {
        let answer = post(&http, "gzip", gzipped(&body)).await;
        assert_eq!(answer.status, status, "{} bytes: {}", body.len(), answer.text);
    }
    // As long, but of white space that does not shrink as far.
    let numbers =
        std::iter::successors(Some(1_u64), |n| Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)));
    let varied: String = numbers.take(500_000).map(|n| if n >> 63 == 0 { ' ' } else { '\n' }).collect();
    let sent = gzipped(format!("{}{varied}", example()).as_bytes());
    assert!(sent.len() > varied.len() / 100, "{}", sent.len());
    assert_eq!(post(&http, "gzip", sent).await.status, 200);
    let inputs = Value::Array(vec![example(); 1000]).to_string();
    let answer = post(&http, "gzip", gzipped(inputs.as_bytes())).await;
    assert_eq!((answer.status, answer.json().as_array().map(Vec::len)), (200, Some(1000)), "equal inputs shrink far");
}

#[tokio::test]
async fn a_body_that_would_inflate_to_a_gigabyte_is_a_413_and_costs_no_memory() {
    let peak = |service: &Service| -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).expect("it runs, on Linux");
        let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("Linux counts it");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    };
    let (service, http) = Service::local(&[("WORKERS", "1")]).await;
    assert_eq!(post(&http, "gzip", gzipped(example().to_string().as_bytes())).await.status, 200);
    let before = peak(&service);
    // 1 GiB, within the limit of bytes sent: members of gzip that inflate to 1 MiB each.
    let bomb = gzipped(&vec![b' '; 1 << 20]).repeat(1100);
    assert!(bomb.len() > 1 << 20, "{}", bomb.len());
    let bomb = &bomb[..1 << 20];
    let answer = post(&http, "gzip", bomb.to_vec()).await;
    assert_eq!((answer.status, &answer.json()["type"]), (413, &json!("/docs/errors#body-too-large")));
    let grown = peak(&service) - before;
    assert!(grown < 10 * 1024, "{grown} KiB");
}

#[tokio::test]
async fn the_bytes_that_a_body_inflates_to_count_in_the_memory_of_bodies() {
    let mut body = example().to_string().into_bytes();
    // White space that does not compress well, up to the largest body.
    let mut random = 1_u32;
    body.resize_with(1024 * 1024, || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b" \t\n\r"[(random >> 30) as usize]
    });
    let (_service, http) = Service::local(&[("MAX_CONCURRENT_BODY_BYTES", "4194304")]).await;
    let gzipped = gzipped(&body);
    assert_eq!(post(&http, "gzip", gzipped.clone()).await.status, 200);
    // With three bodies under way, there is room for what is sent or for what it inflates to, but not for both.
    let under_way = join_all((0..3).map(|_| half_sent(&http, 1_000_000))).await;
    eventually("they have arrived", async || post(&http, "gzip", gzipped.clone()).await.status == 503).await;
    assert_eq!(post(&http, "identity", body.clone()).await.status, 200);
    drop(under_way);
    eventually("there is room", async || post(&http, "gzip", gzipped.clone()).await.status == 200).await;
}
