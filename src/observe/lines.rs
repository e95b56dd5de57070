//! The way of log lines out of the process: a bounded queue, and a thread that writes it to standard output.
//!
//! A write to standard output blocks while its reader (a collector, a terminal) does not read. Only this thread ever waits for the
//! reader: lines that do not fit in the queue are dropped and counted.

use std::{
    io::{self, Write},
    mem,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};

/// How many bytes of lines wait to be written; as many again are being written. A thousand requests per second fill it in three
/// seconds.
const CAPACITY: usize = 1024 * 1024;

/// The pause after a write. Under load, the lines of a pause share one write, and threads that log wake the writer once per pause.
const PAUSE: Duration = Duration::from_millis(10);

/// Lines on their way to standard output.
pub(super) struct Lines {
    state: Mutex<State>,
    /// There are lines, or somebody waits for them to be written.
    wanted: Condvar,
    written: Condvar,
    dropped: AtomicU64,
}

struct State {
    waiting: Vec<u8>,
    /// Bytes of all lines that were ever queued, and of those that were written.
    queued: u64,
    written: u64,
    /// Whether the thread waits for lines, without a timeout.
    is_asleep: bool,
    /// The number of [`Lines::flush`]es in progress: while there are any, the thread does not pause.
    flushes: usize,
    /// Whether a flush has timed out since the last write.
    is_stuck: bool,
}

impl Lines {
    pub(super) const fn new() -> Self {
        let state = State { waiting: Vec::new(), queued: 0, written: 0, is_asleep: false, flushes: 0, is_stuck: false };
        Self { state: Mutex::new(state), wanted: Condvar::new(), written: Condvar::new(), dropped: AtomicU64::new(0) }
    }

    /// Starts the thread, which writes to `output` until the process ends.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub(super) fn start(&'static self, output: impl Write + Send + 'static) -> io::Result<()> {
        thread::Builder::new().name("log".to_owned()).spawn(move || self.write_to(output)).map(drop)
    }

    /// Queues a line, which must end with a line break. Returns whether there was room; otherwise the line is dropped and counted.
    pub(super) fn push(&self, line: &[u8]) -> bool {
        let mut state = self.state.lock();
        if state.waiting.len() + line.len() > CAPACITY {
            self.dropped.fetch_add(1, Relaxed);
            return false;
        }
        state.waiting.extend_from_slice(line);
        state.queued += line.len() as u64;
        if mem::take(&mut state.is_asleep) || state.waiting.len() > CAPACITY / 2 {
            self.wanted.notify_one();
        }
        true
    }

    /// The number of lines dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Waits until all lines queued so far have been written, at most for `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        self.flush_locked(&mut self.state.lock(), limit);
    }

    /// As [`Self::flush`], but does not wait at all if a flush has timed out since the last write: a stuck reader costs the limit
    /// once.
    pub(super) fn flush_unless_stuck(&self, limit: Duration) {
        let mut state = self.state.lock();
        if !state.is_stuck {
            self.flush_locked(&mut state, limit);
        }
    }

    fn flush_locked(&self, state: &mut MutexGuard<'_, State>, limit: Duration) {
        let (all, deadline) = (state.queued, Instant::now() + limit);
        state.flushes += 1;
        state.is_asleep = false;
        self.wanted.notify_one();
        while state.written < all {
            if self.written.wait_until(state, deadline).timed_out() {
                state.is_stuck = state.written < all;
                break;
            }
        }
        state.flushes -= 1;
    }

    fn write_to(&self, mut output: impl Write) {
        let (mut lines, mut reported) = (Vec::new(), 0);
        let mut state = self.state.lock();
        loop {
            while state.waiting.is_empty() {
                state.is_asleep = true;
                self.wanted.wait(&mut state);
            }
            state.is_asleep = false;
            mem::swap(&mut state.waiting, &mut lines);
            MutexGuard::unlocked(&mut state, || {
                let total = self.dropped();
                let dropped = total - mem::replace(&mut reported, total);
                if dropped > 0 {
                    tracing::warn!(dropped, "log lines were dropped: the reader of standard output is too slow");
                }
                // A closed standard output must not end the thread: others wait for it to take the lines.
                let _ = output.write_all(&lines);
            });
            state.written += lines.len() as u64;
            state.is_stuck = false;
            lines.clear();
            self.written.notify_all();
            if state.flushes == 0 {
                self.wanted.wait_for(&mut state, PAUSE);
            }
        }
    }
}

/// Queues what `tracing_subscriber` writes: a whole line with each call.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    };

    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    /// An output whose every write takes one of the test's permits, and blocks without one.
    struct Gated {
        permits: Receiver<()>,
        text: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.permits.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.text.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gated() -> (&'static Lines, SyncSender<()>, Arc<Mutex<Vec<u8>>>) {
        let (permit, permits) = sync_channel(1000);
        let (lines, text) = (Box::leak(Box::new(Lines::new())), Arc::default());
        lines.start(Gated { permits, text: Arc::clone(&text) }).expect("a thread");
        (lines, permit, text)
    }

    #[test]
    fn lines_are_written_whole_and_in_order() {
        let (lines, permit, text) = gated();
        let mut expected = String::new();
        for n in 0..100 {
            let line = format!("line {n}\n");
            assert!(lines.push(line.as_bytes()));
            expected.push_str(&line);
            permit.send(()).expect("the thread runs");
        }
        lines.flush(SOON);
        assert_eq!(String::from_utf8(text.lock().clone()).expect("UTF-8"), expected);
    }

    #[test]
    fn beyond_the_capacity_lines_are_dropped_and_counted_and_never_block() {
        let (lines, permit, text) = gated();
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        // At most one capacity is being written, and one waits.
        let kept = (0..4 * CAPACITY / line.len()).filter(|_| lines.push(&line)).count();
        let fit = CAPACITY / line.len();
        assert!((fit..=2 * fit).contains(&kept), "{kept}");
        assert_eq!(lines.dropped() as usize, 4 * fit - kept);
        (0..2).for_each(|_| permit.send(()).expect("the thread runs"));
        lines.flush(SOON);
        assert_eq!(text.lock().len(), kept * line.len());
        assert!(lines.push(&line), "there is room again");
    }

    #[test]
    fn a_flush_of_a_stuck_output_ends_within_its_limit_and_costs_it_once() {
        let (lines, permit, _) = gated();
        lines.push(b"stuck\n");
        lines.flush(Duration::from_millis(10));
        let start = Instant::now();
        lines.flush_unless_stuck(SOON);
        assert!(start.elapsed() < SOON);
        (0..2).for_each(|_| permit.send(()).expect("the thread runs"));
        lines.flush(SOON);
        lines.push(b"written\n");
        lines.flush_unless_stuck(SOON);
        assert_eq!(lines.state.lock().written, 14);
    }
}
