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
//! A server of one thread hears of Redis's answer only when the model has run that another request needs. Such a lookup has taken
//! something between the time without those runs and the time with them.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Strategy, audit::Audit};
use crate::cache::CacheKey;

/// One in so many keys is a sample.
const SAMPLE: u64 = 8;
/// One in so many requests is probed where even a certain hit would not pay.
const RARE_PROBE: u32 = 128;
/// One in so many requests is looked up first where probes do not tell whether that would pay.
const TRIAL: u32 = 256;
/// How clearly the other way must be better before it is taken.
const MARGIN: f64 = 1.1;
/// What a lookup is taken to cost before one was made: a round trip in a data centre, in seconds.
const FIRST_LOOKUP: f64 = 100e-6;
/// What the hit ratio is taken to be before anything was looked up.
const FIRST_HIT_RATIO: f64 = 0.5;
/// What each further key of a lookup of many costs: Redis's work and the transfer, in seconds.
const FURTHER_KEY: f64 = 1.5e-6;

/// How long a lookup took, and for how much of that time the model ran.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    pub(super) time: Duration,
    pub(super) runs: Duration,
}

/// What to do for a prediction that is not in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    LookUp,
    Compute(Probe),
}

/// Whether to look up after the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    No,
    LookUp,
    /// If nothing is found, it is stored.
    LookUpAndStore,
}

/// What is known of one prediction's lookups and runs.
pub(super) struct Judge {
    strategy: Strategy,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// In seconds, as all times here. Zero before the first run.
    model: f64,
    /// For each of many inputs.
    model_for_many: f64,
    lookup: f64,
    hit_ratio: f64,
    /// The first lookup opened the connection and says nothing, and the second replaces the guess.
    lookups: u64,
    looks_up: bool,
    unprobed: u32,
    untried: u32,
    /// The last lookup may have taken so little that lookups pay, or could pay, or so much that they do not.
    is_undecided: bool,
    audit: Audit,
}

impl Judge {
    /// `model` is how long one run takes, as far as that is known.
    pub(super) fn new(strategy: Strategy, model: Option<Duration>) -> Self {
        let model = model.unwrap_or_default().as_secs_f64();
        let state = State {
            model,
            model_for_many: model,
            lookup: FIRST_LOOKUP,
            hit_ratio: FIRST_HIT_RATIO,
            lookups: 0,
            looks_up: FIRST_HIT_RATIO * model > FIRST_LOOKUP,
            unprobed: 0,
            untried: 0,
            is_undecided: false,
            audit: Audit::default(),
        };
        Self { strategy, state: Mutex::new(state) }
    }

    /// What to do for one input.
    pub(super) fn plan(&self, key: &CacheKey) -> Plan {
        if self.strategy == Strategy::LookupFirst {
            return Plan::LookUp;
        }
        let mut state = self.state();
        if state.looks_up || state.tries() {
            return Plan::LookUp;
        }
        Plan::Compute(match state.model > state.lookup {
            true if is_sample(key) => Probe::LookUpAndStore,
            true => Probe::No,
            false => state.rarely(),
        })
    }

    /// What to do for many inputs together. Of these, samples are probed and stored.
    pub(super) fn plan_many(&self, inputs: usize) -> Plan {
        if self.strategy == Strategy::LookupFirst {
            return Plan::LookUp;
        }
        let mut state = self.state();
        let inputs = inputs as f64;
        let (cost, most) = (state.lookup + FURTHER_KEY * inputs, state.model_for_many * inputs);
        if state.hit_ratio * most > cost {
            Plan::LookUp
        } else {
            Plan::Compute(if most > cost { Probe::LookUpAndStore } else { state.rarely() })
        }
    }

    /// Notes how long the model took for one input.
    pub(super) fn ran(&self, time: Duration) {
        let mut state = self.state();
        state.model = mean(state.model, time.as_secs_f64(), 16.0);
        state.decide();
    }

    /// Notes how long the model took for each of many inputs.
    pub(super) fn ran_many(&self, time: Duration, inputs: usize) {
        let mut state = self.state();
        state.model_for_many = mean(state.model_for_many, time.as_secs_f64() / inputs as f64, 4.0);
    }

    /// Notes for which keys a lookup, before or after the response, has found an answer.
    pub(super) fn looked_up<'a>(&self, took: Took, found: impl ExactSizeIterator<Item = (&'a CacheKey, bool)>) {
        let (time, keys) = (took.time.as_secs_f64(), found.len());
        let of_one = |time: f64| (time - FURTHER_KEY * (keys - 1) as f64).max(time / keys as f64);
        let [least, most] = [of_one(took.time.saturating_sub(took.runs).as_secs_f64()), of_one(time)];
        let mut state = self.state();
        state.lookups += 1;
        let of_one = state.lookup.clamp(least, most);
        match state.lookups {
            1 => {}
            2 => state.lookup = of_one,
            // Where lookups are rare, each counts for more.
            _ => state.lookup = mean(state.lookup, of_one, if state.looks_up { 8.0 } else { 2.0 }),
        }
        let is_between = |gain: f64| least * MARGIN < gain && gain < most * MARGIN;
        state.is_undecided = is_between(state.model) || is_between(state.hit_ratio * state.model);
        let mut hits = 0;
        for (key, is_hit) in found {
            hits += usize::from(is_hit);
            if is_sample(key) {
                state.hit_ratio += (f64::from(u8::from(is_hit)) - state.hit_ratio) / 32.0;
            }
        }
        state.decide();
        if self.strategy == Strategy::LookupFirst {
            let model = state.model;
            state.audit.note(time, keys, hits, model);
        }
    }

    /// A std mutex: it is held for a few additions, never across an await.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether to look up, in order to know.
    fn tries(&mut self) -> bool {
        if self.is_undecided {
            self.untried = (self.untried + 1) % TRIAL;
        }
        self.is_undecided && self.untried == 0
    }

    /// Whether to probe although no hit would pay.
    fn rarely(&mut self) -> Probe {
        self.unprobed = (self.unprobed + 1) % RARE_PROBE;
        if self.unprobed == 0 { Probe::LookUp } else { Probe::No }
    }

    fn decide(&mut self) {
        let (cost, gain) = (self.lookup, self.hit_ratio * self.model);
        self.looks_up = if self.looks_up { cost < gain * MARGIN } else { cost * MARGIN < gain };
    }
}

/// The exponentially weighted mean after another value. One that is far above counts as eight times the mean: a process that was
/// interrupted for a moment is no slow model, and a model that has become slow is known after a few runs.
fn mean(mean: f64, value: f64, weight: f64) -> f64 {
    if mean > 0.0 { mean + (value.min(8.0 * mean) - mean) / weight } else { value }
}

/// Whether a key is one of the eighth that tells the hit ratio. The hasher's keys are fixed: it is the same eighth everywhere.
pub(super) fn is_sample(key: &CacheKey) -> bool {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish().is_multiple_of(SAMPLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{KeySpace, Layout, Namespace};

    const MODEL: Duration = Duration::from_millis(3);

    fn key(input: usize) -> CacheKey {
        KeySpace::new(&Namespace::default(), Layout::String, "model").key("decision", input)
    }

    fn judge(model: Duration) -> Judge {
        Judge::new(Strategy::Auto, Some(model))
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
            match judge.plan(&key) {
                Plan::LookUp => {
                    done[0] += 1;
                    judge.looked_up(alone(lookup), [(&key, is_hit)].into_iter());
                    if !is_hit {
                        judge.ran(model);
                    }
                }
                Plan::Compute(probe) => {
                    judge.ran(model);
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
        judge.ran(Duration::from_millis(20));
        assert_eq!(judge.plan(&key(1)), Plan::Compute(Probe::No));
    }

    #[test]
    fn many_inputs_share_one_round_trip() {
        let judge = judge(Duration::from_micros(5));
        assert!([1, 10].iter().all(|inputs| judge.plan_many(*inputs) != Plan::LookUp));
        assert_eq!(judge.plan_many(1000), Plan::LookUp);
    }

    #[test]
    fn a_distant_redis_is_known_from_arrays_too() {
        let judge = judge(Duration::from_micros(5));
        let keys: Vec<_> = (0..1000).map(key).collect();
        for _ in 0..20 {
            judge.looked_up(alone(Duration::from_millis(20)), keys.iter().map(|key| (key, true)));
        }
        assert_eq!(judge.plan_many(1000), Plan::Compute(Probe::No));
        for _ in 0..20 {
            judge.looked_up(alone(Duration::from_millis(2)), keys.iter().map(|key| (key, true)));
        }
        assert_eq!(judge.plan_many(1000), Plan::LookUp);
    }

    #[test]
    fn a_model_that_is_faster_in_a_batch_is_computed_in_one() {
        let judge = judge(Duration::from_micros(5));
        for _ in 0..20 {
            judge.ran_many(Duration::from_micros(700), 1000);
        }
        assert_eq!(judge.plan_many(1000), Plan::Compute(Probe::No));
    }

    #[test]
    fn a_fast_redis_is_noticed_although_the_model_runs_beside_every_probe() {
        let judge = judge(MODEL);
        let (slow, fast) = (Duration::from_millis(10), Duration::from_millis(1));
        // The hits come later, too.
        requests(&judge, 1000, slow, MODEL, |_| false);
        let mut looked_up = 0;
        for n in 0..3_000 {
            let took = match judge.plan(&key(n)) {
                Plan::LookUp => {
                    looked_up += 1;
                    alone(fast)
                }
                Plan::Compute(Probe::No) => continue,
                Plan::Compute(_) => Took { time: MODEL + fast, runs: MODEL },
            };
            judge.looked_up(took, [(&key(n), true)].into_iter());
        }
        assert!(looked_up > 1_000, "{looked_up}");
        // One that is no faster than it seems is tried now and then only.
        let tried = requests(&judge, 100, slow, MODEL, |_| true)[0];
        let tried_later = (0..3_000).filter(|n| judge.plan(&key(*n)) == Plan::LookUp).count();
        assert!(tried < 30 && tried_later <= 3_000 / 256 + 1, "{tried} {tried_later}");
    }

    /// Whether looking up first is said to cost more than it gains, with four hits in five.
    fn warns(lookup: Duration, model: Duration) -> bool {
        let judge = Judge::new(Strategy::LookupFirst, None);
        assert_eq!(requests(&judge, 3000, lookup, model, |n| !n.is_multiple_of(5)), [3000, 0, 0], "it always looks up");
        assert_eq!(judge.plan_many(1), Plan::LookUp);
        judge.state().audit.has_warned()
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
        assert!(!judge.state().audit.has_warned());
    }
}
