//! The committed counts, which a change may exceed only slightly.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::callgrind::Counts;

/// The allowed excess, because processors run different variants of memcpy and of kernels.
const MARGIN: f64 = 1.05;
/// The number of functions committed per path: those with the most instructions.
const FUNCTIONS: usize = 60;
/// The number of functions that a failure names.
const NAMED: usize = 15;

#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
struct Path {
    instructions: u64,
    /// The count of the corresponding bare function, for docs/benchmarks.md.
    bare: u64,
    /// The functions with the most instructions.
    functions: BTreeMap<String, u64>,
}

fn file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions/budget.json"))
}

/// Writes these counts as the budget.
pub(crate) fn write(counts: &[(&str, Counts, f64)]) {
    let path = |counts: &Counts, bare: f64| {
        let mut functions: Vec<_> =
            counts.functions.iter().map(|(name, count)| (name.clone(), *count as u64)).collect();
        functions.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(*count));
        functions.truncate(FUNCTIONS);
        Path { instructions: counts.total as u64, bare: bare as u64, functions: functions.into_iter().collect() }
    };
    let paths: BTreeMap<_, _> = counts.iter().map(|(name, counts, bare)| (*name, path(counts, *bare))).collect();
    let text = serde_json::to_string_pretty(&paths).expect("strings and numbers") + "\n";
    fs::write(file(), text).unwrap_or_else(|error| panic!("{}: {error}", file().display()));
    println!("\nwritten: {}", file().display());
}

/// The paths that exceed the committed counts, each with the functions that grew.
pub(crate) fn exceeded(counts: &[(&str, Counts, f64)]) -> Vec<String> {
    let text = fs::read_to_string(file()).unwrap_or_else(|error| panic!("{}: {error}", file().display()));
    let committed: BTreeMap<String, Path> = serde_json::from_str(&text).expect("as it was written");
    counts.iter().filter_map(|(name, counts, _)| complaint(name, counts, committed.get(*name)?)).collect()
}

fn complaint(name: &str, counts: &Counts, committed: &Path) -> Option<String> {
    let allowed = committed.instructions as f64 * MARGIN;
    if counts.total <= allowed {
        return None;
    }
    // A function that is not committed had at most as many instructions as the smallest committed one.
    let least = committed.functions.values().copied().min().unwrap_or_default();
    let mut grown: Vec<_> = counts
        .functions
        .iter()
        .map(|(name, count)| (count - committed.functions.get(name).copied().unwrap_or(least) as f64, name))
        .filter(|(more, _)| *more > 0.0)
        .collect();
    grown.sort_unstable_by(|(one, _), (other, _)| other.total_cmp(one));
    let named: String =
        grown.iter().take(NAMED).map(|(more, function)| format!("\n  {more:>+12.0}  {function}")).collect();
    Some(format!(
        "{name}: {:.0} instructions, {:.0} are committed and {allowed:.0} allowed; more than committed, by function:{named}",
        counts.total, committed.instructions as f64
    ))
}
