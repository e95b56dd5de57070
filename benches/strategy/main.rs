//! The costs and gains of `CACHE_STRATEGY=auto`, `make bench-strategy`: compares services that always look up, never look up, and decide, with
//! models of different run times and a Redis at different distances. Writes `docs/break-even.md`, and fails if `auto` is more than a tenth
//! slower than the better of the others.
//!
//! ```text
//! plan ─► models ─► cell (always, never, auto) ─► report, plot
//!              └──► changes (auto follows)  ──────┘
//! ```

mod cell;
mod changes;
mod client;
mod models;
mod plan;
mod report;
mod traffic;

use std::{process::ExitCode, sync::atomic::Ordering::Relaxed, time::Instant};

use test_support::{bench::progress::Progress, proxy::Proxy, redis::Redis};

use self::{cell::Cell, models::TimedModel, plan::Plan};

/// A Redis, and the proxy that delays its answers.
struct Cache {
    redis: Redis,
    proxy: Proxy,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let plan = match Plan::from_environment() {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let start = Instant::now();
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let cache = Cache { redis, proxy };
    let models: Vec<_> = plan.run_times.iter().map(|time| TimedModel::new(*time)).collect();

    let progress = Progress::of(
        (plan.hit_ratios.len()
            * plan.distances.len()
            * models.iter().map(|model| plan.requests(model.nominal)).sum::<usize>()) as u64,
    );
    let mut cells = Vec::new();
    for hit_ratio in &plan.hit_ratios {
        for model in &models {
            for distance in &plan.distances {
                let cell = Cell::measure(&plan, model, *distance, *hit_ratio, &cache, &progress.done).await;
                println!("{}", cell.row());
                cells.push(cell);
            }
        }
    }
    progress.done.store(u64::MAX, Relaxed);
    drop(progress);
    let changes = changes::measure(&plan, &models[plan.changing_model()], &cache).await;

    let of_cells = cells.iter().filter_map(|cell| cell.violation(&plan));
    let violations: Vec<_> = of_cells.chain(changes.iter().filter_map(|change| change.violation(&plan))).collect();
    report::write(&plan, &cells, &changes, start.elapsed()).expect("the report can be written");
    violations.iter().for_each(|violation| eprintln!("VIOLATED {violation}"));
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
