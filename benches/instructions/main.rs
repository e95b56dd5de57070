//! Instructions per invocation and per start, of the function and of a bare lambda_http function: `make count-instructions`.
//!
//! Both run under valgrind's callgrind and a Runtime API of the tests'. Unlike times, counts do not depend on what else the
//! machine does, so that a change of one per cent shows. They leave out the kernel, page faults and cache misses: what a
//! change does to times, `make bench` says.
//!
//! `PREDICT_ONCE_BIN` names another build of the service, to compare two revisions. The bare function is the one in
//! `examples/` beside it. With `BUDGET=check`, counts that exceed the committed ones ([`budget`]) fail, and the functions that grew
//! are named; with `BUDGET=write`, they are committed to.

mod budget;
mod callgrind;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::{
    fs,
    path::Path,
    process::{ExitCode, Stdio},
};

use callgrind::Counts;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use support::{
    eventually,
    redis::Redis,
    runtime_api::RuntimeApi,
    service::{binary, lambda_environment},
    soon,
};
use tokio::process::Command;

/// The first invocations fill the cache, open the connection to Redis and grow buffers: they are not counted.
const WARM_UP: usize = 100;
const INVOCATIONS: usize = 500;
/// Printed are the median of so many rounds, and how far they are apart.
const ROUNDS: usize = 5;

/// A function to count.
struct Function<'a> {
    binary: &'a Path,
    variables: &'a [(&'a str, &'a str)],
    /// What every response but the first must say of the cache.
    cache_status: Option<&'a str>,
}

impl Function<'_> {
    /// The instructions of a process from its start until, after so many invocations, it waits for another event.
    async fn count(&self, event: &Value, invocations: usize) -> Counts {
        let mut api = RuntimeApi::start().await;
        let address = api.address.to_string();
        let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("callgrind.{}", std::process::id()));
        let mut process = Command::new("valgrind")
            .args(["--quiet", "--tool=callgrind", "--log-file=/dev/null"])
            .arg(format!("--callgrind-out-file={}", output.display()))
            .arg(self.binary)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            // Under valgrind everything is slow, and a missed deadline would be counted as a miss.
            .envs([("CACHE_READ_TIMEOUT_MS", "10000"), ("CACHE_WRITE_TIMEOUT_MS", "10000")])
            .envs(lambda_environment(&address, self.variables))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("valgrind: {error}"));
        let pid = Pid::from_raw(process.id().expect("it runs").try_into().expect("a process id"));
        for n in 0..invocations {
            let outcome = api.invoke(event).await;
            assert_eq!(outcome.status(), 200, "{outcome:?}");
            if let (1.., Some(expected)) = (n, self.cache_status) {
                assert_eq!(outcome.cache_status(), expected, "invocation {n}");
            }
            api.idle().await;
        }
        api.idle().await;
        eventually("the function sleeps", || async { sleeps(pid) }).await;
        // Neither function handles this signal, and valgrind writes its totals when it ends one: an orderly end would be
        // counted too.
        kill(pid, Signal::SIGUSR1).expect("it runs");
        let ended = soon("valgrind ends", process.wait()).await.expect("it was started");
        let report = fs::read_to_string(&output)
            .unwrap_or_else(|error| panic!("{}: {error}; valgrind ended with {ended}", output.display()));
        let _ = fs::remove_file(&output);
        Counts::read(&report)
    }

    async fn per_invocation(&self, event: &Value) -> Counts {
        let (more, less) = (self.count(event, INVOCATIONS).await, self.count(event, WARM_UP).await);
        more.per_invocation(&less, INVOCATIONS - WARM_UP)
    }

    /// From the start of the process to its first request for an event.
    async fn start(&self, event: &Value) -> Counts {
        self.count(event, 0).await
    }
}

/// Whether the process waits for something to happen.
fn sleeps(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs, on Linux");
    // Behind the name, which is in brackets and may hold anything.
    stat.rsplit(')').next().expect("split yields").trim_start().starts_with('S')
}

/// The median of a measurement's rounds, and how far they are apart, in per cent of it.
fn median(mut rounds: Vec<Counts>) -> (Counts, f64) {
    rounds.sort_unstable_by(|one, other| one.total.total_cmp(&other.total));
    let spread = rounds[rounds.len() - 1].total - rounds[0].total;
    let median = rounds.swap_remove(rounds.len() / 2);
    let percent = spread / median.total * 100.0;
    (median, percent)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let budget = std::env::var("BUDGET").unwrap_or_default();
    let service = binary();
    let bare = service.parent().expect("a folder").join("examples/bare_lambda");
    for binary in [&service, &bare] {
        assert!(binary.is_file(), "{}: not there", binary.display());
    }
    let event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    let redis = Redis::start().await;
    let redis_url = redis.url();
    // No cache in memory that could answer in Redis's place.
    let with_redis = [("REDIS_URL", redis_url.as_str()), ("MEMORY_CACHE_ENTRIES", "0")];

    let bare = Function { binary: &bare, variables: &[], cache_status: None };
    let memory = Function { binary: &service, variables: &[], cache_status: Some("predict-once; hit; detail=memory") };
    let shared =
        Function { binary: &service, variables: &with_redis, cache_status: Some("predict-once; hit; detail=redis") };

    let mut rounds: [Vec<Counts>; 5] = Default::default();
    let repetitions = if budget == "check" { 1 } else { ROUNDS };
    for _ in 0..repetitions {
        let round = [
            bare.start(&event).await,
            memory.start(&event).await,
            bare.per_invocation(&event).await,
            memory.per_invocation(&event).await,
            shared.per_invocation(&event).await,
        ];
        rounds.iter_mut().zip(round).for_each(|(rounds, counts)| rounds.push(counts));
    }

    let [bare_start, start, bare, memory, shared] = rounds.map(median);
    println!("instructions: medians of {repetitions} rounds, and how far apart these are\n");
    println!("{:36} {:>12} {:>8} {:>14}", "", "instructions", "spread", "ratio to bare");
    for (name, (counts, spread), bare) in [
        ("start → first /next: bare function", &bare_start, &bare_start),
        ("start → first /next", &start, &bare_start),
        ("invocation: bare function", &bare, &bare),
        ("invocation: hit in memory", &memory, &bare),
        ("invocation: hit in Redis", &shared, &bare),
    ] {
        println!("{name:36} {:>12.0} {spread:>6.2} % {:>14.2}", counts.total, counts.total / bare.0.total);
    }
    let counts = [("start", start.0), ("hit in memory", memory.0), ("hit in Redis", shared.0)];
    let exceeded = match budget.as_str() {
        "check" => budget::exceeded(&counts),
        "write" => {
            budget::write(&counts);
            Vec::new()
        }
        _ => Vec::new(),
    };
    exceeded.iter().for_each(|complaint| println!("\n{complaint}"));
    if exceeded.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
