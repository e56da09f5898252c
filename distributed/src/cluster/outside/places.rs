//! Who has come, and who is wished for: what a provider of executors outside remembers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use super::name::memory_of;
use crate::cluster::guarded_state::Member;
use crate::cluster::provider::{Arrival, ExecutorShape, ProvidedExecutor};

/// The executors there are, and those that are wished for.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Wishes, the oldest first. Whoever comes fulfils the oldest.
    wishes: VecDeque<ProvidedExecutor>,
    /// Those that have come.
    present: BTreeMap<String, ProvidedExecutor>,
    /// Those of them that were told to stop, or leave of their own accord.
    stopping: BTreeSet<String>,
    wished: u64,
}

impl Places {
    /// Wishes for one more executor; the name of the wish.
    pub(super) fn wish(&mut self, shape: ExecutorShape) -> String {
        self.wished += 1;
        let id = format!("awaited-{}", self.wished);
        let wish = ProvidedExecutor {
            id: id.clone(),
            process: None,
            shape,
            started: Instant::now(),
            arrival: Arrival::Awaited,
        };
        self.wishes.push_back(wish);
        id
    }

    /// Takes a wish back. `false`: there is none of that name, or somebody has come.
    pub(super) fn forget_wish(&mut self, id: &str) -> bool {
        let before = self.wishes.len();
        self.wishes.retain(|wish| wish.id != id);
        self.wishes.len() < before
    }

    /// Notes who is registered now.
    pub(super) fn follow(&mut self, members: Vec<Member>) {
        let is_there = |id: &String| members.iter().any(|member| member.metadata.id == *id);
        self.present.retain(|id, _| is_there(id));
        self.stopping.retain(is_there);
        let leaving = members.iter().filter(|member| member.is_leaving);
        self.stopping.extend(leaving.map(|member| member.metadata.id.clone()));
        for Member { metadata, since, .. } in members {
            if self.present.contains_key(&metadata.id) {
                continue;
            }
            let cores = metadata.specification.vcores as usize;
            let shape = ExecutorShape { cores, memory: memory_of(&metadata.id).unwrap_or_default() };
            let (started, arrival) = match self.wishes.pop_front() {
                Some(wish) => (wish.started.min(since), Arrival::Answered),
                None => (since, Arrival::Unasked),
            };
            let come = ProvidedExecutor { id: metadata.id.clone(), process: None, shape, started, arrival };
            self.present.insert(metadata.id, come);
        }
    }

    /// One that is there was told to stop. `false`: it is not there.
    pub(super) fn stops(&mut self, id: &str) -> bool {
        self.present.contains_key(id) && {
            self.stopping.insert(id.to_string());
            true
        }
    }

    /// All of them, wishes too.
    pub(super) fn list(&self) -> Vec<ProvidedExecutor> {
        self.present.values().chain(&self.wishes).cloned().collect()
    }

    /// How many there should be: those that are there and stay, and wishes.
    pub(super) fn wanted(&self) -> usize {
        self.present.len() + self.wishes.len() - self.stopping.len()
    }

    /// What executors have, by the one that has come last.
    pub(super) fn shape(&self) -> Option<ExecutorShape> {
        self.present.values().max_by_key(|executor| executor.started).map(|executor| executor.shape)
    }
}

#[cfg(test)]
mod tests {
    use ballista_core::serde::scheduler::{
        ExecutorMetadata, ExecutorOperatingSystemSpecification, ExecutorSpecification,
    };

    use super::*;

    const SHAPE: ExecutorShape = ExecutorShape { cores: 1, memory: 0 };

    fn member(id: &str) -> Member {
        let metadata = ExecutorMetadata {
            id: id.to_string(),
            host: "10.0.0.7".to_string(),
            port: 1,
            grpc_port: 2,
            specification: ExecutorSpecification::default().with_vcores(4),
            os_info: ExecutorOperatingSystemSpecification::default(),
        };
        Member { metadata, since: Instant::now(), is_leaving: false }
    }

    fn listed(places: &Places) -> Vec<(String, Arrival)> {
        places.list().into_iter().map(|executor| (executor.id, executor.arrival)).collect()
    }

    #[test]
    fn whoever_comes_fulfils_the_oldest_wish() {
        let mut places = Places::default();
        let (first, second) = (places.wish(SHAPE), places.wish(SHAPE));
        assert_eq!((first.as_str(), places.wanted()), ("awaited-1", 2));
        places.follow(vec![member("a-512MiB")]);
        let expected = [("a-512MiB".to_string(), Arrival::Answered), (second.clone(), Arrival::Awaited)];
        assert_eq!((listed(&places), places.wanted()), (expected.to_vec(), 2));
        assert_eq!(places.shape(), Some(ExecutorShape { cores: 4, memory: 512 << 20 }));
        assert!(!places.forget_wish(&first) && places.forget_wish(&second));
        places.follow(vec![member("a-512MiB"), member("b")]);
        let expected = [("a-512MiB".to_string(), Arrival::Answered), ("b".to_string(), Arrival::Unasked)];
        assert_eq!((listed(&places), places.wanted()), (expected.to_vec(), 2));
    }

    #[test]
    fn one_that_was_told_to_stop_is_not_wanted_but_there() {
        let mut places = Places::default();
        places.follow(vec![member("a"), member("b")]);
        assert!(places.stops("a") && !places.stops("c"));
        assert_eq!((places.list().len(), places.wanted()), (2, 1));
        places.follow(vec![member("b")]);
        assert_eq!((places.list().len(), places.wanted()), (1, 1));
        places.follow(vec![Member { is_leaving: true, ..member("b") }]);
        assert_eq!((places.list().len(), places.wanted()), (1, 0));
    }
}
