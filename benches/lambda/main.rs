//! The function beside what bounds it from below and what a user would pick instead, measured in one run: `make bench-lambda`.
//!
//! All are processes under Runtime APIs of the tests'. In each round they start, and answer, in turns, so that whatever else the
//! machine does, it does to all; what counts are the ratios within a round. `benches/page` shows them.
//!
//! `PREDICT_ONCE_BIN` is the service, built beside the examples; `PYTHON` has the packages of `benches/rivals`; `ZIP` is the zipped
//! function. `ROUNDS` is how many rounds there are.

mod events;
mod measured;

use std::{env, ffi::OsString, fs, path::Path, process::Command, sync::atomic::Ordering::Relaxed};

use measured::{Fresh, Measured, median};
use serde_json::{Map, Value, json};
use test_support::{
    bench::{
        functions::{Function, Process},
        progress::Progress,
    },
    redis::Redis,
    service::binary,
};

/// Fresh processes of each function and round: starts of functions in Python take seconds.
const FRESH: usize = 6;
const FRESH_IN_PYTHON: usize = 2;
/// The requests of a fresh process: the first, some that warm it up, and as many whose median is its warm request.
const WARM_UP_OF_FRESH: usize = 10;
/// The inputs of each round: those that warm the processes up, and those that are measured.
const WARM_UP: usize = 100;
const INPUTS: usize = 200;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It does not answer what is asked.
    Floor,
    Service,
    Python,
}

/// A function, and what was measured of it.
struct Contestant {
    name: &'static str,
    kind: Kind,
    function: Function,
    measured: Measured,
}

impl Contestant {
    fn new(name: &'static str, kind: Kind, function: Function) -> Self {
        Self { name, kind, function, measured: Measured::default() }
    }

    /// Starts a process: how long it takes to ask for an event, for its first request, and for a warm one. What is answered from Redis,
    /// another process stored.
    async fn start_fresh(&mut self, event: &Value) {
        let mut process = self.function.start().await;
        let start = process.ready().await;
        let first = if self.function.uses_redis() { process.hit(event).await } else { process.invoke(event).await };
        for _ in 0..WARM_UP_OF_FRESH {
            process.hit(event).await;
        }
        let mut warm = Vec::new();
        for _ in 0..WARM_UP_OF_FRESH {
            warm.push(process.hit(event).await.time);
        }
        process.end().await;
        self.measured.fresh.push(Fresh { start, first_request: first.time, warm_request: median(&mut warm) });
    }
}

/// Sends each event twice to each process before the next event. The first time, the processor's caches are full of what the others
/// did, the second time of the process's own; and the first is a miss, the second a hit. So what has no cache is measured in the same
/// places: its first invocation is what a miss is compared with, its second what a hit is. The answer to each event, which must be one.
async fn invoke_twice(processes: &mut [(&mut Contestant, Process)], events: &[Value]) -> Vec<Value> {
    let mut times = vec![(Vec::new(), Vec::new()); processes.len()];
    let mut decisions = Vec::new();
    for (n, event) in events.iter().enumerate() {
        let mut answers = Vec::new();
        for ((contestant, process), (misses, hits)) in processes.iter_mut().zip(&mut times) {
            let (miss, hit) = (process.invoke(event).await, process.hit(event).await);
            if n >= WARM_UP {
                misses.push(miss.time);
                hits.push(hit.time);
            }
            if contestant.kind != Kind::Floor {
                answers.extend([miss.body(), hit.body()]);
            }
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "all answer alike: {answers:?}");
        decisions.append(&mut answers);
    }
    for ((contestant, process), (misses, hits)) in processes.iter_mut().zip(times) {
        contestant.measured.end_round(misses, hits, process.peak_mib());
    }
    decisions
}

/// Puts answers where the floor looks for them.
async fn store(url: &str, events: &[Value]) {
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("Redis runs");
    let mut pipe = redis::pipe();
    events.iter().for_each(|event| {
        pipe.set(event["body"].as_str().expect("text"), r#"{"decision":"ACCEPT"}"#).ignore();
    });
    pipe.query_async::<()>(&mut connection).await.expect("Redis runs");
}

fn variable(name: &str) -> OsString {
    env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: run make bench-lambda"))
}

fn bytes(file: impl AsRef<Path>) -> u64 {
    let file = file.as_ref();
    fs::metadata(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).len()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rounds: usize = env::var("ROUNDS").map_or(15, |rounds| rounds.parse().expect("ROUNDS is a number"));
    let (python, zip) = (variable("PYTHON"), variable("ZIP"));
    let about = Command::new(&python).arg("benches/shared/machine.py").output().expect("it can be started").stdout;
    let about: Value = serde_json::from_slice(&about).expect("machine.py prints JSON");
    let redis = Redis::start().await;
    let database = |number: u32| format!("{}/{number}", redis.url());
    let mut contestants = [
        Contestant::new("bare", Kind::Floor, Function::bare()),
        Contestant::new("bare + GET", Kind::Floor, Function::plain(Some(database(1)), false)),
        Contestant::new("bare + model", Kind::Floor, Function::plain(None, true)),
        // It never finds an answer, since nothing is stored in its database.
        Contestant::new("bare + GET + model", Kind::Floor, Function::plain(Some(database(2)), true)),
        Contestant::new("predict-once, memory", Kind::Service, Function::in_memory()),
        Contestant::new("predict-once, Redis", Kind::Service, Function::in_redis(redis.url())),
        Contestant::new("FastAPI, lesson", Kind::Python, Function::fastapi(&python, "fastapi_lesson", database(3))),
        Contestant::new("FastAPI, async", Kind::Python, Function::fastapi(&python, "fastapi_async", database(4))),
    ];

    let mut events = events::all();
    let known = events.next().expect("an event");
    store(&database(1), std::slice::from_ref(&known)).await;
    for contestant in &contestants {
        let mut process = contestant.function.start().await;
        process.invoke(&known).await;
        process.end().await;
    }

    let progress = Progress::of(rounds as u64 * 2);
    for _ in 0..rounds {
        // Functions in Python take so long that those after them would find the machine in another state.
        let (mut in_python, mut others): (Vec<_>, Vec<_>) =
            contestants.iter_mut().partition(|each| each.kind == Kind::Python);
        for (together, processes) in [(&mut others, FRESH), (&mut in_python, FRESH_IN_PYTHON)] {
            for _ in 0..processes {
                for contestant in together.iter_mut() {
                    contestant.start_fresh(&known).await;
                }
            }
        }
        progress.done.fetch_add(1, Relaxed);
        let events: Vec<_> = events.by_ref().take(WARM_UP + INPUTS).collect();
        store(&database(1), &events).await;
        let mut decisions = Vec::new();
        for together in [others, in_python] {
            let mut processes = Vec::new();
            for contestant in together {
                let process = contestant.function.start().await;
                process.ready().await;
                processes.push((contestant, process));
            }
            decisions.push(invoke_twice(&mut processes, &events).await);
        }
        assert_eq!(decisions[0], decisions[1], "functions in Python decide as the service does");
        progress.done.fetch_add(1, Relaxed);
    }
    drop(progress);

    let bare = binary().with_file_name("examples/bare_lambda");
    let results = json!({
        "about": about,
        "rounds": rounds,
        "fresh": { "Rust": FRESH, "Python": FRESH_IN_PYTHON },
        "inputs": INPUTS,
        "bytes": { "binary": bytes(binary()), "bare": bytes(bare), "zip": bytes(zip) },
        "functions": contestants.map(|each| (each.name.to_owned(), each.measured.summary())).into_iter().collect::<Map<_, _>>(),
    });
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/lambda/results.json");
    fs::write(file, serde_json::to_string_pretty(&results).expect("numbers and texts") + "\n")
        .expect("it can be written");
}
