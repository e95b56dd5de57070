//! The function beside a bare lambda_http function, measured in one run: `make bench`.
//!
//! Both are processes under a Runtime API of the tests'. Starts and invocations of the two alternate, so that whatever
//! else the machine does, it does to both. What counts are the ratios.

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{
    redis::Redis,
    runtime_api::RuntimeApi,
    service::{BINARY, lambda_environment},
};

const STARTS: usize = 60;
const INVOCATIONS: usize = 2000;

/// A function under its own Runtime API.
struct Function {
    api: RuntimeApi,
    process: Child,
}

impl Function {
    /// Starts it and waits until it asks for its first event; how long that took.
    async fn start(binary: &Path, variables: &[(&str, &str)]) -> (Self, Duration) {
        let api = RuntimeApi::start().await;
        let address = api.address.to_string();
        let start = Instant::now();
        let process = Command::new(binary)
            .env_clear()
            .envs(lambda_environment(&address, variables))
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let function = Self { api, process };
        let asked = function.api.first_asked().await;
        (function, asked - start)
    }

    /// From an event on its way to its response. The function is idle before and after.
    async fn invoke(&mut self, event: &Value) -> Duration {
        let outcome = self.api.invoke(event).await;
        assert_eq!(outcome.status(), 200, "{outcome:?}");
        self.api.idle().await;
        outcome.time
    }

    fn peak_memory_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs, on Linux");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the kernel tells");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a number") / 1024.0
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An event for each of as many different model inputs as are asked for.
fn events() -> impl Iterator<Item = Value> + Clone {
    let template: Value = serde_json::from_str(include_str!("../events/http-api.json")).expect("JSON");
    let rates = [0.1, 0.22, 0.3, 0.5];
    let employments = ["unemployed", "... < 1 year", "1 <= ... < 4 years", "4 <= ... < 7 years", "... >= 7 years"];
    let statuses = [
        "male: single",
        "female: single",
        "male: married/widowed",
        "male: divorced/separated",
        "female: divorced/separated/married",
    ];
    (0..20_600).map(move |n: usize| {
        let application = json!({
            "installment_rate_in_percentage_of_disposable_income": (rates[n / 103 % 4]),
            "age_in_years": 18 + n % 103,
            "foreign_worker": (["yes", "no"][n / 412 % 2]),
            "present_employment_since": (employments[n / 824 % 5]),
            "personal_status_and_sex": (statuses[n / 4120 % 5]),
        });
        let mut event = template.clone();
        event["body"] = application.to_string().into();
        event
    })
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

fn size_mib(binary: &Path) -> f64 {
    std::fs::metadata(binary).expect("it was built").len() as f64 / f64::from(1 << 20)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let service = PathBuf::from(BINARY);
    let bare = service.parent().expect("a folder").join("examples/bare_lambda");
    let redis = Redis::start().await;
    let redis_url = redis.url();
    let with_redis = [("REDIS_URL", redis_url.as_str()), ("MEMORY_CACHE_ENTRIES", "0")];

    let (mut bare_starts, mut starts) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        bare_starts.push(Function::start(&bare, &[]).await.1);
        starts.push(Function::start(&service, &[]).await.1);
    }

    let (mut floor, _) = Function::start(&bare, &[]).await;
    let (mut memory, _) = Function::start(&service, &[]).await;
    let (mut shared, _) = Function::start(&service, &with_redis).await;
    // Each is invoked twice: the first time, the processor's caches are others', whatever is done. So hits are compared with the
    // bare function's second invocation, and misses with its first.
    let mut times: [Vec<Duration>; 6] = Default::default();
    for (n, event) in events().take(INVOCATIONS + 100).enumerate() {
        let sample = [
            floor.invoke(&event).await,
            floor.invoke(&event).await,
            memory.invoke(&event).await,
            memory.invoke(&event).await,
            shared.invoke(&event).await,
            shared.invoke(&event).await,
        ];
        // The first hundred warm up.
        if n >= 100 {
            times.iter_mut().zip(sample).for_each(|(times, time)| times.push(time));
        }
    }

    let (bare_start, start) = (median(&mut bare_starts), median(&mut starts));
    let [first, second, times @ ..] = times.map(|mut times| median(&mut times));
    println!("medians of {STARTS} starts and {INVOCATIONS} invocations, in µs\n");
    println!("{:44} {:>10} {:>10} {:>8}", "", "this", "bare", "ratio");
    let row = |name: &str, this: f64, bare: f64| println!("{name:44} {this:>10.1} {bare:>10.1} {:>8.2}", this / bare);
    row("spawn → first /next", start, bare_start);
    let rows = [
        ("miss, cache in memory", first),
        ("hit in memory", second),
        ("miss, cache in Redis", first),
        ("hit in Redis", second),
    ];
    for ((name, floor), time) in rows.into_iter().zip(times) {
        row(&format!("event → response: {name}"), time, floor);
    }
    println!();
    row("peak resident memory (MiB), cache in memory", memory.peak_memory_mib(), floor.peak_memory_mib());
    row("peak resident memory (MiB), cache in Redis", shared.peak_memory_mib(), floor.peak_memory_mib());
    row("binary (MiB)", size_mib(&service), size_mib(&bare));
}
