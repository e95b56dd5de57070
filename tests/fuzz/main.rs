//! Whatever comes in, as a gateway's event, as a body, from the cache or as a model package, nothing panics, no answer is a
//! 500 and none is wrong.
//!
//! `PROPTEST_CASES` is how many cases of each are tried; `make fuzz` tries many more than `make test`. What fails is shrunk
//! and printed.

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

/// Runs `check` on `cases` cases; where `PROPTEST_CASES` is set, on `PROPTEST_CASES` / `cost`.
fn fuzz<S: Strategy>(cases: u32, cost: u32, strategy: S, check: impl Fn(S::Value) -> TestCaseResult) {
    let set = env::var("PROPTEST_CASES").ok().map(|cases| cases.parse::<u32>().expect("PROPTEST_CASES is a number"));
    let cases = set.map_or(cases, |cases| (cases / cost).max(1));
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config).run(&strategy, check).unwrap_or_else(|failure| panic!("{failure}"));
}
