//! The extent of the runs: everything (`make lab`), or each kind of run once (`LAB=short`).

use std::{env, error::Error, time::Duration};

use super::workload::Workload;

/// Every `maxmemory-policy`. Of equally good ones, the first is recommended.
pub(crate) const POLICIES: [&str; 8] = [
    "allkeys-lfu",
    "allkeys-lru",
    "allkeys-random",
    "volatile-lfu",
    "volatile-lru",
    "volatile-random",
    "volatile-ttl",
    "noeviction",
];

pub(crate) struct Plan {
    pub(crate) short: bool,
    /// The directory of a model package; `None` for the shipped one.
    pub(crate) model: Option<String>,
    /// A file of requests, instead of the workloads.
    pub(crate) requests_file: Option<String>,
    /// The exponents of Zipf's law.
    exponents: Vec<f64>,
    pub(crate) requests: usize,
    pub(crate) seeds: u64,
    /// The memory for entries as shares of what all entries need, in ascending order.
    pub(crate) shares: Vec<f64>,
    /// The position of the share for comparing layouts and tiers.
    pub(crate) usual_share: usize,
    /// The numbers of entries in the memory tier, in ascending order; the first is 0.
    pub(crate) tiers: Vec<usize>,
    /// The number of concurrent Redis servers.
    pub(crate) servers: usize,
    /// The minimum duration of a replay. Redis records the last access in whole seconds, so LRU could not work in a run of one
    /// second.
    pub(crate) pace: Duration,
}

impl Plan {
    /// Reads `LAB`, `MODEL`, `REQUESTS` and `ZIPF`. An empty variable counts as unset.
    pub(crate) fn from_environment() -> Result<Self, Box<dyn Error>> {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let short = match set("LAB").as_deref() {
            None | Some("full") => false,
            Some("short") => true,
            Some(other) => return Err(format!("LAB must be full or short, not {other:?}").into()),
        };
        let exponents = set("ZIPF").unwrap_or_else(|| "0.8,1.0".to_owned());
        let exponents: Vec<f64> = exponents
            .split(',')
            .map(|exponent| exponent.trim().parse().ok().filter(|exponent| (0.0..=3.0).contains(exponent)))
            .collect::<Option<_>>()
            .ok_or("ZIPF must be numbers from 0 to 3 with commas between them")?;
        let plan = Self {
            short,
            model: set("MODEL"),
            requests_file: set("REQUESTS"),
            exponents,
            requests: 200_000,
            seeds: 3,
            shares: vec![0.05, 0.1, 0.2, 0.4],
            usual_share: 1,
            tiers: vec![0, 100, 1_000, 10_000],
            servers: 96,
            pace: Duration::from_secs(60),
        };
        if !short {
            return Ok(plan);
        }
        let (shares, tiers) = (vec![0.05, 0.1], vec![0, 100, 1_000]);
        Ok(Self { requests: 20_000, seeds: 1, shares, tiers, servers: 8, pace: Duration::ZERO, ..plan })
    }

    /// Whether this is the run that produces the repository's documents.
    pub(crate) fn is_documented(&self) -> bool {
        !self.short && self.model.is_none() && self.requests_file.is_none() && self.exponents == [0.8, 1.0]
    }

    /// The workloads to use without a file of requests.
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        let zipf = self.exponents.iter().map(|exponent| Workload::Zipf(*exponent));
        zipf.chain([Workload::Scans, Workload::OneHitWonders, Workload::Change]).collect()
    }

    /// The position of the workload for comparing layouts: the last Zipf workload.
    pub(crate) fn usual_workload(&self) -> usize {
        if self.requests_file.is_some() { 0 } else { self.exponents.len() - 1 }
    }
}
