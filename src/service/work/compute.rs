//! Runs the model for the items of a request that have no answer yet, and waits for the runs of other requests.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use model_package::{Explained, Input, ModelError, Output};

use super::{Item, Work};
use crate::{
    model::Model,
    service::{
        Derived, PredictionService, Question, Served,
        deferred_store::NewEntries,
        flights::{Flight, Joined, Lead},
        threads::{ModelThreads, Place},
        unattended,
    },
};

/// Batch size of the first model run. Each run doubles it for the next one, or halves it if the run took [`LONG_RUN`] or longer.
const FIRST_RUN: usize = 16;

/// A run blocks other requests on its thread, so keep runs below this.
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
    /// Whether the queue was full, or the client disconnected before a thread was free.
    pub(super) is_refused: bool,
}

/// The inputs of one run, each with its item.
type Batch<'a, 'b> = Vec<(&'a mut Item<'b>, Option<Lead<Bytes>>)>;

/// The outputs of a run.
struct Ran {
    outputs: Vec<Result<Calculated, ModelError>>,
    start: Instant,
    time: Duration,
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
            service.run(self.question, ours, &mut computed).await;
            if theirs.is_empty() || computed.is_refused {
                return computed;
            }
            let start = Instant::now();
            for (item, run) in theirs {
                let entry = tokio::select! {
                    biased;
                    entry = run.result() => entry,
                    () = unattended::client_is_gone() => {
                        computed.is_refused = true;
                        return computed;
                    }
                };
                // If the leader gives up, this request leads in the next round, without another lookup.
                let Some(entry) = entry else { continue };
                item.body = service.body_of(self.question, &entry).map(Ok);
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
    ///
    /// A run that is expected to take long leaves this thread. If the queue is full, this item and those after it have no answer.
    async fn run(&self, question: Question, items: Batch<'_, '_>, computed: &mut Computed) {
        let (mut items, mut size, mut place) = (items.into_iter().peekable(), self.first_run(), None);
        let before = (computed.time, computed.inputs);
        while items.peek().is_some() {
            let batch: Vec<_> = items.by_ref().take(size).collect();
            let inputs = batch.len();
            let elsewhere = self.threads.as_ref().filter(|threads| threads.are_for(inputs));
            let ran = match elsewhere {
                // Boxed, so that short runs do not move its variables.
                Some(threads) => match Box::pin(self.run_elsewhere(threads, question, &batch, &mut place)).await {
                    Some(ran) => ran,
                    None => {
                        computed.is_refused = true;
                        break;
                    }
                },
                None => {
                    let start = Instant::now();
                    let outputs =
                        outputs(&self.model, question, &batch.iter().map(|(item, _)| item.input).collect::<Vec<_>>());
                    Ran { outputs, start, time: Duration::ZERO }
                }
            };
            computed.start.get_or_insert(ran.start);
            for ((item, lead), output) in batch.into_iter().zip(ran.outputs) {
                computed.inputs += 1;
                let Derived { entry, may_store, body } = match output.and_then(|output| self.derived(&output)) {
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
            let time = match elsewhere {
                Some(_) => ran.time,
                None => {
                    let time = ran.start.elapsed();
                    self.run_time.add(time);
                    time
                }
            };
            if let Some(threads) = &self.threads {
                threads.record(time, inputs);
            }
            computed.time += time;
            size = if time < LONG_RUN { size * 2 } else { (size / 2).max(1) };
            if items.peek().is_some() {
                tokio::task::yield_now().await;
            }
        }
        self.planner(question).record_runs(computed.time - before.0, computed.inputs - before.1);
    }

    /// The answer that follows from what was calculated.
    fn derived(&self, calculated: &Calculated) -> Result<Derived, ModelError> {
        match calculated {
            Calculated::Output { prediction, as_bytes, output } => self.derive(*prediction, *as_bytes, output),
            Calculated::Contributions(explained) => Self::explained(explained),
        }
    }

    /// The size of a request's first batch.
    fn first_run(&self) -> usize {
        let is_long = |size: &usize| self.threads.as_ref().is_some_and(|threads| threads.expected(*size) >= LONG_RUN);
        std::iter::successors(Some(FIRST_RUN), |size| Some(size / 2))
            .find(|size| *size == 1 || !is_long(size))
            .unwrap_or(1)
    }

    /// Runs the model on one of `threads`. `None` if there is no place for the request, which it otherwise keeps in `place`; or if its
    /// client disconnected before a thread was free, and no other request waits for the run.
    async fn run_elsewhere(
        &self,
        threads: &ModelThreads,
        question: Question,
        batch: &Batch<'_, '_>,
        place: &mut Option<Place>,
    ) -> Option<Ran> {
        if place.is_none() {
            *place = Some(threads.admit()?);
        }
        let inputs: Vec<Input> = batch.iter().map(|(item, _)| item.input.clone()).collect();
        let model = Arc::clone(&self.model);
        let work = move || {
            let start = Instant::now();
            let outputs = outputs(&model, question, &inputs.iter().collect::<Vec<_>>());
            Ran { outputs, start, time: start.elapsed() }
        };
        let leads = || batch.iter().filter_map(|(_, lead)| lead.as_ref());
        let unneeded = async {
            while let Some(lead) = leads().find(|lead| lead.is_followed()) {
                lead.unfollowed().await;
            }
        };
        threads.run(work, unneeded).await
    }
}

/// What the model calculated for an input.
enum Calculated {
    /// The output, for the prediction at this position. `as_bytes` if the answer is the bytes of a vector.
    Output {
        prediction: usize,
        as_bytes: bool,
        output: Output,
    },
    Contributions(Explained),
}

/// Runs the model on a batch or, if that fails, on each input alone.
fn outputs(model: &Model, question: Question, inputs: &[&Input]) -> Vec<Result<Calculated, ModelError>> {
    let (prediction, as_bytes) = match question {
        Question::Prediction(prediction) => (prediction, false),
        Question::Vector(prediction) => (prediction, true),
        Question::Contributions => {
            return inputs.iter().map(|input| model.explain(input).map(Calculated::Contributions)).collect();
        }
    };
    let output = |output| Calculated::Output { prediction, as_bytes, output };
    match model.run_many(inputs) {
        Ok(outputs) => outputs.into_iter().map(|one| Ok(output(one))).collect(),
        Err(error) if inputs.len() == 1 => vec![Err(error)],
        Err(_) => inputs.iter().map(|input| model.run(input).map(output)).collect(),
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
        served.collapsed = !served.is_many && self.inputs == 0 && !self.is_refused;
    }
}
