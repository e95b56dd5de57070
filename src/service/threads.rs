//! The threads for model runs and for bodies that take long, and the bounded queue in front of them. On a request's own thread, they would
//! delay every other request there.

use std::{
    io,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    runtime::{Builder, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::{thread_use::ThreadUse, unattended};

/// A run that is expected to take this long gets a thread of its own. Handing it over wakes that thread, and then the worker again.
const LONG: Duration = Duration::from_millis(1);

/// Runs the model on threads of its own, for all workers. They start when they are needed.
pub struct ModelThreads {
    /// Only its threads for blocking work are used. `None` once it is dropped.
    runtime: Option<Runtime>,
    /// A place for each request that runs the model or waits for a thread.
    places: Arc<Semaphore>,
    counts: Arc<Counts>,
    time_per_input: TimePerInput,
}

#[derive(Default)]
struct Counts {
    running: AtomicUsize,
    waiting: AtomicUsize,
    refused: AtomicU64,
}

/// The right to use the threads, for one request.
pub(super) struct Place(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl ModelThreads {
    /// Up to `threads` threads, for which up to `queue` requests wait. `one_run` is the measured time of a run.
    ///
    /// # Errors
    ///
    /// If the runtime cannot be built.
    pub fn new(threads: NonZeroUsize, queue: usize, one_run: Duration) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().max_blocking_threads(threads.get()).thread_name("model").build()?;
        Ok(Self {
            runtime: Some(runtime),
            places: Arc::new(Semaphore::new(threads.get() + queue)),
            counts: Arc::default(),
            time_per_input: TimePerInput::new(one_run),
        })
    }

    /// Whether a run of so many inputs should leave its request's thread.
    pub(super) fn are_for(&self, inputs: usize) -> bool {
        self.time_per_input.of(inputs) >= LONG
    }

    /// The expected time of a run of so many inputs.
    pub(super) fn expected(&self, inputs: usize) -> Duration {
        self.time_per_input.of(inputs)
    }

    /// Records the time of a run.
    pub(super) fn record(&self, time: Duration, inputs: usize) {
        self.time_per_input.record(time, inputs);
    }

    /// A place for a request. `None` if too many wait.
    pub(super) fn admit(&self) -> Option<Place> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        if place.is_none() {
            self.counts.refused.fetch_add(1, Relaxed);
        }
        place.map(Place)
    }

    /// Runs `work` on one of the threads, which a request that has a place may do once at a time. If the request's client disconnects
    /// before a thread is free, waits for `unneeded`, and gives up. `None` if it gave up, or `work` panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        unneeded: impl Future<Output = ()>,
    ) -> Option<T> {
        let waiting = Counted::new(&self.counts, |counts| &counts.waiting);
        let counts = Arc::clone(&self.counts);
        let counted = move || {
            let _running = Counted::new(&counts, |counts| &counts.running);
            drop(waiting);
            work()
        };
        // Whoever takes the work decides whether it is done. A task of tokio's would stay in the queue until it is aborted there.
        let work = Arc::new(Mutex::new(Some(counted)));
        let runtime = self.runtime.as_ref().expect("dropped with `self` only");
        let task = runtime.spawn_blocking({
            let work = Arc::clone(&work);
            move || {
                let work = work.lock().take();
                work.map(|work| work())
            }
        });
        let work = TakenOnDrop(work);
        let unneeded = async {
            unattended::client_is_gone().await;
            unneeded.await;
        };
        let mut task = std::pin::pin!(task);
        tokio::select! {
            biased;
            done = &mut task => return done.ok().flatten(),
            () = unneeded => {}
        }
        match work.take() {
            true => None,
            // It has begun: its result is stored for the next request.
            false => task.await.ok().flatten(),
        }
    }

    pub(super) fn in_use(&self) -> ThreadUse {
        let Counts { running, waiting, refused } = &*self.counts;
        ThreadUse { running: running.load(Relaxed), waiting: waiting.load(Relaxed), refused: refused.load(Relaxed) }
    }
}

impl Drop for ModelThreads {
    fn drop(&mut self) {
        // Runs that exceed the time limit of a shutdown do not delay the exit.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Work that is not done if this is dropped before a thread takes it.
struct TakenOnDrop<W>(Arc<Mutex<Option<W>>>);

impl<W> TakenOnDrop<W> {
    /// Takes the work. Returns whether it had not begun.
    fn take(&self) -> bool {
        let work = self.0.lock().take();
        work.is_some()
    }
}

impl<W> Drop for TakenOnDrop<W> {
    fn drop(&mut self) {
        self.take();
    }
}

/// Counts as one until it is dropped.
struct Counted {
    counts: Arc<Counts>,
    of: fn(&Counts) -> &AtomicUsize,
}

impl Counted {
    fn new(counts: &Arc<Counts>, of: fn(&Counts) -> &AtomicUsize) -> Self {
        of(counts).fetch_add(1, Relaxed);
        Self { counts: Arc::clone(counts), of }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.of)(&self.counts).fetch_sub(1, Relaxed);
    }
}

/// The expected time of a run per input, in nanoseconds. It rises with slow runs faster than it falls with fast ones: a long run that is
/// taken for a short one delays other requests.
struct TimePerInput(AtomicU64);

impl TimePerInput {
    fn new(one_run: Duration) -> Self {
        Self(AtomicU64::new(nanoseconds(one_run)))
    }

    fn of(&self, inputs: usize) -> Duration {
        Duration::from_nanos(self.0.load(Relaxed).saturating_mul(inputs as u64))
    }

    /// A measurement counts for at most four times the expected time: the process may have been interrupted.
    fn record(&self, run: Duration, inputs: usize) {
        let measured = nanoseconds(run) / inputs.max(1) as u64;
        let expected = self.0.load(Relaxed);
        let next = match measured.checked_sub(expected) {
            Some(more) => expected + more.min(3 * expected.max(1)).div_ceil(4),
            None => expected - (expected - measured) / 8,
        };
        self.0.store(next, Relaxed);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    // Less than the largest number, so that sums do not overflow.
    time.as_nanos().min(u64::MAX as u128 / 16) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::pending, sync::mpsc};

    fn threads(queue: usize) -> ModelThreads {
        ModelThreads::new(NonZeroUsize::MIN, queue, LONG).expect("a runtime")
    }

    async fn eventually(condition: impl Fn() -> bool) {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[test]
    fn a_model_whose_runs_become_long_leaves_the_requests_thread_within_a_few_runs() {
        let time = TimePerInput::new(Duration::from_micros(300));
        (0..4).for_each(|_| time.record(Duration::from_millis(30), 1));
        assert!(time.of(1) >= LONG, "{:?}", time.of(1));
    }

    #[test]
    fn a_fast_model_stays_fast_although_the_process_is_interrupted_now_and_then() {
        let time = TimePerInput::new(Duration::from_micros(2));
        for run in 0..1_000 {
            time.record(if run % 10 == 0 { Duration::from_millis(20) } else { Duration::from_micros(2) }, 1);
            assert!(time.of(16) < LONG, "{:?}", time.of(1));
        }
    }

    #[tokio::test]
    async fn requests_beyond_the_queue_are_refused_and_counted_until_one_leaves() {
        let threads = threads(2);
        let mut places: Vec<_> = (0..3).map(|_| threads.admit()).collect();
        assert!(places.iter().all(Option::is_some) && threads.admit().is_none());
        assert_eq!(threads.in_use().refused, 1);
        places.pop();
        assert!(threads.admit().is_some());
    }

    #[tokio::test]
    async fn work_that_waits_is_dropped_when_its_client_disconnects_and_it_is_unneeded() {
        let threads = threads(1);
        let (release, held) = mpsc::channel::<()>();
        let mut first = Box::pin(threads.run(move || held.recv().is_err(), pending()));
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        eventually(|| threads.in_use().running == 1).await;
        let ran = Arc::new(AtomicUsize::new(0));
        let work = {
            let ran = Arc::clone(&ran);
            move || ran.fetch_add(1, Relaxed)
        };
        let mut second = Box::pin(threads.run(work, async {}));
        assert!(futures_util::poll!(second.as_mut()).is_pending(), "its client is there");
        assert_eq!(threads.in_use().waiting, 1);
        assert_eq!(unattended::run(second).await, None);
        assert_eq!(threads.in_use().waiting, 0);
        drop(release);
        assert_eq!(first.await, Some(true));
        assert_eq!(threads.run(|| 7, pending()).await, Some(7));
        assert_eq!(ran.load(Relaxed), 0);
    }

    #[tokio::test]
    async fn work_that_has_begun_is_finished_after_its_client_has_disconnected() {
        let threads = threads(0);
        let (release, held) = mpsc::channel::<()>();
        let mut work = Box::pin(threads.run(move || held.recv().is_err(), async {}));
        assert!(futures_util::poll!(work.as_mut()).is_pending());
        eventually(|| threads.in_use().running == 1).await;
        let mut work = Box::pin(unattended::run(work));
        assert!(futures_util::poll!(work.as_mut()).is_pending());
        drop(release);
        assert_eq!(work.await, Some(true));
    }
}
