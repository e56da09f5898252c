//! Ports for executors, below those that the system gives to clients by itself.

use std::net::{IpAddr, TcpListener};

/// The first port that an executor may take.
const FIRST: u16 = 12_000;

/// How many there are: all of them lie below 32768, where the system's own begin.
const COUNT: u32 = 20_000;

/// Two neighbouring ports that are free on all of these addresses. Processes with neighbouring numbers look in different places, so
/// that executors that start at once do not take one another's.
pub fn free_pair(addresses: &[IpAddr], process: u32) -> Option<(u16, u16)> {
    let start = process.wrapping_mul(2) % COUNT;
    let pairs = (0..COUNT / 2).map(|step| (start + step * 2) % COUNT);
    let pairs = pairs.filter_map(|offset| {
        let first = FIRST.checked_add(u16::try_from(offset).ok()?)?;
        Some((first, first.checked_add(1)?))
    });
    let is_free = |port| addresses.iter().all(|address| is_free(*address, port));
    let mut free = pairs.filter(|(first, second)| is_free(*first) && is_free(*second));
    free.next()
}

fn is_free(address: IpAddr, port: u16) -> bool {
    TcpListener::bind((address, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_taken_port_is_passed_over() -> Result<(), String> {
        let address = IpAddr::from(Ipv4Addr::LOCALHOST);
        let (first, second) = free_pair(&[address], 7).ok_or("no ports")?;
        assert_eq!(second, first + 1);
        assert!(second < 32_768);
        let taken = TcpListener::bind((address, second)).map_err(|error| error.to_string())?;
        let (other, _) = free_pair(&[address], 7).ok_or("no ports")?;
        assert_ne!(other, first);
        drop(taken);
        Ok(())
    }
}
