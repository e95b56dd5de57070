//! Every fault in the middle of a load, in short: always an answer, always the right one, every request counted, and the
//! cache is used again when the fault is over. `make chaos` runs the same at length and measures.

#[path = "support/chaos/mod.rs"]
mod chaos;
mod support;

use std::{sync::LazyLock, time::Duration};

use chaos::{
    fault::Fault,
    load::{self, Load, Outcome},
    population::Population,
    world::World,
};

static POPULATION: LazyLock<Population> = LazyLock::new(|| Population::new(3));

async fn survives(fault: Fault) {
    let mut world = World::new().await;
    let (service, http) = world.service(fault.is_of_the_network(), "info").await;
    let load = Load { requests: 480, connections: 8, pause: Duration::ZERO, seed: 7 };
    let run = load::run(&http, &POPULATION, load, Some(fault), &mut world).await;
    assert_eq!((run.samples.len(), run.wrong(), run.not_ok()), (load.requests, 0, 0));
    let outcomes = run.outcomes();
    assert!(!outcomes.contains_key(&Outcome::Unknown), "{outcomes:?}");
    if fault.takes_lookups() {
        assert!(outcomes.contains_key(&Outcome::Unavailable), "the fault was there: {outcomes:?}");
    }
    assert_eq!(load::logged_outcomes(&service, load.requests).await, outcomes, "each request is counted once");
    let recovered = async || load::ask(&http, 0, POPULATION.favourite()).await.outcome == Outcome::Hit;
    support::eventually("a hit after the fault", recovered).await;
}

/// A test for each fault, and the list of them.
macro_rules! survived {
    ($( $name:ident: $fault:ident, )+) => {
        $(
            #[tokio::test]
            async fn $name() {
                survives(Fault::$fault).await;
            }
        )+

        #[test]
        fn every_fault_of_the_long_run_has_its_short_form() {
            assert_eq!([$(Fault::$fault),+], Fault::ALL);
        }
    };
}

survived! {
    a_network_that_refuses_connections_costs_no_answer: Refused,
    a_connection_that_is_reset_costs_no_answer: Reset,
    a_connection_that_is_closed_costs_no_answer: Closed,
    a_connection_that_falls_silent_costs_no_answer: Silenced,
    a_network_that_swallows_everything_costs_no_answer: Blackhole,
    a_slow_network_costs_no_answer: DelayedBelowTheDeadline,
    a_network_slower_than_the_deadline_costs_no_answer: DelayedBeyondTheDeadline,
    a_narrow_network_costs_no_answer: Throttled,
    connections_that_are_cut_in_the_middle_of_answers_cost_no_answer: Cut,
    a_redis_that_is_killed_and_started_again_costs_no_answer: Killed,
    a_redis_that_is_stopped_and_goes_on_costs_no_answer: Stopped,
    a_redis_that_pauses_writes_costs_no_answer: WritesPaused,
    a_full_redis_costs_no_answer: Full,
    a_redis_that_becomes_read_only_costs_no_answer: ReadOnly,
    a_replica_that_lost_its_master_costs_no_answer: MasterDown,
    a_redis_with_another_password_costs_no_answer: OtherPassword,
    a_redis_that_permits_nothing_costs_no_answer: NoPermission,
    a_redis_that_loads_its_data_costs_no_answer: Loading,
}
