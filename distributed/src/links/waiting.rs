//! Connections at a gate that have not proved anything yet: a bounded number, and none for long.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Who waits at a gate.
#[derive(Debug)]
pub(super) struct WaitingRoom {
    max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    /// Oldest first.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    from: IpAddr,
    /// Dropped, it sends the one away that waits.
    _stay: oneshot::Sender<()>,
}

/// The place of one that waits, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<WaitingRoom>,
    number: u64,
    stay: oneshot::Receiver<()>,
}

impl WaitingRoom {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, state: Mutex::default() })
    }

    /// A place for one who comes from there. Where there is none left, the one goes who has waited longest of those from
    /// the address that has taken the most places: many from one address do not keep out one from another.
    pub(super) fn enter(self: &Arc<Self>, from: IpAddr) -> Place {
        let mut state = self.state.lock();
        if state.waiting.len() >= self.max {
            let mut places: HashMap<IpAddr, usize> = HashMap::new();
            state.waiting.iter().for_each(|waiting| *places.entry(waiting.from).or_default() += 1);
            let most = places.values().copied().max().unwrap_or_default();
            let oldest = state.waiting.iter().position(|waiting| places.get(&waiting.from) == Some(&most));
            oldest.and_then(|oldest| state.waiting.remove(oldest));
        }
        state.last += 1;
        let (number, (sender, stay)) = (state.last, oneshot::channel());
        state.waiting.push_back(Waiting { number, from, _stay: sender });
        Place { room: Arc::clone(self), number, stay }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.state.lock().waiting.len()
    }
}

impl Place {
    /// Comes when its place was given to another.
    pub(super) async fn lost(&mut self) {
        // Nothing is ever sent: its end is the message.
        let _ = (&mut self.stay).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.state.lock().waiting.retain(|waiting| waiting.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot::error::TryRecvError;

    fn has_lost(place: &mut Place) -> bool {
        place.stay.try_recv() == Err(TryRecvError::Closed)
    }

    #[test]
    fn the_crowd_gives_way_first() {
        let room = WaitingRoom::new(3);
        let (crowd, guest) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut guests = vec![room.enter(guest)];
        let mut crowds: Vec<Place> = (0..20).map(|_| room.enter(crowd)).collect();
        assert_eq!(room.len(), 3);
        // Those that came last are still there.
        let lost: Vec<bool> = crowds.iter_mut().map(has_lost).collect();
        assert_eq!(lost, [vec![true; 18], vec![false; 2]].concat());
        guests.push(room.enter(guest));
        assert_eq!(crowds.iter_mut().filter_map(|place| has_lost(place).then_some(())).count(), 19);
        assert!(!guests.iter_mut().any(has_lost));
        drop((guests, crowds));
        assert_eq!(room.len(), 0);
    }
}
