//! Judges whether to look up first. A lookup in Redis costs a round trip, hit or miss; it pays only where the model takes longer.
//!
//! With a lookup of *L*, a model of *M* and a hit ratio *h*, looking up first takes *L* + (1 − *h*)·*M* on average and computing
//! takes *M*: a lookup pays if *L* < *h*·*M*. All three are measured, as exponentially weighted means.
//!
//! Where lookups do not pay, some are made all the same, after the response, so that a change is noticed (*probes*). The hit ratio
//! that counts is the one there would be if every prediction were stored. It is estimated on a fixed eighth of the keys: these are
//! always stored and looked up, whatever is done with the others (spatial sampling, as in Waldspurger et al., "Efficient MRC
//! Construction with SHARDS", FAST 2015). All processes take the same eighth, and warm it for each other.
//!
//! A thread hears of Redis's answer only when the model has run that another of its requests needs. Such a lookup has taken
//! something between the time without those runs and the time with them.

use std::time::Duration;

use parking_lot::Mutex;
use prediction_cache::CacheKey;

use super::{
    Strategy,
    audit::Audit,
    costs::{Costs, Plan, Took},
};

/// The judge of one prediction.
pub(in crate::service) struct Judge {
    strategy: Strategy,
    /// Held for a few additions, never across an await.
    state: Mutex<State>,
}

struct State {
    costs: Costs,
    audit: Audit,
}

impl Judge {
    /// `model` is how long one run takes, as far as that is known.
    pub(in crate::service) fn new(strategy: Strategy, model: Option<Duration>) -> Self {
        Self { strategy, state: Mutex::new(State { costs: Costs::new(model), audit: Audit::default() }) }
    }

    /// What to do for the inputs of these keys together. Of several, samples are probed and stored.
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

    /// Notes how long the model took for some inputs together.
    pub(in crate::service) fn ran(&self, time: Duration, inputs: usize) {
        match inputs {
            0 => {}
            1 => self.state.lock().costs.ran(time),
            _ => self.state.lock().costs.ran_many(time, inputs),
        }
    }

    /// Notes for which keys a lookup, before or after the response, has found an answer.
    pub(in crate::service) fn looked_up<'a>(
        &self,
        took: Took,
        found: impl ExactSizeIterator<Item = (&'a CacheKey, bool)>,
    ) {
        let mut state = self.state.lock();
        match self.strategy {
            Strategy::Auto => state.costs.looked_up(took, found),
            Strategy::LookupFirst => {
                let (keys, model) = (found.len(), state.costs.model());
                let hits = found.filter(|(_, is_hit)| *is_hit).count();
                state.audit.note(took.time.as_secs_f64(), keys, hits, model);
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

    fn judge(model: Duration) -> Judge {
        Judge::new(Strategy::Auto, Some(model))
    }

    fn plan_many(judge: &Judge, inputs: usize) -> Plan {
        judge.plan((0..inputs).map(key).collect::<Vec<_>>().iter())
    }

    fn alone(time: Duration) -> Took {
        Took { time, runs: Duration::ZERO }
    }

    /// Goes through requests as the service does; how many of them were looked up first, probed, and stored.
    fn requests(
        judge: &Judge,
        count: usize,
        lookup: Duration,
        model: Duration,
        is_hit: fn(usize) -> bool,
    ) -> [usize; 3] {
        let mut done = [0; 3];
        for n in 0..count {
            let (key, is_hit) = (key(n), is_hit(n));
            match judge.plan([&key].into_iter()) {
                Plan::LookUp => {
                    done[0] += 1;
                    judge.looked_up(alone(lookup), [(&key, is_hit)].into_iter());
                    if !is_hit {
                        judge.ran(model, 1);
                    }
                }
                Plan::Compute(probe) => {
                    judge.ran(model, 1);
                    done[2] += usize::from(probe == Probe::LookUpAndStore);
                    if probe != Probe::No {
                        done[1] += 1;
                        judge.looked_up(alone(lookup), [(&key, is_hit)].into_iter());
                    }
                }
            }
        }
        done
    }

    /// So many requests, all hits, to a server whose model runs during each probe, which therefore tells nothing; how many of them
    /// were computed.
    fn computed_when_busy(judge: &Judge, count: usize, lookup: Duration) -> usize {
        let mut computed = 0;
        for n in 0..count {
            let took = match judge.plan([&key(n)].into_iter()) {
                Plan::LookUp => alone(lookup),
                Plan::Compute(probe) => {
                    computed += 1;
                    match probe {
                        Probe::No => continue,
                        _ => Took { time: MODEL + lookup, runs: MODEL + lookup },
                    }
                }
            };
            judge.looked_up(took, [(&key(n), true)].into_iter());
        }
        computed
    }

    #[test]
    fn a_model_that_is_slower_than_a_lookup_is_looked_up_first_and_a_faster_one_computed() {
        let lookup = Duration::from_micros(300);
        let often = |n: usize| !n.is_multiple_of(5);
        assert_eq!(requests(&judge(MODEL), 1000, lookup, MODEL, often), [1000, 0, 0]);
        let fast = Duration::from_micros(5);
        let [looked_up, probed, stored] = requests(&judge(fast), 1000, lookup, fast, often);
        assert_eq!((looked_up, stored), (0, 0));
        assert_eq!(probed, 1000 / 128, "rarely enough for the 99th percentile");
    }

    #[test]
    fn lookups_that_become_slow_end_and_begin_again_when_they_are_fast_again() {
        let judge = judge(MODEL);
        let often = |n: usize| !n.is_multiple_of(5);
        let (fast, slow) = (Duration::from_micros(300), Duration::from_millis(10));
        assert_eq!(requests(&judge, 100, fast, MODEL, often)[0], 100);
        let [looked_up, ..] = requests(&judge, 100, slow, MODEL, often);
        assert!(looked_up < 30, "{looked_up}");
        assert_eq!(requests(&judge, 500, slow, MODEL, often)[0], 0);
        requests(&judge, 3000, fast, MODEL, often);
        assert_eq!(requests(&judge, 100, fast, MODEL, often)[0], 100);
    }

    #[test]
    fn inputs_that_do_not_return_are_computed_and_an_eighth_of_them_is_stored_and_probed() {
        let judge = judge(MODEL);
        let lookup = Duration::from_micros(600);
        requests(&judge, 2000, lookup, MODEL, |_| false);
        let [looked_up, probed, stored] = requests(&judge, 8000, lookup, MODEL, |_| false);
        assert_eq!((looked_up, probed), (0, stored));
        assert!((700..1300).contains(&stored), "{stored}");
        requests(&judge, 1000, lookup, MODEL, |_| true);
        assert_eq!(requests(&judge, 100, lookup, MODEL, |_| true)[0], 100, "they return");
    }

    #[test]
    fn a_pause_of_the_process_is_no_slow_model() {
        let fast = Duration::from_micros(5);
        let judge = judge(fast);
        judge.ran(Duration::from_millis(20), 1);
        assert_eq!(judge.plan([&key(1)].into_iter()), Plan::Compute(Probe::No));
    }

    #[test]
    fn many_inputs_share_one_round_trip() {
        let judge = judge(Duration::from_micros(5));
        assert!([1, 10].iter().all(|inputs| plan_many(&judge, *inputs) != Plan::LookUp));
        assert_eq!(plan_many(&judge, 1000), Plan::LookUp);
    }

    #[test]
    fn a_distant_redis_is_known_from_arrays_too() {
        let judge = judge(Duration::from_micros(5));
        let keys: Vec<_> = (0..1000).map(key).collect();
        for _ in 0..20 {
            judge.looked_up(alone(Duration::from_millis(20)), keys.iter().map(|key| (key, true)));
        }
        assert_eq!(plan_many(&judge, 1000), Plan::Compute(Probe::No));
        for _ in 0..20 {
            judge.looked_up(alone(Duration::from_millis(2)), keys.iter().map(|key| (key, true)));
        }
        assert_eq!(plan_many(&judge, 1000), Plan::LookUp);
    }

    #[test]
    fn a_model_that_is_faster_in_a_batch_is_computed_in_one() {
        let judge = judge(Duration::from_micros(5));
        for _ in 0..20 {
            judge.ran(Duration::from_micros(700), 1000);
        }
        assert_eq!(plan_many(&judge, 1000), Plan::Compute(Probe::No));
    }

    #[test]
    fn a_fast_redis_is_noticed_although_the_model_runs_beside_every_probe() {
        let judge = judge(MODEL);
        let (slow, fast) = (Duration::from_millis(10), Duration::from_millis(1));
        // The hits come later, too.
        requests(&judge, 1000, slow, MODEL, |_| false);
        let computed = computed_when_busy(&judge, 3_000, fast);
        assert!(computed < 2_000, "{computed}");
        // One that is no faster than it seems is tried now and then only.
        let tried = requests(&judge, 100, slow, MODEL, |_| true)[0];
        let tried_later = (0..3_000).filter(|n| judge.plan([&key(*n)].into_iter()) == Plan::LookUp).count();
        assert!(tried < 30 && tried_later <= 3_000 / 256 + 1, "{tried} {tried_later}");
    }

    #[test]
    fn a_moments_trouble_does_not_end_lookups_for_long_although_the_model_runs_beside_every_probe() {
        let judge = judge(MODEL);
        let (fast, trouble) = (Duration::from_micros(1300), Duration::from_millis(30));
        assert_eq!(requests(&judge, 1_000, fast, MODEL, |_| true)[0], 1_000);
        assert_eq!(requests(&judge, 2, trouble, MODEL, |_| true)[0], 2, "two of them do not end lookups");
        assert_eq!(requests(&judge, 1_000, fast, MODEL, |_| true)[0], 1_000);
        assert!(requests(&judge, 5, trouble, MODEL, |_| true)[0] < 5, "more do");
        let computed = computed_when_busy(&judge, 1_000, fast);
        assert!(computed < 20, "{computed}");
    }

    #[test]
    fn after_one_good_trial_others_follow_soon() {
        let judge = judge(MODEL);
        let (slow, fast) = (Duration::from_millis(10), Duration::from_millis(1));
        assert_eq!(requests(&judge, 1_000, fast, MODEL, |_| true)[0], 1_000);
        assert!(computed_when_busy(&judge, 3_000, slow) > 2_900, "trials have become rare");
        let computed = computed_when_busy(&judge, 3_000, fast);
        assert!(computed < 300, "{computed}");
    }

    /// Whether looking up first is said to cost more than it gains, with four hits in five.
    fn warns(lookup: Duration, model: Duration) -> bool {
        let judge = Judge::new(Strategy::LookupFirst, None);
        assert_eq!(requests(&judge, 3000, lookup, model, |n| !n.is_multiple_of(5)), [3000, 0, 0], "it always looks up");
        assert_eq!(plan_many(&judge, 1), Plan::LookUp);
        judge.state.lock().audit.has_warned()
    }

    #[test]
    fn the_strategy_of_the_specification_always_looks_up_and_says_where_that_does_not_pay() {
        let lookup = Duration::from_millis(1);
        assert!(warns(lookup, Duration::from_micros(5)));
        assert!(!warns(lookup, Duration::from_millis(3)));
    }

    #[test]
    fn what_a_hit_saves_is_not_judged_before_the_model_has_run() {
        let judge = Judge::new(Strategy::LookupFirst, None);
        requests(&judge, 3000, Duration::from_millis(1), MODEL, |_| true);
        assert!(!judge.state.lock().audit.has_warned());
    }
}
