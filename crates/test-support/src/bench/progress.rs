//! The progress of a bench and the estimated time left.

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const WIDTH: usize = 30;

pub struct Progress {
    pub done: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    shown: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows the progress of `total` steps on one line of the terminal, or on a new line twice a minute without a terminal.
    pub fn of(total: u64) -> Self {
        let (done, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let show = {
            let (done, stop, start) = (Arc::clone(&done), Arc::clone(&stop), Instant::now());
            move || {
                let on_terminal = io::stderr().is_terminal();
                let (steps, mut step) = (if on_terminal { 5 } else { 300 }, 0);
                while !stop.load(Relaxed) {
                    thread::sleep(Duration::from_millis(100));
                    step += 1;
                    if step % steps == 0 {
                        show(done.load(Relaxed), total, start.elapsed(), on_terminal);
                    }
                }
                if on_terminal {
                    eprint!("\r\x1b[K");
                }
            }
        };
        Self { done, stop, shown: Some(thread::spawn(show)) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        self.shown.take().map(JoinHandle::join);
    }
}

fn show(done: u64, total: u64, elapsed: Duration, on_terminal: bool) {
    let share = (done as f64 / total as f64).min(1.0);
    let full = (share * WIDTH as f64) as usize;
    let left = if share > 0.01 {
        let seconds = (elapsed.as_secs_f64() * (1.0 - share) / share).round() as u64;
        format!("{} min {:02} s left", seconds / 60, seconds % 60)
    } else {
        "estimating the time left".to_owned()
    };
    let line = format!("[{}{}] {:>3.0} %, {left}", "█".repeat(full), "·".repeat(WIDTH - full), share * 100.0);
    if on_terminal {
        eprint!("\r\x1b[K{line}");
        let _ = io::stderr().flush();
    } else {
        eprintln!("{line}");
    }
}
