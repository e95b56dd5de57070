//! Where an answer may be found without running the model: in memory, among the runs that are under way, in Redis.

use bytes::Bytes;

use super::{
    CacheOutcome, PredictionService,
    costs::{Plan, Probe},
    flights::{Flight, Joined, Lead},
};
use crate::cache::{CacheKey, Fault, Lookup, Tier};

/// What a lookup in Redis came to, for everybody who waits for it.
#[derive(Clone)]
pub(super) enum Looked {
    Hit(Bytes, Tier),
    /// Nothing that can be answered with; the model runs.
    Runs(CacheOutcome, Flight<Bytes>),
}

/// What can be done for a request without running the model for it.
pub(super) enum Found {
    /// The answer, from the cache.
    Hit(Bytes, Tier),
    /// The answer, from a run that another request has begun.
    Joined(Bytes, CacheOutcome),
    /// Nothing: the model is to run.
    Nothing(CacheOutcome, Afterwards),
}

/// What is done with a new prediction after the response. Until that has ended, the run is under way.
pub(super) enum Afterwards {
    Nothing,
    /// It is stored.
    Store(Lead<Bytes>),
    /// It is kept in memory.
    Keep(Lead<Bytes>, Probe),
}

impl PredictionService {
    /// Looks everywhere: in memory, among the runs that are under way, and in Redis.
    pub(super) async fn find(&self, prediction: usize, key: &CacheKey) -> Found {
        if let Some(body) = self.cache.get_here(key).and_then(|entry| self.read(prediction, &entry)) {
            return Found::Hit(body, Tier::Memory);
        }
        if self.cache.redis.is_none() {
            return self.find_run_or_lead(prediction, key, CacheOutcome::Miss, Afterwards::Store).await;
        }
        if let Plan::Compute(probe) = self.judges[prediction].plan(key) {
            let keep = |lead| Afterwards::Keep(lead, probe);
            return self.find_run_or_lead(prediction, key, CacheOutcome::Cost, keep).await;
        }
        loop {
            if let Some(run) = self.runs.under_way(key) {
                return self.follow(run, prediction, key, CacheOutcome::Miss).await;
            }
            match self.lookups.join(key) {
                Joined::Lead(lookup) => {
                    let outcome = match self.look_up(prediction, key).await {
                        Ok((entry, body, tier)) => {
                            self.cache.put_here(key, &entry);
                            lookup.land(Looked::Hit(entry, tier));
                            return Found::Hit(body, tier);
                        }
                        Err(outcome) => outcome,
                    };
                    // Whoever has waited for the lookup waits for this run, even if the write ends before it wakes up.
                    let run = self.runs.join(key);
                    lookup.land(Looked::Runs(outcome, run.flight()));
                    drop(lookup);
                    return match run {
                        Joined::Lead(lead) => Found::Nothing(outcome, Afterwards::Store(lead)),
                        Joined::Follow(run) => self.follow(run, prediction, key, outcome).await,
                    };
                }
                Joined::Follow(lookup) => match lookup.landed().await {
                    Some(Looked::Hit(entry, tier)) => {
                        return match self.read(prediction, &entry) {
                            Some(body) => Found::Hit(body, tier),
                            None => Found::Nothing(CacheOutcome::Corrupt, Afterwards::Nothing),
                        };
                    }
                    Some(Looked::Runs(outcome, run)) => return self.follow(run, prediction, key, outcome).await,
                    // Whoever looked was cancelled.
                    None => {}
                },
            }
        }
    }

    /// Looks in memory and in Redis only, and for this request only.
    pub(super) async fn find_cached(&self, prediction: usize, key: &CacheKey) -> Found {
        if let Some(body) = self.cache.get_here(key).and_then(|entry| self.read(prediction, &entry)) {
            return Found::Hit(body, Tier::Memory);
        }
        let outcome = match self.cache.redis {
            None => CacheOutcome::Miss,
            Some(_) => match self.look_up(prediction, key).await {
                Ok((entry, body, tier)) => {
                    self.cache.put_here(key, &entry);
                    return Found::Hit(body, tier);
                }
                Err(outcome) => outcome,
            },
        };
        Found::Nothing(outcome, Afterwards::Nothing)
    }

    /// Looks among the runs that are under way only. A request that does not store does not lead one.
    pub(super) async fn find_run(&self, prediction: usize, key: &CacheKey, store: bool) -> Found {
        if store {
            return self.find_run_or_lead(prediction, key, CacheOutcome::Bypass, Afterwards::Store).await;
        }
        let run = match self.runs.under_way(key) {
            Some(run) => run.landed().await,
            None => None,
        };
        match run {
            Some(entry) => self.joined(prediction, &entry, CacheOutcome::Bypass),
            None => Found::Nothing(CacheOutcome::Bypass, Afterwards::Nothing),
        }
    }

    /// Waits for a run. If whoever leads it fails, one of those who wait leads the next: nothing is looked up again.
    async fn follow(&self, run: Flight<Bytes>, prediction: usize, key: &CacheKey, outcome: CacheOutcome) -> Found {
        match run.landed().await {
            Some(entry) => self.joined(prediction, &entry, outcome),
            None => self.find_run_or_lead(prediction, key, outcome, Afterwards::Store).await,
        }
    }

    async fn find_run_or_lead(
        &self,
        prediction: usize,
        key: &CacheKey,
        outcome: CacheOutcome,
        afterwards: impl FnOnce(Lead<Bytes>) -> Afterwards,
    ) -> Found {
        loop {
            match self.runs.join(key) {
                Joined::Lead(lead) => return Found::Nothing(outcome, afterwards(lead)),
                Joined::Follow(run) => {
                    if let Some(entry) = run.landed().await {
                        return self.joined(prediction, &entry, outcome);
                    }
                }
            }
        }
    }

    fn joined(&self, prediction: usize, entry: &Bytes, outcome: CacheOutcome) -> Found {
        match self.read(prediction, entry) {
            Some(body) => Found::Joined(body, outcome),
            None => Found::Nothing(outcome, Afterwards::Nothing),
        }
    }

    /// Asks Redis: an entry, with the answer that it gives, or why there is none.
    async fn look_up(&self, prediction: usize, key: &CacheKey) -> Result<(Bytes, Bytes, Tier), CacheOutcome> {
        let watch = self.run_time.watch();
        let lookup = self.cache.get(key).await;
        let took = self.run_time.since(&watch);
        // Where Redis was not asked, nothing was spent or learnt.
        let asked = !matches!(lookup, Lookup::Unavailable(Fault::Paused));
        let found = match lookup {
            Lookup::Hit(entry, tier) => match self.read(prediction, &entry) {
                Some(body) => Ok((entry, body, tier)),
                None => Err(CacheOutcome::Corrupt),
            },
            Lookup::Foreign => Err(CacheOutcome::Corrupt),
            Lookup::Miss => Err(CacheOutcome::Miss),
            Lookup::Unavailable(_) => Err(CacheOutcome::Unavailable),
        };
        if asked {
            self.judges[prediction].looked_up(took, [(key, found.is_ok())].into_iter());
        }
        found
    }
}
