//! Images: base64 in JSON or the body itself, the errors of files that are no images, and the limit of bodies.

use base64::{Engine, prelude::BASE64_STANDARD};
use predict_once::model::Package;
use serde_json::{Value, json};
use test_support::{
    eventually,
    onnx::{FLOAT, Onnx},
    packages::{self, SMALLEST_IMAGE},
    redis::Redis,
    runtime_api::RuntimeApi,
    service::{Answer, Http, Service},
};

const PNG: &[u8] = include_bytes!("../../crates/image-input/tests/fixtures/rgb.png");
/// The same pixels.
const WEBP: &[u8] = include_bytes!("../../crates/image-input/tests/fixtures/lossless.webp");
const JPEG: &[u8] = include_bytes!("../../crates/image-input/tests/fixtures/subsampled.jpg");

const SUMS: &str = r#"
name = "sums"

[[fields]]
name = "image"
type = "image"
max_pixels = 100_000
preprocessor = { size = { height = 2, width = 2 }, resample = 2 }

[[predictions]]
name = "sums"
endpoint = "sums"
kind = "vector"
"#;

/// Sums each colour of an image of 2 × 2 pixels, white being 1.
fn sums(manifest: &str) -> Package {
    let graph = Onnx::empty().with_input("image", FLOAT, &["N", "3", "2", "2"]).integers("axes", &[2], &[2, 3]);
    packages::package(manifest, graph.node("ReduceSum", &["image", "axes"], "y", &[("keepdims", 0)]).file("y", 3))
}

async fn started(name: &str, settings: &[(&str, &str)]) -> (Service, Http) {
    let directory = packages::write(&sums(SUMS), name);
    let directory = [("MODEL_DIR", directory.to_str().expect("UTF-8"))];
    Service::local(&[&directory[..], settings].concat()).await
}

fn in_json(file: &[u8]) -> Value {
    json!({ "image": BASE64_STANDARD.encode(file) })
}

/// The detail of the only error, which is about the image.
fn detail(answer: &Answer) -> String {
    assert_eq!(answer.status, 422, "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(1), "{problem}");
    assert_eq!(problem["errors"][0]["pointer"], "#/image", "{problem}");
    problem["errors"][0]["detail"].as_str().expect("text").to_owned()
}

#[tokio::test]
async fn an_image_is_answered_from_base64_and_from_the_body_itself_and_equal_pixels_share_an_entry() {
    let (_service, http) = started("images", &[]).await;
    let pixel = http.post("/sums", &json!({ "image": SMALLEST_IMAGE })).await;
    let sum = |colour: f32| f64::from(colour / 255.0 * 4.0);
    let sums: Vec<_> =
        pixel.json()["sums"].as_array().expect("a vector").iter().map(|sum| sum.as_f64().expect("a number")).collect();
    for (answered, expected) in sums.iter().zip([sum(200.0), sum(100.0), sum(50.0)]) {
        assert!((answered - expected).abs() < 1e-6, "{sums:?}");
    }
    let first = http.post("/sums", &in_json(PNG)).await;
    assert_eq!((first.status, first.cache_status()), (200, "predict-once; fwd=miss"), "{first:?}");
    for (media_type, file) in [("image/png", PNG), ("Image/WebP; x=y", WEBP)] {
        let again = http.post_text("/sums", media_type, file).await;
        assert_eq!(again.cache_status(), "predict-once; hit; detail=memory", "{again:?}");
        assert_eq!(again.json(), first.json());
    }
    let other = http.post_text("/sums", "image/jpeg", JPEG).await;
    assert_eq!((other.status, other.cache_status()), (200, "predict-once; fwd=miss"), "{other:?}");
    // Padding is optional, and arrays have one image each.
    let unpadded = SMALLEST_IMAGE.trim_end_matches('=');
    let several = http.post("/sums", &json!([in_json(PNG), { "image": unpadded }])).await;
    assert_eq!(several.json(), json!([first.json(), pixel.json()]));
    let image = json!({ "image": SMALLEST_IMAGE });
    assert_eq!(http.post("/sums", &vec![image.clone(); 8].into()).await.status, 200);
    let many = http.post("/sums", &vec![image; 9].into()).await;
    assert_eq!(many.json()["detail"], "an array must hold 1 to 8 inputs, and this one holds more", "{many:?}");
}

#[tokio::test]
async fn a_file_that_is_no_image_is_an_error_of_its_field() {
    let (_service, http) = started("images-invalid", &[]).await;
    let mut large = WEBP.to_vec();
    large[21..25].copy_from_slice(&[0xfe, 0xbf, 0xff, 0x0f]);
    for (file, problem) in [
        (&b""[..], "the image is empty"),
        (b"GIF89a", "not a JPEG, PNG or WebP image"),
        (&PNG[..PNG.len() / 2], "the PNG image is truncated"),
        (&JPEG[..JPEG.len() - 2], "the JPEG image is truncated"),
        (&WEBP[..100], "the WebP image is truncated"),
    ] {
        let allowed = "must be a JPEG, PNG or WebP image in base64, of at most 4000000 bytes and 100000 pixels";
        let expected = format!("{allowed}: {problem}");
        let answer = http.post("/sums", &in_json(file)).await;
        assert_eq!(detail(&answer), expected);
        assert_eq!(detail(&http.post_text("/sums", "image/png", file.to_vec()).await), expected);
    }
    for text in ["!", "data:image/png;base64,AAAA", "AAA\nA"] {
        assert!(
            detail(&http.post("/sums", &json!({ "image": text })).await).ends_with(": this is not base64"),
            "{text}"
        );
    }
    assert!(detail(&http.post("/sums", &in_json(&large)).await).contains("16383 × 16383 pixels"));
    for value in [json!(1), json!(null), json!([SMALLEST_IMAGE])] {
        let answer = http.post("/sums", &json!({ "image": value })).await;
        assert!(detail(&answer).ends_with("100000 pixels"), "{answer:?}");
    }
}

/// A hit needs no more than the digest of such a file; the model, its pixels.
#[tokio::test]
async fn a_file_that_was_decoded_before_is_a_hit_and_is_decoded_again_where_the_model_runs() {
    let redis = Redis::start().await;
    let (_service, http) = started("images-again", &[("REDIS_URL", &redis.url())]).await;
    let first = http.post("/sums", &in_json(JPEG)).await;
    assert_eq!((first.status, first.cache_status()), (200, "predict-once; fwd=miss"), "{first:?}");
    redis.holds(1).await;
    for file in [in_json(JPEG), json!([in_json(JPEG), in_json(JPEG)])] {
        let hit = http.post_alone("/sums", &file).await;
        assert!(hit.cache_status().starts_with("predict-once; hit"), "{hit:?}");
        let computed = http.post_with("/sums", &file, "no-store").await;
        assert_eq!((computed.cache_status(), computed.json()), ("predict-once; fwd=request", hit.json()));
    }
    let raw = async || http.post_text("/sums", "image/jpeg", JPEG).await;
    eventually("a hit", async || raw().await.cache_status().starts_with("predict-once; hit")).await;
    assert_eq!(raw().await.text, first.text);
    // The key is that of the pixels, whether the file has been decoded before or not.
    let (_other, http) = started("images-again", &[("REDIS_URL", &redis.url())]).await;
    assert_eq!(http.post("/sums", &in_json(JPEG)).await.cache_status(), "predict-once; hit; detail=redis");
    redis.holds(1).await;
}

#[tokio::test]
async fn only_a_model_that_reads_nothing_else_takes_an_image_as_the_body() {
    let (_service, http) = started("images-types", &[]).await;
    let answer = http.post_text("/sums", "image/gif", "GIF89a").await;
    let types = "application/json, image/jpeg, image/png, image/webp";
    assert_eq!((answer.status, answer.header("accept")), (415, types), "{answer:?}");
    let options = http.send(reqwest::Client::new().request(reqwest::Method::OPTIONS, http.url("/sums"))).await;
    assert_eq!(options.header("accept-post"), types);
    let content = http.get("/openapi.json").await.json()["paths"]["/sums"]["post"]["requestBody"]["content"].clone();
    let content: Vec<_> = content.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(content.join(", "), types);
    // The shipped model has no images.
    let (_service, http) = Service::local(&[]).await;
    let answer = http.post_text("/decisions", "image/png", PNG).await;
    assert_eq!((answer.status, answer.header("accept")), (415, "application/json"), "{answer:?}");
}

#[tokio::test]
async fn the_limit_of_bodies_follows_from_max_bytes_and_their_memory_is_limited() {
    let (_service, http) = started("images-large", &[("MAX_CONCURRENT_BODY_BYTES", "8388608")]).await;
    // Bytes behind the end of a JPEG are ignored.
    let padded = |bytes: usize| [JPEG, &vec![0; bytes - JPEG.len()]].concat();
    let largest = padded(4_000_000);
    let first = http.post_text("/sums", "image/jpeg", largest.clone()).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(http.post("/sums", &in_json(&largest)).await.json(), first.json());
    let answer = http.post_text("/sums", "image/jpeg", padded(4_000_001)).await;
    assert!(detail(&answer).ends_with("the image has 4000001 bytes; at most 4000000 are allowed"), "{answer:?}");
    assert_eq!(http.post_text("/sums", "image/jpeg", padded(7_000_000)).await.status, 413);
    let (_service, http) = started("images-memory", &[("MAX_CONCURRENT_BODY_BYTES", "4194304")]).await;
    // In base64, it is larger than the memory for all bodies.
    assert_eq!(http.post("/sums", &in_json(&largest)).await.status, 503);
    assert_eq!(http.post_text("/sums", "image/jpeg", JPEG).await.json(), first.json());
}

#[tokio::test]
async fn a_gateway_sends_an_image_in_base64() {
    let directory = packages::write(&sums(SUMS), "images-lambda");
    let mut api = RuntimeApi::start().await;
    let _service = Service::lambda(&api, &[("MODEL_DIR", directory.to_str().expect("UTF-8"))]);
    let mut event: Value = serde_json::from_str(include_str!("../../events/http-api-base64.json")).expect("JSON");
    event["rawPath"] = "/sums".into();
    event["requestContext"]["http"]["path"] = "/sums".into();
    event["headers"]["content-type"] = "image/png".into();
    event["body"] = BASE64_STANDARD.encode(PNG).into();
    let outcome = api.invoke(&event).await;
    assert_eq!(outcome.status(), 200, "{outcome:?}");
    assert_eq!(outcome.body()["sums"].as_array().map(Vec::len), Some(3));
    event["body"] = BASE64_STANDARD.encode(&PNG[..50]).into();
    assert_eq!(api.invoke(&event).await.status(), 422);
}
