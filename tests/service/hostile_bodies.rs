//! Bodies that are made to cost memory or time.

use std::{
    fs,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use predict_once::model::Package;
use test_support::{
    onnx::{FLOAT, INT64, Onnx},
    packages,
    service::{Answer, Http, Service},
};

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

/// A service whose model reads two arrays of numbers of any length.
async fn of_arrays() -> (Service, Http) {
    let graph = Onnx::empty()
        .with_input("window", FLOAT, &["N", "length"])
        .with_input("ids", INT64, &["N", "rows", "2"])
        .integers("last", &[1], &[1])
        .node("ReduceSum", &["window", "last"], "y", &[("keepdims", 1)])
        .file("y", 1);
    let package = packages::package(ARRAYS, graph);
    let directory = packages::write(&package, "hostile-arrays");
    Service::local(&[("WORKERS", "1"), ("MODEL_DIR", directory.to_str().expect("UTF-8"))]).await
}

const ARRAYS: &str = r#"
name = "arrays"
[[fields]]
name = "window"
type = "array"
max_items = 200000
[[fields]]
name = "ids"
type = "array"
[[predictions]]
name = "y"
endpoint = "decisions"
kind = "vector"
"#;

#[tokio::test]
async fn arrays_take_a_small_multiple_of_their_memory_and_little_time_whatever_they_hold() {
    let (service, http) = of_arrays().await;
    let numbers = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
    let accepted = format!("{{\"ids\":[[1,2]],\"window\":{}}}", numbers(200_000));
    assert_eq!(post(&http, accepted.clone()).await.text, "{\"y\":[0.0]}");
    let nested = |depth: usize| format!("{{\"window\":{}1{},\"ids\":[]}}", "[".repeat(depth), "]".repeat(depth));
    for (body, received) in [
        (format!("{{\"ids\":[[1,2]],\"window\":{}}}", numbers(200_001)), "an array of shape [200001], 200001 items"),
        (filled("{\"window\":[", "0,", "0]}"), "an array of shape ["),
        (filled("{\"window\":[", "[],", "[]]}"), "an array of shape ["),
        (filled("{\"window\":[", "[0],", "0]}"), "an array with 0 at ["),
        (filled("{\"window\":[", "{},", "{}]}"), "an array with an object at [0]"),
        (filled("{\"window\":[", "\"\",", "\"\"]}"), "an array with \"\" at [0]"),
        (filled("{\"window\":[0,", "1e-9999,", "\"x\"]}"), "an array with \"x\" at ["),
        (filled("{\"window\":[[[[[[", "0,", "0]]]]]]}"), "an array of shape [1, 1, 1, 1, 1, "),
        (nested(100), "an array of shape [1, 1"),
    ] {
        let (before, start) = (peak_memory(&service), Instant::now());
        let answer = post(&http, body.clone()).await;
        let problem = answer.json();
        assert_eq!(answer.status, 422, "{}: {}", &body[..30], &answer.text[..200]);
        let errors = problem["errors"].as_array().expect("errors");
        let window = errors.iter().find(|error| error["pointer"] == "#/window").expect("an error of the window");
        assert!(window.to_string().contains(&received.replace('"', "\\\"")), "{}: {window}", &body[..30]);
        assert!(answer.text.len() < 4_096, "{} bytes", answer.text.len());
        // Unoptimised, a megabyte takes some 0.1 s.
        assert!(start.elapsed() < Duration::from_secs(3), "{:?} for {}", start.elapsed(), &body[..30]);
        let grown = peak_memory(&service).saturating_sub(before);
        assert!(grown < 16 * 1024, "{grown} KiB for {}", &body[..30]);
    }
    // The same arrays again and again: none is kept beside the others.
    let repeated = filled("{", &format!("\"window\":{},", numbers(1_000)), "\"ids\":[[1,2]]}");
    let many = filled("[", &format!("{{\"ids\":[[1,2]],\"window\":{}}},", numbers(10_000)), "{}]");
    for body in [repeated, many] {
        let before = peak_memory(&service);
        assert_eq!(post(&http, body).await.status, 422);
        let grown = peak_memory(&service).saturating_sub(before);
        assert!(grown < 16 * 1024, "{grown} KiB");
    }
    let deeper = post(&http, nested(200)).await;
    assert_eq!((deeper.status, &deeper.json()["title"]), (400, &"Invalid JSON".into()), "{}", deeper.text);
    assert_eq!(post(&http, format!("{accepted}{}", " ".repeat(1 << 20))).await.status, 413);
}

/// A thousand optional fields whose missing values have twelve digits each.
fn of_defaults() -> Package {
    let field = |n: usize| {
        format!("[[fields]]\nname = \"f{n}\"\ntype = \"number\"\nrequired = false\nmissing = -1.1754944e-38\n")
    };
    let prediction = "[[predictions]]\nname = \"value\"\nendpoint = \"decisions\"\nkind = \"value\"\noutput = 0\n";
    let fields: String = (0..1_000).map(field).collect();
    packages::package(format!("name = \"defaults\"\n{fields}{prediction}"), packages::identity(1_000))
}

#[tokio::test]
async fn a_thousand_absent_fields_of_a_thousand_inputs_take_no_memory() {
    let directory = packages::write(&of_defaults(), "hostile-defaults");
    let variables = [("WORKERS", "1"), ("MODEL_DIR", directory.to_str().expect("UTF-8"))];
    let (service, http) = Service::local(&variables).await;
    let array = |first: usize| {
        let items: Vec<_> = (first..first + 1_000).map(|n| format!("{{\"f0\":{n}}}")).collect();
        format!("[{}]", items.join(","))
    };
    assert_eq!(post(&http, array(0)).await.status, 200);
    let before = peak_memory(&service);
    let answers = join_all((1..=8).map(|_| post(&http, array(1_000)))).await;
    answers.iter().for_each(|answer| assert_eq!(answer.status, 200, "{answer:?}"));
    // As values, they would take 16 MB for each array, and as the text of keys 15 MB.
    let grown = peak_memory(&service).saturating_sub(before);
    assert!(grown < 24 * 1024, "{grown} KiB");
}
