//! What all `predict-once cache` commands share: errors in one line, and the service's ways of connecting to Redis.

use std::process::Stdio;

use prediction_cache::Layout;
use serde_json::Value;
use test_support::{redis::Redis, service::binary, soon};
use tokio::process::Command;

use crate::{layouts::key, secure::with_tokens};

/// The exit status and output of a command.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a tool with these settings and no others.
pub(crate) async fn tool(arguments: &[&str], variables: &[(&'static str, String)]) -> Ended {
    let mut command = Command::new(binary());
    command.env_clear().env("LOG_LEVEL", "trace").envs(variables.iter().map(|(name, value)| (*name, value)));
    let ended = command.arg("cache").args(arguments).stdin(Stdio::null()).output();
    let ended = soon("the tool ends", ended).await.expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { status: ended.status.code().expect("no signal"), out: text(ended.stdout), err: text(ended.stderr) }
}

/// Runs `cache report`, which must succeed and print no error.
pub(crate) async fn report(variables: &[(&'static str, String)]) -> Value {
    let ended = tool(&["report", "--json"], variables).await;
    assert_eq!((ended.status, ended.err.as_str()), (0, ""), "{ended:?}");
    ended.json()
}

#[tokio::test]
async fn without_redis_a_tool_says_so_in_one_line() {
    for arguments in [&["report"][..], &["inspect", "key"], &["warm", "-"]] {
        let ended = tool(arguments, &[]).await;
        assert_eq!((ended.status, ended.out.as_str()), (1, ""));
        assert!(
            ended.err.starts_with("Error: REDIS_URL is not set")
                && ended.err.contains("`predict-once stats URL`")
                && ended.err.lines().count() == 1,
            "{}",
            ended.err
        );
        // No process listens on this port.
        let ended = tool(arguments, &[("REDIS_URL", "redis://127.0.0.1:1".to_owned())]).await;
        assert_eq!(ended.status, 1);
        assert!(
            ended.err.starts_with("Error: Redis at 127.0.0.1:1: ") && ended.err.lines().count() == 1,
            "{}",
            ended.err
        );
    }
    let ended = tool(&["report", "--everything"], &[]).await;
    assert_eq!((ended.status, ended.err.lines().next()), (2, Some("Error: invalid option '--everything'")));
    let ended = tool(&["--help"], &[]).await;
    assert!(ended.status == 0 && ended.out.contains("--from-line N"), "{ended:?}");
}

#[tokio::test]
async fn the_tools_reach_redis_by_tls_and_with_iam_tokens() {
    let redis = Redis::start_tls().await;
    let (url, authority) = redis.tls();
    let with = |more: &[(&'static str, &str)]| {
        let all = [&[("REDIS_URL", &*url), ("REDIS_CA_FILE", &*authority)], more].concat();
        all.into_iter().map(|(name, value)| (name, value.to_owned())).collect::<Vec<_>>()
    };
    report(&with(&[])).await;
    let untrusted = tool(&["report"], &with(&[])[..1]).await;
    assert!(untrusted.status == 1 && untrusted.err.starts_with("Error: Redis at 127.0.0.1:"), "{untrusted:?}");
    with_tokens(&redis, "the-secret-key").await;
    let iam = [
        ("REDIS_AUTH", "iam"),
        ("REDIS_USERNAME", "predict-once"),
        ("REDIS_IAM_CACHE_NAME", "predictions"),
        ("REDIS_IAM_SERVERLESS", "true"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "the-secret-key"),
        ("AWS_SESSION_TOKEN", "session"),
    ];
    report(&with(&iam)).await;
    redis.command::<()>(&["CONFIG", "RESETSTAT"]).await;
    let ended = tool(&["inspect", &key(Layout::String, "decision")], &with(&iam)).await;
    assert!(ended.out.contains("no such key"), "{ended:?}");
}
