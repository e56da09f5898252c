//! Who can reach a server, and what that takes.

use std::net::SocketAddr;

use super::error::SecurityError;

/// Refuses an address that other machines reach without users or without TLS, unless that is what is wanted.
pub fn expect_safe(listen: SocketAddr, has_users: bool, has_tls: bool, is_insecure: bool) -> Result<(), SecurityError> {
    let missing = match (has_users, has_tls) {
        _ if listen.ip().to_canonical().is_loopback() || is_insecure => return Ok(()),
        (true, true) => return Ok(()),
        (false, true) => "--users FILE",
        (true, false) => "--tls-cert FILE and --tls-key FILE",
        (false, false) => "--users FILE, --tls-cert FILE and --tls-key FILE",
    };
    Err(SecurityError::Exposed { address: listen.to_string(), missing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_want_users_and_tls() -> Result<(), std::net::AddrParseError> {
        for address in ["127.0.0.1:0", "[::1]:0", "127.9.9.9:1", "[::ffff:127.0.0.1]:1"] {
            assert!(expect_safe(address.parse()?, false, false, false).is_ok(), "{address}");
        }
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:50051", "[::ffff:192.0.2.1]:1"] {
            let address = address.parse()?;
            assert!(
                expect_safe(address, true, true, false).is_ok() && expect_safe(address, false, false, true).is_ok()
            );
            for (users, tls) in [(false, false), (true, false), (false, true)] {
                assert!(expect_safe(address, users, tls, false).is_err(), "{address} {users} {tls}");
            }
        }
        Ok(())
    }
}
