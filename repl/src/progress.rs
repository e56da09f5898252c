//! How far a query is, on one line of standard error that is redrawn in place.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use quarray_engine::progress::ProgressSnapshot;

use crate::print::bytes_text;
use crate::terminal::Style;

/// How often the line is drawn.
pub const REDRAW: Duration = Duration::from_millis(200);

/// Queries that are quicker than this show nothing.
const PATIENCE: Duration = Duration::from_millis(500);
const BAR_CELLS: usize = 24;
const ERASE_LINE: &str = "\r\x1b[K";

/// The line of one query. Shared between the loop that draws it and the writer that has it cleared away.
#[derive(Debug)]
pub struct ProgressLine {
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Drawn,
    Finished,
}

impl ProgressLine {
    /// The line of a query that starts now; it stays away unless standard error is a terminal.
    pub fn start() -> Self {
        let state = if Style::of_stderr().is_terminal() { State::Waiting } else { State::Finished };
        Self { started: Instant::now(), state: Mutex::new(state) }
    }

    /// Draws the line anew. Above it, once, stands where the query can be watched, if it can be.
    pub fn draw(&self, snapshot: &ProgressSnapshot, link: impl FnOnce() -> Option<String>) {
        let elapsed = self.started.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = *snapshot == ProgressSnapshot::default();
        if *state == State::Finished || elapsed < PATIENCE || is_idle {
            return;
        }
        if *state == State::Waiting
            && let Some(link) = link()
        {
            write_now(&format!("watch it at {link}\n"));
        }
        *state = State::Drawn;
        let width = Style::of_stderr().width.unwrap_or(80);
        write_now(&format!("{ERASE_LINE}{}", line(snapshot, elapsed, width)));
    }

    /// Clears the line away for good: something else is about to be printed.
    pub fn finish(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state == State::Drawn {
            write_now(ERASE_LINE);
        }
        *state = State::Finished;
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Bar, percent, cells, bytes, speed and the time it will take yet, cut to the width of the terminal.
fn line(snapshot: &ProgressSnapshot, elapsed: Duration, width: usize) -> String {
    let seconds = elapsed.as_secs_f64().max(1e-3);
    let mut parts = Vec::new();
    let total = snapshot.work_total.max(snapshot.work_done);
    if snapshot.work_total > 0 {
        let share = snapshot.work_done as f64 / total as f64;
        parts.push(format!("{} {:3.0}%", bar(share), (share * 100.0).floor()));
    }
    if snapshot.work_done > 0 {
        parts.push(format!("{} cells", count_text(snapshot.work_done)));
    }
    let speed = (snapshot.bytes_read as f64 / seconds) as u64;
    parts.push(format!("{}  {}/s", bytes_text(snapshot.bytes_read), bytes_text(speed)));
    if snapshot.work_total > 0 && snapshot.work_done > 0 {
        let left = seconds * (total - snapshot.work_done) as f64 / snapshot.work_done as f64;
        parts.push(format!("{} left", duration_text(left)));
    } else {
        parts.push(duration_text(seconds));
    }
    // One column stays free: a full line would wrap on some terminals.
    parts.join("  ").chars().take(width.saturating_sub(1)).collect()
}

fn bar(share: f64) -> String {
    let eighths = (share.clamp(0.0, 1.0) * (BAR_CELLS * 8) as f64) as usize;
    let partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    let filled = eighths / 8;
    let rest = BAR_CELLS - filled - usize::from(!partial.is_empty());
    format!("▕{}{partial}{}▏", "█".repeat(filled), " ".repeat(rest))
}

fn count_text(count: u64) -> String {
    let value = count as f64;
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{:.0} k", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", value / 1e6),
        _ => format!("{:.2} G", value / 1e9),
    }
}

fn duration_text(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{:.0} s", s.ceil()),
        s if s < 5400.0 => format!("{:.0} min", (s / 60.0).ceil()),
        s => format!("{:.1} h", s / 3600.0),
    }
}

fn write_now(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // A terminal that has gone away is no reason to end the query.
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_half_way() {
        let snapshot = ProgressSnapshot {
            work_total: 2_000_000_000,
            work_done: 1_000_000_000,
            bytes_read: 500_000_000,
            bytes_decoded: 4_000_000_000,
        };
        assert_eq!(
            line(&snapshot, Duration::from_secs(5), 100),
            "▕████████████            ▏  50%  1.00 G cells  500 MB  100 MB/s  5 s left"
        );
        assert_eq!(line(&snapshot, Duration::from_secs(5), 11).chars().count(), 10);
    }

    #[test]
    fn a_line_without_a_known_end() {
        let snapshot = ProgressSnapshot { bytes_read: 3_000_000, ..ProgressSnapshot::default() };
        assert_eq!(line(&snapshot, Duration::from_secs(3), 100), "3.0 MB  1.0 MB/s  3 s");
    }
}
