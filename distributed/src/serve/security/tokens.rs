//! Tokens: long and random, so that a plain hash keeps them.

use std::fmt;
use std::hint::black_box;

use sha2::{Digest, Sha256};

/// A token, hashed. Written `sha256:…`.
#[derive(Clone, PartialEq)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token.
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Reads what stands after `sha256:`.
    pub(super) fn parse(hex: &str) -> Result<Self, String> {
        let wrong = || "expected 64 hexadecimal digits after `sha256:`".to_string();
        if hex.len() != 64 || !hex.is_ascii() {
            return Err(wrong());
        }
        let mut hash = [0; 32];
        for (byte, digits) in hash.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(hash))
    }

    /// Whether both are the same, in a time that does not tell where they differ.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let difference = self.0.iter().zip(&other.0).fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
        difference == 0
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Hashes are not for logs.
impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenHash")
    }
}

/// A new token and the hash that stands for it in a file of users.
pub fn new_token() -> std::io::Result<(String, String)> {
    let token = format!("{}{}", super::super::random::random_name()?, super::super::random::random_name()?);
    let hash = TokenHash::of(&token).to_string();
    Ok((token, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_hash() -> Result<(), Box<dyn std::error::Error>> {
        let (token, hash) = new_token()?;
        let read = TokenHash::parse(hash.strip_prefix("sha256:").ok_or("no prefix")?)?;
        assert!(read.is_same(&TokenHash::of(&token)) && !read.is_same(&TokenHash::of(&token.to_uppercase())));
        for wrong in ["", "00", &"g".repeat(64), &"0".repeat(63), &"ä".repeat(32)] {
            assert!(TokenHash::parse(wrong).is_err(), "{wrong}");
        }
        Ok(())
    }
}
