//! The committed counts, which a change may exceed only slightly.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::{Deserialize, Serialize};

/// The allowed excess, because processors run different variants of memcpy and of kernels.
const MARGIN: f64 = 1.05;

#[derive(Debug, Deserialize, Serialize)]
struct Path {
    instructions: u64,
    /// The count of the corresponding bare function, for docs/benchmarks.md.
    bare: u64,
}

fn file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions/budget.json"))
}

/// Writes these counts, each with the bare function's, as the budget.
pub(crate) fn write(counts: &[(&str, f64, f64)]) {
    let path = |count: f64, bare: f64| Path { instructions: count as u64, bare: bare as u64 };
    let paths: BTreeMap<_, _> = counts.iter().map(|&(name, count, bare)| (name, path(count, bare))).collect();
    let text = serde_json::to_string_pretty(&paths).expect("strings and numbers") + "\n";
    fs::write(file(), text).unwrap_or_else(|error| panic!("{}: {error}", file().display()));
    println!("\nwritten: {}", file().display());
}

/// A complaint for each count that exceeds the committed one.
pub(crate) fn exceeded(counts: &[(&str, f64, f64)]) -> Vec<String> {
    let text = fs::read_to_string(file()).unwrap_or_else(|error| panic!("{}: {error}", file().display()));
    let committed: BTreeMap<String, Path> = serde_json::from_str(&text).expect("as it was written");
    let complaint = |&(name, count, _): &(&str, f64, f64)| {
        let committed = committed.get(name)?.instructions as f64;
        let allowed = committed * MARGIN;
        (count > allowed).then(|| {
            format!(
                "{name}: {count:.0} instructions, {committed:.0} are committed and {allowed:.0} allowed; \
                 `make count-instructions NAMES=1` lists the functions that execute most, here and in the revision before"
            )
        })
    };
    counts.iter().filter_map(complaint).collect()
}
