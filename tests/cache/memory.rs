//! The cache in memory is bounded in bytes.

use std::fs;

use predict_once::model::Package;
use serde_json::{Value, json};
use test_support::{onnx::Onnx, packages, service::Service};

const CLASSES: usize = 1_000;

/// Probabilities of a thousand classes: an entry takes some 12 KB.
fn many_classes() -> Package {
    let weights: Vec<f32> = (0..CLASSES).map(|class| (class as f32 * 0.37).sin()).collect();
    let graph = Onnx::new(1)
        .constant("weights", &[1, CLASSES], &weights)
        .node("MatMul", &["x", "weights"], "scores", &[])
        .node("Softmax", &["scores"], "y", &[("axis", 1)])
        .file("y", CLASSES);
    let values: Vec<_> = (0..CLASSES).map(|class| format!("\"{class}\"")).collect();
    let prediction = format!("kind = \"probabilities\"\nvalues = [{}]", values.join(", "));
    packages::package(packages::NUMBER.replace("kind = \"value\"", &prediction), graph)
}

/// In bytes.
fn resident_memory(service: &Service) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).expect("it runs, on Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("Linux counts it");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    kib << 10
}

#[tokio::test]
async fn large_answers_take_no_more_memory_than_memory_cache_bytes() {
    const BYTES: u64 = 4 << 20;
    let directory = packages::write(&many_classes(), "many-classes");
    let model = ("MODEL_DIR", directory.to_str().expect("UTF-8"));
    let (service, http) = Service::local(&[model, ("WORKERS", "1"), ("MEMORY_CACHE_BYTES", &BYTES.to_string())]).await;
    let array = |number: u32| -> Value {
        (0..50).map(|input| json!({ "number": f64::from(50 * number + input) / 1e3 })).collect()
    };
    // The first arrays fill the cache and grow the buffers.
    for number in 0..12 {
        assert_eq!(http.post("/values", &array(number)).await.status, 200);
    }
    let before = resident_memory(&service);
    for number in 12..60 {
        assert_eq!(http.post("/values", &array(number)).await.status, 200);
    }
    let grown = resident_memory(&service).saturating_sub(before);
    // Without a bound, these 2,400 entries would take 29 MB.
    assert!(grown < 2 * BYTES, "{grown} bytes");
    let one = json!({ "number": 77 });
    http.post("/values", &one).await;
    assert_eq!(http.post("/values", &one).await.cache_status(), "predict-once; hit; detail=memory");
}

#[tokio::test]
async fn a_cache_without_bytes_keeps_nothing() {
    let (_service, http) = Service::local(&[("MEMORY_CACHE_BYTES", "0")]).await;
    let application = test_support::applications::example();
    for _ in 0..2 {
        assert_eq!(http.post("/decisions", &application).await.cache_status(), "predict-once; fwd=bypass");
    }
}
