//! A bound on guesses: whoever was wrong several times waits, longer each time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// So many mistakes cost nothing: people mistype.
const FREE: u32 = 5;

/// The pause after the next one; every further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause of an address.
const ADDRESS_PAUSE_MAX: Duration = Duration::from_secs(300);

/// The longest pause of a name: a short one, since strangers may cause it.
const NAME_PAUSE_MAX: Duration = Duration::from_secs(10);

/// Mistakes are forgotten after so long without another.
const FORGOTTEN: Duration = Duration::from_secs(900);

/// Addresses and names that are remembered; of more, those that were wrong longest ago are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// Who makes a guess.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Guesser {
    Address(IpAddr),
    Name(String),
}

#[derive(Debug, Clone, Copy)]
struct Mistakes {
    count: u32,
    last: Instant,
}

/// The mistakes of the last minutes.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    mistakes: Mutex<HashMap<Guesser, Mistakes>>,
}

impl Guesses {
    /// How long someone has to wait for the next guess, if at all.
    pub(super) fn pause(&self, peer: Option<IpAddr>, name: Option<&str>, now: Instant) -> Option<Duration> {
        let mistakes = self.mistakes.lock();
        let pauses = guessers(peer, name).filter_map(|guesser| {
            let found = mistakes.get(&guesser)?;
            (found.last + pause_of(&guesser, found.count)).checked_duration_since(now)
        });
        pauses.max().filter(|pause| !pause.is_zero())
    }

    /// Notes a mistake.
    pub(super) fn wrong(&self, peer: Option<IpAddr>, name: Option<&str>, now: Instant) {
        let mut mistakes = self.mistakes.lock();
        for guesser in guessers(peer, name) {
            if mistakes.len() >= REMEMBERED_MAX && !mistakes.contains_key(&guesser) {
                make_room(&mut mistakes, now);
            }
            let noted = mistakes.entry(guesser).or_insert(Mistakes { count: 0, last: now });
            let is_forgotten = now.saturating_duration_since(noted.last) > FORGOTTEN;
            let count = if is_forgotten { 0 } else { noted.count };
            *noted = Mistakes { count: count.saturating_add(1), last: now };
        }
    }

    /// Forgets the mistakes of a name that was right now. Those of the address stay: another name may be guessed there.
    pub(super) fn right(&self, name: &str) {
        self.mistakes.lock().remove(&Guesser::Name(name.to_string()));
    }
}

fn guessers(peer: Option<IpAddr>, name: Option<&str>) -> impl Iterator<Item = Guesser> {
    let address = peer.map(|peer| Guesser::Address(network_of(peer)));
    // A name that cannot be one is not worth its memory.
    let name = name.filter(|name| name.len() <= 64).map(|name| Guesser::Name(name.to_string()));
    address.into_iter().chain(name)
}

/// Whoever has an address of the sixth version has all of its network.
fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

fn pause_of(guesser: &Guesser, count: u32) -> Duration {
    let Some(excess) = count.checked_sub(FREE) else { return Duration::ZERO };
    let most = match guesser {
        Guesser::Address(_) => ADDRESS_PAUSE_MAX,
        Guesser::Name(_) => NAME_PAUSE_MAX,
    };
    FIRST_PAUSE.saturating_mul(1 << excess.min(16)).min(most)
}

fn make_room(mistakes: &mut HashMap<Guesser, Mistakes>, now: Instant) {
    mistakes.retain(|_, noted| now.saturating_duration_since(noted.last) <= FORGOTTEN);
    if mistakes.len() >= REMEMBERED_MAX {
        let mut times: Vec<Instant> = mistakes.values().map(|noted| noted.last).collect();
        let middle = times.len() / 2;
        let (_, middle, _) = times.select_nth_unstable(middle);
        let middle = *middle;
        mistakes.retain(|_, noted| noted.last > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));

    #[test]
    fn pauses_grow_and_end() {
        let (guesses, mut now) = (Guesses::default(), Instant::now());
        for _ in 0..FREE - 1 {
            guesses.wrong(PEER, Some("ada"), now);
            assert_eq!(guesses.pause(PEER, Some("ada"), now), None);
        }
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            guesses.wrong(PEER, Some("ada"), now);
            assert_eq!(guesses.pause(PEER, None, now), Some(Duration::from_secs(seconds)));
            let of_name = Duration::from_secs(seconds).min(NAME_PAUSE_MAX);
            assert_eq!(guesses.pause(None, Some("ada"), now), Some(of_name));
            assert_eq!(guesses.pause(None, Some("bob"), now), None);
            now += Duration::from_secs(seconds);
            assert_eq!(guesses.pause(PEER, Some("ada"), now), None);
        }
        guesses.right("ada");
        guesses.wrong(None, Some("ada"), now);
        assert_eq!(guesses.pause(None, Some("ada"), now), None);
        guesses.wrong(PEER, None, now);
        assert!(guesses.pause(PEER, None, now).is_some(), "the address is forgiven with the name");
        now += FORGOTTEN + Duration::from_secs(1);
        guesses.wrong(PEER, None, now);
        assert_eq!(guesses.pause(PEER, None, now), None, "mistakes are remembered for ever");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        for number in 0..3 * REMEMBERED_MAX as u64 {
            guesses.wrong(None, Some(&number.to_string()), now + Duration::from_micros(number));
        }
        guesses.wrong(None, Some(&"x".repeat(1000)), now);
        let left = guesses.mistakes.lock().len();
        assert!(left <= REMEMBERED_MAX && left > REMEMBERED_MAX / 4, "{left}");
    }

    #[test]
    fn a_network_is_one_guesser() -> Result<(), std::net::AddrParseError> {
        assert_eq!(network_of("2001:db8:1:2:3::4".parse()?), network_of("2001:db8:1:2:ffff::".parse()?));
        assert_ne!(network_of("2001:db8:1:3::".parse()?), network_of("2001:db8:1:2::".parse()?));
        assert_eq!(network_of("::ffff:192.0.2.1".parse()?), "192.0.2.1".parse::<IpAddr>()?);
        Ok(())
    }
}
