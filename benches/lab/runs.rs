//! Concurrent runs, each on its own server, and their results.

use std::{
    io,
    sync::{Mutex, PoisonError, atomic::AtomicU64},
    thread,
    time::Duration,
};

use prediction_cache::Layout;

use super::{
    catalogue::Entries,
    replay::{Outcome, Setup, replay},
    server::Server,
};

/// The parameters of a run. Workloads, memory sizes and seeds are positions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) workload: usize,
    pub(crate) seed: usize,
    pub(crate) policy: &'static str,
    pub(crate) share: usize,
    pub(crate) layout: Layout,
    pub(crate) tier: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) case: Case,
    pub(crate) outcome: Outcome,
}

/// The data shared by all runs.
pub(crate) struct Stage<'a> {
    /// The requests by workload and seed.
    pub(crate) traffic: &'a [Vec<Vec<u32>>],
    pub(crate) layouts: &'a [Entries],
    /// The memory for entries per memory size, in bytes.
    pub(crate) rooms: &'a [u64],
    pub(crate) pace: Duration,
    pub(crate) done: &'a AtomicU64,
}

impl Stage<'_> {
    /// Runs every case. All servers run at the same time, so that a run is long enough for the resolution of Redis's clocks.
    pub(crate) fn run(&self, cases: &[Case], servers: &mut [Server]) -> io::Result<Vec<Run>> {
        let left = Mutex::new(cases.iter());
        let runs = Mutex::new(Vec::with_capacity(cases.len()));
        let work = |server: &mut Server| -> io::Result<()> {
            loop {
                let Some(case) = left.lock().unwrap_or_else(PoisonError::into_inner).next() else { return Ok(()) };
                let outcome = self.run_one(case, server)?;
                runs.lock().unwrap_or_else(PoisonError::into_inner).push(Run { case: *case, outcome });
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = servers.iter_mut().map(|server| scope.spawn(|| work(server))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| io::Error::other("a run panicked"))?)
        })?;
        Ok(runs.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn run_one(&self, case: &Case, server: &mut Server) -> io::Result<Outcome> {
        let entries = self.layouts.iter().find(|entries| entries.layout == case.layout).expect("every layout is there");
        let setup = Setup { policy: case.policy, room: self.rooms[case.share], tier: case.tier, pace: self.pace };
        replay(server, entries, &self.traffic[case.workload][case.seed], setup, self.done)
    }
}

impl Outcome {
    /// The share of the lookups in Redis that are hits. Without a tier, this is also the share of the requests.
    pub(crate) fn hit_ratio(&self) -> f64 {
        self.hits as f64 / (self.hits + self.misses).max(1) as f64
    }

    /// The share of the requests answered without a run of the model.
    pub(crate) fn answered(&self) -> f64 {
        (self.here + self.hits) as f64 / self.requests as f64
    }

    /// The share of the requests answered by the memory tier.
    pub(crate) fn taken_off(&self) -> f64 {
        self.here as f64 / self.requests as f64
    }
}

/// The mean, minimum and maximum of a share over the seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) mean: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<_> = values.into_iter().collect();
        Self {
            mean: values.iter().sum::<f64>() / values.len() as f64,
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            most: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    /// In per cent, with the spread if it is not zero.
    pub(crate) fn text(&self) -> String {
        let percent = |share: f64| format!("{:.1}", share * 100.0);
        let [mean, least, most] = [self.mean, self.least, self.most].map(percent);
        if least == most { mean } else { format!("{mean} ({least}–{most})") }
    }
}
