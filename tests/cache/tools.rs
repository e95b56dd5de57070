//! `predict-once cache report` and `inspect`, on every kind of server: what they say, and that they hold nothing up.

use std::process::Stdio;

use predict_once::cache::{KeySpace, Layout, Namespace};
use serde_json::Value;
use tokio::process::Command;

use crate::{
    layouts::{Server, asked, everywhere, key},
    secure::with_tokens,
    support::{applications::example, eventually, models, redis::Redis, service::BINARY, soon},
};

/// How a command ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a tool with these settings and no others.
pub(crate) async fn tool(arguments: &[&str], variables: &[(&'static str, String)]) -> Ended {
    let mut command = Command::new(BINARY);
    command.env_clear().env("LOG_LEVEL", "trace").envs(variables.iter().map(|(name, value)| (*name, value)));
    let ended = command.arg("cache").args(arguments).stdin(Stdio::null()).output();
    let ended = soon("the tool ends", ended).await.expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { status: ended.status.code().expect("no signal"), out: text(ended.stdout), err: text(ended.stderr) }
}

async fn report(variables: &[(&'static str, String)]) -> Value {
    let ended = tool(&["report", "--json"], variables).await;
    assert_eq!((ended.status, ended.err.as_str()), (0, ""), "{ended:?}");
    ended.json()
}

/// What a report found of a kind of entries.
fn entries(report: &Value, kind: &str) -> Option<f64> {
    let kinds = report["sample"]["kinds"].as_array().expect("kinds");
    kinds.iter().find(|found| found["kind"] == kind)?["entries"].as_f64()
}

fn warnings(report: &Value) -> String {
    report["warnings"].to_string()
}

/// How often each command was called, on all nodes.
async fn calls(server: &Server, command: &str) -> u64 {
    let infos: Vec<String> = match server {
        Server::One(redis) => vec![redis.command(&["INFO", "commandstats"]).await],
        Server::Three(cluster) => {
            let mut infos = Vec::new();
            for node in 0..3 {
                infos.push(cluster.command(node, &["INFO", "commandstats"]).await.expect("statistics"));
            }
            infos
        }
    };
    let prefix = format!("cmdstat_{command}:calls=");
    let lines = infos.iter().flat_map(|info| info.lines());
    lines.filter_map(|line| line.strip_prefix(&prefix)?.split(',').next()?.parse::<u64>().ok()).sum()
}

#[tokio::test]
async fn without_redis_a_tool_says_so_in_one_line() {
    for arguments in [&["report"][..], &["inspect", "key"], &["warm", "-"]] {
        let ended = tool(arguments, &[]).await;
        assert_eq!((ended.status, ended.out.as_str()), (1, ""));
        assert!(
            ended.err.starts_with("Error: REDIS_URL is not set") && ended.err.lines().count() == 1,
            "{}",
            ended.err
        );
        // Nobody listens on this port.
        let ended = tool(arguments, &[("REDIS_URL", "redis://127.0.0.1:1".to_owned())]).await;
        assert_eq!(ended.status, 1);
        assert!(
            ended.err.starts_with("Error: Redis at 127.0.0.1:1: ") && ended.err.lines().count() == 1,
            "{}",
            ended.err
        );
    }
    let ended = tool(&["report", "--everything"], &[]).await;
    assert_eq!((ended.status, ended.err.lines().next()), (2, Some("Error: unexpected argument \"--everything\"")));
    let ended = tool(&["--help"], &[]).await;
    assert!(ended.status == 0 && ended.out.contains("--from-line N"), "{ended:?}");
}

#[tokio::test]
async fn a_report_counts_what_is_there_and_holds_nothing_up() {
    everywhere(async |server: Server, layout| {
        let (_service, http) = server.service(layout, &[]).await;
        asked(&http, 18..28).await;
        let expected = if layout == Layout::String { 30 } else { 10 };
        eventually("all is stored", async || {
            server.keys().await.len() == expected
                && asked(&http, 18..28).await.iter().all(|status| status.contains("hit"))
        })
        .await;
        let keys_before = calls(&server, "keys").await;
        let report = report(&server.settings(layout)).await;
        assert_eq!(calls(&server, "keys").await, keys_before);
        assert!((1..=3).contains(&calls(&server, "scan").await));
        assert!(calls(&server, "pttl").await <= 30);
        assert_eq!(entries(&report, "current"), Some(expected as f64), "{layout:?} {report:#}");
        assert_eq!((&report["sample"]["is_whole"], &report["total"]["keys"]), (&true.into(), &expected.into()));
        let nodes = report["nodes"].as_array().expect("nodes");
        assert_eq!(nodes.len(), if matches!(server, Server::Three(_)) { 3 } else { 1 });
        let sum = |name: &str| nodes.iter().map(|node| node[name].as_u64().expect("a number")).sum::<u64>();
        for figure in ["keys", "hits", "misses", "evicted", "used_memory_bytes"] {
            assert_eq!(report["total"][figure], sum(figure), "{figure}");
        }
        assert!(
            report["total"]["hits"].as_u64() >= Some(10) && report["total"]["misses"].as_u64() >= Some(10),
            "{report:#}"
        );
        let table = tool(&["report"], &server.settings(layout)).await.out;
        assert!(table.contains(&format!("layout {}", layout.name())) && table.contains("hit ratio"), "{table}");
        assert!(!table.contains("2,18,"), "a report names no key: {table}");
    })
    .await;
}

#[tokio::test]
async fn a_report_warns_of_what_keeps_the_cache_from_doing_well() {
    let server = Server::One(Redis::start().await);
    let Server::One(redis) = &server else { unreachable!() };
    let settings = server.settings(Layout::String);
    let first = report(&settings).await;
    assert!(warnings(&first).contains("maxmemory is not set"), "{first:#}");
    assert!(warnings(&first).contains("noeviction: once full, it will refuse new entries"), "{first:#}");

    redis.command::<()>(&["CONFIG", "SET", "maxmemory", "64mb", "maxmemory-policy", "volatile-lru"]).await;
    let healthy = key(Layout::String, "decision");
    redis.command::<()>(&["SET", &healthy, "DECLINE", "EX", "1000"]).await;
    redis.command::<()>(&["SET", &healthy.replace(":2,30", ":2,31"), "DECLINE"]).await;
    redis.command::<()>(&["SET", &key(Layout::Output, ""), "0.25", "EX", "1000"]).await;
    redis.command::<()>(&["SET", "predict-once:0123456789abcdef:decision:1", "ACCEPT", "EX", "1000"]).await;
    redis.command::<()>(&["SET", "session:1", "secret"]).await;
    let report = report(&settings).await;
    for (kind, count) in [("current", 2.0), ("other_layout", 1.0), ("other_model", 1.0), ("foreign", 1.0)] {
        assert_eq!(entries(&report, kind), Some(count), "{kind}: {report:#}");
    }
    for text in [
        "2 keys do not have a time to live, which volatile-lru never evicts",
        "1 of 2 sampled entries have no time to live",
        "other models or versions (fingerprint 0123456789abcdef)",
        "in another layout (output)",
    ] {
        assert!(warnings(&report).contains(text), "{text}: {report:#}");
    }
    assert!(!warnings(&report).contains("maxmemory is not set"));

    let others = [settings[0].clone(), ("CACHE_NAMESPACE", "elsewhere".to_owned())];
    let report = self::report(&others).await;
    assert!(warnings(&report).contains("no entry of this model was found under elsewhere"), "{report:#}");
}

#[tokio::test]
async fn a_large_redis_is_sampled_and_the_estimate_comes_with_its_margin() {
    let server = Server::One(Redis::start().await);
    let Server::One(redis) = &server else { unreachable!() };
    let fill = "for i = 1, tonumber(ARGV[2]) do redis.call('SET', ARGV[1] .. i, 'DECLINE', 'EX', 1000) end";
    let ours = key(Layout::String, "decision").replace("2,30,0,0,2", "");
    redis.command::<()>(&["EVAL", fill, "0", &ours, "30000"]).await;
    redis.command::<()>(&["EVAL", fill, "0", "session:", "70000"]).await;
    let report = report(&server.settings(Layout::String)).await;
    let sampled = report["sample"]["keys"].as_u64().expect("a number");
    assert!((4_000..4_400).contains(&sampled) && report["sample"]["is_whole"] == false, "{report:#}");
    let kind = &report["sample"]["kinds"][0];
    let margin = kind["entries_margin"].as_f64().expect("a number");
    // Three standard errors: two are exceeded by one run in twenty.
    let off = (kind["entries"].as_f64().expect("a number") - 30_000.0).abs();
    assert!(kind["kind"] == "current" && off <= 2.0 * margin && margin < 2_000.0, "{kind}");
    assert_eq!(calls(&server, "keys").await, 0);
    assert!(calls(&server, "scan").await <= 60);
    assert!(calls(&server, "memory|usage").await <= 300 && calls(&server, "pttl").await <= 100);
}

#[tokio::test]
async fn a_report_says_how_much_fits_and_when_redis_evicts() {
    let server = Server::One(Redis::start().await);
    let Server::One(redis) = &server else { unreachable!() };
    let used: String = redis.command(&["INFO", "memory"]).await;
    let used = used.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("a line").trim().to_owned();
    let limit = (used.parse::<u64>().expect("a number") + 4_000_000).to_string();
    redis.command::<()>(&["CONFIG", "SET", "maxmemory", &limit, "maxmemory-policy", "allkeys-lru"]).await;
    let fill =
        "for i = tonumber(ARGV[2]), tonumber(ARGV[3]) do redis.call('SET', ARGV[1] .. i, 'DECLINE', 'EX', 1000) end";
    let ours = key(Layout::String, "decision").replace("2,30,0,0,2", "");
    redis.command::<()>(&["EVAL", fill, "0", &ours, "1", "11000"]).await;
    let before = report(&server.settings(Layout::String)).await;
    let fits = before["more_memory"]["entries_that_fit"].as_f64().expect("a number");
    assert!(before["more_memory"]["with_tables"] == true && before["more_memory"]["is_full"] == false, "{before:#}");

    let in_steps = async |from: u64, to: u64| {
        for step in (from..to).step_by(100) {
            let (first, last) = (step.to_string(), (step + 99).to_string());
            redis.command::<()>(&["EVAL", fill, "0", &ours, &first, &last]).await;
        }
    };
    in_steps(11_001, 30_001).await;
    let held: f64 = redis.command::<u64>(&["DBSIZE"]).await as f64 - 11_000.0;
    assert!((0.6..1.7).contains(&(fits / held)), "{fits} were to fit, and {held} do");
    redis.command::<Option<String>>(&["GET", &format!("{ours}1")]).await;
    let after = report(&server.settings(Layout::String)).await;
    assert_eq!(
        (&after["more_memory"]["is_full"], &after["more_memory"]["entries_that_fit"]),
        (&true.into(), &0.into())
    );
    assert!(
        after["total"]["evicted"].as_u64() > Some(0) && after["more_memory"]["hit_ratio_at_most"].is_number(),
        "{after:#}"
    );
    let settings = server.settings(Layout::String);
    let (during, ()) = tokio::join!(report(&settings), async {
        for round in 0..40 {
            in_steps(40_000 + 100 * round, 40_100 + 100 * round).await;
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
    });
    assert!(warnings(&during).contains("evicting now"), "{during:#}");
}

#[tokio::test]
async fn an_entry_is_shown_with_its_fields_by_name_and_its_answers() {
    everywhere(async |server: Server, layout| {
        let (_service, http) = server.service(layout, &[]).await;
        let key = key(layout, "probability");
        eventually("all is stored", async || asked(&http, 30..31).await.iter().all(|status| status.contains("hit")))
            .await;
        let ended = tool(&["inspect", &key, "--json"], &server.settings(layout)).await;
        assert_eq!((ended.status, ended.err.as_str()), (0, ""), "{ended:?}");
        let shown = ended.json();
        let input: Vec<_> =
            shown["input"].as_array().expect("fields").iter().map(|field| field["text"].as_str()).collect();
        let expected = ["at least 0.25 and below 0.35", "30 years", "\"yes\"", "\"unemployed\"", "\"male: single\""];
        assert_eq!(input, expected.map(Some));
        let answers = shown["answers"].as_object().expect("answers");
        let probability = http.post("/probabilities", &example()).await.json();
        assert_eq!(answers["probability"], probability["probability"]);
        let names: Vec<_> = answers.keys().map(String::as_str).collect();
        let all = ["decision", "probability", "risk_category"];
        assert_eq!(names, if layout == Layout::String { vec!["probability"] } else { all.to_vec() });
        assert!(
            shown["ttl_seconds"].as_u64() > Some(604_000) && shown["memory_bytes"].as_u64() > Some(50),
            "{shown:#}"
        );
        let table = tool(&["inspect", &key], &server.settings(layout)).await;
        assert!(
            table.out.contains("age_in_years") && table.out.contains("the service answers with this entry"),
            "{}",
            table.out
        );

        for other in Layout::ALL.into_iter().filter(|other| *other != layout) {
            let ended = tool(&["inspect", &key], &server.settings(other)).await;
            assert_eq!(ended.status, 1);
            assert!(ended.out.contains(&format!("of the layout {}, which a service", layout.name())), "{}", ended.out);
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_that_the_service_would_not_answer_with_is_explained() {
    let server = Server::One(Redis::start().await);
    let Server::One(redis) = &server else { unreachable!() };
    let settings = server.settings(Layout::String);
    let ours = key(Layout::String, "decision");
    let digest = KeySpace::new(&Namespace::default(), Layout::String, models::shipped().fingerprint());
    let digest = digest.key("decision", "1".repeat(201)).as_str().to_owned();
    redis.command::<()>(&["SET", &digest, "ACCEPT"]).await;
    redis.command::<()>(&["SET", &ours, "MAYBE"]).await;
    let list = ours.replace("2,30", "2,31");
    redis.command::<()>(&["RPUSH", &list, "DECLINE"]).await;
    for (key, text) in [
        ("session:1", "not a key of a prediction"),
        (&*ours.replace("predict-once", "other"), "of another namespace: other, while CACHE_NAMESPACE is predict-once"),
        (
            "predict-once:0123456789abcdef:decision:1",
            "of another model, or another version: its fingerprint is 0123456789abcdef",
        ),
        (&*ours.replace("decision", "verdict"), "the model has no prediction \"verdict\""),
        (&*ours.replace("2,30", "9,30"), "no input of this model prints as this one"),
        (&*ours.replace("2,30", "2,32"), "there is no such key"),
        (&*ours, "decision: not what the service would have stored"),
        (&*list, "the key holds another type of value"),
    ] {
        let ended = tool(&["inspect", key], &settings).await;
        assert_eq!((ended.status, ended.err.as_str()), (1, ""), "{key}");
        assert!(
            ended.out.contains(text) && ended.out.contains("the service does not answer with it"),
            "{key}: {}",
            ended.out
        );
    }
    let ended = tool(&["inspect", &digest], &settings).await;
    for text in ["the key holds its digest", "decision \"ACCEPT\"", "it has no time to live"] {
        assert!(ended.out.contains(text), "{}", ended.out);
    }
    assert_eq!(ended.status, 0, "the service would answer with it");
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
    assert!(ended.out.contains("there is no such key"), "{ended:?}");
}
