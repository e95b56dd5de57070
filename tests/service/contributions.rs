//! Contributions over HTTP: their own endpoint, and `?explain=k` of the predictions.

use std::{path::PathBuf, sync::LazyLock};

use serde_json::{Value, json};
use test_support::{
    applications::example,
    packages::{self, explained},
    service::{Http, Service},
};

async fn served(variables: &[(&str, &str)]) -> (Service, Http) {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| packages::write(&explained(), "contributions"));
    let directory = DIRECTORY.to_str().expect("UTF-8");
    Service::local(&[&[("MODEL_DIR", directory)], variables].concat()).await
}

fn input() -> Value {
    json!({ "amount": 5, "age": 44, "colour": "red" })
}

#[tokio::test]
async fn the_endpoint_answers_with_the_fields_with_the_largest_contributions() {
    let (_service, http) = served(&[]).await;
    let answer = http.post("/reasons", &input()).await;
    // Of equal contributions, the first field's comes first.
    let expected = json!({ "reasons": {
        "base": 10.125,
        "contributions": [
            { "field": "age", "value": 44, "contribution": 1.0, "reason": "Too young" },
            { "field": "colour", "value": "red", "contribution": -1.0 },
        ],
        "others": 0.5,
        "score": 10.625,
    } });
    assert_eq!((answer.status, answer.json()), (200, expected));
    let all = http.post("/reasons?explain=3", &input()).await.json();
    let last = json!({ "field": "amount", "value": 5, "contribution": 0.5, "reason": "Small" });
    assert_eq!(all["reasons"]["contributions"][2], last);
    assert_eq!(all["reasons"]["others"], 0.0);
}

#[tokio::test]
async fn values_are_those_of_this_request_even_from_the_cache() {
    let (_service, http) = served(&[]).await;
    let post = |body: &'static str| http.post_text("/reasons?explain=3", "application/json", body.to_owned());
    assert_eq!(post(r#"{"amount":12,"colour":"green"}"#).await.cache_status(), "predict-once; fwd=miss");
    // In the same band. `age` is missing in another way.
    let answer = post("{\"amount\": 1.950e1, \"age\": null, \"colour\": \"gr\\u0065en\"}").await;
    assert!(answer.cache_status().starts_with("predict-once; hit"), "{}", answer.cache_status());
    let text = answer.text;
    assert!(text.contains(r#""field":"amount","value":1.950e1,"contribution":1.0,"reason":"Medium""#), "{text}");
    assert!(text.contains(r#""field":"age","value":null,"contribution":0.0,"reason":"Too young""#), "{text}");
    assert!(text.contains(r#""value":"gr\u0065en""#), "{text}");
}

#[tokio::test]
async fn a_prediction_has_the_contributions_if_the_request_asks() {
    let (_service, http) = served(&[]).await;
    let plain = http.post("/scores", &input()).await.json();
    assert_eq!(plain.as_object().expect("an object").len(), 1);
    let answer = http.post("/scores?explain=1", &input()).await.json();
    assert_eq!(answer["score"], plain["score"]);
    let one = json!({ "field": "age", "value": 44, "contribution": 1.0, "reason": "Too young" });
    assert_eq!(answer["reasons"]["contributions"], json!([one]));
    assert_eq!(answer["reasons"]["others"], -0.5);
    // The prediction was cached, the contributions too, under keys of their own.
    let again = http.post("/scores?explain=2", &input()).await;
    assert!(again.cache_status().starts_with("predict-once; hit"), "{}", again.cache_status());
    assert_eq!(http.post("/scores", &input()).await.json(), plain);
}

#[tokio::test]
async fn an_answer_is_a_hit_only_if_its_contributions_are() {
    let (_service, http) = served(&[]).await;
    http.post("/scores", &input()).await;
    let first = http.post("/scores?explain=1", &input()).await;
    assert_eq!(first.cache_status(), "predict-once; fwd=miss");
    let only = http.post_with("/scores?explain=1", &json!({ "amount": 1, "colour": "red" }), "only-if-cached").await;
    assert_eq!(only.status, 504);
}

#[tokio::test]
async fn each_input_of_an_array_has_its_own_values() {
    let (_service, http) = served(&[]).await;
    let inputs = json!([
        { "amount": 1, "colour": "red" },
        { "amount": 2, "colour": "red" },
        { "amount": 15, "age": 20, "colour": "green" },
    ]);
    for path in ["/scores?explain=3", "/reasons?explain=3"] {
        let answers = http.post(path, &inputs).await.json();
        let answers = answers.as_array().expect("an array");
        let amount = |answer: &Value| {
            let all = answer["reasons"]["contributions"].as_array().expect("contributions");
            all.iter()
                .find(|entry| entry["field"] == "amount")
                .map(|entry| (entry["value"].clone(), entry["contribution"].clone()))
        };
        let amounts: Vec<_> = answers.iter().map(|answer| amount(answer).expect("the amount")).collect();
        assert_eq!(amounts, [(json!(1), json!(0.5)), (json!(2), json!(0.5)), (json!(15), json!(1.0))], "{path}");
        assert_eq!(answers.iter().all(|answer| answer.get("score").is_some()), path.starts_with("/scores"));
    }
}

#[tokio::test]
async fn an_invalid_number_of_fields_is_refused() {
    let (_service, http) = served(&[]).await;
    for query in [
        "explain=0",
        "explain=4",
        "explain=",
        "explain=two",
        "explain=1&explain=2",
        "explain=-1",
        "explain=+1",
        "explain=1.0",
    ] {
        let answer = http.post(&format!("/scores?{query}"), &input()).await;
        assert_eq!(
            (answer.status, answer.json()["type"].clone()),
            (400, json!("/docs/errors#invalid-query")),
            "{query}"
        );
    }
    assert_eq!(http.post("/scores?other=1&explain=3", &input()).await.status, 200);
}

#[tokio::test]
async fn a_package_without_contributions_ignores_the_parameter() {
    let directory = packages::write(&packages::every_kind(), "no_contributions");
    let directory = directory.to_str().expect("UTF-8");
    let (_service, http) = Service::local(&[("MODEL_DIR", directory)]).await;
    let body = json!({ "income (€/month)": 0, "count": 16_777_216, "city": "Paris" });
    assert_eq!(http.post("/species?explain=many", &body).await.status, 200);
}

#[tokio::test]
async fn the_shipped_model_keeps_its_three_endpoints_and_explains_each() {
    let (_service, http) = Service::local(&[]).await;
    for path in ["/decisions", "/probabilities", "/risk_categories"] {
        let answer = http.post(&format!("{path}?explain=5"), &example()).await.json();
        let reasons = &answer["reasons"];
        assert_eq!(reasons["contributions"].as_array().map(Vec::len), Some(5), "{path}");
        assert_eq!(reasons["others"], 0.0);
    }
    assert_eq!(http.post("/reasons", &example()).await.status, 404);
}
