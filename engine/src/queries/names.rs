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
}
