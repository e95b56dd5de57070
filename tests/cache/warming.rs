//! `predict-once cache warm`: its entries are byte for byte those of the service, and it can be stopped at any time.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf, process::Stdio};

use prediction_cache::Layout;
use rustix::process::{Signal, kill_process};
use test_support::{
    applications::{aged, with},
    eventually, models,
    redis::Redis,
    service::{binary, pid},
    soon,
};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::{
    layouts::{HIT, Server, asked, everywhere, key, signed},
    tools::{Ended, tool},
};

const HEADER: &str = "age_in_years,foreign_worker,personal_status_and_sex,installment_rate_in_percentage_of_disposable_income,present_employment_since\n";

/// CSV rows with the example at these ages.
fn csv(ages: impl IntoIterator<Item = u8>) -> String {
    let mut text = HEADER.to_owned();
    for age in ages {
        let _ = writeln!(text, "{age},yes,male: single,0.25,unemployed");
    }
    text
}

/// Every input of the shipped model.
fn every_input() -> String {
    let model = models::shipped();
    let categories = models::categories(&model);
    let values = |name: &str| &categories.iter().find(|(field, _)| *field == name).expect("a field").1;
    let mut text = HEADER.to_owned();
    for age in 18..=120 {
        for worker in values("foreign_worker") {
            for status in values("personal_status_and_sex") {
                for employed in values("present_employment_since") {
                    for rate in [0.1, 0.2, 0.25, 0.35] {
                        let _ = writeln!(text, "{age},{worker},\"{status}\",{rate},{employed}");
                    }
                }
            }
        }
    }
    text
}

fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    std::fs::write(&path, text).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

async fn warm(arguments: &[&str], variables: &[(&'static str, String)]) -> Ended {
    tool(&[&["warm"], arguments].concat(), variables).await
}

#[tokio::test]
async fn warmed_entries_are_hits_at_every_endpoint() {
    everywhere(async |server: Server, layout| {
        let settings = server.settings(layout);
        let rows = file(&format!("hits-{}.csv", layout.name()), &csv((18..28).chain(18..20)));
        let ended = warm(&[&rows], &settings).await;
        let entries = if layout == Layout::Output { 10 } else { 30 };
        assert_eq!(ended.status, 0, "{ended:?}");
        assert_eq!(ended.out, format!("12 rows: {entries} entries stored, 0 already present\n"));
        let (_service, http) = server.service(layout, &[]).await;
        assert!(asked(&http, 18..28).await.iter().all(|status| status == HIT));
        for key in server.keys().await {
            assert!((544_000..=665_280).contains(&server.command::<i64>(&["TTL", &key]).await));
        }
        let again = warm(&[&rows], &settings).await;
        assert_eq!(again.out, format!("12 rows: 0 entries stored, {entries} already present\n"));
    })
    .await;
}

/// Keys and values in Redis.
async fn contents(redis: &Redis) -> BTreeMap<String, String> {
    let mut contents = BTreeMap::new();
    for key in redis.keys().await {
        let value = match redis.command::<String>(&["TYPE", &key]).await.as_str() {
            "hash" => {
                let mut fields: Vec<(String, String)> = redis.command(&["HGETALL", &key]).await;
                fields.sort();
                format!("{fields:?}")
            }
            _ => redis.command(&["GET", &key]).await,
        };
        contents.insert(key, value);
    }
    contents
}

#[tokio::test]
async fn warming_stores_the_bytes_that_the_service_would_store() {
    for (layout, secret) in Layout::ALL.into_iter().flat_map(|layout| [(layout, ""), (layout, "a long enough secret")])
    {
        let servers = [Server::One(Redis::start().await), Server::One(Redis::start().await)];
        let [Server::One(by_service), Server::One(by_tool)] = &servers else { unreachable!() };
        let (_service, http) = servers[0].service(layout, &[("CACHE_SIGNING_KEY", secret)]).await;
        eventually("all is stored", async || asked(&http, 18..60).await.iter().all(|status| status == HIT)).await;
        let mut settings = servers[1].settings(layout).to_vec();
        settings.push(("CACHE_SIGNING_KEY", secret.to_owned()));
        assert_eq!(warm(&[&file("bytes.csv", &csv(18..60))], &settings).await.status, 0);
        assert_eq!(contents(by_tool).await, contents(by_service).await, "{layout:?}");
    }
}

#[tokio::test]
async fn json_lines_are_read_too_and_an_invalid_entry_is_replaced() {
    let server = Server::One(Redis::start().await);
    let Server::One(redis) = &server else { unreachable!() };
    let spoilt = key(Layout::String, "decision");
    let stored = signed(Layout::String, &spoilt, "decision", "DECLINE");
    redis.command::<()>(&["SET", &spoilt, &signed(Layout::String, &spoilt, "decision", "MAYBE")]).await;
    redis.command::<()>(&["SET", &spoilt.replace("2,30", "2,31"), &stored]).await;
    let lines: String = (30..33).map(|age| format!("{}\n\n", aged(age))).collect();
    let ended = warm(&[&file("inputs.jsonl", &lines)], &server.settings(Layout::String)).await;
    assert_eq!((ended.status, ended.out.as_str()), (0, "3 rows: 9 entries stored, 0 already present\n"), "{ended:?}");
    assert_eq!(redis.command::<String>(&["GET", &spoilt]).await, stored);
    assert_ne!(redis.command::<String>(&["GET", &spoilt.replace("2,30", "2,31")]).await, stored);
}

#[tokio::test]
async fn a_run_resumes_from_a_line_and_renews_entries_on_request() {
    let server = Server::One(Redis::start().await);
    let Server::One(redis) = &server else { unreachable!() };
    let settings = server.settings(Layout::String);
    let rows = file("resumed.csv", &csv(18..28));
    // The header is line 1.
    let ended = warm(&[&rows, "--from-line", "9"], &settings).await;
    assert_eq!(ended.out, "3 rows: 9 entries stored, 0 already present\n", "{ended:?}");
    let key = key(Layout::String, "decision").replace("2,30", "2,27");
    redis.command::<()>(&["EXPIRE", &key, "10"]).await;
    assert_eq!(warm(&[&rows], &settings).await.out, "10 rows: 21 entries stored, 9 already present\n");
    assert!(redis.command::<i64>(&["TTL", &key]).await <= 10);
    assert_eq!(warm(&[&rows, "--renew"], &settings).await.out, "10 rows: 30 entries stored, 0 already present\n");
    assert!(redis.command::<i64>(&["TTL", &key]).await > 10);
}

#[tokio::test]
async fn an_interrupted_run_ends_after_its_batch_and_says_how_to_resume() {
    let server = Server::One(Redis::start().await);
    let Server::One(redis) = &server else { unreachable!() };
    let mut command = Command::new(binary());
    command.env_clear().envs(server.settings(Layout::String)).args(["cache", "warm", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("it starts");
    // The pipe stays open, so the tool waits for more rows.
    let mut stdin = child.stdin.take().expect("piped");
    let rows: String = every_input().lines().take(151).flat_map(|line| [line, "\n"]).collect();
    stdin.write_all(rows.as_bytes()).await.expect("it reads");
    redis.holds(300).await;
    kill_process(pid(&child), Signal::INT).expect("ours");
    let ended = soon("it ends", child.wait_with_output()).await.expect("it was started");
    let out = String::from_utf8(ended.stdout).expect("UTF-8");
    assert_eq!(ended.status.code(), Some(130), "{out}");
    let expected = "100 rows: 300 entries stored, 0 already present\ninterrupted\nto resume: predict-once cache warm - --from-line 102\n";
    assert_eq!(out, expected);
    drop(stdin);
}

#[tokio::test]
async fn warming_stops_when_redis_has_used_its_share_and_nothing_is_evicted() {
    let server = Server::One(Redis::start().await);
    let Server::One(redis) = &server else { unreachable!() };
    redis.command::<()>(&["CONFIG", "SET", "maxmemory", "8mb", "maxmemory-policy", "allkeys-lru"]).await;
    let ended = warm(&[&file("many.csv", &every_input()), "--until", "0.6"], &server.settings(Layout::String)).await;
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(ended.out.contains("stopped: Redis has used 6") && ended.out.contains("--from-line "), "{}", ended.out);
    let info: String = redis.command(&["INFO"]).await;
    let number =
        |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().parse::<u64>());
    assert_eq!(number("evicted_keys:"), Some(Ok(0)));
    let used = number("used_memory:").expect("a line").expect("a number");
    assert!((4_000_000..5_600_000).contains(&used), "{used}");
    assert!(number("cmdstat_keys:").is_none());
}

#[tokio::test]
async fn an_invalid_row_is_reported_by_line_and_field_without_its_values() {
    let server = Server::One(Redis::start().await);
    let settings = server.settings(Layout::Output);
    let spoilt = format!(
        "{}secretive,yes,male: single,0.25,unemployed\n31,,male: single\n32,yes,male: single,0.25,unemployed\n",
        csv([30])
    );
    let rows = file("invalid.csv", &spoilt);
    let ended = warm(&[&rows], &settings).await;
    assert_eq!(
        (ended.status, ended.out.as_str()),
        (1, "4 rows: 2 entries stored, 0 already present\n2 invalid rows, skipped\n")
    );
    let told: Vec<_> = ended.err.lines().filter(|line| line.starts_with("line ")).collect();
    let expected =
        ["line 3: is not valid: \"age_in_years\" must be an integer from 18 to 120", "line 4: has 3 cells, expected 5"];
    assert_eq!(told, expected);
    assert_eq!(warm(&[&rows, "--skip-invalid"], &settings).await.status, 0);

    let lines = format!("{}\n[1]\n{{\"secretive\": }}\n{}\n", aged(30), with("age_in_years", "secretive"));
    let json = warm(&[&file("invalid.jsonl", &lines)], &settings).await;
    for text in [
        "line 2: must be a JSON object, not an array",
        "line 3: is not valid JSON at column",
        "line 4: is not valid: \"age_in_years\" must",
    ] {
        assert!(json.err.contains(text), "{text}: {}", json.err);
    }
    for ended in [&ended, &json] {
        assert!(!format!("{ended:?}").contains("secretive"), "{ended:?}");
    }
    let other = warm(&[&file("other.csv", "age,foreign_worker\n30,yes\n")], &settings).await;
    assert!(other.status == 1 && other.err.contains("column \"age\" is not a field of the model"), "{other:?}");
}

#[tokio::test]
async fn a_key_that_holds_another_type_does_not_keep_the_others_from_being_stored() {
    for layout in Layout::ALL {
        let server = Server::One(Redis::start().await);
        let Server::One(redis) = &server else { unreachable!() };
        redis.command::<()>(&["RPUSH", &key(layout, "decision"), "DECLINE"]).await;
        for arguments in [&[&*file("types.csv", &csv(29..32))][..], &[&*file("types.csv", &csv(29..32)), "--renew"]] {
            let ended = warm(arguments, &server.settings(layout)).await;
            if layout == Layout::Hash {
                assert_eq!((ended.status, redis.keys().await.len()), (1, 3), "{ended:?}");
                assert!(ended.err.contains("line 3: its key holds another type of value"), "{ended:?}");
            } else {
                assert_eq!(
                    (ended.status, &*redis.command::<String>(&["TYPE", &key(layout, "decision")]).await),
                    (0, "string")
                );
            }
        }
    }
}

#[tokio::test]
async fn a_redis_that_refuses_writes_ends_the_run_at_a_line_to_resume_from() {
    let server = Server::One(Redis::start().await);
    let Server::One(redis) = &server else { unreachable!() };
    redis.command::<()>(&["ACL", "SETUSER", "reader", "on", ">a-password", "~*", "+mget", "+info"]).await;
    let mut settings = server.settings(Layout::String).to_vec();
    settings.extend([("REDIS_USERNAME", "reader".to_owned()), ("REDIS_PASSWORD", "a-password".to_owned())]);
    let ended = warm(&[&file("refused.csv", &csv(18..28))], &settings).await;
    assert_eq!(ended.status, 1);
    assert!(
        ended.out.contains("stopped by a Redis fault: error reply NOPERM") && ended.out.contains("--from-line 1\n"),
        "{ended:?}"
    );
}
