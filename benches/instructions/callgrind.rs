//! Counts by function from callgrind's output.

use std::collections::{BTreeMap, HashMap};

use rustc_demangle::demangle;

/// Instructions of a run, or of the difference between two runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) total: f64,
    /// By function, without its callees.
    pub(crate) functions: BTreeMap<String, f64>,
}

impl Counts {
    /// Parses callgrind's output ([format](https://valgrind.org/docs/manual/cl-format.html)).
    pub(crate) fn read(report: &str) -> Self {
        let mut names: HashMap<&str, &str> = HashMap::new();
        let mut counts = Self::default();
        let mut by_symbol: HashMap<&str, f64> = HashMap::new();
        let mut function = "";
        let mut is_of_callee = false;
        for line in report.lines() {
            if let Some(named) = line.strip_prefix("fn=") {
                // A name is written once, after its number: `(12) name`; later only `(12)`.
                let (number, name) = named.split_once(' ').unwrap_or((named, ""));
                function = if name.is_empty() { names[number] } else { name };
                names.insert(number, function);
            } else if line.starts_with("calls=") {
                is_of_callee = true;
            } else if let Some(named) = line.strip_prefix("cfn=") {
                if let Some((number, name)) = named.split_once(' ') {
                    names.insert(number, name);
                }
            } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
                let count = line.split(' ').nth(1).and_then(|count| count.parse::<f64>().ok()).unwrap_or_default();
                if !std::mem::take(&mut is_of_callee) {
                    counts.total += count;
                    *by_symbol.entry(function).or_default() += count;
                }
            }
        }
        for (symbol, count) in by_symbol {
            // `'` is followed by the depth of the recursion.
            let symbol = symbol.split_once('\'').map_or(symbol, |(symbol, _)| symbol);
            // Without the hash, which differs between builds.
            *counts.functions.entry(format!("{:#}", demangle(symbol))).or_default() += count;
        }
        counts
    }

    /// Instructions per invocation, from the difference between `self` and a run with fewer invocations.
    pub(crate) fn per_invocation(mut self, fewer: &Self, invocations: usize) -> Self {
        let per_invocation = |more: f64, less: f64| (more - less) / invocations as f64;
        self.total = per_invocation(self.total, fewer.total);
        for (name, count) in &mut self.functions {
            *count = per_invocation(*count, fewer.functions.get(name).copied().unwrap_or_default());
        }
        self
    }
}
