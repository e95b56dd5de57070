//! A steady load on the local server, and counts of its answers.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::sync::watch;

use super::{
    fault::Fault,
    population::{Applicant, Population},
    world::World,
};
use crate::{
    eventually,
    service::{Http, Service},
};

/// The outcome in `cache-status`, named as in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Hit,
    /// A hit in the memory tier.
    HitHere,
    Miss,
    /// A miss that waited for another request's run of the model.
    Collapsed,
    /// An array in which some inputs were hits.
    Partial,
    Corrupt,
    Unavailable,
    Bypass,
    /// Any other value, which is a bug of the service.
    Unknown,
}

impl Outcome {
    fn of(cache_status: &str) -> Self {
        match cache_status {
            "predict-once; hit; detail=redis" => Self::Hit,
            "predict-once; hit; detail=memory" => Self::HitHere,
            "predict-once; fwd=miss; collapsed"
            | "predict-once; fwd=miss; collapsed; detail=unavailable"
            | "predict-once; fwd=request; collapsed" => Self::Collapsed,
            partial if partial.starts_with("predict-once; fwd=partial; ") => Self::Partial,
            "predict-once; fwd=miss" => Self::Miss,
            "predict-once; fwd=miss; detail=corrupt" => Self::Corrupt,
            "predict-once; fwd=miss; detail=unavailable" => Self::Unavailable,
            "predict-once; fwd=request" => Self::Bypass,
            _ => Self::Unknown,
        }
    }

    /// The outcome in a line of the service's log.
    fn logged(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once(" cache=\"")?;
        Some(match rest.split('"').next()? {
            "hit_redis" => Self::Hit,
            "hit_memory" => Self::HitHere,
            "collapsed" => Self::Collapsed,
            "partial" => Self::Partial,
            "miss" => Self::Miss,
            "corrupt" => Self::Corrupt,
            "unavailable" => Self::Unavailable,
            "bypass" => Self::Bypass,
            _ => Self::Unknown,
        })
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub n: usize,
    pub sent: Instant,
    pub time: Duration,
    pub outcome: Outcome,
    pub ok: bool,
    pub right: bool,
}

pub async fn ask(http: &Http, n: usize, applicant: &Applicant) -> Sample {
    let sent = Instant::now();
    let answer = http.post_text("/probabilities", "application/json", applicant.body.clone()).await;
    let outcome = answer.headers.get("cache-status").and_then(|value| value.to_str().ok());
    Sample {
        n,
        sent,
        time: sent.elapsed(),
        outcome: outcome.map_or(Outcome::Unknown, Outcome::of),
        ok: answer.status == 200,
        right: answer.text == applicant.truth,
    }
}

/// Waits until Redis answers a lookup. Hits in the memory tier do not count, so each attempt is for another applicant.
pub async fn redis_answers(http: &Http, population: &Population, seed: u64) {
    let next = AtomicUsize::new(0);
    let hit = async || {
        let n = next.fetch_add(1, Ordering::Relaxed);
        ask(http, n, &population.request(seed, n)).await.outcome == Outcome::Hit
    };
    eventually("a hit in Redis", hit).await;
}

/// A client with its own connections.
pub fn client_of(http: &Http) -> Http {
    Http { address: http.address, client: reqwest::Client::new() }
}

/// The number and rate of requests.
#[derive(Clone, Copy)]
pub struct Load {
    pub requests: usize,
    pub connections: usize,
    /// The time between two requests on one connection. A late connection does not catch up.
    pub pause: Duration,
    pub seed: u64,
}

pub struct Run {
    /// In the order of `Sample::n`.
    pub samples: Vec<Sample>,
    /// When the fault ended.
    pub healed: Instant,
}

impl Run {
    pub fn count(&self, of: impl Fn(&Sample) -> bool) -> usize {
        self.samples.iter().filter(|sample| of(sample)).count()
    }

    pub fn wrong(&self) -> usize {
        self.count(|sample| !sample.right)
    }

    pub fn not_ok(&self) -> usize {
        self.count(|sample| !sample.ok)
    }

    pub fn outcomes(&self) -> BTreeMap<Outcome, usize> {
        let mut counts = BTreeMap::new();
        self.samples.iter().for_each(|sample| *counts.entry(sample.outcome).or_default() += 1);
        counts
    }

    /// The time from the end of the fault to the first hit in Redis by a request sent after it.
    pub fn recovery(&self) -> Option<Duration> {
        let hits = self.samples.iter().filter(|sample| sample.sent >= self.healed && sample.outcome == Outcome::Hit);
        hits.map(|hit| hit.sent + hit.time - self.healed).min()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Stage {
    Before,
    Struck,
    Healed,
}

/// Runs a load. The fault starts after a third of the requests and ends after two thirds. The load continues while the fault starts and
/// ends, but at least half of the second third is sent when it is in effect, and at least half of the last third when it is over.
pub async fn run(http: &Http, population: &Population, load: Load, fault: Option<Fault>, world: &mut World) -> Run {
    let third = load.requests / 3;
    let drawn = AtomicUsize::new(0);
    let (progress, mut reached) = watch::channel(0);
    let (stage, _) = watch::channel(Stage::Before);
    let worker = async || {
        let http = client_of(http);
        let mut samples = Vec::new();
        let mut stages = stage.subscribe();
        let mut clock = tokio::time::interval(load.pause.max(Duration::from_micros(1)));
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let n = drawn.fetch_add(1, Ordering::Relaxed);
            if n >= load.requests {
                return samples;
            }
            progress.send_if_modified(|most| std::mem::replace(most, n.max(*most)) < n);
            let needed = match n {
                n if n >= third * 5 / 2 => Stage::Healed,
                n if n >= third * 3 / 2 => Stage::Struck,
                _ => Stage::Before,
            };
            stages.wait_for(|stage| *stage >= needed).await.expect("the run goes on");
            if !load.pause.is_zero() {
                clock.tick().await;
            }
            samples.push(ask(&http, n, &population.request(load.seed, n)).await);
        }
    };
    let trouble = async {
        reached.wait_for(|n| *n >= third).await.expect("the run goes on");
        if let Some(fault) = fault {
            fault.strike(world).await;
        }
        stage.send_replace(Stage::Struck);
        reached.wait_for(|n| *n >= third * 2).await.expect("the run goes on");
        if let Some(fault) = fault {
            fault.heal(world).await;
        }
        let healed = Instant::now();
        stage.send_replace(Stage::Healed);
        healed
    };
    let (samples, healed) = tokio::join!(join_all((0..load.connections).map(|_| worker())), trouble);
    let mut samples: Vec<_> = samples.into_iter().flatten().collect();
    samples.sort_by_key(|sample| sample.n);
    Run { samples, healed }
}

/// Waits for the service's log line of each request and counts the outcomes.
pub async fn logged_outcomes(service: &Service, requests: usize) -> BTreeMap<Outcome, usize> {
    let outcomes = || service.lines().iter().filter_map(|line| Outcome::logged(line)).collect::<Vec<_>>();
    eventually("a line for each request", || async { outcomes().len() >= requests }).await;
    let mut counts = BTreeMap::new();
    outcomes().into_iter().for_each(|outcome| *counts.entry(outcome).or_default() += 1);
    counts
}
