//! The measured costs of one prediction's lookups and runs, and the decision that follows from them.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use prediction_cache::CacheKey;

/// One key in this many is a sample.
const SAMPLE: u64 = 8;
/// If even a certain hit would not pay, one request in this many sends a probe.
const RARE_PROBE: u32 = 128;
/// If probes cannot tell whether lookups would pay, one request in this many looks up first. The first figure applies right after
/// lookups were stopped, since a brief disturbance may have stopped them; the interval doubles with each trial that does not pay, up to the
/// second figure.
const TRIALS: [u32; 2] = [4, 256];
/// Measurements are capped at this multiple of the mean, so one scheduling hiccup does not make the model or Redis look slow; a
/// lasting slowdown still shows after a few measurements.
const OUTLIER_CAP: f64 = 4.0;
/// The factor by which the alternative must be better before the plan changes.
const MARGIN: f64 = 1.1;
/// The assumed cost of a lookup before the first measurement: a round trip in a data centre, in seconds.
const FIRST_LOOKUP: f64 = 100e-6;
/// The assumed hit ratio before the first lookup.
const FIRST_HIT_RATIO: f64 = 0.5;
/// The cost of each additional key in a multi-key lookup, in seconds: Redis's work and the transfer.
const ADDITIONAL_KEY: f64 = 1.5e-6;

/// The plan for a prediction that is not in memory.
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
    /// Stores the prediction on a miss.
    LookUpAndStore,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::service) struct LookupTime {
    pub(in crate::service) total: Duration,
    /// The part of `total` in which the model ran on the same thread.
    pub(in crate::service) runs: Duration,
}

#[derive(Debug)]
pub(super) struct Costs {
    /// The time of a run in seconds, like all times in this struct. Zero before the first run.
    model: f64,
    /// The time per input in a batch.
    model_per_batch_input: f64,
    lookup: f64,
    hit_ratio: f64,
    /// The first lookup is ignored, because it opens the connection; the second replaces the assumed cost.
    lookups: u64,
    looks_up: bool,
    since_probe: u32,
    since_trial: u32,
    trial_interval: u32,
    /// The last lookup may have been fast enough for lookups to pay, at the current hit ratio or with hits only.
    may_pay: bool,
}

impl Costs {
    /// `model` is the time of one run, if known.
    pub(super) fn new(model: Option<Duration>) -> Self {
        let model = model.unwrap_or_default().as_secs_f64();
        Self {
            model,
            model_per_batch_input: model,
            lookup: FIRST_LOOKUP,
            hit_ratio: FIRST_HIT_RATIO,
            lookups: 0,
            looks_up: FIRST_HIT_RATIO * model > FIRST_LOOKUP,
            since_probe: 0,
            since_trial: 0,
            trial_interval: TRIALS[0],
            may_pay: false,
        }
    }

    /// In seconds; zero before the first run.
    pub(super) fn model(&self) -> f64 {
        self.model
    }

    pub(super) fn plan(&mut self, key: &CacheKey) -> Plan {
        if self.looks_up || self.is_trial_due() {
            return Plan::LookUp;
        }
        Plan::Compute(match self.model > self.lookup {
            true if is_sample(key) => Probe::LookUpAndStore,
            true => Probe::No,
            false => self.rare_probe(),
        })
    }

    pub(super) fn plan_many(&mut self, inputs: usize) -> Plan {
        let inputs = inputs as f64;
        let (cost, max_gain) = (self.lookup + ADDITIONAL_KEY * inputs, self.model_per_batch_input * inputs);
        if self.hit_ratio * max_gain > cost {
            Plan::LookUp
        } else {
            Plan::Compute(if max_gain > cost { Probe::LookUpAndStore } else { self.rare_probe() })
        }
    }

    pub(super) fn record_run(&mut self, time: Duration) {
        self.model = mean(self.model, time.as_secs_f64(), 16.0);
        self.decide();
    }

    pub(super) fn record_batch(&mut self, time: Duration, inputs: usize) {
        self.model_per_batch_input = mean(self.model_per_batch_input, time.as_secs_f64() / inputs as f64, 4.0);
    }

    /// Records a lookup, with its keys and whether each was a hit.
    pub(super) fn record_lookup<'a>(
        &mut self,
        time: LookupTime,
        found: impl ExactSizeIterator<Item = (&'a CacheKey, bool)>,
    ) {
        let keys = found.len();
        let single_key = |time: Duration| {
            let time = time.as_secs_f64();
            (time - ADDITIONAL_KEY * (keys - 1) as f64).max(time / keys as f64)
        };
        // The bounds of the true latency: model runs on the same thread delay the reading of the reply.
        let [min, max] = [single_key(time.total.saturating_sub(time.runs)), single_key(time.total)];
        self.lookups += 1;
        let latency = self.lookup.clamp(min, max);
        match self.lookups {
            1 => {}
            2 => self.lookup = latency,
            // While lookups are rare, each has a higher weight.
            _ => self.lookup = mean(self.lookup, latency, if self.looks_up { 8.0 } else { 2.0 }),
        }
        let gain = self.hit_ratio * self.model;
        let may_pay_with_hits = min * MARGIN < self.model && self.model < max * MARGIN;
        self.may_pay = min * MARGIN < gain || may_pay_with_hits;
        if max * MARGIN < gain {
            self.trial_interval = TRIALS[0];
        }
        for (key, is_hit) in found {
            if is_sample(key) {
                self.hit_ratio += (f64::from(u8::from(is_hit)) - self.hit_ratio) / 32.0;
            }
        }
        self.decide();
    }

    /// Whether to look up first as a trial, although lookups are stopped.
    fn is_trial_due(&mut self) -> bool {
        self.since_trial += u32::from(self.may_pay);
        let is_due = self.since_trial >= self.trial_interval;
        if is_due {
            self.since_trial = 0;
            self.trial_interval = (2 * self.trial_interval).min(TRIALS[1]);
        }
        is_due
    }

    /// Whether to probe although even a certain hit would not pay.
    fn rare_probe(&mut self) -> Probe {
        self.since_probe = (self.since_probe + 1) % RARE_PROBE;
        if self.since_probe == 0 { Probe::LookUp } else { Probe::No }
    }

    fn decide(&mut self) {
        let (cost, gain) = (self.lookup, self.hit_ratio * self.model);
        if self.looks_up && cost >= gain * MARGIN {
            self.looks_up = false;
            (self.since_trial, self.trial_interval, self.may_pay) = (0, TRIALS[0], true);
        } else if !self.looks_up && cost * MARGIN < gain {
            self.looks_up = true;
        }
    }
}

/// Updates an exponentially weighted mean with a value, whose weight is 1/`window`.
fn mean(mean: f64, value: f64, window: f64) -> f64 {
    if mean > 0.0 { mean + (value.min(OUTLIER_CAP * mean) - mean) / window } else { value }
}

/// Whether a key belongs to the eighth of keys that estimates the hit ratio. The hasher's keys are fixed, so all processes sample the
/// same eighth.
pub(in crate::service) fn is_sample(key: &CacheKey) -> bool {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish().is_multiple_of(SAMPLE)
}
