//! Names of queries: short, in the order of their beginning, never the same again after a restart.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, one more than the last name's at least.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Digits of a name: enough until the year 2059.
const DIGITS: usize = 8;

/// The name of a query that begins now. No two queries of a process have the same.
pub fn next_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now = u64::try_from(now).unwrap_or(u64::MAX >> 1);
    let before = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1)));
    name_of(before.map_or(now, |last| now.max(last + 1)))
}

/// Names from now on come after this one: the clock may have been set back since it was given.
pub fn come_after(name: &str) {
    let is_ours = name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
    if let (true, Ok(number)) = (is_ours, u64::from_str_radix(name, 36)) {
        LAST.fetch_max(number, Ordering::Relaxed);
    }
}

fn name_of(number: u64) -> String {
    let mut rest = number;
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        let value = (rest % 36) as u8;
        *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        rest /= 36;
    }
    digits.iter().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_their_beginning() {
        let names: Vec<String> = (0..1000).map(|_| next_name()).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        assert!(names.iter().all(|name| name.len() == DIGITS));
    }

    #[test]
    fn a_clock_that_was_set_back_gives_no_name_twice() {
        let ahead = name_of(LAST.load(Ordering::Relaxed).max(1) + 4_000_000_000);
        come_after(&ahead);
        assert!(next_name() > ahead);
        come_after("no name of ours");
        assert!(next_name().len() == DIGITS);
    }
}
