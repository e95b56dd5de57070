//! Measures every fault in the middle of a steady load: `make chaos`. Writes `docs/reliability.md`, and fails if an answer was
//! wrong, was not 200 or was not counted, or if the cache was not used again.

use std::{fmt::Write, process::ExitCode, time::Duration};

use test_support::chaos::{
    fault::Fault,
    load::{self, Load, Outcome, Run},
    population::Population,
    world::{MEMORY_ENTRIES, World},
};

const LOAD: Load = Load { requests: 21_000, connections: 8, pause: Duration::from_micros(3200), seed: 7 };
const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability.md");

/// A run and the violations of its requirements.
struct Verdict {
    run: Run,
    violations: Vec<String>,
}

async fn observe(population: &Population, fault: Option<Fault>, through_proxy: bool) -> Verdict {
    let mut world = World::new().await;
    let (service, http) = world.service(through_proxy).await;
    let run = load::run(&http, population, LOAD, fault, &mut world).await;
    let outcomes = run.outcomes();
    let logged = load::logged_outcomes(&service, LOAD.requests).await;
    let mut violations = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            violations.push(what);
        }
    };
    must(run.samples.len() == LOAD.requests, format!("{} answers", run.samples.len()));
    must(run.wrong() == 0, format!("{} wrong answers", run.wrong()));
    must(run.not_ok() == 0, format!("{} answers that are not 200", run.not_ok()));
    must(!outcomes.contains_key(&Outcome::Unknown), "an answer without an outcome".to_owned());
    must(outcomes == logged, format!("clients saw {outcomes:?}, the log has {logged:?}"));
    must(run.recovery().is_some(), "the cache was not used again".to_owned());
    if fault.is_some_and(Fault::takes_lookups) {
        must(outcomes.contains_key(&Outcome::Unavailable), "the fault did not show".to_owned());
    }
    Verdict { run, violations }
}

/// Median and 99th percentile of the third with the fault, and maximum from its start to the end of the run, in milliseconds.
fn latency(run: &Run) -> [f64; 3] {
    let third = LOAD.requests / 3;
    let milliseconds = |from: usize, to: usize| {
        let mut times: Vec<_> = run.samples[from..to].iter().map(|sample| sample.time.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        times
    };
    let during = milliseconds(third, 2 * third);
    let until_the_end = milliseconds(third, LOAD.requests);
    [during[during.len() / 2], during[during.len() * 99 / 100], until_the_end[until_the_end.len() - 1]]
}

fn row(name: &str, run: &Run, base: &Run) -> String {
    let outcomes = run.outcomes();
    let count = |outcome| outcomes.get(&outcome).copied().unwrap_or_default();
    let [p50, p99, max] = latency(run);
    let [base_p50, base_p99, base_max] = latency(base);
    let recovery = run.recovery().map_or("never".to_owned(), |time| format!("{:.0} ms", time.as_secs_f64() * 1e3));
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:+.2} | {:+.2} | {:+.1} | {recovery} |",
        run.samples.len(),
        run.wrong(),
        run.not_ok(),
        count(Outcome::Hit),
        count(Outcome::HitHere),
        count(Outcome::Miss) + count(Outcome::Corrupt),
        count(Outcome::Collapsed),
        count(Outcome::Partial),
        count(Outcome::Unavailable),
        p50 - base_p50,
        p99 - base_p99,
        max - base_max,
    )
}

fn undisturbed_row(name: &str, run: &Run) -> String {
    let [p50, p99, max] = latency(run);
    let outcomes = run.outcomes();
    let count = |outcome| outcomes.get(&outcome).copied().unwrap_or_default();
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {p50:.2} | {p99:.2} | {max:.1} |",
        run.samples.len(),
        count(Outcome::Hit),
        count(Outcome::HitHere),
        count(Outcome::Miss),
        count(Outcome::Collapsed),
        count(Outcome::Partial),
    )
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let population = Population::new(3);
    let (mut rows, mut undisturbed, mut violations) = (String::new(), String::new(), Vec::new());
    let mut bases = Vec::new();
    for (name, through_proxy) in [("Redis directly", false), ("through the proxy", true)] {
        let Verdict { run, violations: found } = observe(&population, None, through_proxy).await;
        violations.extend(found.into_iter().map(|what| format!("no fault, {name}: {what}")));
        let row = undisturbed_row(name, &run);
        println!("{row}");
        let _ = writeln!(undisturbed, "{row}");
        bases.push(run);
    }
    for fault in Fault::ALL {
        let verdict = observe(&population, Some(fault), fault.is_of_the_network()).await;
        let row = row(fault.description(), &verdict.run, &bases[usize::from(fault.is_of_the_network())]);
        println!("{row}");
        let _ = writeln!(rows, "{row}");
        violations.extend(verdict.violations.into_iter().map(|what| format!("{}: {what}", fault.description())));
    }
    if !violations.is_empty() {
        violations.iter().for_each(|violation| eprintln!("VIOLATED {violation}"));
        return ExitCode::FAILURE;
    }
    let (requests, connections, inputs) = (LOAD.requests, LOAD.connections, population.size());
    let rate = (connections as f64 / LOAD.pause.as_secs_f64()).round();
    let report = format!(
        include_str!("reliability.md.in"),
        requests = requests,
        connections = connections,
        inputs = inputs,
        memory = MEMORY_ENTRIES,
        rate = rate,
        rows = rows,
        undisturbed = undisturbed
    );
    std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).expect("a folder can be made");
    std::fs::write(REPORT, report).expect("the report can be written");
    println!("written: {REPORT}");
    ExitCode::SUCCESS
}
