//! Instructions per invocation and per start, of the function and of a bare lambda_http function: `make count-instructions`.
//!
//! Both run under valgrind's callgrind and a Runtime API of the tests'. Unlike times, counts do not depend on what else the
//! machine does, so that a change of one per cent shows. They leave out the kernel, page faults and cache misses: what a
//! change does to times, `make bench` says.
//!
//! `PREDICT_ONCE_BIN` names another build of the service, to compare two revisions. The bare function is the one in
//! `examples/` beside it.

#[path = "../tests/support/mod.rs"]
mod support;

use std::{fs, path::Path, process::Stdio};

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
    async fn count(&self, event: &Value, invocations: usize) -> u64 {
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
        let totals = report.lines().find_map(|line| line.strip_prefix("totals:")).expect("callgrind ends with it");
        totals.trim().parse().unwrap_or_else(|error| panic!("totals:{totals}: {error}"))
    }

    async fn per_invocation(&self, event: &Value) -> f64 {
        let (more, less) = (self.count(event, INVOCATIONS).await, self.count(event, WARM_UP).await);
        (more - less) as f64 / (INVOCATIONS - WARM_UP) as f64
    }

    /// From the start of the process to its first request for an event.
    async fn start(&self, event: &Value) -> f64 {
        self.count(event, 0).await as f64
    }
}

/// Whether the process waits for something to happen.
fn sleeps(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs, on Linux");
    // Behind the name, which is in brackets and may hold anything.
    stat.rsplit(')').next().expect("split yields").trim_start().starts_with('S')
}

/// Rounds of one measurement.
#[derive(Default)]
struct Counts(Vec<f64>);

impl Counts {
    fn median(&mut self) -> f64 {
        self.0.sort_unstable_by(f64::total_cmp);
        self.0[self.0.len() / 2]
    }

    /// Largest less smallest, in per cent of the median.
    fn spread(&mut self) -> f64 {
        let median = self.median();
        (self.0[self.0.len() - 1] - self.0[0]) / median * 100.0
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let service = binary();
    let bare = service.parent().expect("a folder").join("examples/bare_lambda");
    for binary in [&service, &bare] {
        assert!(binary.is_file(), "{}: not there", binary.display());
    }
    let event: Value = serde_json::from_str(include_str!("../events/http-api.json")).expect("JSON");
    let redis = Redis::start().await;
    let redis_url = redis.url();
    // No cache in memory that could answer in Redis's place.
    let with_redis = [("REDIS_URL", redis_url.as_str()), ("MEMORY_CACHE_ENTRIES", "0")];

    let bare = Function { binary: &bare, variables: &[], cache_status: None };
    let memory = Function { binary: &service, variables: &[], cache_status: Some("predict-once; hit; detail=memory") };
    let shared =
        Function { binary: &service, variables: &with_redis, cache_status: Some("predict-once; hit; detail=redis") };

    let mut counts: [Counts; 5] = Default::default();
    for _ in 0..ROUNDS {
        let round = [
            bare.start(&event).await,
            memory.start(&event).await,
            bare.per_invocation(&event).await,
            memory.per_invocation(&event).await,
            shared.per_invocation(&event).await,
        ];
        counts.iter_mut().zip(round).for_each(|(counts, count)| counts.0.push(count));
    }

    let [bare_start, _, floor, ..] = counts.each_mut().map(Counts::median);
    println!("instructions: medians of {ROUNDS} rounds, and how far apart these are\n");
    println!("{:36} {:>12} {:>8} {:>14}", "", "instructions", "spread", "ratio to bare");
    let names = [
        ("start → first /next: bare function", bare_start),
        ("start → first /next", bare_start),
        ("invocation: bare function", floor),
        ("invocation: hit in memory", floor),
        ("invocation: hit in Redis", floor),
    ];
    for ((name, bare), mut counts) in names.into_iter().zip(counts) {
        let (median, spread) = (counts.median(), counts.spread());
        println!("{name:36} {median:>12.0} {spread:>6.2} % {:>14.2}", median / bare);
    }
}
