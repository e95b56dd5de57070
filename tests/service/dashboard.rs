//! `GET /dashboard`: where it is served, and its numbers. `tests/docs_page/run` uses the page in a browser.

use serde_json::{Value, json};
use test_support::{
    applications::aged,
    eventually,
    redis::Redis,
    service::{Http, Service},
};

/// A server with a dashboard, and a client of the address that has it.
async fn start(variables: &[(&str, &str)]) -> (Service, Http, Http) {
    let all = [&[("METRICS_ADDRESS", "127.0.0.1:0")], variables].concat();
    let (service, http) = Service::local(&all).await;
    let own = own_address(&service).await;
    (service, http, own)
}

async fn own_address(service: &Service) -> Http {
    let line = service.line_with("dashboard on http://").await;
    let address = line.rsplit("http://").next().and_then(|url| url.strip_suffix("/dashboard")).expect("a URL");
    Http::new(address.parse().expect("an address"))
}

async fn data(own: &Http) -> Value {
    let answer = own.get("/dashboard/data").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    answer.json()
}

#[tokio::test]
async fn the_dashboard_is_served_at_the_private_addresses_and_never_at_the_public_one() {
    let addresses = [("METRICS_ADDRESS", "127.0.0.1:0"), ("HEALTH_ADDRESS", "127.0.0.1:0")];
    for variables in [&addresses[..1], &addresses[1..]] {
        let (service, http) = Service::local(&[variables, &[("METRICS", "true")]].concat()).await;
        let own = own_address(&service).await;
        for path in ["/dashboard", "/dashboard/data", "/dashboard/dashboard.js"] {
            assert_eq!(own.get(path).await.status, 200, "{variables:?} {path}");
            assert_eq!(http.get(path).await.status, 404, "{variables:?} {path}");
        }
        assert_eq!(own.post("/dashboard", &json!({})).await.status, 405);
        assert_eq!(own.get("/dashboard/other").await.status, 404);
        let in_front = Http::new(own.address);
        assert_eq!(in_front.get("/dashboard").await.header("connection"), "close");
    }
    let (service, http) = Service::local(&[("METRICS", "true")]).await;
    assert_eq!(http.get("/dashboard").await.status, 404, "it has no private address");
    assert!(service.lines().iter().all(|line| !line.contains("dashboard")));
}

#[tokio::test]
async fn the_page_loads_only_its_own_files_and_is_small() {
    let (_service, _http, own) = start(&[]).await;
    let page = own.get("/dashboard").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    let links = page.text.split(['"']).filter(|part| part.starts_with("dashboard/"));
    let (mut bytes, mut files) = (page.text.len(), 0);
    for link in links {
        let file = own.get(&format!("/{link}")).await;
        assert_eq!(file.status, 200, "{link}");
        (bytes, files) = (bytes + file.text.len(), files + 1);
    }
    assert_eq!(files, 5, "its files, and the data for readers without JavaScript");
    assert!(bytes < 60_000, "{bytes}");
    assert!(!page.text.contains("//"), "no other origin: {}", page.text);
}

#[tokio::test]
async fn its_numbers_are_those_of_the_requests() {
    let mut redis = Redis::start().await;
    let (_other, other) = Service::local(&[("REDIS_URL", &redis.url())]).await;
    other.post("/decisions", &aged(31)).await;
    redis.holds(1).await;
    let url = redis.url();
    let variables = [("REDIS_URL", &*url), ("MEMORY_CACHE_ENTRIES", "100"), ("COST_PER_GB_SECOND", "0.5")];
    let (_service, http, own) = start(&variables).await;
    let empty = data(&own).await;
    assert_eq!((&empty["saved"], &empty["inputs"]), (&Value::Null, &json!([])));
    http.post("/decisions", &aged(31)).await; // hit in Redis
    http.post("/decisions", &aged(30)).await; // miss
    http.post("/decisions", &aged(30)).await; // hit in memory
    http.post("/probabilities", &json!([aged(30), aged(30)])).await; // two misses, one run
    http.post_with("/decisions", &aged(30), "no-cache").await; // bypass
    http.post("/decisions", &json!({})).await;
    http.post("/decisions", &json!({})).await;
    let shown = data(&own).await;
    let predictions = json!({ "hit_memory": 1.0, "hit_redis": 1.0, "hit_dynamodb": 0.0, "miss": 3.0, "unavailable": 0.0, "bypass": 1.0 });
    assert_eq!(shown["predictions"], predictions);
    assert_eq!(shown["minutes"], json!([[1.0, 1.0, 0.0, 3.0, 0.0, 1.0]]));
    for (source, requests) in [("memory", 1.0), ("store", 1.0), ("model", 3.0)] {
        let latency = &shown["latency"][source];
        assert_eq!(latency["requests"], requests, "{source}");
        let [median, p99] = ["median_ms", "p99_ms"].map(|name| latency[name].as_f64().expect("a time"));
        assert!(0.0 < median && median <= p99, "{source}: {latency}");
    }
    assert_eq!(shown["errors"], json!([{ "type": "invalid-fields", "title": "Invalid fields", "count": 2.0 }]));
    let memory = &shown["memory"];
    assert_eq!((&memory["entries"], &memory["max_entries"]), (&json!(3), &json!(100)));
    assert!(memory["bytes"].as_u64().expect("bytes") > 3 * 256);
    assert_eq!(shown["store"]["breakers_open"], json!({ "lookups": false, "writes": false }));
    assert_eq!((&shown["store"]["name"], &shown["runs"]["waiting"]), (&json!("redis"), &json!(0)));
    let [saved, run] = ["seconds", "mean_run_ms"].map(|name| shown["saved"][name].as_f64().expect("a time"));
    // Six predictions took three runs, and the lookups are subtracted.
    assert!(saved < 3.0 * run / 1e3 && run > 0.0, "{saved} {run}");
    assert!(shown["saved"]["money"].as_f64().is_some());
    assert_eq!((&shown["model"], &shown["log_lines_dropped"]), (&json!("credit_risk"), &json!(0.0)));
    redis.kill();
    http.post("/decisions", &aged(50)).await;
    eventually("the dashboard shows the outage", async || {
        let shown = data(&own).await;
        shown["predictions"]["unavailable"] == 1.0 && shown["store"]["breakers_open"]["lookups"] == true
    })
    .await;
}

#[tokio::test]
async fn the_commonest_inputs_are_shown_without_their_fields_unless_the_setting_says_so() {
    for (setting, is_shown) in [("hide", false), ("show", true)] {
        let (_service, http, own) = start(&[("DASHBOARD_INPUTS", setting)]).await;
        for (age, times) in [(30, 1), (47, 3), (31, 2)] {
            for _ in 0..times {
                http.post("/decisions", &aged(age)).await;
            }
        }
        for age in 60..72 {
            http.post("/probabilities", &aged(age)).await;
        }
        let answer = own.get("/dashboard/data").await;
        let shown = answer.json();
        let inputs = shown["inputs"].as_array().expect("a list");
        assert_eq!(inputs.len(), 10);
        let counts: Vec<_> = inputs.iter().map(|input| input["count"].as_u64().expect("a number")).collect();
        assert_eq!(counts, [3, 2, 1, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(inputs[0]["prediction"], "decision");
        let age = inputs[0]["fields"].as_array().map(|fields| {
            let age = fields.iter().find(|field| field["name"] == "age_in_years").expect("the field");
            age["value"].as_str().expect("text").to_owned()
        });
        assert_eq!(age.as_deref(), is_shown.then_some("47 years"));
        let name = inputs[0]["key"].as_str().expect("text");
        assert!(name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
        assert_eq!(answer.text.contains("age_in_years"), is_shown);
    }
}

#[tokio::test]
async fn without_a_cache_or_a_store_the_dashboard_says_so() {
    let (_service, http, own) = start(&[("MEMORY_CACHE_ENTRIES", "0")]).await;
    http.post("/decisions", &aged(30)).await;
    let shown = data(&own).await;
    assert_eq!((&shown["memory"], &shown["store"]), (&Value::Null, &Value::Null));
    assert_eq!((&shown["predictions"]["bypass"], &shown["saved"]["seconds"]), (&json!(1.0), &json!(0.0)));
    assert_eq!(shown["saved"]["money"], Value::Null);
}
