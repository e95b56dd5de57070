//! Instructions per invocation and per start of the function and of bare lambda_http functions: `make count-instructions`.
//!
//! The functions run under valgrind's callgrind and the Runtime API of the tests. Unlike times, counts do not depend on the load of the
//! machine, so that a change of one per cent shows. They exclude the kernel, page faults and cache misses; `make bench` measures times.
//!
//! `PREDICT_ONCE_BIN` names the build of the service, and `FLOORS` the directory of the bare functions. If the build has symbols, the
//! functions that execute most are listed. With `BUDGET=check`, counts that exceed the committed ones ([`budget`]) fail; with
//! `BUDGET=write`, they are committed to. A body that costs more than its size allows ([`hostile`]) always fails.

mod budget;
mod callgrind;
mod hostile;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use callgrind::Counts;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use test_support::{
    bench::functions::{Function, Process},
    eventually,
    redis::Redis,
    soon,
};

/// Not counted: the first invocations fill the cache, open the connection to Redis and grow buffers.
const WARM_UP: usize = 100;
const INVOCATIONS: usize = 500;
/// The median and spread of this many rounds are printed.
const ROUNDS: usize = 5;
/// How many functions are listed for each path, if the build has symbols.
const LISTED: usize = 40;

/// A function under callgrind.
struct Counted {
    process: Process,
    output: PathBuf,
}

impl Counted {
    /// Starts a function, and waits until it asks for its first event.
    async fn start(function: &Function) -> Self {
        let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("callgrind.{}", std::process::id()));
        let written = format!("--callgrind-out-file={}", output.display());
        let valgrind = ["valgrind", "--quiet", "--tool=callgrind", "--demangle=no", "--log-file=/dev/null", &written];
        let process = function.start_under(&valgrind.map(AsRef::as_ref)).await;
        process.ready().await;
        Self { process, output }
    }

    /// Ends the process. Returns its instructions from its start until it waits for the next event.
    async fn counts(mut self) -> Counts {
        let pid = self.process.pid();
        eventually("the function sleeps", || async { sleeps(pid) }).await;
        // No function handles this signal, and valgrind still writes its totals. An orderly shutdown would be counted too.
        kill_process(pid, Signal::USR1).expect("it runs");
        let ended = soon("valgrind ends", self.process.child.wait()).await.expect("it was started");
        let report = fs::read_to_string(&self.output)
            .unwrap_or_else(|error| panic!("{}: {error}; valgrind ended with {ended}", self.output.display()));
        let _ = fs::remove_file(&self.output);
        Counts::read(&report)
    }
}

/// The instructions of a process from its start until it waits for the next event after `invocations` invocations.
async fn count(function: &Function, event: &Value, invocations: usize) -> Counts {
    let mut counted = Counted::start(function).await;
    for n in 0..invocations {
        if n == 0 {
            counted.process.invoke(event).await
        } else {
            counted.process.hit(event).await
        };
    }
    counted.counts().await
}

async fn per_invocation(function: &Function, event: &Value) -> Counts {
    let (more, less) = (count(function, event, INVOCATIONS).await, count(function, event, WARM_UP).await);
    more.per_invocation(&less, INVOCATIONS - WARM_UP)
}

/// The instructions from the start of the process to its first request for an event.
async fn start(function: &Function, event: &Value) -> Counts {
    count(function, event, 0).await
}

/// Whether the process is in an interruptible sleep.
fn sleeps(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs, on Linux");
    // The state follows the name, which is in brackets and may contain any character.
    stat.rsplit(')').next().expect("split yields").trim_start().starts_with('S')
}

/// The median of a measurement's rounds, and their spread in per cent of it.
fn median(mut rounds: Vec<Counts>) -> (Counts, f64) {
    rounds.sort_unstable_by(|one, other| one.total.total_cmp(&other.total));
    let spread = rounds[rounds.len() - 1].total - rounds[0].total;
    let median = rounds.swap_remove(rounds.len() / 2);
    let percent = spread / median.total * 100.0;
    (median, percent)
}

/// Prints the functions that execute most. Without symbols, callgrind knows addresses only.
fn print_largest(path: &str, counts: &Counts) {
    if counts.functions.keys().any(|name| name.starts_with("0x")) {
        return;
    }
    let mut functions: Vec<_> = counts.functions.iter().collect();
    functions.sort_unstable_by(|(_, one), (_, other)| other.total_cmp(one));
    println!("\n{path}, by function without its callees:");
    functions.iter().take(LISTED).for_each(|(name, count)| println!("{count:>12.0}  {name}"));
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let budget = std::env::var("BUDGET").unwrap_or_default();
    let event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    let redis = Redis::start().await;
    // The bare function reads from another database than the service.
    let floor_url = format!("{}/1", redis.url());
    let body = event["body"].as_str().expect("text");
    let client = redis::Client::open(floor_url.as_str()).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("Redis runs");
    redis::cmd("SET").arg(body).arg("{}").exec_async(&mut connection).await.expect("Redis runs");

    let (bare, bare_get) = (Function::bare(), Function::lookup(floor_url));
    let (memory, shared) = (Function::in_memory(), Function::in_redis(redis.url()));
    let mut rounds: [Vec<Counts>; 6] = Default::default();
    let repetitions = if budget == "check" { 1 } else { ROUNDS };
    for _ in 0..repetitions {
        let round = [
            start(&bare, &event).await,
            start(&memory, &event).await,
            per_invocation(&bare, &event).await,
            per_invocation(&memory, &event).await,
            per_invocation(&bare_get, &event).await,
            per_invocation(&shared, &event).await,
        ];
        rounds.iter_mut().zip(round).for_each(|(rounds, counts)| rounds.push(counts));
    }

    let [bare_start, start, bare, memory, bare_get, shared] = rounds.map(median);
    println!("instructions: medians of {repetitions} rounds, and their spread\n");
    println!("{:40} {:>12} {:>8} {:>14}", "", "instructions", "spread", "ratio");
    for (name, (counts, spread), floor) in [
        ("start → first /next: bare function", &bare_start, &bare_start),
        ("start → first /next", &start, &bare_start),
        ("invocation: bare function", &bare, &bare),
        ("invocation: hit in memory", &memory, &bare),
        ("invocation: bare function and a GET", &bare_get, &bare_get),
        ("invocation: hit in Redis", &shared, &bare_get),
    ] {
        println!("{name:40} {:>12.0} {spread:>6.2} % {:>14.3}", counts.total, counts.total / floor.0.total);
    }
    for (name, (counts, _)) in [("start", &start), ("hit in memory", &memory), ("hit in Redis", &shared)] {
        print_largest(name, counts);
    }
    let counts = [
        ("start", start.0.total, bare_start.0.total),
        ("hit in memory", memory.0.total, bare.0.total),
        ("hit in Redis", shared.0.total, bare_get.0.total),
    ];
    let exceeded = match budget.as_str() {
        "check" => budget::exceeded(&counts),
        "write" => {
            budget::write(&counts);
            Vec::new()
        }
        _ => Vec::new(),
    };
    let exceeded = [exceeded, hostile::exceeded(&event).await].concat();
    exceeded.iter().for_each(|complaint| println!("\n{complaint}"));
    if exceeded.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
