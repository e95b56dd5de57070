//! What is known of one prediction's lookups and runs, and what follows from it.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use prediction_cache::CacheKey;

/// One in so many keys is a sample.
const SAMPLE: u64 = 8;
/// One in so many requests is probed where even a certain hit would not pay.
const RARE_PROBE: u32 = 128;
/// One in so many requests is looked up first where probes do not tell whether that would pay: soon after lookups have ended, since a
/// moment's trouble may have ended them, and half as often each time that it would not have paid, down to the second figure.
const TRIALS: [u32; 2] = [4, 256];
/// How many times the mean a run or a lookup counts for at most: a process that was interrupted for a moment is no slow model, nor
/// is its Redis slow, and what has become slow is known after a few.
const MOST: f64 = 4.0;
/// How clearly the other way must be better before it is taken.
const MARGIN: f64 = 1.1;
/// What a lookup is taken to cost before one was made: a round trip in a data centre, in seconds.
const FIRST_LOOKUP: f64 = 100e-6;
/// What the hit ratio is taken to be before anything was looked up.
const FIRST_HIT_RATIO: f64 = 0.5;
/// What each further key of a lookup of many costs: Redis's work and the transfer, in seconds.
const FURTHER_KEY: f64 = 1.5e-6;

/// What to do for a prediction that is not in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) enum Plan {
    LookUp,
    Compute(Probe),
}

/// Whether to look up after the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) enum Probe {
    No,
    LookUp,
    /// If nothing is found, it is stored.
    LookUpAndStore,
}

/// How long a lookup took, and for how much of that time the model ran.
#[derive(Clone, Copy, Debug)]
pub(in crate::service) struct Took {
    pub(in crate::service) time: Duration,
    pub(in crate::service) runs: Duration,
}

#[derive(Debug)]
pub(super) struct Costs {
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
    trial: u32,
    /// The last lookup may have taken so little that lookups pay, or would if all were hits.
    may_pay: bool,
}

impl Costs {
    /// `model` is how long one run takes, as far as that is known.
    pub(super) fn new(model: Option<Duration>) -> Self {
        let model = model.unwrap_or_default().as_secs_f64();
        Self {
            model,
            model_for_many: model,
            lookup: FIRST_LOOKUP,
            hit_ratio: FIRST_HIT_RATIO,
            lookups: 0,
            looks_up: FIRST_HIT_RATIO * model > FIRST_LOOKUP,
            unprobed: 0,
            untried: 0,
            trial: TRIALS[0],
            may_pay: false,
        }
    }

    /// In seconds; zero before the first run.
    pub(super) fn model(&self) -> f64 {
        self.model
    }

    pub(super) fn plan(&mut self, key: &CacheKey) -> Plan {
        if self.looks_up || self.tries() {
            return Plan::LookUp;
        }
        Plan::Compute(match self.model > self.lookup {
            true if is_sample(key) => Probe::LookUpAndStore,
            true => Probe::No,
            false => self.rarely(),
        })
    }

    pub(super) fn plan_many(&mut self, inputs: usize) -> Plan {
        let inputs = inputs as f64;
        let (cost, most) = (self.lookup + FURTHER_KEY * inputs, self.model_for_many * inputs);
        if self.hit_ratio * most > cost {
            Plan::LookUp
        } else {
            Plan::Compute(if most > cost { Probe::LookUpAndStore } else { self.rarely() })
        }
    }

    pub(super) fn ran(&mut self, time: Duration) {
        self.model = mean(self.model, time.as_secs_f64(), 16.0);
        self.decide();
    }

    pub(super) fn ran_many(&mut self, time: Duration, inputs: usize) {
        self.model_for_many = mean(self.model_for_many, time.as_secs_f64() / inputs as f64, 4.0);
    }

    /// Notes for which keys a lookup has found an answer.
    pub(super) fn looked_up<'a>(&mut self, took: Took, found: impl ExactSizeIterator<Item = (&'a CacheKey, bool)>) {
        let (time, keys) = (took.time.as_secs_f64(), found.len());
        let of_one = |time: f64| (time - FURTHER_KEY * (keys - 1) as f64).max(time / keys as f64);
        let [least, most] = [of_one(took.time.saturating_sub(took.runs).as_secs_f64()), of_one(time)];
        self.lookups += 1;
        let of_one = self.lookup.clamp(least, most);
        match self.lookups {
            1 => {}
            2 => self.lookup = of_one,
            // Where lookups are rare, each counts for more.
            _ => self.lookup = mean(self.lookup, of_one, if self.looks_up { 8.0 } else { 2.0 }),
        }
        let gain = self.hit_ratio * self.model;
        let would_with_hits = least * MARGIN < self.model && self.model < most * MARGIN;
        self.may_pay = least * MARGIN < gain || would_with_hits;
        if most * MARGIN < gain {
            self.trial = TRIALS[0];
        }
        for (key, is_hit) in found {
            if is_sample(key) {
                self.hit_ratio += (f64::from(u8::from(is_hit)) - self.hit_ratio) / 32.0;
            }
        }
        self.decide();
    }

    /// Whether to look up, in order to know.
    fn tries(&mut self) -> bool {
        self.untried += u32::from(self.may_pay);
        let tries = self.untried >= self.trial;
        if tries {
            self.untried = 0;
            self.trial = (2 * self.trial).min(TRIALS[1]);
        }
        tries
    }

    /// Whether to probe although no hit would pay.
    fn rarely(&mut self) -> Probe {
        self.unprobed = (self.unprobed + 1) % RARE_PROBE;
        if self.unprobed == 0 { Probe::LookUp } else { Probe::No }
    }

    fn decide(&mut self) {
        let (cost, gain) = (self.lookup, self.hit_ratio * self.model);
        if self.looks_up && cost >= gain * MARGIN {
            self.looks_up = false;
            (self.untried, self.trial, self.may_pay) = (0, TRIALS[0], true);
        } else if !self.looks_up && cost * MARGIN < gain {
            self.looks_up = true;
        }
    }
}

/// The exponentially weighted mean after another value.
fn mean(mean: f64, value: f64, weight: f64) -> f64 {
    if mean > 0.0 { mean + (value.min(MOST * mean) - mean) / weight } else { value }
}

/// Whether a key is one of the eighth that tells the hit ratio. The hasher's keys are fixed: it is the same eighth everywhere.
pub(in crate::service) fn is_sample(key: &CacheKey) -> bool {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish().is_multiple_of(SAMPLE)
}
