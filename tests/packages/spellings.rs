//! Inputs that mean the same: with fields that the model does not have, and in other Unicode spellings.

use predict_once::model::Package;
use serde_json::{Value, json};
use test_support::service::{Http, Service};

use crate::packages;

const HIT: &str = "predict-once; hit; detail=memory";

async fn serve(package: &Package, name: &str) -> (Service, Http) {
    let directory = packages::write(package, name);
    Service::local(&[("MODEL_DIR", directory.to_str().expect("UTF-8"))]).await
}

fn input() -> Value {
    json!({ "income (€/month)": 100, "count": 1, "city": "Köln" })
}

#[tokio::test]
async fn fields_that_the_model_does_not_have_are_ignored_if_the_package_says_so() {
    let with_others = {
        let mut input = input();
        input["request_id"] = "7f3a".into();
        input["nested"] = json!({ "count": 2 });
        input
    };
    let (_refusing, http) = serve(&packages::every_kind(), "refusing").await;
    let refused = http.post("/scores", &with_others).await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["code"]), (422, &"unknown".into()));
    assert_eq!(http.get("/openapi.json").await.json()["components"]["schemas"]["Input"]["additionalProperties"], false);

    let ignoring = packages::changed(
        &packages::every_kind(),
        "[[fields]]\nname = \"plain\"",
        "[input]\nunknown_fields = \"ignore\"\n[[fields]]\nname = \"plain\"",
    );
    let (_ignoring, http) = serve(&ignoring, "ignoring").await;
    let plain = http.post("/scores", &input()).await;
    let answer = http.post("/scores", &with_others).await;
    assert_eq!((answer.status, &answer.text, answer.cache_status()), (200, &plain.text, HIT));
    let array = http.post("/scores", &json!([with_others, input()])).await;
    assert_eq!(array.json(), json!([plain.json(), plain.json()]));
    assert_eq!(http.get("/openapi.json").await.json()["components"]["schemas"]["Input"]["additionalProperties"], true);

    // Only the others are ignored.
    let mut wrong = with_others;
    wrong["count"] = "one".into();
    wrong.as_object_mut().expect("an object").remove("city");
    let errors = http.post("/scores", &wrong).await.json();
    let errors = errors["errors"].as_array().expect("a list");
    let codes: Vec<_> = errors.iter().map(|error| (&error["pointer"], &error["code"])).collect();
    assert_eq!(codes, [(&json!("#/count"), &json!("invalid")), (&json!("#/city"), &json!("missing"))]);
    let twice =
        http.post_text("/scores", "application/json", r#"{"count":1,"count":2,"income (€/month)":1,"city":"Bonn"}"#);
    assert_eq!(twice.await.json()["errors"][0]["code"], "repeated");
}

#[tokio::test]
async fn a_field_behind_ten_thousand_ignored_ones_is_found() {
    let ignoring = packages::changed(
        &packages::package(packages::NUMBER, packages::identity(1)),
        "name = \"Number\"",
        "name = \"Number\"\nunknown_fields = \"ignore\"",
    );
    let (_service, http) = serve(&ignoring, "ignoring-many").await;
    let others = |count: usize| "\"other\":0,".repeat(count);
    let post =
        async |count| http.post_text("/values", "application/json", format!("{{{}\"number\":7}}", others(count))).await;
    for count in [9_999, 10_000, 30_000] {
        assert_eq!(post(count).await.json(), json!({ "value": 7.0 }), "{count}");
    }
    let body = format!("{{\"number\":7,{}\"number\":8}}", others(10_000));
    let repeated = http.post_text("/values", "application/json", body).await;
    assert_eq!(repeated.json()["errors"][0]["code"], "repeated");
}

#[tokio::test]
async fn composed_and_decomposed_spellings_of_names_and_values_are_the_same_input() {
    let package = packages::changed(&packages::every_kind(), "\"count\"\ntype", "\"größe\"\ntype");
    let package = packages::changed(&package, "count = -3", "\"größe\" = -3");
    let package = packages::changed(&package, "count = 16777216", "\"größe\" = 16777216");
    let package = packages::changed(&package, "count = 0.5", "\"größe\" = 0.5");
    let (_service, http) = serve(&package, "spellings").await;
    let [composed, decomposed] = [("größe", "Köln"), ("gro\u{308}ße", "Ko\u{308}ln")]
        .map(|(name, city)| json!({ "income (€/month)": 100, name: 1, "city": city }));
    let first = http.post("/scores", &composed).await;
    let second = http.post("/scores", &decomposed).await;
    assert_eq!((second.status, &second.text, second.cache_status()), (200, &first.text, HIT));

    // An error names the field as the model does.
    let wrong = json!({ "income (€/month)": 100, "gro\u{308}ße": 0.5, "city": "Ko\u{308}ln" });
    let answer = http.post("/scores", &wrong).await.json();
    let errors = answer["errors"].as_array().expect("a list");
    assert_eq!((errors.len(), &errors[0]["code"]), (1, &"invalid".into()));
    let twice = json!({ "income (€/month)": 100, "gro\u{308}ße": 1, "größe": 1, "city": "Köln" });
    assert_eq!(http.post("/scores", &twice).await.json()["errors"][0]["code"], "repeated");
}
