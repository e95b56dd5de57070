//! Error replies from Redis: each is a named miss, the answer comes from the model, and the connection stays in use, because
//! a refused write is no reason to stop reading.

use serde_json::json;
use test_support::{
    applications::{aged, example},
    eventually,
    redis::Redis,
    service::{Http, Service},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const HIT: &str = "predict-once; hit; detail=redis";
const MISS: &str = "predict-once; fwd=miss";
const UNAVAILABLE: &str = "predict-once; fwd=miss; detail=unavailable";

/// A service whose Redis already holds the example's prediction.
async fn filled() -> (Redis, Service, Http) {
    let redis = Redis::start().await;
    let (service, http) = Service::local(&[("REDIS_URL", &redis.url())]).await;
    assert_eq!(http.post("/decisions", &example()).await.cache_status(), MISS);
    redis.holds(1).await;
    (redis, service, http)
}

async fn asked(http: &Http, application: &serde_json::Value) -> String {
    let answer = http.post("/decisions", application).await;
    assert_eq!(answer.status, 200);
    answer.cache_status().to_owned()
}

async fn hits_again(http: &Http) {
    eventually("a hit", || async { asked(http, &example()).await == HIT }).await;
}

#[tokio::test]
async fn a_replica_without_its_primary_is_read_and_its_refused_writes_are_logged_once() {
    let (redis, service, http) = filled().await;
    redis.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await;
    for age in 40..45 {
        assert_eq!(asked(&http, &aged(age)).await, MISS);
    }
    service.line_with("the cache refuses writes fault=error reply READONLY").await;
    assert_eq!(asked(&http, &example()).await, HIT);
    redis.command::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    asked(&http, &aged(46)).await;
    service.line_with("the cache accepts writes again").await;
    let refusals = service.lines().iter().filter(|line| line.contains("refuses writes")).count();
    assert_eq!(refusals, 1, "{:?}", service.lines());
}

#[tokio::test]
async fn a_refused_transaction_is_logged_with_the_reason() {
    for (command, reason) in [
        (&["REPLICAOF", "127.0.0.1", "1"][..], "READONLY"),
        (&["CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1"], "OOM"),
        (&["ACL", "SETUSER", "default", "-hset"], "NOPERM"),
    ] {
        let redis = Redis::start().await;
        let (service, http) = Service::local(&[("REDIS_URL", &redis.url()), ("CACHE_LAYOUT", "hash")]).await;
        redis.command::<()>(command).await;
        assert_eq!(asked(&http, &example()).await, MISS);
        let line = service.line_with("the cache refuses writes").await;
        assert!(line.contains(&format!("fault=error reply {reason}")), "{line}");
    }
}

#[tokio::test]
async fn a_replica_that_refuses_to_serve_stale_data_is_not_used_until_it_does() {
    let (redis, service, http) = filled().await;
    redis.command::<()>(&["CONFIG", "SET", "replica-serve-stale-data", "no"]).await;
    redis.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await;
    assert_eq!(asked(&http, &example()).await, UNAVAILABLE);
    service.line_with("the cache refuses lookups fault=error reply MASTERDOWN").await;
    redis.command::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    hits_again(&http).await;
    service.line_with("the cache accepts lookups again").await;
}

#[tokio::test]
async fn a_user_without_permission_has_no_cache_until_it_is_granted() {
    let (redis, service, http) = filled().await;
    redis.command::<()>(&["ACL", "SETUSER", "default", "-get"]).await;
    assert_eq!(asked(&http, &example()).await, UNAVAILABLE);
    service.line_with("the cache refuses lookups fault=error reply NOPERM").await;
    redis.command::<()>(&["ACL", "SETUSER", "default", "+get"]).await;
    hits_again(&http).await;
}

#[tokio::test]
async fn without_permission_an_array_is_unavailable_and_neither_a_hit_nor_corrupt() {
    for (layout, command) in [("string", "mget"), ("hash", "hget"), ("output", "mget")] {
        let redis = Redis::start().await;
        let (service, http) = Service::local(&[("REDIS_URL", &redis.url()), ("CACHE_LAYOUT", layout)]).await;
        redis.command::<()>(&["ACL", "SETUSER", "default", &format!("-{command}")]).await;
        let array = json!([example(), aged(40)]);
        assert_eq!(asked(&http, &array).await, UNAVAILABLE, "{layout}");
        service.line_with("the cache refuses lookups fault=error reply NOPERM").await;
    }
}

#[tokio::test]
async fn a_redis_that_refuses_new_connections_is_retried_once_per_second() {
    let redis = Redis::start().await;
    let mut control = redis.connection().await;
    // The database does not exist, so Redis answers the handshake with an error.
    let (service, http) = Service::local(&[("REDIS_URL", &format!("{}/99", redis.url()))]).await;
    for age in 20..60 {
        assert_eq!(asked(&http, &aged(age)).await, UNAVAILABLE);
    }
    let told = |text: &str| service.lines().iter().filter(|line| line.contains(text)).count();
    assert_eq!(told("the cache is unavailable for lookups"), 1, "{:?}", service.lines());
    assert_eq!(told("available again"), 0);
    let stats: String = redis::cmd("INFO").arg("stats").query_async(&mut control).await.expect("it answers");
    let line =
        stats.lines().find_map(|line| line.strip_prefix("total_connections_received:")).expect("Redis counts them");
    let connections: usize = line.parse().expect("a number");
    // One connection each for reads and writes, two attempts per retry, plus this test's own connections.
    assert!(connections < 20, "{connections}");
}

#[tokio::test]
async fn a_password_set_during_a_run_disables_the_cache_until_it_is_removed() {
    let (redis, service, http) = filled().await;
    let mut control = redis.connection().await;
    let mut run = async |words: &[&str]| {
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
        command.exec_async(&mut control).await.unwrap_or_else(|error| panic!("{words:?}: {error}"));
    };
    run(&["CONFIG", "SET", "requirepass", "secret"]).await;
    run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    assert_eq!(asked(&http, &example()).await, UNAVAILABLE);
    service.line_with("the cache is unavailable").await;
    run(&["CONFIG", "SET", "requirepass", ""]).await;
    hits_again(&http).await;
}

/// A server that answers every `GET` and `SET` with this error reply and every other command with OK.
async fn refusing(reply: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("redis://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                    let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                    // Each command is an array of bulk strings, so one line per command starts with `*`.
                    let commands = text.split_inclusive("\r\n").filter(|line| line.starts_with('*')).count();
                    let refused = ["\r\nGET\r\n", "\r\nSET\r\n"].iter().any(|command| text.contains(command));
                    let answer = if refused { format!("-{reply}\r\n") } else { "+OK\r\n".to_owned() };
                    if stream.write_all(answer.repeat(commands).as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

/// The error replies that a test cannot easily provoke from a real server.
#[tokio::test]
async fn every_other_error_reply_is_a_named_miss_too() {
    for (reply, logged) in [
        ("LOADING Redis is loading the dataset in memory", "error reply LOADING"),
        ("CLUSTERDOWN The cluster is down", "error reply CLUSTERDOWN"),
        ("MOVED 3999 127.0.0.1:6381", "error reply MOVED"),
        ("ASK 3999 127.0.0.1:6381", "error reply ASK"),
        ("TRYAGAIN Multiple keys request during rehashing of slot", "error reply TRYAGAIN"),
        ("BUSY Redis is busy running a script", "error reply BUSY"),
        ("MISCONF Redis is configured to save RDB snapshots", "error reply MISCONF"),
        ("ERR unknown command 'GET', with args beginning with: 'predict-once:'", "error reply ERR (unknown command"),
        ("NOAUTH Authentication required.", "authentication failed"),
    ] {
        let (service, http) = Service::local(&[("REDIS_URL", &refusing(reply).await)]).await;
        assert_eq!(asked(&http, &example()).await, UNAVAILABLE, "{reply}");
        let line = service.line_with(logged).await;
        assert!(!line.contains("predict-once:"), "a reply can quote a key: {line}");
    }
}
