//! Whose an address is, whichever clothes it comes in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whose an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddressKind {
    /// Of the outside world.
    Public,
    /// Of a private network.
    Private,
    /// Of this machine or its link, or none of a machine at all.
    Own,
}

/// Tells addresses apart.
pub(super) fn kind(address: IpAddr) -> AddressKind {
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> AddressKind {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0 | 127 | 224..=255, _, _) | (169, 254, _) => AddressKind::Own,
        (10, _, _) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => AddressKind::Private,
        (192, 0, 0 | 2) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => AddressKind::Private,
        _ => AddressKind::Public,
    }
}

fn kind_of_v6(address: Ipv6Addr) -> AddressKind {
    let parts = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        kind_of_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        [0, 0, 0, 0, 0, 0, 0, _] => AddressKind::Own,
        // Addresses of the fourth version in other clothes: mapped, compatible, translated (well-known and 6to4).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => embedded(high, low),
        [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] | [0xfe80..=0xfebf, ..] | [0xff00..=0xffff, ..] => AddressKind::Own,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] | [0x2001, 0xdb8, ..] => AddressKind::Private,
        _ => AddressKind::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Ended = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn addresses_are_told_apart() -> Ended {
        let of = |kinds: AddressKind, addresses: &[&str]| -> Ended {
            for address in addresses {
                assert_eq!(kind(address.parse()?), kinds, "{address}");
            }
            Ok(())
        };
        of(
            AddressKind::Own,
            &["127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255"],
        )?;
        of(
            AddressKind::Own,
            &["::1", "::", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"],
        )?;
        of(AddressKind::Own, &["2002:7f00:1::", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1"])?;
        of(AddressKind::Private, &["10.0.0.1", "172.16.0.1", "172.31.255.1", "192.168.1.1", "100.64.0.1", "fd00::1"])?;
        of(AddressKind::Private, &["::ffff:10.0.0.1", "fec0::1"])?;
        of(
            AddressKind::Public,
            &["8.8.8.8", "172.32.0.1", "172.15.0.1", "100.63.0.1", "2606:4700::1111", "169.253.0.1"],
        )
    }
}
