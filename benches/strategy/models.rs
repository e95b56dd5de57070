//! Models with a given run time, which multiply a number with matrices.

use std::{path::PathBuf, process::Command, time::Duration};

use serde_json::Value;
use test_support::{packages, service};

pub(crate) struct TimedModel {
    /// The intended run time.
    pub(crate) nominal: Duration,
    pub(crate) directory: PathBuf,
}

impl TimedModel {
    /// A model with as many products as make a run take about `nominal`, measured by `predict-once check`.
    pub(crate) fn new(nominal: Duration) -> Self {
        let width = match nominal.as_micros() {
            0..100 => 16,
            100..1_000 => 256,
            1_000..10_000 => 512,
            _ => 1_024,
        };
        let name = format!("timed-{}-us", nominal.as_micros());
        let (mut products, mut directory) = (8, PathBuf::new());
        for _ in 0..3 {
            directory = packages::write(&packages::products(width, products), &name);
            let per_product = run_time(&directory).as_secs_f64() / products as f64;
            products = ((nominal.as_secs_f64() / per_product).round() as usize).max(1);
        }
        Self { nominal, directory }
    }
}

fn run_time(directory: &PathBuf) -> Duration {
    let check = Command::new(service::binary()).args(["check", "--json"]).arg(directory).output().expect("it starts");
    let report: Value = serde_json::from_slice(&check.stdout).unwrap_or_else(|error| panic!("{error}: {check:?}"));
    Duration::from_secs_f64(report["run_us"].as_f64().expect("a number") * 1e-6)
}
