//! The contract of every layout on every kind of server: what is stored, where and for how long, and that a prediction is only
//! ever answered from its own entry.

use model_package::EntryContent;
use std::{future::Future, ops::Range};

use prediction_cache::{CacheKey, Layout, Signer};
use redis::FromRedisValue;
use test_support::{
    applications::{aged, example},
    eventually, models,
    redis::Redis,
    service::{Http, Service},
};

use crate::cluster::Cluster;

pub(crate) const HIT: &str = "predict-once; hit; detail=redis";
pub(crate) const MISS: &str = "predict-once; fwd=miss";
pub(crate) const CORRUPT: &str = "predict-once; fwd=miss; detail=corrupt";
const ENDPOINTS: [&str; 3] = ["/decisions", "/probabilities", "/risk_categories"];
const PREDICTIONS: [&str; 3] = ["decision", "probability", "risk_category"];

pub(crate) enum Server {
    One(Redis),
    Three(Cluster),
}

impl Server {
    /// One server of every kind available on this machine.
    pub(crate) async fn all() -> Vec<Self> {
        let mut servers = vec![Self::One(Redis::start().await), Self::Three(Cluster::start().await)];
        servers.extend(Redis::start_valkey().await.map(Self::One));
        servers
    }

    pub(crate) async fn service(&self, layout: Layout, more: &[(&str, &str)]) -> (Service, Http) {
        let settings = self.settings(layout);
        let variables: Vec<_> = settings.iter().map(|(name, value)| (*name, &**value)).collect();
        Service::local(&[&variables[..], more].concat()).await
    }

    /// The settings with which the service uses it.
    pub(crate) fn settings(&self, layout: Layout) -> [(&'static str, String); 3] {
        let (url, cluster) = match self {
            Self::One(redis) => (redis.url(), "false"),
            Self::Three(cluster) => (cluster.url(0), "true"),
        };
        [("REDIS_URL", url), ("REDIS_CLUSTER", cluster.to_owned()), ("CACHE_LAYOUT", layout.name().to_owned())]
    }

    /// Runs a command on the node that holds the key; the key is the second word.
    pub(crate) async fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        match self {
            Self::One(redis) => redis.command(words).await,
            Self::Three(cluster) => {
                for node in 0..3 {
                    match cluster.command(node, words).await {
                        Ok(answer) => return answer,
                        Err(error) => assert_eq!(error.code(), Some("MOVED"), "{words:?}: {error}"),
                    }
                }
                panic!("{words:?}: no node has it");
            }
        }
    }

    pub(crate) async fn keys(&self) -> Vec<String> {
        match self {
            Self::One(redis) => redis.keys().await,
            Self::Three(cluster) => {
                let mut keys: Vec<String> = Vec::new();
                for node in 0..3 {
                    keys.extend(cluster.command::<Vec<String>>(node, &["KEYS", "*"]).await.expect("keys"));
                }
                keys.sort();
                keys
            }
        }
    }

    pub(crate) async fn hold(&self, keys: usize) {
        eventually(&format!("{keys} keys"), || async { self.keys().await.len() == keys }).await;
    }
}

/// Runs a test for each layout on each kind of server, each time with an empty server.
pub(crate) async fn everywhere<F: Future<Output = ()>>(test: impl Fn(Server, Layout) -> F) {
    for layout in Layout::ALL {
        for server in Server::all().await {
            test(server, layout).await;
        }
    }
}

/// The command that stores a value.
pub(crate) fn set<'a>(layout: Layout, key: &'a str, prediction: &'a str, value: &'a str) -> Vec<&'a str> {
    match layout {
        Layout::String | Layout::Output => vec!["SET", key, value],
        Layout::Hash => vec!["HSET", key, prediction, value],
    }
}

/// The key of the example, as documented.
pub(crate) fn key(layout: Layout, prediction: &str) -> String {
    let model = models::shipped();
    match layout {
        Layout::String => format!("predict-once:{}:{prediction}:2,30,0,0,2", model.fingerprint(EntryContent::Answer)),
        Layout::Hash => format!("predict-once:{}:@hash:2,30,0,0,2", model.fingerprint(EntryContent::Answer)),
        Layout::Output => format!("predict-once:{}:@output:2,30,0,0,2", model.fingerprint(EntryContent::Output)),
    }
}

/// A value as the service stores it under this key without `CACHE_SIGNING_KEY`.
pub(crate) fn signed(layout: Layout, key: &str, prediction: &str, value: &str) -> String {
    signed_by(&Signer::default(), layout, key, prediction, value)
}

pub(crate) fn signed_by(signer: &Signer, layout: Layout, key: &str, prediction: &str, value: &str) -> String {
    let key = CacheKey::from_parts(key, (layout == Layout::Hash).then_some(prediction));
    String::from_utf8(signer.sign(&key, value.as_bytes()).to_vec()).expect("text")
}

/// Posts the application at each age to each endpoint, compares the answers with the model's and returns the values of `cache-status`.
pub(crate) async fn asked(http: &Http, ages: Range<u8>) -> Vec<String> {
    let model = models::shipped();
    let mut statuses = Vec::new();
    for age in ages {
        for endpoint in ENDPOINTS {
            let truth = models::answer(&model, endpoint, aged(age).to_string().as_bytes()).expect("valid");
            let answer = http.post(endpoint, &aged(age)).await;
            assert_eq!((answer.status, &answer.text), (200, &truth));
            statuses.push(answer.cache_status().to_owned());
        }
    }
    statuses
}

#[tokio::test]
async fn a_process_finds_the_entries_of_another_process() {
    everywhere(async |server: Server, layout| {
        let (_one, http) = server.service(layout, &[]).await;
        asked(&http, 18..28).await;
        server.hold(if layout == Layout::String { 30 } else { 10 }).await;
        let (_other, http) = server.service(layout, &[]).await;
        // The number of keys does not show when all fields of a Hash are stored.
        eventually("hits only", || async { asked(&http, 18..28).await.iter().all(|status| status == HIT) }).await;
    })
    .await;
}

#[tokio::test]
async fn an_entry_is_stored_where_documented_and_expires() {
    everywhere(async |server: Server, layout| {
        let (_service, http) = server.service(layout, &[("CACHE_TTL_SECONDS", "1000")]).await;
        let output: f64 =
            http.post("/probabilities", &example()).await.json()["probability"].as_f64().expect("a number");
        let decision = http.post("/decisions", &example()).await.json()["decision"].clone();
        let [decision_key, probability_key] = ["decision", "probability"].map(|prediction| key(layout, prediction));
        let read = async |prediction: &str, key: &str| match layout {
            Layout::String | Layout::Output => server.command::<Option<String>>(&["GET", key]).await,
            Layout::Hash => server.command::<Option<String>>(&["HGET", key, prediction]).await,
        };
        eventually("both are stored", || async {
            read("decision", &decision_key).await.is_some() && read("probability", &probability_key).await.is_some()
        })
        .await;
        let stored = read("probability", &probability_key).await.expect("stored");
        let (number, _digest) = stored.split_once('#').expect("a digest");
        assert_eq!(number.parse(), Ok(output));
        assert_eq!(stored, signed(layout, &probability_key, "probability", number));
        if layout != Layout::Output {
            let expected = signed(layout, &decision_key, "decision", decision.as_str().expect("a text"));
            assert_eq!(read("decision", &decision_key).await, Some(expected));
        }
        let expected = if layout == Layout::String { 2 } else { 1 };
        assert_eq!(server.keys().await.len(), expected, "{layout:?}");
        for key in server.keys().await {
            let ttl: i64 = server.command(&["TTL", &key]).await;
            assert!((890..=1100).contains(&ttl), "{ttl}");
        }
    })
    .await;
}

#[tokio::test]
async fn each_stored_field_renews_the_time_to_live_of_its_hash() {
    for server in Server::all().await {
        let (_service, http) = server.service(Layout::Hash, &[("CACHE_TTL_SECONDS", "1000")]).await;
        http.post("/decisions", &example()).await;
        server.hold(1).await;
        let key = key(Layout::Hash, "decision");
        server.command::<()>(&["EXPIRE", &key, "10"]).await;
        http.post("/probabilities", &example()).await;
        eventually("both fields are there", || async { server.command::<usize>(&["HLEN", &key]).await == 2 }).await;
        assert!(server.command::<i64>(&["TTL", &key]).await > 10);
    }
}

#[tokio::test]
async fn an_output_that_one_endpoint_has_stored_serves_the_others() {
    for server in Server::all().await {
        let (_service, http) = server.service(Layout::Output, &[]).await;
        assert_eq!(http.post("/decisions", &example()).await.cache_status(), MISS);
        server.hold(1).await;
        let model = models::shipped();
        for endpoint in ENDPOINTS {
            let answer = http.post_alone(endpoint, &example()).await;
            let truth = models::answer(&model, endpoint, example().to_string().as_bytes()).expect("valid");
            assert_eq!((answer.cache_status(), &answer.text), (HIT, &truth));
        }
    }
}

#[tokio::test]
async fn an_invalid_entry_is_a_named_miss_and_is_overwritten() {
    everywhere(async |server: Server, layout| {
        let (_service, http) = server.service(layout, &[]).await;
        let truth = http.post("/probabilities", &example()).await.text;
        server.hold(1).await;
        let key = key(layout, "probability");
        let invalid = ["", "0.50", "0.5,0.5", "1e-1", "NaN", "inf", "1.5", "-0.3", "ACCEPT", "-0.0"];
        let mut invalid: Vec<_> = invalid.into_iter().map(|value| signed(layout, &key, "probability", value)).collect();
        invalid.extend(["", "0.3202543", "0.3202543#", "0.3202543#AAAAAAAAAAA"].map(str::to_owned));
        let mut commands: Vec<_> = invalid.iter().map(|value| set(layout, &key, "probability", value)).collect();
        commands.push(vec!["RPUSH", &key, "0.5"]);
        commands.push(match layout {
            Layout::String | Layout::Output => vec!["HSET", &key, "probability", "0.5"],
            Layout::Hash => vec!["SET", &key, "0.5"],
        });
        for command in commands {
            server.command::<()>(&["DEL", &key]).await;
            server.command::<()>(&command).await;
            let answer = http.post_alone("/probabilities", &example()).await;
            assert_eq!((answer.cache_status(), &answer.text), (CORRUPT, &truth), "{layout:?} {command:?}");
            let is_mended =
                || async { http.post_with("/probabilities", &example(), "only-if-cached").await.status == 200 };
            if layout == Layout::Hash && !command[0].starts_with("HSET") {
                // A key of another type stays: `HSET` cannot overwrite it. It is a miss until it is deleted or expires.
                continue;
            }
            eventually("the entry is mended", is_mended).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_output_from_which_one_answer_cannot_be_derived_serves_no_endpoint() {
    let server = Server::One(Redis::start().await);
    let (_service, http) = server.service(Layout::Output, &[]).await;
    let key = key(Layout::Output, "");
    for output in ["1.5", "-0.25", "7.0"] {
        for endpoint in ENDPOINTS {
            eventually("the entry is right", || async {
                asked(&http, 30..31).await.iter().all(|status| status == HIT)
            })
            .await;
            let forged = signed(Layout::Output, &key, "", output);
            server.command::<()>(&["SET", &key, &forged]).await;
            let answer = http.post(endpoint, &example()).await;
            let truth = models::answer(&models::shipped(), endpoint, example().to_string().as_bytes());
            assert_eq!((answer.cache_status(), Some(answer.text.clone())), (CORRUPT, truth), "{output} {endpoint}");
        }
    }
}

#[tokio::test]
async fn changing_the_layout_of_a_running_system_gives_no_wrong_answer() {
    for server in Server::all().await {
        let mut services = Vec::new();
        for layout in Layout::ALL {
            services.push(server.service(layout, &[]).await);
        }
        for (_service, http) in &services {
            let statuses = asked(http, 30..33).await;
            assert_eq!(statuses[0], MISS, "entries of another layout are not found");
        }
        for (_service, http) in services.iter().rev() {
            eventually("hits only", || async { asked(http, 30..33).await.iter().all(|status| status == HIT) }).await;
        }
        let predictions = PREDICTIONS.len() * 3;
        server.hold(predictions + 3 + 3).await;
    }
}
