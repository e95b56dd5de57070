//! Dates and times over HTTP.

use serde_json::{Value, json};
use test_support::{
    dates::dates,
    packages,
    redis::Redis,
    service::{Http, Service},
};

async fn service(settings: &[(&str, &str)]) -> (Service, Http) {
    let directory = packages::write(&dates(), "dates");
    let settings = [&[("MODEL_DIR", directory.to_str().expect("UTF-8"))], settings].concat();
    Service::local(&settings).await
}

fn body(due: &str, sent_at: &str) -> Value {
    json!({ "due": due, "sent_at": sent_at })
}

#[tokio::test]
async fn the_model_reads_days_and_seconds_since_1970() {
    let (_service, http) = service(&[]).await;
    for (due, sent_at, days, seconds) in [
        ("2026-11-30", "2026-11-30T09:15:00+01:00", 20_787.0, 1_796_026_500.0),
        ("1969-12-31", "1969-12-31T23:59:59.999Z", -1.0, -1.0),
        ("2000-02-29", "2016-12-31T23:59:60Z", 11_016.0, 1_483_228_799.0),
        ("1900-03-01", "0001-01-01T00:00:00Z", -25_508.0, -62_135_596_800.0),
        ("2099-12-31", "9999-12-31T23:59:59Z", 47_481.0, 253_402_300_799.0),
    ] {
        let answer = http.post("/numbers", &body(due, sent_at)).await;
        let expected = json!({ "numbers": { "due": days, "paid": -1e6, "sent_at": seconds } });
        assert_eq!((answer.status, answer.json()), (200, expected), "{due} {sent_at}");
    }
}

#[tokio::test]
async fn equal_instants_share_an_entry_in_redis_and_other_seconds_do_not() {
    let redis = Redis::start().await;
    let (_service, http) = service(&[("REDIS_URL", &redis.url())]).await;
    let first = http.post("/numbers", &body("2026-11-30", "2026-11-30T08:15:00Z")).await;
    assert_eq!((first.status, first.cache_status()), (200, "predict-once; fwd=miss"), "{first:?}");
    redis.holds(1).await;
    let (_other, http) = service(&[("REDIS_URL", &redis.url())]).await;
    for same in ["2026-11-30T09:15:00.25+01:00", "2026-11-29t08:16:00-23:59", "2026-11-30T08:15:00-00:00"] {
        let again = http.post("/numbers", &body("2026-11-30", same)).await;
        assert!(again.cache_status().starts_with("predict-once; hit"), "{same}: {again:?}");
        assert_eq!(again.text, first.text);
    }
    let later = http.post("/numbers", &body("2026-11-30", "2026-11-30T08:15:01Z")).await;
    assert_eq!(later.cache_status(), "predict-once; fwd=miss", "{later:?}");
}

#[tokio::test]
async fn an_invalid_date_is_a_422_with_the_pointer_what_came_what_is_allowed_and_what_was_likely_meant() {
    let (_service, http) = service(&[]).await;
    let date = "must be a date as YYYY-MM-DD, from 1900-03-01 to 2099-12-31";
    let time = "must be a date and time with an offset from UTC as YYYY-MM-DDThh:mm:ssZ or YYYY-MM-DDThh:mm:ss+hh:mm";
    let (due, sent_at) = (json!("2026-11-30"), json!("2026-11-30T08:15:00Z"));
    for (field, sent, detail, suggestion) in [
        ("due", json!("30.11.2026"), date, Some(r#""2026-11-30""#)),
        ("due", json!("2026-11-31"), date, Some(r#""2026-11-30", the last day of the month"#)),
        ("due", json!("2100-01-01"), date, None),
        ("due", json!(20_787), date, None),
        ("sent_at", json!("2026-11-30T08:15:00"), time, Some(r#""2026-11-30T08:15:00Z", if the time is UTC"#)),
        ("sent_at", json!("2026-11-30T24:00:00Z"), time, None),
        ("sent_at", json!(1_796_026_500), time, Some(r#""2026-11-30T08:15:00Z" for seconds since 1970"#)),
        ("sent_at", json!("0001-01-01T00:00:00+00:01"), time, None),
    ] {
        let mut body = json!({ "due": due, "sent_at": sent_at });
        body[field] = sent.clone();
        let answer = http.post("/numbers", &body).await;
        assert_eq!(answer.status, 422, "{sent}: {answer:?}");
        let error = &answer.json()["errors"][0];
        assert_eq!(error["pointer"], json!(format!("#/{field}")), "{error}");
        assert_eq!(error["detail"], json!(detail), "{error}");
        assert_eq!(error["received"], json!(sent.to_string()), "{error}");
        assert_eq!(error["suggestion"].as_str(), suggestion, "{error}");
    }
}

#[tokio::test]
async fn the_document_has_the_formats_and_the_bounds() {
    let (_service, http) = service(&[]).await;
    let document = http.get("/openapi.json").await.json();
    let properties = &document["components"]["schemas"]["Input"]["properties"];
    assert_eq!(
        properties["due"],
        json!({
            "type": "string",
            "format": "date",
            "formatMinimum": "1900-03-01",
            "formatMaximum": "2099-12-31",
            "description": "When it is due.\n\nA date, from 1900-03-01 to 2099-12-31 (RFC 3339).",
            "examples": ["2026-11-30"],
        })
    );
    assert_eq!(properties["paid"]["type"], json!(["string", "null"]));
    assert_eq!(properties["sent_at"]["format"], json!("date-time"));
    assert_eq!(properties["sent_at"]["examples"], json!(["2026-11-30T09:15:00+01:00"]));
}
