//! The cache laboratory, `make lab`: requests for the entries of a real model from real redis-servers, with each policy, memory size and
//! layout, with and without a memory tier. Writes `docs/caching-results.md`, and fails if a requirement is violated.
//!
//! ```text
//! plan ─► inputs ─► catalogue ─► weight ──────────────┐
//!           workload ─► runs ─► replay ─► server       ├─► results ─► report, plots
//!                        └─────► optimum ─────────────┘
//! ```

mod catalogue;
mod inputs;
mod optimum;
mod plan;
mod plots;
mod replay;
mod report;
mod results;
mod runs;
mod server;
mod weight;
mod wire;
mod workload;

use std::{collections::HashMap, error::Error, path::Path, process::ExitCode, time::Instant};

use predict_once::{model::Model, model::Package};
use prediction_cache::Layout;
use test_support::{bench::progress::Progress, random::Random};

use self::{
    catalogue::Catalogue,
    plan::{POLICIES, Plan},
    results::Results,
    runs::{Case, Stage},
    server::Server,
    workload::Workload,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(violations) if violations.is_empty() => ExitCode::SUCCESS,
        Ok(violations) => {
            violations.iter().for_each(|violation| eprintln!("VIOLATED {violation}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<Vec<String>, Box<dyn Error>> {
    let start = Instant::now();
    let plan = Plan::from_environment()?;
    let package = match &plan.model {
        Some(directory) => Package::read(Path::new(directory)).map_err(|error| error.to_string())?,
        None => Package::embedded(),
    };
    let model = Model::load(&package).map_err(|error| error.to_string())?;
    let name = model.signature().name.clone();
    let mut catalogue = Catalogue::new(model);
    let workloads = match &plan.requests_file {
        Some(file) => vec![Workload::File(inputs::read(file, &mut catalogue)?)],
        None => {
            inputs::generate(&mut catalogue);
            plan.workloads()
        }
    };
    let shape = catalogue.shape();
    let layouts = Layout::ALL.map(|layout| catalogue.entries(layout));
    let layouts = layouts.into_iter().collect::<Result<Vec<_>, _>>()?;
    let requests_of = |workload: &Workload| -> Vec<_> {
        (0..plan.seeds).map(|seed| workload.requests(shape, plan.requests, seed + 1)).collect()
    };
    let traffic: Vec<Vec<Vec<u32>>> = workloads.iter().map(requests_of).collect();
    let requests = traffic[0][0].len();
    println!("{name}: {} inputs × {} predictions, {requests} requests per run", shape.inputs, shape.predictions);

    let weights = weight::weigh(&catalogue, &layouts).await?;
    let mut servers = Vec::with_capacity(plan.servers);
    for _ in 0..plan.servers {
        servers.push(Server::start().await?);
    }
    let needed = weights.iter().find(|weight| weight.name == Layout::String.name()).map_or(0, |weight| weight.total);
    let mut results = Results {
        rooms: plan.shares.iter().map(|share| (needed as f64 * share) as u64).collect(),
        redis_version: servers[0].wire.info("redis_version")?,
        redis_settings: servers[0].settings()?,
        model: name,
        shape,
        workloads,
        requests,
        weights,
        runs: Vec::new(),
        optima: HashMap::new(),
        took: start.elapsed(),
        plan,
    };
    let first = policy_cases(&results);
    let more = layout_cases(&results).len() + tier_cases(&results).len();
    let progress = Progress::of(((first.len() + more) * requests) as u64);
    let rooms = results.rooms.clone();
    let stage =
        Stage { traffic: &traffic, layouts: &layouts, rooms: &rooms, pace: results.plan.pace, done: &progress.done };
    results.runs = stage.run(&first, &mut servers)?;
    // These use the best policy of the first runs.
    let rest: Vec<_> = layout_cases(&results).into_iter().chain(tier_cases(&results)).collect();
    results.runs.extend(stage.run(&rest, &mut servers)?);
    drop(progress);
    results.find_optima(&traffic);
    results.took = start.elapsed();
    let violations = results.violations();
    if violations.is_empty() {
        report::write(&results)?;
        println!("\n{}", results.advice());
    }
    Ok(violations)
}

/// All combinations of policy, memory size and workload.
fn policy_cases(results: &Results) -> Vec<Case> {
    let mut cases = Vec::new();
    for workload in 0..results.workloads.len() {
        for share in 0..results.rooms.len() {
            for policy in POLICIES {
                cases.push(Case { workload, seed: 0, policy, share, layout: Layout::String, tier: 0 });
            }
        }
    }
    with_each_seed(results, &cases)
}

/// The other layouts with every memory size, for one workload.
fn layout_cases(results: &Results) -> Vec<Case> {
    let (workload, policy) = (results.plan.usual_workload(), best_policy(results));
    let of =
        |share| [Layout::Hash, Layout::Output].map(|layout| Case { workload, seed: 0, policy, share, layout, tier: 0 });
    with_each_seed(results, &(0..results.rooms.len()).flat_map(of).collect::<Vec<_>>())
}

/// All combinations of workload and tier size.
fn tier_cases(results: &Results) -> Vec<Case> {
    let (share, policy) = (results.plan.usual_share, best_policy(results));
    let of = |workload| {
        let tiers = results.plan.tiers.iter().filter(|tier| **tier > 0);
        tiers.map(move |tier| Case { workload, seed: 0, policy, share, layout: Layout::String, tier: *tier })
    };
    with_each_seed(results, &(0..results.workloads.len()).flat_map(of).collect::<Vec<_>>())
}

fn best_policy(results: &Results) -> &'static str {
    if results.runs.is_empty() { POLICIES[0] } else { results.best_policy() }
}

fn with_each_seed(results: &Results, cases: &[Case]) -> Vec<Case> {
    let seeds = 0..results.plan.seeds as usize;
    seeds.flat_map(|seed| cases.iter().map(move |case| Case { seed, ..*case })).collect()
}
