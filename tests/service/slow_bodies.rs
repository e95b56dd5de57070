//! Bodies that take long to read: images are decoded and long texts tokenized on threads of their own, so that other requests of the same
//! worker do not wait. Their queue, and the memory of what is made of them, are bounded.

use std::io::Write;

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::{Compression, Crc, write::ZlibEncoder};
use futures_util::future::join_all;
use predict_once::model::Package;
use serde_json::{Value, json};
use test_support::{
    eventually,
    onnx::{FLOAT, INT64, Onnx},
    packages,
    service::{Answer, Http, Service},
};
use tokio::task::JoinHandle;

const TEXTS: &str = r#"
name = "texts"

[[fields]]
name = "text"
type = "text"
tokenizer = "tokenizer.json"

[[predictions]]
name = "sum"
endpoint = "values"
kind = "vector"
"#;

/// Sums the ids of a text, in a graph that reads so many of them.
fn texts(length: &str) -> Package {
    let fixture: Value =
        serde_json::from_str(include_str!("../../crates/text-input/tests/fixtures/bert.json")).expect("JSON");
    let mut tokenizer = fixture["tokenizer"].clone();
    tokenizer["truncation"] = Value::Null;
    tokenizer["padding"] = json!({
        "strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"
    });
    let graph = Onnx::empty().with_input("input_ids", INT64, &["N", length]).integers("axes", &[1], &[1]);
    let graph = graph.node("Cast", &["input_ids"], "ids", &[("to", FLOAT)]);
    let graph = graph.node("ReduceSum", &["ids", "axes"], "y", &[("keepdims", 1)]);
    let mut package = packages::package(TEXTS, graph.file("y", 1));
    package.files.insert("tokenizer.json".to_owned(), tokenizer.to_string().into_bytes().into());
    package
}

const IMAGES: &str = r#"
name = "images"

[[fields]]
name = "image"
type = "image"
preprocessor = { size = { height = 2, width = 2 }, resample = 2 }

[[predictions]]
name = "sums"
endpoint = "values"
kind = "vector"
"#;

/// Sums each colour of an image.
fn images() -> Package {
    let graph = Onnx::empty().with_input("image", FLOAT, &["N", "3", "2", "2"]).integers("axes", &[2], &[2, 3]);
    packages::package(IMAGES, graph.node("ReduceSum", &["image", "axes"], "y", &[("keepdims", 0)]).file("y", 3))
}

/// A black PNG of this many pixels on each side, in few bytes, and with others at its end. Decoding a large one takes a while.
fn black(side: u32, padding: usize) -> Vec<u8> {
    let mut rows = ZlibEncoder::new(Vec::new(), Compression::fast());
    let row = vec![0; 1 + 3 * side as usize];
    (0..side).for_each(|_| rows.write_all(&row).expect("memory"));
    let header = [&side.to_be_bytes()[..], &side.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", rows.finish().expect("memory")), (b"IEND", Vec::new())] {
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(&data);
        png.extend((data.len() as u32).to_be_bytes());
        png.extend(kind);
        png.extend(data);
        png.extend(crc.sum().to_be_bytes());
    }
    png.extend(vec![0; padding]);
    png
}

fn image(file: &[u8]) -> Value {
    json!({ "image": BASE64_STANDARD.encode(file) })
}

/// The local server of a package, with one worker and one thread for bodies.
async fn started(name: &str, package: &Package, settings: &[(&str, &str)]) -> (Service, Http) {
    let directory = packages::write(package, name);
    let own = [
        ("MODEL_DIR", directory.to_str().expect("UTF-8")),
        ("WORKERS", "1"),
        ("MODEL_THREADS", "1"),
        ("METRICS", "true"),
    ];
    Service::local(&[&own[..], settings].concat()).await
}

fn ask(http: &Http, body: Value) -> JoinHandle<Answer> {
    let http = Http::new(http.address);
    tokio::spawn(async move { http.post("/values", &body).await })
}

/// Sends these bodies at once. Returns when one of them is read and others wait.
async fn asked(http: &Http, bodies: impl Iterator<Item = Value>) -> Vec<JoinHandle<Answer>> {
    let asked: Vec<_> = bodies.map(|body| ask(http, body)).collect();
    let metrics = Http::new(http.address);
    eventually("a body is read and others wait", async || {
        let metrics = metrics.get("/metrics").await.text;
        let has = |metric: &str| metrics.contains(&format!("predict_once_{metric} 0\n"));
        !has("model_runs_in_progress") && !has("model_runs_waiting")
    })
    .await;
    asked
}

#[tokio::test]
async fn hits_and_pages_are_answered_while_long_texts_are_tokenized() {
    let (_service, http) = started("slow-texts", &texts("length"), &[]).await;
    let short = json!({"text": "the fox"});
    assert_eq!(http.post("/values", &short).await.cache_status(), "predict-once; fwd=miss");
    eventually("a hit", async || http.post("/values", &short).await.cache_status().contains("; hit")).await;
    let asked = asked(&http, (0..12).map(|n| json!({ "text": format!("{n} {}", "word ".repeat(19_000)) }))).await;
    let hit = http.post("/values", &short).await;
    assert_eq!(hit.cache_status(), "predict-once; hit; detail=memory", "{hit:?}");
    assert_eq!(http.get("/docs").await.status, 200);
    // On the worker's thread, they would have come first.
    assert!(asked.iter().any(|asked| !asked.is_finished()));
    for asked in asked {
        assert_eq!(asked.await.expect("no panic").status, 200);
    }
}

#[tokio::test]
async fn images_are_decoded_beside_other_requests_and_those_beyond_the_queue_are_a_503() {
    let (_service, http) = started("slow-images", &images(), &[("MODEL_QUEUE", "1")]).await;
    let large = |n: usize| image(&black(2_500, n));
    let asked = asked(&http, (0..8).map(large)).await;
    assert_eq!(http.get("/docs").await.status, 200);
    let answers: Vec<_> = join_all(asked).await.into_iter().map(|answer| answer.expect("no panic")).collect();
    let (refused, answered): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 503);
    assert!(!answered.is_empty() && answered.iter().all(|answer| answer.status == 200), "{answered:?}");
    assert!(!refused.is_empty(), "all waited");
    for answer in refused {
        assert_eq!((answer.header("retry-after"), &answer.json()["title"]), ("1", &"Service overloaded".into()));
    }
    assert_eq!(http.post("/values", &large(9)).await.status, 200, "there is room again");
}

#[tokio::test]
async fn an_image_of_more_pixels_than_its_bytes_can_show_is_refused_before_it_is_decoded() {
    let (_service, http) = started("few-bytes", &images(), &[]).await;
    let solid = black(4_000, 0);
    assert_eq!(http.post("/values", &image(&solid)).await.status, 200, "{} bytes", solid.len());
    let mut cut = solid;
    cut.truncate(10_000);
    let answer = http.post("/values", &image(&cut)).await;
    assert_eq!(answer.status, 422);
    assert!(answer.text.contains("the image has 4000 × 4000 pixels in only 10000 bytes"), "{}", answer.text);
}

#[tokio::test]
async fn inputs_that_take_more_memory_than_their_small_body_count_until_they_are_answered() {
    let settings = [("MAX_CONCURRENT_BODY_BYTES", "4194304")];
    let (_service, http) = started("large-inputs", &texts("8192"), &settings).await;
    let array = |items: usize| -> Value { (0..items).map(|n| json!({ "text": n.to_string() })).collect() };
    // 8,192 ids of eight bytes for each.
    let answer = http.post("/values", &array(400)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let refused = http.post("/values", &array(700)).await;
    assert!(array(700).to_string().len() < 16 * 1024);
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{}", refused.text);
    assert_eq!(http.post("/values", &array(400)).await.status, 200, "there is room again");
}
