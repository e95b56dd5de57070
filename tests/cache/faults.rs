//! Every fault in the middle of a short load: each request gets the right answer and is counted, and the cache is used again
//! when the fault is over. `make chaos` runs the same faults for longer and measures.

use std::{sync::LazyLock, time::Duration};

use test_support::chaos::{
    fault::Fault,
    load::{self, Load, Outcome},
    population::Population,
    world::World,
};

static POPULATION: LazyLock<Population> = LazyLock::new(|| Population::new(3));

async fn survives(fault: Fault) {
    let mut world = World::new().await;
    let (service, http) = world.service(fault.is_of_the_network()).await;
    let load = Load { requests: 480, connections: 8, pause: Duration::ZERO, seed: 7 };
    let run = load::run(&http, &POPULATION, load, Some(fault), &mut world).await;
    assert_eq!((run.samples.len(), run.wrong(), run.not_ok()), (load.requests, 0, 0));
    let outcomes = run.outcomes();
    assert!(!outcomes.contains_key(&Outcome::Unknown), "{outcomes:?}");
    if fault.takes_lookups() {
        assert!(outcomes.contains_key(&Outcome::Unavailable), "the fault was there: {outcomes:?}");
    }
    assert_eq!(load::logged_outcomes(&service, load.requests).await, outcomes, "each request is counted once");
    load::redis_answers(&http, &POPULATION, load.seed).await;
}

/// Defines a test for each fault, and the list of the tested faults.
macro_rules! survived {
    ($( $name:ident: $fault:ident, )+) => {
        $(
            #[tokio::test]
            async fn $name() {
                survives(Fault::$fault).await;
            }
        )+

        #[test]
        fn every_fault_of_the_long_run_is_tested_here() {
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
    a_network_that_loses_replies_costs_no_answer: RepliesLost,
    a_redis_that_is_killed_and_started_again_costs_no_answer: Killed,
    a_redis_that_is_stopped_and_resumed_costs_no_answer: Stopped,
    a_redis_that_pauses_writes_costs_no_answer: WritesPaused,
    a_full_redis_costs_no_answer: Full,
    a_redis_that_becomes_read_only_costs_no_answer: ReadOnly,
    a_replica_that_lost_its_master_costs_no_answer: MasterDown,
    a_redis_with_another_password_costs_no_answer: OtherPassword,
    a_redis_that_permits_nothing_costs_no_answer: NoPermission,
    a_redis_that_loads_its_data_costs_no_answer: Loading,
}

/// A function connects before it asks for its first event, because during init Lambda grants a full vCPU regardless of the memory setting.
mod before_the_first_event {
    use test_support::{
        proxy::{Mode, Proxy},
        redis::Redis,
        runtime_api::RuntimeApi,
        service::Service,
    };

    #[tokio::test]
    async fn a_function_is_connected() {
        let redis = Redis::start().await;
        let proxy = Proxy::to_redis(&redis).await;
        let api = RuntimeApi::start().await;
        let _service = Service::lambda(&api, &[("REDIS_URL", &*proxy.url()), ("CACHE_READ_TIMEOUT_MS", "3000")]);
        api.first_asked().await;
        assert_eq!((proxy.connections(), proxy.passing()), (1, 1));
    }

    #[tokio::test]
    async fn a_function_does_not_wait_for_a_redis_that_hangs() {
        let redis = Redis::start().await;
        let proxy = Proxy::to_redis(&redis).await;
        proxy.set(Mode::Blackhole);
        let mut api = RuntimeApi::start().await;
        // Connecting may take as long as the longest command timeout; the start waits only as long as a lookup.
        let patience = [("CACHE_READ_TIMEOUT_MS", "50"), ("CACHE_WRITE_TIMEOUT_MS", "60000")];
        let _service = Service::lambda(&api, &[&[("REDIS_URL", &*proxy.url())], &patience[..]].concat());
        api.first_asked().await;
        let event = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
        assert_eq!(api.invoke(&event).await.status(), 200);
    }
}

/// Lambda freezes a process between invocations. In the meantime its connection can break, or Redis can stop.
mod freeze_and_thaw {
    use std::time::Duration;

    use rustix::process::Signal;
    use serde_json::Value;

    use super::*;
    use test_support::{
        eventually,
        proxy::{Mode, Proxy},
        redis::Redis,
        runtime_api::{Outcome as Answer, RuntimeApi},
        service::Service,
    };

    /// Long, so that a busy machine does not fail the test.
    const DEADLINE: Duration = Duration::from_secs(3);

    struct Function {
        api: RuntimeApi,
        service: Service,
        proxy: Proxy,
        redis: Redis,
    }

    impl Function {
        /// Starts with a connection that is open and was used, and with the favourite's prediction in Redis.
        async fn start() -> Self {
            let redis = Redis::start().await;
            let proxy = Proxy::to_redis(&redis).await;
            let api = RuntimeApi::start().await;
            let deadline = DEADLINE.as_millis().to_string();
            let variables = [("REDIS_URL", &*proxy.url()), ("CACHE_READ_TIMEOUT_MS", &deadline)];
            let service = Service::lambda(&api, &variables);
            let mut function = Self { api, service, proxy, redis };
            function.invoke().await;
            assert_eq!(function.invoke().await.cache_status(), "predict-once; hit; detail=redis");
            function
        }

        /// Invokes the function and checks what must hold in any state of the cache.
        async fn invoke(&mut self) -> Answer {
            let applicant = POPULATION.favourite();
            let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
            event["rawPath"] = "/probabilities".into();
            event["body"] = applicant.body.as_str().into();
            let answer = self.api.invoke(&event).await;
            assert_eq!((answer.status(), answer.payload["body"].as_str()), (200, Some(&*applicant.truth)));
            self.api.idle().await;
            answer
        }

        /// Freezes the process, runs `happens`, and thaws the process.
        async fn frozen(&mut self, happens: impl AsyncFnOnce(&mut Proxy, &mut Redis)) {
            self.service.signal(Signal::STOP);
            let state = format!("/proc/{}/stat", self.service.pid());
            let stopped = async || std::fs::read_to_string(&state).is_ok_and(|stat| stat.contains(") T "));
            eventually("the process is frozen", stopped).await;
            happens(&mut self.proxy, &mut self.redis).await;
            eventually("the connection is broken", async || self.proxy.passing() == 0).await;
            self.service.signal(Signal::CONT);
        }
    }

    async fn is_a_hit_within_one_deadline(breaks: impl Fn(&Proxy)) {
        let mut function = Function::start().await;
        for _ in 0..3 {
            function.frozen(async |proxy, _| breaks(proxy)).await;
            let answer = function.invoke().await;
            assert_eq!(answer.cache_status(), "predict-once; hit; detail=redis");
            assert!(answer.time < DEADLINE, "{:?}", answer.time);
        }
    }

    async fn is_answered_without_redis(new_ones: Mode) {
        let mut function = Function::start().await;
        let gone = async |proxy: &mut Proxy, redis: &mut Redis| {
            proxy.set(new_ones);
            redis.kill();
        };
        function.frozen(gone).await;
        assert_eq!(function.invoke().await.cache_status(), "predict-once; fwd=miss; detail=unavailable");
        function.redis.restart().await;
        function.proxy.set(Mode::Pass);
        while function.invoke().await.cache_status() != "predict-once; hit; detail=redis" {}
    }

    #[tokio::test]
    async fn after_a_close_during_the_freeze_the_next_answer_comes_from_redis() {
        is_a_hit_within_one_deadline(Proxy::close_open_connections).await;
    }

    #[tokio::test]
    async fn after_a_reset_during_the_freeze_the_next_answer_comes_from_redis() {
        is_a_hit_within_one_deadline(Proxy::reset_open_connections).await;
    }

    #[tokio::test]
    async fn after_a_silent_loss_during_the_freeze_the_next_answer_comes_from_redis() {
        is_a_hit_within_one_deadline(Proxy::silence_open_connections).await;
    }

    #[tokio::test]
    async fn after_redis_vanished_with_a_close_during_the_freeze_the_next_answer_comes_from_the_model() {
        is_answered_without_redis(Mode::Closed).await;
    }

    #[tokio::test]
    async fn after_redis_vanished_with_a_reset_during_the_freeze_the_next_answer_comes_from_the_model() {
        is_answered_without_redis(Mode::Refuse).await;
    }

    #[tokio::test]
    async fn after_redis_vanished_silently_during_the_freeze_the_next_answer_comes_from_the_model() {
        is_answered_without_redis(Mode::Blackhole).await;
    }
}
