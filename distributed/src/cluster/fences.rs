//! Executors that get no tasks.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// An executor that has left is not let in again for so long: by then nothing that it has sent is still on its way.
const DISMISSED_KEPT: Duration = Duration::from_secs(600);

/// Executors that get no tasks: for now, or for good.
#[derive(Default)]
pub(super) struct Fences {
    fenced: HashSet<String>,
    /// Those that have left, or are about to, and since when that is known.
    dismissed: HashMap<String, Instant>,
}

impl Fences {
    /// This executor gets no new tasks.
    pub fn fence(&mut self, id: &str) {
        self.fenced.insert(id.to_string());
    }

    /// This executor gets tasks again.
    pub fn unfence(&mut self, id: &str) {
        self.fenced.remove(id);
    }

    /// The executors that get no new tasks for now.
    pub fn fenced(&self) -> &HashSet<String> {
        &self.fenced
    }

    /// This executor has left or is leaving: it gets no tasks, and is not let in again.
    pub fn dismiss(&mut self, id: &str) {
        self.dismiss_at(id, Instant::now());
    }

    /// Those that left long ago are forgotten: nobody has a name twice.
    fn dismiss_at(&mut self, id: &str, now: Instant) {
        self.dismissed.retain(|_, since| now.saturating_duration_since(*since) < DISMISSED_KEPT);
        self.dismissed.insert(id.to_string(), now);
    }

    /// Whether this executor has left.
    pub fn is_dismissed(&self, id: &str) -> bool {
        self.dismissed.contains_key(id)
    }

    /// Whether this executor gets no tasks.
    pub fn holds(&self, id: &str) -> bool {
        self.fenced.contains(id) || self.is_dismissed(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_left_long_ago_is_forgotten() {
        let (mut fences, start) = (Fences::default(), Instant::now());
        fences.dismiss_at("a", start);
        fences.dismiss_at("b", start + DISMISSED_KEPT / 2);
        assert!(fences.holds("a") && fences.holds("b"));
        fences.dismiss_at("c", start + DISMISSED_KEPT);
        assert!(!fences.holds("a") && fences.holds("b") && fences.holds("c"));
        assert_eq!(fences.dismissed.len(), 2);
    }
}
