//! `predict-once cache report` on every kind of server: what it says, and that it never blocks Redis.

use std::time::Duration;

use prediction_cache::Layout;
use serde_json::Value;
use test_support::{
    eventually,
    proxy::{Mode, Proxy},
    redis::Redis,
};

use crate::{
    layouts::{Server, asked, everywhere, key},
    tools::{report, tool},
};

/// The number of entries of a kind in a report.
fn entries(report: &Value, kind: &str) -> Option<f64> {
    let kinds = report["sample"]["kinds"].as_array().expect("kinds");
    kinds.iter().find(|found| found["kind"] == kind)?["entries"].as_f64()
}

fn warnings(report: &Value) -> String {
    report["warnings"].to_string()
}

/// The number of calls of each command, summed over all nodes.
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
async fn a_report_counts_the_entries_and_does_not_block_redis() {
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
async fn a_report_warns_of_settings_and_entries_that_harm_the_cache() {
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
        "2 keys have no time to live, and volatile-lru never evicts such keys",
        "1 of 2 sampled entries have no time to live",
        "other models or versions (fingerprint 0123456789abcdef)",
        "in another layout (output)",
    ] {
        assert!(warnings(&report).contains(text), "{text}: {report:#}");
    }
    assert!(!warnings(&report).contains("maxmemory is not set"));

    let others = [settings[0].clone(), ("CACHE_NAMESPACE", "elsewhere".to_owned())];
    let report = self::report(&others).await;
    assert!(warnings(&report).contains("no entries of this model found in namespace elsewhere"), "{report:#}");
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
async fn a_large_redis_is_sampled_and_the_estimate_comes_with_its_margin() {
    let server = Server::One(Redis::start().await);
    let Server::One(redis) = &server else { unreachable!() };
    let fill = "for i = ARGV[2], ARGV[2] + 4999 do redis.call('SET', ARGV[1] .. i, 'DECLINE', 'EX', 1000) end";
    let ours = key(Layout::String, "decision").replace("2,30,0,0,2", "");
    // In batches, because the client's timeout for a command is half a second.
    for (prefix, entries) in [(ours.as_str(), 30_000), ("session:", 70_000)] {
        for first in (0..entries).step_by(5_000) {
            redis.command::<()>(&["EVAL", fill, "0", prefix, &first.to_string()]).await;
        }
    }
    let report = report(&server.settings(Layout::String)).await;
    let sampled = report["sample"]["keys"].as_u64().expect("a number");
    assert!((4_000..4_400).contains(&sampled) && report["sample"]["is_whole"] == false, "{report:#}");
    let kind = &report["sample"]["kinds"][0];
    let margin = kind["entries_margin"].as_f64().expect("a number");
    // Three standard errors: one run in twenty would exceed two.
    let off = (kind["entries"].as_f64().expect("a number") - 30_000.0).abs();
    assert!(kind["kind"] == "current" && off <= 2.0 * margin && margin < 2_000.0, "{kind}");
    assert_eq!(calls(&server, "keys").await, 0);
    assert!(calls(&server, "scan").await <= 60);
    assert!(calls(&server, "memory|usage").await <= 300 && calls(&server, "pttl").await <= 100);
}

#[tokio::test]
async fn a_full_redis_under_noeviction_is_reported_with_the_writes_that_it_has_refused() {
    let redis = Redis::start().await;
    redis.command::<()>(&["CONFIG", "SET", "maxmemory", "3mb", "maxmemory-policy", "noeviction"]).await;
    let mut connection = redis.connection().await;
    let value = vec![b'x'; 100_000];
    let mut refused = 0_u64;
    for n in 0..40 {
        let stored: Result<(), ::redis::RedisError> =
            ::redis::cmd("SET").arg(format!("key {n}")).arg(&value).query_async(&mut connection).await;
        refused += u64::from(stored.is_err());
    }
    assert!(refused > 0);
    let report = report(&[("REDIS_URL", redis.url())]).await;
    assert_eq!(report["nodes"][0]["refused_writes"], refused, "{report:#}");
    let expected = format!(
        "maxmemory-policy is noeviction: it has refused {refused} writes, and when full, it will refuse new entries"
    );
    assert!(warnings(&report).contains(&expected), "{report:#}");
}

#[tokio::test]
async fn a_distant_redis_is_reported_with_its_round_trip_and_the_deadline_of_a_lookup() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    proxy.set(Mode::Distance(Duration::from_millis(35)));
    for (deadline, consequence) in [("10000", None), ("20", Some("no lookup is waited for"))] {
        let report = report(&[("REDIS_URL", proxy.url()), ("CACHE_READ_TIMEOUT_MS", deadline.to_owned())]).await;
        let round_trip = report["nodes"][0]["round_trip_ms"].as_f64();
        assert!(round_trip >= Some(35.0) && round_trip < Some(4_000.0), "{report:#}");
        match consequence {
            None => assert!(!warnings(&report).contains("away"), "{report:#}"),
            Some(consequence) => {
                let expected = format!("waits {deadline} ms for a lookup (CACHE_READ_TIMEOUT_MS): {consequence}");
                assert!(warnings(&report).contains(&expected), "{report:#}");
            }
        }
    }
}
