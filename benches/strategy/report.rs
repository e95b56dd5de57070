//! The report: `docs/break-even.md` with its plot, or the same files in `target/tmp/strategy` for the short run.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use cache_tools::break_even::{self, Point};

use super::{
    cell::Cell,
    changes::Change,
    plan::{Plan, WARM_UP},
};

/// The plot of the cells with this hit ratio.
fn break_even(cells: &[Cell], hit_ratio: f64) -> String {
    let cells = cells.iter().filter(|cell| cell.hit_ratio == hit_ratio);
    let points: Vec<_> = cells.map(|cell| Point { lookup: cell.lookup, run: cell.run, pays: cell.pays() }).collect();
    break_even::plot(&points, ["measured with 80 % hits", "looking up was faster", "computing was faster"])
}

pub(crate) fn write(plan: &Plan, cells: &[Cell], changes: &[Change], took: Duration) -> io::Result<()> {
    let folder: PathBuf = if plan.short {
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("strategy")
    } else {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
    };
    fs::create_dir_all(folder.join("lab"))?;
    fs::write(folder.join("lab/break-even.svg"), break_even(cells, plan.hit_ratios[0]))?;
    let worst = |which: usize| cells.iter().map(|cell| cell.ratios()[which]).fold(0.0, f64::max);
    let page = format!(
        include_str!("break-even.md.in"),
        cells = cells.len(),
        mean = format!("{:.2}", worst(0)),
        p99 = format!("{:.2}", worst(1)),
        least = format!("{:.2}", cells.iter().map(|cell| cell.ratios()[1]).fold(f64::MAX, f64::min)),
        cores = thread::available_parallelism().map_or(1, usize::from),
        minutes = format!("{:.0}", took.as_secs_f64() / 60.0),
        warm_up = WARM_UP,
        usual = table(of(cells, plan.hit_ratios[0])),
        nearly_all = plan.hit_ratios.get(1).map_or_else(String::new, |hit_ratio| table(of(cells, *hit_ratio))),
        changes = changes_table(changes),
    );
    let path = folder.join("break-even.md");
    fs::write(&path, page)?;
    println!("written: {}", path.display());
    Ok(())
}

fn of(cells: &[Cell], hit_ratio: f64) -> impl Iterator<Item = &Cell> {
    cells.iter().filter(move |cell| cell.hit_ratio == hit_ratio)
}

fn table<'a>(cells: impl Iterator<Item = &'a Cell>) -> String {
    let mut table = String::from(
        "| model | Redis | lookup | always | never | auto | better | auto / better | looked up | probes |\n\
         |--:|---|--:|--:|--:|--:|---|--:|--:|--:|\n",
    );
    for cell in cells {
        let _ = writeln!(table, "{}", cell.row());
    }
    table
}

fn changes_table(changes: &[Change]) -> String {
    let mut table = String::from("| what changes | auto then | after requests, at most |\n|---|---|--:|\n");
    for Change { what, then, requests } in changes {
        let requests = requests.map_or_else(|| "never".to_owned(), |requests| requests.to_string());
        let _ = writeln!(table, "| {what} | {then} | {requests} |");
    }
    table
}
