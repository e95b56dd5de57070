//! The progress line.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use model_package::printable_line;

use super::{
    super::format::{count, duration},
    Counts,
};

/// The shortest time between two updates.
const REFRESH: Duration = Duration::from_millis(200);

/// The width of the bar in characters.
const WIDTH: usize = 24;

/// A line on the standard error, shown only if that is a terminal.
pub(super) struct Progress {
    is_shown: bool,
    began: Instant,
    shown_at: Option<Instant>,
    /// The size of the file in bytes, if known.
    size: Option<u64>,
}

impl Progress {
    pub(super) fn new(size: Option<u64>) -> Self {
        Self { is_shown: io::stderr().is_terminal(), began: Instant::now(), shown_at: None, size }
    }

    /// Prints a message above the progress line, even if the standard error is not a terminal.
    pub(super) fn print_line(&mut self, line: &str) {
        self.end();
        eprintln!("{}", printable_line(line));
        self.shown_at = None;
    }

    pub(super) fn show(&mut self, counts: &Counts, bytes_read: u64) {
        if self.is_shown && self.shown_at.is_none_or(|shown| shown.elapsed() >= REFRESH) {
            let line = line(counts, bytes_read, self.size, self.began.elapsed());
            // An error means that the terminal is gone.
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
            self.shown_at = Some(Instant::now());
        }
    }

    /// Clears the line.
    pub(super) fn end(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(counts: &Counts, bytes_read: u64, size: Option<u64>, elapsed: Duration) -> String {
    let rate = counts.rows as f64 / elapsed.as_secs_f64().max(0.001);
    let done = format!(
        "{} rows, {} stored, {} present, {:.0} rows/s",
        count(counts.rows),
        count(counts.stored),
        count(counts.present),
        rate
    );
    let Some(size) = size.filter(|size| *size > 0) else { return done };
    let share = (bytes_read as f64 / size as f64).min(1.0);
    let full = (share * WIDTH as f64) as usize;
    let left = elapsed.mul_f64(((1.0 - share) / share.max(0.001)).min(1e6));
    format!(
        "[{}{}] {:3.0} %  {done}, {} left",
        "█".repeat(full),
        "░".repeat(WIDTH - full),
        100.0 * share,
        duration(left)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_shows_the_progress_and_the_time_left() {
        let counts = Counts { rows: 5_000, stored: 12_000, present: 3_000, invalid: 0 };
        let elapsed = Duration::from_secs(10);
        let text = line(&counts, 500, Some(2_000), elapsed);
        assert_eq!(
            text,
            "[██████░░░░░░░░░░░░░░░░░░]  25 %  5,000 rows, 12,000 stored, 3,000 present, 500 rows/s, 30 seconds left"
        );
        assert_eq!(line(&counts, 500, None, elapsed), "5,000 rows, 12,000 stored, 3,000 present, 500 rows/s");
    }
}
