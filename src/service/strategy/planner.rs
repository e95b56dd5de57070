//! Decides whether to look up first. A lookup in Redis costs a round trip, hit or miss; it pays only if the model takes longer.
//!
//! With a lookup time *L*, a model time *M* and a hit ratio *h*, looking up first takes *L* + (1 − *h*)·*M* on average, and computing
//! takes *M*: a lookup pays if *L* < *h*·*M*. All three are measured, as exponentially weighted means.
//!
//! If lookups do not pay, some are still made after the response, to notice a change (*probes*). The relevant hit ratio is the one
//! with every prediction stored. It is estimated on a fixed eighth of the keys, which are always stored and looked up, whatever is
//! done with the others (spatial sampling, as in Waldspurger et al., "Efficient MRC Construction with SHARDS", FAST 2015). All
//! processes sample the same eighth, and warm it for each other.
//!
//! A model run on the same thread delays the reading of Redis's reply. The true latency therefore lies between the measured time
//! minus those runs and the measured time.

use std::time::Duration;

use parking_lot::Mutex;
use prediction_cache::CacheKey;

use super::{
    Strategy,
    audit::Audit,
    costs::{Costs, LookupTime, Plan},
};

/// Plans the lookups of one prediction.
pub(in crate::service) struct Planner {
    strategy: Strategy,
    /// Locked for a few additions, never across an await.
    state: Mutex<State>,
}

struct State {
    costs: Costs,
    audit: Audit,
}

impl Planner {
    /// `model` is the time of one run, if known.
    pub(in crate::service) fn new(strategy: Strategy, model: Option<Duration>) -> Self {
        Self { strategy, state: Mutex::new(State { costs: Costs::new(model), audit: Audit::default() }) }
    }

    /// The plan for the inputs of these keys together. Of several, only samples are probed and stored.
    pub(in crate::service) fn plan<'a>(&self, mut keys: impl Iterator<Item = &'a CacheKey>) -> Plan {
        if self.strategy == Strategy::LookupFirst {
            return Plan::LookUp;
        }
        match (keys.next(), keys.count()) {
            (None, _) => Plan::LookUp,
            (Some(key), 0) => self.state.lock().costs.plan(key),
            (Some(_), others) => self.state.lock().costs.plan_many(1 + others),
        }
    }

    /// Records the model's time for `inputs` inputs together.
    pub(in crate::service) fn record_runs(&self, time: Duration, inputs: usize) {
        match inputs {
            0 => {}
            1 => self.state.lock().costs.record_run(time),
            _ => self.state.lock().costs.record_batch(time, inputs),
        }
    }

    /// Records a lookup before or after the response, with its keys and whether each was a hit.
    pub(in crate::service) fn record_lookup<'a>(
        &self,
        time: LookupTime,
        found: impl ExactSizeIterator<Item = (&'a CacheKey, bool)>,
    ) {
        let mut state = self.state.lock();
        match self.strategy {
            Strategy::Auto => state.costs.record_lookup(time, found),
            Strategy::LookupFirst => {
                let (keys, model) = (found.len(), state.costs.model());
                let hits = found.filter(|(_, is_hit)| *is_hit).count();
                state.audit.record(time.total.as_secs_f64(), keys, hits, model);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::costs::Probe, *};
    use prediction_cache::{KeySpace, Layout, Namespace};

    const MODEL: Duration = Duration::from_millis(3);

    fn key(input: usize) -> CacheKey {
        KeySpace::new(&Namespace::default(), Layout::String, "model").key("decision", input)
    }

    fn planner(model: Duration) -> Planner {
        Planner::new(Strategy::Auto, Some(model))
    }

    fn plan_many(planner: &Planner, inputs: usize) -> Plan {
        planner.plan((0..inputs).map(key).collect::<Vec<_>>().iter())
    }

    fn alone(total: Duration) -> LookupTime {
        LookupTime { total, runs: Duration::ZERO }
    }

    /// Simulates requests; returns how many of them were looked up first, probed, and stored.
    fn requests(
        planner: &Planner,
        count: usize,
        lookup: Duration,
        model: Duration,
        is_hit: fn(usize) -> bool,
    ) -> [usize; 3] {
        let mut done = [0; 3];
        for n in 0..count {
            let (key, is_hit) = (key(n), is_hit(n));
            match planner.plan([&key].into_iter()) {
                Plan::LookUp => {
                    done[0] += 1;
                    planner.record_lookup(alone(lookup), [(&key, is_hit)].into_iter());
                    if !is_hit {
                        planner.record_runs(model, 1);
                    }
                }
                Plan::Compute(probe) => {
                    planner.record_runs(model, 1);
                    done[2] += usize::from(probe == Probe::LookUpAndStore);
                    if probe != Probe::No {
                        done[1] += 1;
                        planner.record_lookup(alone(lookup), [(&key, is_hit)].into_iter());
                    }
                }
            }
        }
        done
    }

    /// Simulates requests, all hits, to a server whose model runs during each probe, so that probes say nothing; returns how many of
    /// them were computed.
    fn computed_when_busy(planner: &Planner, count: usize, lookup: Duration) -> usize {
        let mut computed = 0;
        for n in 0..count {
            let time = match planner.plan([&key(n)].into_iter()) {
                Plan::LookUp => alone(lookup),
                Plan::Compute(probe) => {
                    computed += 1;
                    match probe {
                        Probe::No => continue,
                        _ => LookupTime { total: MODEL + lookup, runs: MODEL + lookup },
                    }
                }
            };
            planner.record_lookup(time, [(&key(n), true)].into_iter());
        }
        computed
    }

    #[test]
    fn a_model_that_is_slower_than_a_lookup_is_looked_up_first_and_a_faster_one_computed() {
        let lookup = Duration::from_micros(300);
        let often = |n: usize| !n.is_multiple_of(5);
        assert_eq!(requests(&planner(MODEL), 1000, lookup, MODEL, often), [1000, 0, 0]);
        let fast = Duration::from_micros(5);
        let [looked_up, probed, stored] = requests(&planner(fast), 1000, lookup, fast, often);
        assert_eq!((looked_up, stored), (0, 0));
        assert_eq!(probed, 1000 / 128, "rarely enough for the 99th percentile");
    }

    #[test]
    fn lookups_that_become_slow_end_and_begin_again_when_they_are_fast_again() {
        let planner = planner(MODEL);
        let often = |n: usize| !n.is_multiple_of(5);
        let (fast, slow) = (Duration::from_micros(300), Duration::from_millis(10));
        assert_eq!(requests(&planner, 100, fast, MODEL, often)[0], 100);
        let [looked_up, ..] = requests(&planner, 100, slow, MODEL, often);
        assert!(looked_up < 30, "{looked_up}");
        assert_eq!(requests(&planner, 500, slow, MODEL, often)[0], 0);
        requests(&planner, 3000, fast, MODEL, often);
        assert_eq!(requests(&planner, 100, fast, MODEL, often)[0], 100);
    }

    #[test]
    fn inputs_that_do_not_return_are_computed_and_an_eighth_of_them_is_stored_and_probed() {
        let planner = planner(MODEL);
        let lookup = Duration::from_micros(600);
        requests(&planner, 2000, lookup, MODEL, |_| false);
        let [looked_up, probed, stored] = requests(&planner, 8000, lookup, MODEL, |_| false);
        assert_eq!((looked_up, probed), (0, stored));
        assert!((700..1300).contains(&stored), "{stored}");
        requests(&planner, 1000, lookup, MODEL, |_| true);
        assert_eq!(requests(&planner, 100, lookup, MODEL, |_| true)[0], 100, "they return");
    }

    #[test]
    fn a_pause_of_the_process_does_not_make_the_model_look_slow() {
        let fast = Duration::from_micros(5);
        let planner = planner(fast);
        planner.record_runs(Duration::from_millis(20), 1);
        assert_eq!(planner.plan([&key(1)].into_iter()), Plan::Compute(Probe::No));
    }

    #[test]
    fn many_inputs_share_one_round_trip() {
        let planner = planner(Duration::from_micros(5));
        assert!([1, 10].iter().all(|inputs| plan_many(&planner, *inputs) != Plan::LookUp));
        assert_eq!(plan_many(&planner, 1000), Plan::LookUp);
    }

    #[test]
    fn a_distant_redis_is_known_from_arrays_too() {
        let planner = planner(Duration::from_micros(5));
        let keys: Vec<_> = (0..1000).map(key).collect();
        for _ in 0..20 {
            planner.record_lookup(alone(Duration::from_millis(20)), keys.iter().map(|key| (key, true)));
        }
        assert_eq!(plan_many(&planner, 1000), Plan::Compute(Probe::No));
        for _ in 0..20 {
            planner.record_lookup(alone(Duration::from_millis(2)), keys.iter().map(|key| (key, true)));
        }
        assert_eq!(plan_many(&planner, 1000), Plan::LookUp);
    }

    #[test]
    fn a_model_that_is_faster_in_a_batch_is_computed_in_one() {
        let planner = planner(Duration::from_micros(5));
        for _ in 0..20 {
            planner.record_runs(Duration::from_micros(700), 1000);
        }
        assert_eq!(plan_many(&planner, 1000), Plan::Compute(Probe::No));
    }

    #[test]
    fn a_fast_redis_is_noticed_although_the_model_runs_beside_every_probe() {
        let planner = planner(MODEL);
        let (slow, fast) = (Duration::from_millis(10), Duration::from_millis(1));
        // The hits, too, begin later.
        requests(&planner, 1000, slow, MODEL, |_| false);
        let computed = computed_when_busy(&planner, 3_000, fast);
        assert!(computed < 2_000, "{computed}");
        // A Redis that is as slow as it seems is tried only rarely.
        let tried = requests(&planner, 100, slow, MODEL, |_| true)[0];
        let tried_later = (0..3_000).filter(|n| planner.plan([&key(*n)].into_iter()) == Plan::LookUp).count();
        assert!(tried < 30 && tried_later <= 3_000 / 256 + 1, "{tried} {tried_later}");
    }

    #[test]
    fn a_brief_disturbance_does_not_stop_lookups_for_long_although_the_model_runs_beside_every_probe() {
        let planner = planner(MODEL);
        let (fast, disturbed) = (Duration::from_micros(1300), Duration::from_millis(30));
        assert_eq!(requests(&planner, 1_000, fast, MODEL, |_| true)[0], 1_000);
        assert_eq!(requests(&planner, 2, disturbed, MODEL, |_| true)[0], 2, "two of them do not stop lookups");
        assert_eq!(requests(&planner, 1_000, fast, MODEL, |_| true)[0], 1_000);
        assert!(requests(&planner, 5, disturbed, MODEL, |_| true)[0] < 5, "five do");
        let computed = computed_when_busy(&planner, 1_000, fast);
        assert!(computed < 20, "{computed}");
    }

    #[test]
    fn after_one_good_trial_others_follow_soon() {
        let planner = planner(MODEL);
        let (slow, fast) = (Duration::from_millis(10), Duration::from_millis(1));
        assert_eq!(requests(&planner, 1_000, fast, MODEL, |_| true)[0], 1_000);
        assert!(computed_when_busy(&planner, 3_000, slow) > 2_900, "trials have become rare");
        let computed = computed_when_busy(&planner, 3_000, fast);
        assert!(computed < 300, "{computed}");
    }

    /// Whether a warning says that looking up first costs more than it gains, with four hits in five.
    fn warns(lookup: Duration, model: Duration) -> bool {
        let planner = Planner::new(Strategy::LookupFirst, None);
        assert_eq!(
            requests(&planner, 3000, lookup, model, |n| !n.is_multiple_of(5)),
            [3000, 0, 0],
            "it always looks up"
        );
        assert_eq!(plan_many(&planner, 1), Plan::LookUp);
        planner.state.lock().audit.has_warned()
    }

    #[test]
    fn lookup_first_always_looks_up_and_warns_if_that_does_not_pay() {
        let lookup = Duration::from_millis(1);
        assert!(warns(lookup, Duration::from_micros(5)));
        assert!(!warns(lookup, Duration::from_millis(3)));
    }

    #[test]
    fn there_is_no_warning_before_the_model_has_run() {
        let planner = Planner::new(Strategy::LookupFirst, None);
        requests(&planner, 3000, Duration::from_millis(1), MODEL, |_| true);
        assert!(!planner.state.lock().audit.has_warned());
    }
}
