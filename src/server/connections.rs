//! The open connections: their number is limited, and those that are idle for too long are closed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    task::Context,
    time::{Duration, Instant},
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{interval, timeout},
};

/// How long a client may take to send a request's headers, from their first byte.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How often connections are compared with their time limits.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// How long a connection that has never sent a request must have been open to be closed for another: its client may be about to.
const UNUSED: Duration = Duration::from_millis(50);

/// How long a connection that has sent requests must have been idle to be closed for another: its client may be between two of them.
const IDLE: Duration = Duration::from_secs(1);

/// How long the headers of a request may be arriving before their connection can be closed for another: usually, they come at once.
const HALF_SENT: Duration = Duration::from_secs(1);

/// How long a new connection waits for the end of one that was told to close, before another is told to.
const CLOSING: Duration = Duration::from_millis(20);

/// The minimum time between two warnings that the limit is reached.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The open connections of a listener.
pub(super) struct Connections {
    max: usize,
    /// What the warning says of the limit.
    limit: Limit,
    free: Arc<Semaphore>,
    keep_alive: Duration,
    /// The origin of the times in [`Activity`].
    start: Instant,
    /// Also holds some that have ended, until the next check.
    open: Mutex<Vec<Arc<Activity>>>,
    last_warning: Mutex<Option<Instant>>,
}

/// A listener's limit of open connections.
#[derive(Clone, Copy)]
pub(super) enum Limit {
    /// The setting `MAX_CONNECTIONS`.
    MaxConnections,
    /// A fixed one, of the address in this variable.
    OfAddress(&'static str),
}

/// One of the open connections; dropping it makes room for another.
pub(super) struct Connection {
    activity: Arc<Activity>,
    _slot: OwnedSemaphorePermit,
}

/// What a connection is doing, for the time limits and for the choice of the one to close.
pub(super) struct Activity {
    start: Instant,
    /// A [`Phase`]; above it, whether a request has been answered ([`USED`]); and above that, the milliseconds since `start` at which the
    /// phase began.
    state: AtomicU64,
    order: AtomicU8,
    waker: AtomicWaker,
}

const USED: u64 = 0b100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing of a request has arrived.
    Idle,
    /// A part of a request's headers has arrived.
    ReadingHead,
    /// A request is being answered.
    Answering,
    /// The answer is ready, but not completely written to the socket.
    Writing,
}

/// What a connection was told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Continue,
    /// Close after the answer to the current request, or at once without one.
    Finish,
    /// Close at once.
    Abort,
}

impl Connections {
    pub(super) fn new(max: usize, limit: Limit, keep_alive: Duration) -> Self {
        Self {
            max,
            limit,
            free: Arc::new(Semaphore::new(max)),
            keep_alive,
            start: Instant::now(),
            open: Mutex::default(),
            last_warning: Mutex::default(),
        }
    }

    /// The number of open connections.
    pub(super) fn open(&self) -> usize {
        self.max - self.free.available_permits()
    }

    /// Admits a connection. If there are as many as allowed, one without a request is closed: the oldest that has never sent any, or else
    /// one whose request does not arrive, or else the one that has been idle for longest. If all have a request, this waits until one ends.
    pub(super) async fn admit(&self) -> Connection {
        let slot = loop {
            if let Ok(slot) = Arc::clone(&self.free).try_acquire_owned() {
                break slot;
            }
            self.warn();
            self.close_one();
            // Tokio's semaphore is never closed.
            let _ = timeout(CLOSING, self.free.acquire()).await;
        };
        let activity = Arc::new(Activity::new(self.start));
        self.open.lock().push(Arc::clone(&activity));
        Connection { activity, _slot: slot }
    }

    fn warn(&self) {
        let mut last = self.last_warning.lock();
        if last.is_none_or(|last| last.elapsed() > WARNING_INTERVAL) {
            *last = Some(Instant::now());
            let max = self.max;
            match self.limit {
                Limit::MaxConnections => {
                    tracing::warn!("all {max} connections are open: each new one closes an idle one, or waits");
                }
                Limit::OfAddress(variable) => tracing::warn!(
                    "all {max} connections to {variable} are open: each new one closes an idle one, or waits; the API is not affected"
                ),
            }
        }
    }

    fn close_one(&self) {
        let mut open = self.open.lock();
        open.retain(Activity::is_open);
        let now = self.start.elapsed();
        let idle = open.iter().filter(|one| one.order() == Order::Continue).filter_map(|one| {
            let (phase, since) = one.phase();
            let (rank, least, order) = match phase {
                Phase::Idle if !one.is_used() => (0, UNUSED, Order::Finish),
                Phase::ReadingHead => (1, HALF_SENT, Order::Abort),
                Phase::Idle => (2, IDLE, Order::Finish),
                Phase::Answering | Phase::Writing => return None,
            };
            (now.saturating_sub(since) >= least).then_some(((rank, since), (one, order)))
        });
        if let Some((_, (oldest, order))) = idle.min_by_key(|(rank, _)| *rank) {
            oldest.tell(order);
        }
    }

    /// Closes connections that exceed their time limits, until dropped.
    pub(super) async fn check(&self) {
        let mut checks = interval(CHECK_INTERVAL);
        loop {
            checks.tick().await;
            let now = self.start.elapsed();
            self.open.lock().retain(|one| {
                match one.phase() {
                    (Phase::Idle, since) if now.saturating_sub(since) > self.keep_alive => one.tell(Order::Finish),
                    (Phase::ReadingHead, since) if now.saturating_sub(since) > HEAD_TIMEOUT => one.tell(Order::Abort),
                    _ => {}
                }
                Activity::is_open(one)
            });
        }
    }

    /// Lets each connection finish its request, and waits until all have ended. No more may be admitted.
    pub(super) async fn finish(&self) {
        self.open.lock().iter().for_each(|one| one.tell(Order::Finish));
        let all = u32::try_from(self.max).expect("MAX_CONNECTIONS is at most a million");
        drop(self.free.acquire_many(all).await);
    }
}

impl Connection {
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }
}

impl Activity {
    fn new(start: Instant) -> Self {
        let activity = Self { start, state: AtomicU64::new(0), order: AtomicU8::new(0), waker: AtomicWaker::new() };
        activity.begin(Phase::Idle, 0);
        activity
    }

    /// Whether the [`Connection`] exists, which holds the other reference.
    fn is_open(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
    }

    fn begin(&self, phase: Phase, used: u64) {
        let milliseconds = self.start.elapsed().as_millis() as u64;
        self.state.store(milliseconds << 3 | used | phase as u64, Relaxed);
    }

    /// Whether a request has been answered on this connection. Known while it is idle.
    fn is_used(&self) -> bool {
        self.state.load(Relaxed) & USED != 0
    }

    /// The current phase, and when it began.
    fn phase(&self) -> (Phase, Duration) {
        let state = self.state.load(Relaxed);
        let phase = match state & 0b11 {
            0 => Phase::Idle,
            1 => Phase::ReadingHead,
            2 => Phase::Answering,
            _ => Phase::Writing,
        };
        (phase, Duration::from_millis(state >> 3))
    }

    /// Bytes from the client have arrived.
    pub(super) fn received(&self) {
        if self.phase().0 == Phase::Idle {
            self.begin(Phase::ReadingHead, 0);
        }
    }

    /// A request's headers have arrived.
    pub(super) fn answering(&self) {
        self.state.store(Phase::Answering as u64, Relaxed);
    }

    /// The request has its answer, which is yet to be written.
    pub(super) fn answered(&self) {
        self.state.store(Phase::Writing as u64, Relaxed);
    }

    /// All that was to be written is written.
    pub(super) fn flushed(&self) {
        if self.phase().0 == Phase::Writing {
            self.begin(Phase::Idle, USED);
        }
    }

    pub(super) fn is_reading_head(&self) -> bool {
        self.phase().0 == Phase::ReadingHead
    }

    /// The thread that answers begins to read: until now, bytes that had arrived may have waited for it.
    pub(super) fn reading(&self) {
        if self.is_reading_head() {
            self.begin(Phase::ReadingHead, 0);
            self.spare();
        }
    }

    /// Takes back an order to close at once.
    pub(super) fn spare(&self) {
        let _ = self.order.compare_exchange(Order::Abort as u8, Order::Continue as u8, Relaxed, Relaxed);
    }

    pub(super) fn tell(&self, order: Order) {
        self.order.store(order as u8, Relaxed);
        self.waker.wake();
    }

    fn order(&self) -> Order {
        match self.order.load(Relaxed) {
            0 => Order::Continue,
            1 => Order::Finish,
            _ => Order::Abort,
        }
    }

    /// The current order; the task is woken when it changes.
    pub(super) fn poll_order(&self, context: &mut Context<'_>) -> Order {
        self.waker.register(context.waker());
        self.order()
    }
}
