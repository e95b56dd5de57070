//! Predictions in a real Redis, and what happens when it fails: every request still gets the right answer.

use model_package::EntryContent;
use std::time::{Duration, Instant};

use test_support::{
    applications::{aged, example},
    eventually, models,
    proxy::{Mode, Proxy},
    redis::Redis,
    service::{Http, Service},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
};

const HIT: &str = "predict-once; hit; detail=redis";
const MISS: &str = "predict-once; fwd=miss";
const UNAVAILABLE: &str = "predict-once; fwd=miss; detail=unavailable";
const CORRUPT: &str = "predict-once; fwd=miss; detail=corrupt";

async fn with_redis(url: &str) -> (Service, Http) {
    Service::local(&[("REDIS_URL", url)]).await
}

/// A service without a cache, whose answers are the model's own.
async fn uncached() -> (Service, Http) {
    Service::local(&[("MEMORY_CACHE_ENTRIES", "0")]).await
}

#[tokio::test]
async fn a_miss_is_stored_and_the_next_process_hits() {
    let redis = Redis::start().await;
    let (_one, http) = with_redis(&redis.url()).await;
    let mut first = Vec::new();
    for path in ["/decisions", "/probabilities", "/risk_categories"] {
        let answer = http.post(path, &example()).await;
        assert_eq!(answer.cache_status(), MISS);
        first.push(answer.text);
    }
    redis.holds(3).await;
    let (_other, http) = with_redis(&redis.url()).await;
    for (path, text) in ["/decisions", "/probabilities", "/risk_categories"].into_iter().zip(first) {
        let answer = http.post(path, &example()).await;
        assert_eq!((answer.cache_status(), &answer.text), (HIT, &text));
    }
}

#[tokio::test]
async fn an_entry_is_a_readable_string_that_expires() {
    let redis = Redis::start().await;
    let (_service, http) =
        Service::local(&[("REDIS_URL", &redis.url()), ("CACHE_NAMESPACE", "team-a"), ("CACHE_TTL_SECONDS", "1000")])
            .await;
    let decision = http.post("/decisions", &example()).await.json();
    redis.holds(1).await;
    let key = format!("team-a:{}:decision:2,30,0,0,2", models::shipped().fingerprint(EntryContent::Answer));
    assert_eq!(redis.keys().await, [key.as_str()]);
    let stored = redis.command::<String>(&["GET", &key]).await;
    let (value, _digest) = stored.split_once('#').expect("a digest");
    assert_eq!(decision["decision"], value);
    let ttl: i64 = redis.command(&["TTL", &key]).await;
    assert!((890..=1100).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn another_namespace_is_another_cache() {
    let redis = Redis::start().await;
    for (namespace, keys) in [("one", 1), ("other", 2)] {
        let (_service, http) = Service::local(&[("REDIS_URL", &redis.url()), ("CACHE_NAMESPACE", namespace)]).await;
        assert_eq!(http.post("/decisions", &example()).await.cache_status(), MISS);
        redis.holds(keys).await;
    }
}

#[tokio::test]
async fn a_connection_for_lookups_and_one_for_writes_serve_every_request() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let (_service, http) = with_redis(&proxy.url()).await;
    assert_eq!(proxy.connections(), 0, "they are opened when first needed");
    for age in 18..68 {
        http.post("/decisions", &aged(age)).await;
    }
    redis.holds(50).await;
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn an_invalid_entry_is_a_miss_and_is_overwritten() {
    let redis = Redis::start().await;
    let (_service, http) = with_redis(&redis.url()).await;
    let truth = http.post("/decisions", &example()).await;
    redis.holds(1).await;
    let key = &redis.keys().await[0];
    for command in [
        &["SET", key, ""][..],
        &["SET", key, "MAYBE"],
        &["SET", key, "ACCEPT\n"],
        &["SET", key, "low_risk"],
        &["HSET", key, "decision", "ACCEPT"],
        &["RPUSH", key, "ACCEPT"],
    ] {
        redis.command::<()>(&["DEL", key]).await;
        redis.command::<()>(command).await;
        let answer = http.post("/decisions", &example()).await;
        assert_eq!((answer.cache_status(), &answer.text), (CORRUPT, &truth.text), "{command:?}");
        eventually("the entry is mended", || async {
            http.post_with("/decisions", &example(), "only-if-cached").await.status == 200
        })
        .await;
    }
}

/// Posts the application at each age and compares the answers with those of a service without a cache.
async fn all_right(http: &Http, ages: std::ops::Range<u8>) -> Vec<String> {
    let (_service, model) = uncached().await;
    let mut outcomes = Vec::new();
    for age in ages {
        let (answer, truth) =
            (http.post("/probabilities", &aged(age)).await, model.post("/probabilities", &aged(age)).await);
        assert_eq!((answer.status, &answer.text), (200, &truth.text));
        outcomes.push(answer.cache_status().to_owned());
    }
    outcomes
}

#[tokio::test]
async fn without_a_listener_every_answer_comes_from_the_model() {
    // Bound but not listening: connections are refused, and no other process gets the port.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let port = socket.local_addr().expect("bound").port();
    let (_service, http) = with_redis(&format!("redis://127.0.0.1:{port}")).await;
    assert_eq!(all_right(&http, 18..28).await, [UNAVAILABLE; 10]);
}

/// A server that accepts connections but does not speak Redis's protocol.
async fn impostor(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("redis://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_server_that_answers_nonsense_is_not_used() {
    for nonsense in
        [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\x00\x01\x02\x03", b"+OK\r\n:7\r\n*2\r\n$-1\r\n", b"$99999999\r\n"]
    {
        let (_service, http) =
            Service::local(&[("REDIS_URL", &impostor(nonsense).await), ("CACHE_READ_TIMEOUT_MS", "100")]).await;
        all_right(&http, 18..21).await;
    }
}

#[tokio::test]
async fn a_silent_server_costs_the_deadline_of_a_lookup_and_then_nothing() {
    let url = impostor(b"").await;
    let variables = [("REDIS_URL", &*url), ("CACHE_READ_TIMEOUT_MS", "500"), ("CACHE_WRITE_TIMEOUT_MS", "500")];
    let (service, http) = Service::local(&variables).await;
    let timed = async |age| {
        let start = Instant::now();
        let answer = http.post("/decisions", &aged(age)).await;
        assert_eq!((answer.status, answer.cache_status()), (200, UNAVAILABLE));
        start.elapsed()
    };
    let first = timed(18).await;
    // Lower bound: the deadline is not cut short. Upper bound: nothing else waits; the slack is for a busy machine.
    assert!((Duration::from_millis(495)..Duration::from_secs(5)).contains(&first), "{first:?}");
    service.line_with("the cache is unavailable").await;
    let mut then = Vec::new();
    for age in 19..30 {
        then.push(timed(age).await);
    }
    then.sort();
    assert!(then[5] < Duration::from_millis(250), "while it is not asked, a request pays nothing: {then:?}");
    let states = service.lines().iter().filter(|line| line.contains("unavailable for lookups")).count();
    assert_eq!(states, 1, "a state is logged once");
}

#[tokio::test]
async fn requests_that_must_not_compute_also_notice_that_redis_is_gone() {
    // With a database in the URL, connecting needs a reply, which never comes.
    let url = format!("{}/1", impostor(b"").await);
    let variables = [("REDIS_URL", &*url), ("CACHE_READ_TIMEOUT_MS", "50"), ("CACHE_WRITE_TIMEOUT_MS", "50")];
    let (service, http) = Service::local(&variables).await;
    let answer = http.post_with("/decisions", &example(), "only-if-cached").await;
    assert_eq!((answer.status, answer.cache_status()), (504, UNAVAILABLE));
    // No write follows that would log the outage as well.
    service.line_with("the cache is unavailable for lookups").await;
}

/// Posts the example until it is a hit.
async fn hits_again(http: &Http) {
    eventually("a hit", || async { http.post("/decisions", &example()).await.cache_status() == HIT }).await;
}

#[tokio::test]
async fn a_connection_that_was_closed_is_replaced_and_the_lookup_still_hits() {
    let redis = Redis::start().await;
    let (_service, http) = with_redis(&redis.url()).await;
    http.post("/decisions", &example()).await;
    redis.holds(1).await;
    for _ in 0..3 {
        redis.command::<()>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
        assert_eq!(http.post_alone("/decisions", &example()).await.cache_status(), HIT);
    }
}

#[tokio::test]
async fn a_redis_that_is_killed_and_restarted_is_used_again() {
    let mut redis = Redis::start().await;
    let (service, http) = with_redis(&redis.url()).await;
    http.post("/decisions", &example()).await;
    redis.holds(1).await;
    redis.kill();
    assert_eq!(http.post("/decisions", &example()).await.cache_status(), UNAVAILABLE);
    redis.restart().await;
    hits_again(&http).await;
    service.line_with("the cache is available again").await;
}

#[tokio::test]
async fn a_connection_that_fell_silent_is_replaced_and_the_lookup_still_hits() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let (_service, http) = Service::local(&[("REDIS_URL", &proxy.url()), ("CACHE_READ_TIMEOUT_MS", "2000")]).await;
    http.post("/decisions", &example()).await;
    redis.holds(1).await;
    proxy.silence_open_connections();
    let answer = http.post("/decisions", &example()).await;
    assert_eq!(answer.cache_status(), HIT);
    assert_eq!(proxy.connections(), 3, "one for writes, and two for lookups");
}

#[tokio::test]
async fn a_redis_that_hangs_and_recovers_is_used_again() {
    let redis = Redis::start().await;
    let (_service, http) = Service::local(&[("REDIS_URL", &redis.url()), ("CACHE_READ_TIMEOUT_MS", "200")]).await;
    hits_again(&http).await;
    let hanging = redis.hang();
    assert_eq!(http.post("/decisions", &example()).await.cache_status(), UNAVAILABLE);
    drop(hanging);
    hits_again(&http).await;
}

#[tokio::test]
async fn connections_that_open_slowly_are_not_given_up() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    proxy.set(Mode::Hold);
    let (_service, http) = Service::local(&[("REDIS_URL", &proxy.url()), ("CACHE_READ_TIMEOUT_MS", "50")]).await;
    assert_eq!(http.post("/decisions", &example()).await.cache_status(), UNAVAILABLE);
    proxy.set(Mode::Pass);
    redis.holds(1).await;
    assert_eq!(proxy.connections(), 2, "one for lookups, one for writes");
}

#[tokio::test]
async fn a_connection_that_is_refused_with_an_error_reply_is_retried() {
    let redis = Redis::start().await;
    let (mut one, other) = (redis.connection().await, redis.connection().await);
    let mut limit = redis::cmd("CONFIG");
    limit.arg("SET").arg("maxclients").arg(2).exec_async(&mut one).await.expect("a setting of Redis");
    // With a database in the URL, the handshake fails with Redis's error reply instead of a network error.
    let (_service, http) = with_redis(&format!("{}/1", redis.url())).await;
    assert_eq!(http.post("/decisions", &example()).await.cache_status(), UNAVAILABLE);
    drop((one, other));
    hits_again(&http).await;
}

#[tokio::test]
async fn a_full_redis_still_answers_lookups() {
    let redis = Redis::start().await;
    let (service, http) = with_redis(&redis.url()).await;
    http.post("/decisions", &example()).await;
    redis.holds(1).await;
    redis.command::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    redis.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    assert_eq!(http.post("/decisions", &aged(40)).await.cache_status(), MISS);
    service.line_with("the cache refuses writes fault=error reply OOM").await;
    assert_eq!(http.post("/decisions", &example()).await.cache_status(), HIT);
}

#[tokio::test]
async fn credentials_come_from_the_url_or_from_settings_and_wrong_ones_disable_the_cache() {
    let redis = Redis::start().await;
    redis.command::<()>(&["ACL", "SETUSER", "service", "on", ">secret", "~*", "+@all"]).await;
    redis.command::<()>(&["ACL", "SETUSER", "default", "-get", "-set"]).await;
    let (_service, http) = with_redis(&redis.url()).await;
    assert_eq!(http.post("/decisions", &aged(49)).await.cache_status(), UNAVAILABLE, "without credentials");
    let named = redis.url().replace("redis://", "redis://service:secret@");
    let (_service, http) = with_redis(&named).await;
    assert_eq!(http.post("/decisions", &aged(50)).await.cache_status(), MISS);
    let wrong = redis.url().replace("redis://", "redis://nobody:wrong-secret@");
    let variables = [("REDIS_URL", &*wrong), ("REDIS_USERNAME", "service"), ("REDIS_PASSWORD", "secret")];
    let (_service, http) = Service::local(&variables).await;
    assert_eq!(http.post("/decisions", &aged(51)).await.cache_status(), MISS);
    let (service, http) = with_redis(&wrong).await;
    assert_eq!(http.post("/decisions", &aged(52)).await.cache_status(), UNAVAILABLE);
    service.line_with("authentication failed").await;
    assert!(service.lines().iter().all(|line| !line.contains("wrong-secret")), "{:?}", service.lines());
}

#[tokio::test]
async fn a_distant_redis_is_used_if_it_answers_within_the_deadline_and_a_fault_says_how_long_it_took() {
    let redis = Redis::start().await;
    let (_near, near) = Service::local(&[("REDIS_URL", &redis.url())]).await;
    near.post("/decisions", &aged(30)).await;
    redis.holds(1).await;
    let proxy = Proxy::to_redis(&redis).await;
    // More than the two fifths of the deadline that are for an open connection where there is time to open another.
    proxy.set(Mode::Distance(Duration::from_millis(600)));
    let variables = [("REDIS_URL", &*proxy.url()), ("CACHE_READ_TIMEOUT_MS", "1000"), ("WORKERS", "1")];
    let (service, http) = Service::local(&variables).await;
    let hit = "predict-once; hit; detail=redis";
    eventually("the connection is open", async || http.post("/decisions", &aged(30)).await.cache_status() == hit).await;
    for _ in 0..3 {
        assert_eq!(http.post("/decisions", &aged(30)).await.cache_status(), hit);
    }
    proxy.set(Mode::Hold);
    let answer = http.post("/decisions", &aged(30)).await;
    assert_eq!(answer.cache_status(), "predict-once; fwd=miss; detail=unavailable");
    service.line_with("fault=no answer in time (1000 ms, of a deadline of 1000 ms)").await;
}
