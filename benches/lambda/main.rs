//! Compares the function with bare functions, its lower bound, and with the alternatives in Python, in one run: `make bench-lambda`.
//!
//! All functions are processes under the Runtime API of the tests. In each round they start and answer in turn, so that other load on the
//! machine affects all of them; the ratios within a round are what counts. `benches/page` shows them.
//!
//! `PREDICT_ONCE_BIN` is the service, built beside the examples; `PYTHON` has the packages of `benches/rivals`; `ZIP` is the zipped
//! function; `ROUNDS` is the number of rounds.

mod events;
mod measured;

use std::{env, ffi::OsString, fs, path::Path, process::Command, sync::atomic::Ordering::Relaxed};

use measured::{Fresh, Measured, median};
use serde_json::{Map, Value, json};
use test_support::{
    bench::{
        functions::{Function, Process, floor},
        progress::Progress,
    },
    redis::Redis,
    service::binary,
};

/// The number of fresh processes per function and round. Python functions get fewer, because their start takes seconds.
const FRESH: usize = 6;
const FRESH_IN_PYTHON: usize = 2;
/// The number of warm-up requests of a fresh process after its first request, and of the requests after them, whose median is the warm
/// request.
const WARM_UP_OF_FRESH: usize = 10;
/// The inputs of each round: first those for warming up, then the measured ones.
const WARM_UP: usize = 100;
const INPUTS: usize = 200;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A lower bound, which does not give real answers.
    Floor,
    Service,
    Python,
}

/// A function and its measurements.
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

    /// Starts a process and measures the time until it asks for an event, its first request and a warm request. Answers from Redis were
    /// stored by another process.
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

/// Sends each event twice to each process before the next event: the first time is a miss, with the processor's caches full of the other
/// processes' data, the second time a hit, with the process's own. Functions without a cache are measured in the same places, so their
/// first invocation is compared with a miss and their second with a hit. Returns the decision for each event, which must be unanimous.
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
        assert_eq!(answers.len(), 1, "all answers are equal: {answers:?}");
        decisions.append(&mut answers);
    }
    for ((contestant, process), (misses, hits)) in processes.iter_mut().zip(times) {
        contestant.measured.end_round(misses, hits, process.peak_mib());
    }
    decisions
}

/// Stores answers for the bare function with Redis.
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
        Contestant::new("bare + GET", Kind::Floor, Function::lookup(database(1))),
        Contestant::new("bare + model", Kind::Floor, Function::model(None)),
        // Nothing is stored in its database, so every lookup is a miss.
        Contestant::new("bare + GET + model", Kind::Floor, Function::model(Some(database(2)))),
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
        // Python functions run separately: they take so long that the functions after them would find the machine in another state.
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
        assert_eq!(decisions[0], decisions[1], "the functions in Python make the same decisions as the service");
        progress.done.fetch_add(1, Relaxed);
    }
    drop(progress);

    let bare = floor("bare_lambda");
    let results = json!({
        "about": about,
        "rounds": rounds,
        "fresh": { "Rust": FRESH, "Python": FRESH_IN_PYTHON },
        "inputs": INPUTS,
        "bytes": { "binary": bytes(binary()), "bare": bytes(bare), "zip": bytes(zip) },
        "functions": contestants.map(|each| (each.name.to_owned(), each.measured.summary())).into_iter().collect::<Map<_, _>>(),
    });
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/lambda/results.json");
    fs::write(file, lines(&results)).expect("it can be written");
}

/// JSON with a line for each member and each function, so that a diff shows what was measured anew.
fn lines(results: &Value) -> String {
    let members = |object: &Value, separator: &str| {
        let members = object.as_object().expect("an object").iter();
        members.map(|(name, value)| format!("{}: {value}", json!(name))).collect::<Vec<_>>().join(separator)
    };
    let mut others = results.clone();
    let functions = others.as_object_mut().and_then(|all| all.remove("functions")).expect("it was measured");
    format!("{{\n{},\n\"functions\": {{\n{}\n}}\n}}\n", members(&others, ",\n"), members(&functions, ",\n"))
}
