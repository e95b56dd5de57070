//! A value belongs to its key: one that was forged, copied, changed or signed with another secret is never served, and is overwritten.

use prediction_cache::{CacheKey, Layout, Signer};
use redis::aio::MultiplexedConnection;
use serde_json::json;
use test_support::{
    applications::{aged, example},
    eventually, models,
    redis::Redis,
    service::{Http, Service},
};

use crate::layouts::{CORRUPT, HIT, MISS, Server, everywhere, key, set, signed, signed_by};

const SECRET: &str = "correct horse battery";

fn with(secret: &str) -> Signer {
    Signer::with_secret(secret.as_bytes()).expect("long enough")
}

/// The right answer to the example.
fn truth() -> String {
    models::answer(&models::shipped(), "/decisions", example().to_string().as_bytes()).expect("valid")
}

/// Posts the example, compares the answer with the model's, and returns its `cache-status`.
async fn asked(http: &Http) -> String {
    let answer = http.post_alone("/decisions", &example()).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, &*truth()));
    answer.cache_status().to_owned()
}

async fn mended(http: &Http) {
    eventually("the entry is mended", || async { asked(http).await == HIT }).await;
}

/// A wrong value that the service could have stored for the example's decision.
fn wrong(layout: Layout) -> &'static str {
    if layout == Layout::Output { "0.0" } else { "ACCEPT" }
}

#[tokio::test]
async fn without_a_signing_key_a_forged_entry_needs_a_digest_and_with_one_it_needs_the_secret() {
    assert!(truth().contains("DECLINE"));
    everywhere(async |server: Server, layout| {
        let key = key(layout, "decision");
        let value = wrong(layout);
        let plain = signed(layout, &key, "decision", value);
        let [by_other, by_secret] =
            ["another long secret", SECRET].map(|secret| signed_by(&with(secret), layout, &key, "decision", value));
        let (_unsigned, http) = server.service(layout, &[]).await;
        for forged in [value, &by_other, &by_secret] {
            server.command::<()>(&set(layout, &key, "decision", forged)).await;
            assert_eq!(asked(&http).await, CORRUPT, "{layout:?} {forged}");
            mended(&http).await;
        }
        let (_signed, http) = server.service(layout, &[("CACHE_SIGNING_KEY", SECRET)]).await;
        for forged in [value, &by_other, &plain] {
            server.command::<()>(&set(layout, &key, "decision", forged)).await;
            assert_eq!(asked(&http).await, CORRUPT, "{layout:?} {forged}");
            mended(&http).await;
        }
        // Whoever has the secret can sign, so what was refused above was refused for its digest.
        server.command::<()>(&set(layout, &key, "decision", &by_secret)).await;
        let answer = http.post("/decisions", &example()).await;
        assert_eq!((answer.cache_status(), answer.json()), (HIT, json!({"decision": "ACCEPT"})));
    })
    .await;
}

#[tokio::test]
async fn the_entry_of_another_input_is_not_served_not_even_in_an_array_and_not_kept_in_memory() {
    everywhere(async |server: Server, layout| {
        let (_service, http) = server.service(layout, &[("MEMORY_CACHE_ENTRIES", "100")]).await;
        let own = key(layout, "decision");
        let accepted =
            CacheKey::from_parts(&own.replace("2,30", "2,45"), (layout == Layout::Hash).then_some("decision"));
        let copied = Signer::default().sign(&accepted, wrong(layout).as_bytes());
        let copied = String::from_utf8(copied.to_vec()).expect("text");
        server.command::<()>(&set(layout, &own, "decision", &copied)).await;
        let array = http.post("/decisions", &json!([aged(29), example(), aged(31)])).await;
        assert_eq!((array.cache_status(), array.json()[1].to_string()), (MISS, truth()), "{layout:?}");
        eventually("it is in memory", || async { asked(&http).await == "predict-once; hit; detail=memory" }).await;
        let stored = || async {
            match layout {
                Layout::Hash => server.command::<String>(&["HGET", &own, "decision"]).await,
                Layout::String | Layout::Output => server.command::<String>(&["GET", &own]).await,
            }
        };
        eventually("the entry is overwritten", || async { stored().await != copied }).await;
    })
    .await;
}

#[tokio::test]
async fn after_a_change_of_the_signing_key_the_old_entries_are_corrupt_and_are_overwritten() {
    everywhere(async |server: Server, layout| {
        for (secret, first) in [("", MISS), (SECRET, CORRUPT), ("another long secret", CORRUPT), ("", CORRUPT)] {
            let (_service, http) = server.service(layout, &[("CACHE_SIGNING_KEY", secret)]).await;
            assert_eq!(asked(&http).await, first, "{layout:?} {secret}");
            mended(&http).await;
        }
        assert_eq!(server.keys().await.len(), 1);
    })
    .await;
}

/// The bytes under a key, in the String or in the field of the Hash.
async fn bytes(redis: &mut MultiplexedConnection, key: &CacheKey) -> Vec<u8> {
    let mut get = redis::cmd(if key.field().is_some() { "HGET" } else { "GET" });
    get.arg(key.as_str()).arg(key.field()).query_async(redis).await.expect("stored")
}

async fn put(redis: &mut MultiplexedConnection, key: &CacheKey, bytes: &[u8]) {
    let mut set = redis::cmd(if key.field().is_some() { "HSET" } else { "SET" });
    set.arg(key.as_str()).arg(key.field()).arg(bytes).exec_async(redis).await.expect("stored");
}

#[tokio::test]
async fn an_entry_with_any_flipped_bit_is_corrupt_and_is_overwritten() {
    for layout in Layout::ALL {
        let redis = Redis::start().await;
        let (_service, http) = Service::local(&[("REDIS_URL", &redis.url()), ("CACHE_LAYOUT", layout.name())]).await;
        assert_eq!(asked(&http).await, MISS);
        redis.holds(1).await;
        let text = key(layout, "decision");
        let key = CacheKey::from_parts(&text, (layout == Layout::Hash).then_some("decision"));
        let mut connection = redis.connection().await;
        let stored = bytes(&mut connection, &key).await;
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            put(&mut connection, &key, &flipped).await;
            assert_eq!(asked(&http).await, CORRUPT, "{layout:?}, bit {bit} of {stored:?}");
            mended(&http).await;
            assert_eq!(bytes(&mut connection, &key).await, stored);
        }
    }
}

#[tokio::test]
async fn an_entry_that_is_stored_under_another_key_is_corrupt() {
    for layout in Layout::ALL {
        let server = Server::One(Redis::start().await);
        let (_service, http) = server.service(layout, &[]).await;
        assert_eq!(asked(&http).await, MISS);
        server.hold(1).await;
        let key = key(layout, "decision");
        // A flipped bit turns 0 into 1, 30 into 31 or 70, and so on.
        for (from, to, field, value) in [
            (":2,30,0,0,2", ":2,31,0,0,2", "age_in_years", json!(31)),
            (":2,30,0,0,2", ":2,70,0,0,2", "age_in_years", json!(70)),
            (":2,30,0,0,2", ":2,30,1,0,2", "foreign_worker", json!("no")),
        ] {
            server.command::<()>(&["COPY", &key, &key.replace(from, to), "REPLACE"]).await;
            let mut application = example();
            application[field] = value;
            let answer = http.post("/decisions", &application).await;
            let truth = models::answer(&models::shipped(), "/decisions", application.to_string().as_bytes());
            assert_eq!((answer.cache_status(), Some(answer.text.clone())), (CORRUPT, truth), "{layout:?} {to}");
        }
    }
}

#[tokio::test]
async fn entries_of_another_signing_key_cost_one_connection_per_second_and_not_one_each() {
    let redis = Redis::start().await;
    let url = redis.url();
    let (_old, http) = Service::local(&[("REDIS_URL", &url)]).await;
    let ages: Vec<_> = (18..118).collect();
    for age in &ages {
        http.post("/decisions", &aged(*age)).await;
    }
    redis.holds(ages.len()).await;
    let opened = || async {
        let stats: String = redis.command(&["INFO", "stats"]).await;
        let count = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        count.and_then(|count| count.trim().parse::<u64>().ok()).expect("a number")
    };
    let settings = [("REDIS_URL", &*url), ("CACHE_SIGNING_KEY", SECRET), ("WORKERS", "1")];
    let (service, http) = Service::local(&settings).await;
    let (start, before) = (std::time::Instant::now(), opened().await);
    for age in &ages {
        assert_eq!(http.post("/decisions", &aged(*age)).await.cache_status(), CORRUPT);
    }
    let seconds = start.elapsed().as_secs() + 1;
    // The two that the test opens and the one for writes; and of those for lookups, the first and one per second.
    let allowed = 2 + 1 + 1 + seconds;
    let opened = opened().await - before;
    assert!((4..=allowed).contains(&opened), "{opened} connections in {seconds} s: {:?}", service.lines());
    service.line_with("does not belong to its key").await;
    let told = service.lines().iter().filter(|line| line.contains("does not belong to its key")).count();
    assert!((1..=seconds as usize).contains(&told), "{told} lines in {seconds} s");
}
