//! Fuzzing of everything that comes in: gateways' events, bodies, cache entries and model packages. Nothing panics, no answer is a
//! 500 and none is wrong.
//!
//! `PROPTEST_CASES` sets the number of cases per test; `make fuzz` tries many more than `make test`. A failing case is shrunk and
//! printed.

mod bodies;
mod cache;
mod edit;
mod events;
mod packages;
mod subject;

use std::env;

use proptest::{
    prelude::*,
    test_runner::{TestCaseResult, TestRunner},
};

/// Runs `check` on `cases` cases, or on `PROPTEST_CASES` / `cost` cases if that variable is set.
fn fuzz<S: Strategy>(cases: u32, cost: u32, strategy: S, check: impl Fn(S::Value) -> TestCaseResult) {
    let set = env::var("PROPTEST_CASES").ok().map(|cases| cases.parse::<u32>().expect("PROPTEST_CASES is a number"));
    let cases = set.map_or(cases, |cases| (cases / cost).max(1));
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config).run(&strategy, check).unwrap_or_else(|failure| panic!("{failure}"));
}
