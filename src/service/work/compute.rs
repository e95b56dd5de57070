//! Runs the model for the items of a request that have no answer yet, and waits for the runs of other requests.

use std::time::{Duration, Instant};

use bytes::Bytes;
use model_package::{Input, ModelError, Output};

use super::{Item, Work};
use crate::service::{
    Derived, PredictionService, Served,
    deferred::NewEntries,
    flights::{Flight, Joined, Lead},
};

/// Batch size of the first model run. Each run doubles it for the next one, or halves it if the run took [`LONG_RUN`] or longer.
const FIRST_RUN: usize = 16;

/// A run blocks every other request on this thread, so keep runs below this.
const LONG_RUN: Duration = Duration::from_millis(5);

/// The request that runs the model for an item.
pub(super) enum Run {
    /// Undecided: this request, unless another one is already running it.
    Open,
    /// This request; others may wait for it.
    Lead(Lead<Bytes>),
    /// Another request.
    Follow(Flight<Bytes>),
    /// This request; no other waits for it, and the result is not stored.
    Alone,
}

impl From<Joined<Bytes>> for Run {
    fn from(joined: Joined<Bytes>) -> Self {
        match joined {
            Joined::Lead(lead) => Self::Lead(lead),
            Joined::Follow(flight) => Self::Follow(flight),
        }
    }
}

/// The model runs of a request.
#[derive(Default)]
pub(super) struct Computed {
    inputs: usize,
    start: Option<Instant>,
    time: Duration,
    pub(super) new: NewEntries,
    /// The time spent waiting for other requests' runs.
    waited: Option<Duration>,
}

impl Work<'_> {
    /// Runs the model for items without an answer, and waits for runs of other requests. If `leads`, other requests may wait for this
    /// one. A request that does not look up joins runs in progress, too.
    pub(super) async fn compute(&mut self, leads: bool, looked_up: bool) -> Computed {
        let service = self.service;
        let mut computed = Computed::default();
        loop {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for item in self.items.iter_mut().filter(|item| item.body.is_none()) {
                if let Run::Open = item.run {
                    item.run = match leads {
                        true => service.runs.join(&item.key).into(),
                        false if looked_up => Run::Alone,
                        false => service.runs.get(&item.key).map_or(Run::Alone, Run::Follow),
                    };
                }
                match std::mem::replace(&mut item.run, Run::Open) {
                    Run::Lead(lead) => ours.push((item, Some(lead))),
                    Run::Open | Run::Alone => ours.push((item, None)),
                    Run::Follow(run) => theirs.push((item, run)),
                }
            }
            if ours.is_empty() && theirs.is_empty() {
                return computed;
            }
            service.run(self.prediction, ours, &mut computed).await;
            if theirs.is_empty() {
                return computed;
            }
            let start = Instant::now();
            for (item, run) in theirs {
                // If the leader gives up, this request leads in the next round, without another lookup.
                let Some(entry) = run.result().await else { continue };
                item.body = service.read(self.prediction, &entry).map(Ok);
                if item.body.is_none() {
                    item.run = Run::Alone;
                }
            }
            computed.waited = Some(computed.waited.unwrap_or_default() + start.elapsed());
        }
    }
}

impl PredictionService {
    /// Runs the model for `items` in batches, and gives each answer to its followers. An input on which the model fails has an error,
    /// which does not affect the others.
    async fn run(&self, prediction: usize, items: Vec<(&mut Item<'_>, Option<Lead<Bytes>>)>, computed: &mut Computed) {
        let (mut items, mut size) = (items.into_iter().peekable(), FIRST_RUN);
        let before = (computed.time, computed.inputs);
        while items.peek().is_some() {
            let batch: Vec<_> = items.by_ref().take(size).collect();
            let start = Instant::now();
            computed.start.get_or_insert(start);
            let outputs = self.outputs(&batch.iter().map(|(item, _)| item.input).collect::<Vec<_>>());
            for ((item, lead), output) in batch.into_iter().zip(outputs) {
                computed.inputs += 1;
                let Derived { entry, may_store, body } =
                    match output.and_then(|output| self.derive(prediction, &output)) {
                        Ok(derived) => derived,
                        Err(error) => {
                            item.body = Some(Err(error));
                            continue;
                        }
                    };
                item.body = Some(Ok(body));
                if let (Some(lead), Some(entry)) = (lead, entry) {
                    lead.complete(entry.clone());
                    computed.new.leads.push(lead);
                    if may_store {
                        computed.new.entries.push((item.key.clone(), entry));
                    }
                }
            }
            let time = start.elapsed();
            self.run_time.add(time);
            computed.time += time;
            size = if time < LONG_RUN { size * 2 } else { (size / 2).max(1) };
            if items.peek().is_some() {
                tokio::task::yield_now().await;
            }
        }
        self.planners[prediction].record_runs(computed.time - before.0, computed.inputs - before.1);
    }

    /// Runs the model on a batch or, if that fails, on each input alone.
    fn outputs(&self, inputs: &[&Input]) -> Vec<Result<Output, ModelError>> {
        match self.model.run_many(inputs) {
            Ok(outputs) => outputs.into_iter().map(Ok).collect(),
            Err(error) if inputs.len() == 1 => vec![Err(error)],
            Err(_) => inputs.iter().map(|input| self.model.run(input)).collect(),
        }
    }
}

impl Computed {
    pub(super) fn record(self, served: &mut Served) {
        if self.inputs > 0 {
            served.model_start = self.start;
            served.model_time = Some(self.time);
            served.runs = self.inputs;
        }
        if let Some(waited) = self.waited {
            served.cache_time = Some(served.cache_time.unwrap_or_default() + waited);
        }
        served.collapsed = !served.is_many && self.inputs == 0;
    }
}
