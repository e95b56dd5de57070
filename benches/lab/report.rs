//! The report: `docs/caching-results.md` with its plots for the plain full run, or the same files in `target/tmp/lab` for any other run.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
    thread,
};

use prediction_cache::Layout;

use super::{
    plan::POLICIES,
    plots,
    results::{Results, thousands},
    runs::Spread,
    weight::PLAIN,
};

pub(crate) fn write(results: &Results) -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder: PathBuf = if results.plan.is_documented() {
        root.join("docs")
    } else {
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab")
    };
    fs::create_dir_all(folder.join("lab"))?;
    let plots = [
        ("hit-ratio.svg", plots::hit_ratios(results)),
        ("bytes.svg", plots::bytes(results)),
        ("tier.svg", plots::taken_off(results)),
    ];
    for (name, plot) in plots {
        fs::write(folder.join("lab").join(name), plot)?;
    }
    let page = folder.join("caching-results.md");
    fs::write(&page, text(results))?;
    println!("written: {}", page.display());
    Ok(())
}

fn text(results: &Results) -> String {
    let plan = &results.plan;
    let times = Spread::of(results.runs.iter().map(|run| run.outcome.time.as_secs_f64()));
    let settings: Vec<_> = results.redis_settings.iter().map(|(name, value)| format!("`{name}` {value}")).collect();
    let sizes: Vec<_> = plan.shares.iter().zip(&results.rooms).map(|(share, room)| memory(*share, *room)).collect();
    let policy = results.best_policy();
    format!(
        include_str!("caching-results.md.in"),
        advice = results.advice(),
        model = results.model,
        inputs = thousands(results.shape.inputs),
        predictions = results.shape.predictions,
        entries = thousands(results.shape.all()),
        requests = thousands(results.requests),
        seeds = plan.seeds,
        runs = thousands(results.runs.len()),
        servers = plan.servers,
        seconds = format!("{:.0}", times.mean),
        per_second = thousands((results.requests as f64 / times.mean) as usize),
        cores = thread::available_parallelism().map_or(1, usize::from),
        redis = results.redis_version,
        settings = settings.join(", "),
        sizes = sizes.join(", "),
        took = format!("{:.0}", results.took.as_secs_f64() / 60.0),
        workloads = workloads(results),
        policies = policies(results),
        writes = writes(results),
        usual_share = memory(plan.shares[plan.usual_share], results.rooms[plan.usual_share]),
        weights = weights(results),
        layouts = layouts(results),
        usual_workload = results.workloads[plan.usual_workload()].name(),
        policy = policy,
        tiers = tiers(results),
    )
}

fn memory(share: f64, bytes: u64) -> String {
    format!("{:.0} % ({:.1} MB)", share * 100.0, bytes as f64 / 1e6)
}

/// A table, in which all columns but the first are right-aligned.
fn table(columns: &[String], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = format!("| {} |\n|---|{}\n", columns.join(" | "), "--:|".repeat(columns.len() - 1));
    for row in rows {
        let _ = writeln!(table, "| {} |", row.join(" | "));
    }
    table
}

fn columns(first: &str, others: impl IntoIterator<Item = String>) -> Vec<String> {
    [first.to_owned()].into_iter().chain(others).collect()
}

fn share_columns(results: &Results, first: &str) -> Vec<String> {
    columns(first, results.plan.shares.iter().map(|share| format!("{:.0} %", share * 100.0)))
}

fn workloads(results: &Results) -> String {
    let rows = results.workloads.iter().map(|workload| {
        let description = workload.description(results.shape, results.requests);
        format!("* **{}**: {description}.\n", workload.name())
    });
    rows.collect()
}

fn policies(results: &Results) -> String {
    let shares = 0..results.rooms.len();
    let mut text = String::new();
    for (number, workload) in results.workloads.iter().enumerate() {
        let row = |name: String, cell: &dyn Fn(usize) -> Spread| {
            columns(&name, shares.clone().map(|share| cell(share).text()))
        };
        let optimum = row("the optimum".to_owned(), &|share| results.optimum(number, share));
        let of = POLICIES.iter().map(|policy| row(format!("`{policy}`"), &|share| results.hits(number, share, policy)));
        let _ = writeln!(text, "### {}\n", capital(&workload.name()));
        let _ = writeln!(text, "{}", table(&share_columns(results, "policy"), [optimum].into_iter().chain(of)));
    }
    text.trim_end().to_owned()
}

/// Evictions (with `noeviction`: failed writes) at the usual memory size.
fn writes(results: &Results) -> String {
    let names = results.workloads.iter().map(super::Workload::name);
    let row = |policy: &str| {
        let cell = |workload: usize| {
            let runs = results.plain().filter(|run| {
                (run.case.workload, run.case.share, run.case.policy) == (workload, results.plan.usual_share, policy)
            });
            let mean = |counts: Vec<u64>| (counts.iter().sum::<u64>() as f64 / counts.len() as f64).round() as usize;
            let (evictions, failed): (Vec<_>, Vec<_>) =
                runs.map(|run| (run.outcome.evictions, run.outcome.failed_writes)).unzip();
            format!("{} / {}", thousands(mean(evictions)), thousands(mean(failed)))
        };
        columns(&format!("`{policy}`"), (0..results.workloads.len()).map(cell))
    };
    table(&columns("policy", names), POLICIES.iter().map(|policy| row(policy)))
}

fn weights(results: &Results) -> String {
    let heads = ["keys per input", "bytes of a key", "`MEMORY USAGE`", "`used_memory`", "process", "`string` = 100 %"];
    let string = results.weight("string").used;
    let rows = results.weights.iter().map(|weight| {
        let name =
            if weight.name == PLAIN { "endpoint and input as text".to_owned() } else { format!("`{}`", weight.name) };
        let per_input = [weight.usage, weight.used, weight.resident].map(|bytes| format!("{bytes:.0}"));
        let cells = [format!("{:.0}", weight.keys_per_input), format!("{:.0}", weight.key_length)];
        let ratio = format!("{:.0} %", weight.used / string * 100.0);
        columns(&name, cells.into_iter().chain(per_input).chain([ratio]))
    });
    table(&columns("layout", heads.map(str::to_owned)), rows)
}

fn layouts(results: &Results) -> String {
    let row = |layout: Layout| {
        columns(
            &format!("`{}`", layout.name()),
            (0..results.rooms.len()).map(|share| results.layout_hits(layout, share).text()),
        )
    };
    table(&share_columns(results, "layout"), Layout::ALL.map(row))
}

fn tiers(results: &Results) -> String {
    let sizes = results.plan.tiers.iter().map(|tier| thousands(*tier));
    let row = |workload: usize| {
        let cell = |tier: &usize| {
            let answered = Spread::of(results.tier_runs(workload, *tier).map(|run| run.outcome.answered()));
            format!("{} / {:.1}", results.taken_off(workload, *tier).text(), answered.mean * 100.0)
        };
        columns(&results.workloads[workload].name(), results.plan.tiers.iter().map(cell))
    };
    table(&columns("workload", sizes), (0..results.workloads.len()).map(row))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
