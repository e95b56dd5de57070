//! `predict-once gain`: what a cache would bring for a model and a file of requests.

use std::{fs, path::PathBuf, process::Stdio};

use serde_json::Value;
use test_support::{applications::aged, redis::Redis, service::binary, soon};
use tokio::process::Command;

use crate::tools::Ended;

/// Runs `gain` with these settings and no others.
async fn gain(arguments: &[&str], variables: &[(&'static str, String)]) -> Ended {
    let mut command = Command::new(binary());
    command.env_clear().envs(variables.iter().map(|(name, value)| (*name, value)));
    let ended = command.arg("gain").args(arguments).stdin(Stdio::null()).output();
    let ended = soon("the tool ends", ended).await.expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { status: ended.status.code().expect("no signal"), out: text(ended.stdout), err: text(ended.stderr) }
}

/// A file of requests for these ages, and of other lines, in a directory of its own.
fn file(name: &str, ages: impl IntoIterator<Item = u8>, others: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gain");
    fs::create_dir_all(&directory).expect("a directory");
    let lines = ages.into_iter().map(|age| aged(age).to_string() + "\n");
    let path = directory.join(name);
    fs::write(&path, lines.collect::<String>() + others).expect("written");
    path
}

async fn report(arguments: &[&str], variables: &[(&'static str, String)]) -> Value {
    let ended = gain(&[arguments, &["--json"]].concat(), variables).await;
    assert_eq!((ended.status, ended.err.as_str()), (0, ""), "{ended:?}");
    ended.json()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[tokio::test]
async fn repetitions_are_counted_and_saved_time_is_hits_times_the_run_less_the_lookups() {
    let path = file("few.jsonl", [30, 31, 30, 30, 32], "{\"age_in_years\": 7}\nno JSON\n");
    let arguments = ["--requests", path.to_str().expect("UTF-8"), "--lookup-ms", "0.01", "--per-month", "1000"];
    let report = report(&arguments, &[("COST_PER_GB_SECOND", "2".to_owned())]).await;
    let requests = &report["requests"];
    let counted = ["valid", "invalid", "distinct"].map(|name| requests[name].as_u64());
    assert_eq!(counted, [Some(5), Some(2), Some(3)]);
    assert!((number(&requests["repeated"]) - 0.4).abs() < 1e-12);
    let [all] = &requests["memory"].as_array().expect("a list")[..] else { panic!("{requests}") };
    assert_eq!((&all["entries"], number(&all["hit_ratio"])), (&3.into(), 0.4));
    assert!(number(&all["bytes"]) > 3.0 * 256.0);
    let (run, lookup) = (number(&report["run_ms"]), number(&report["lookups"]["memory_ms"]));
    assert!(run > 0.0 && lookup > 0.0);
    for (saved, lookup) in [(&all["saved"], lookup), (&requests["redis"], 0.01)] {
        let each = number(&saved["ms_per_request"]);
        assert!((each - (0.4 * run - lookup)).abs() < 1e-9, "{each}");
        assert!((number(&saved["seconds_per_month"]) - each).abs() < 1e-9, "of 1,000 requests");
        let per_second = number(&saved["money_per_month"]) / number(&saved["seconds_per_month"]);
        assert!(per_second > 0.0 && (per_second / 2.0).is_finite(), "{per_second}");
    }
    assert!((number(&report["redis_break_even_hit_ratio"]) - 0.01 / run).abs() < 1e-9);
}

#[tokio::test]
async fn a_larger_cache_has_a_higher_hit_ratio_up_to_that_of_all_repetitions() {
    // Each of 101 inputs many times, in an order that a hundred entries cannot follow.
    let ages = (0..2_000_u32).map(|n| 19 + ((n.wrapping_mul(2_654_435_761) >> 12) % 101) as u8);
    let path = file("many.jsonl", ages, "");
    let report = report(&["--requests", path.to_str().expect("UTF-8")], &[]).await;
    let requests = &report["requests"];
    assert_eq!(requests["distinct"], 101);
    let sizes = requests["memory"].as_array().expect("a list");
    let [few, all] = &sizes[..] else { panic!("a hundred entries, and all: {requests}") };
    assert_eq!((&few["entries"], &all["entries"]), (&100.into(), &101.into()));
    assert!(number(&few["hit_ratio"]) < number(&all["hit_ratio"]));
    assert_eq!(number(&all["hit_ratio"]), number(&requests["repeated"]));
    assert_eq!(all["saved"]["money_per_month"], Value::Null);
}

#[tokio::test]
async fn the_report_for_people_names_no_input_and_says_what_is_assumed() {
    let path = file("people.jsonl", [30, 30, 47], "{\"age_in_years\": 7}\n");
    let plot = path.with_extension("svg");
    let arguments = ["--requests", path.to_str().expect("UTF-8"), "--svg", plot.to_str().expect("UTF-8")];
    let ended = gain(&arguments, &[]).await;
    assert_eq!((ended.status, ended.err.as_str()), (0, ""), "{ended:?}");
    for part in [
        "model                credit_risk, fingerprint ",
        "a run takes          ",
        "0.30 ms in Redis (assumed, within one zone; REDIS_URL measures it, --lookup-ms sets it)",
        "requests             3 (1 invalid one skipped)",
        "distinct inputs      2",
        "repeated             33.3 % of the requests ask for an input that came before",
        "per month of 1,000,000 requests",
        "memory, 2 entries",
        "Redis, all of them",
    ] {
        assert!(ended.out.contains(part), "{part}: {}", ended.out);
    }
    assert!(!ended.out.contains("male") && !ended.out.contains("age_in_years"), "{}", ended.out);
    let plot = fs::read_to_string(plot).expect("written");
    assert!(plot.starts_with("<svg ") && plot.contains("this model, at 33 % hits") && plot.contains("<circle "));
}

#[tokio::test]
async fn without_requests_the_run_the_lookup_and_the_break_even_are_reported() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/packages/penguins");
    let ended = gain(&[directory], &[]).await;
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(ended.out.contains("model                species, ") && ended.out.contains("Redis pays "), "{}", ended.out);
    assert!(ended.out.contains("--requests FILE says how many would be hits"), "{}", ended.out);
}

#[tokio::test]
async fn lookups_are_measured_in_the_services_redis_and_nothing_is_stored() {
    let redis = Redis::start().await;
    let report = report(&[], &[("REDIS_URL", redis.url())]).await;
    let measured = &report["lookups"]["redis"];
    assert_eq!(measured["basis"], format!("measured at {}", redis.address()));
    assert!(number(&measured["ms"]) > 0.0);
    redis.holds(0).await;
    let ended = gain(&[], &[("REDIS_URL", "redis://127.0.0.1:1".to_owned())]).await;
    assert_eq!(ended.status, 1);
    assert!(ended.err.starts_with("Error: Redis at 127.0.0.1:1: ") && ended.err.lines().count() == 1, "{}", ended.err);
}

#[tokio::test]
async fn a_file_without_a_valid_input_or_that_cannot_be_read_is_one_line() {
    let empty = file("invalid.jsonl", [], "{}\n");
    for (path, problem) in [(empty.to_str().expect("UTF-8"), "has no valid input"), ("/no/such/file", "No such file")] {
        let ended = gain(&["--requests", path], &[]).await;
        assert_eq!((ended.status, ended.err.lines().count()), (1, 1), "{ended:?}");
        assert!(ended.err.starts_with(&format!("Error: {path}: {problem}")), "{}", ended.err);
    }
    let ended = gain(&["--plot", "x"], &[]).await;
    assert_eq!((ended.status, ended.err.contains("gain --help")), (2, true));
}
