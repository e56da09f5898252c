//! Numbers out of bytes, in either order.

/// Which byte of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    /// The lowest.
    Little,
    /// The highest.
    Big,
}

impl ByteOrder {
    /// The unsigned number in up to eight bytes.
    pub fn number(self, bytes: &[u8]) -> u64 {
        let add = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        match self {
            Self::Little => bytes.iter().rev().fold(0, add),
            Self::Big => bytes.iter().fold(0, add),
        }
    }

    /// Whether numbers are as this machine has them.
    pub fn is_native(self) -> bool {
        (self == Self::Little) == cfg!(target_endian = "little")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders() {
        assert_eq!(ByteOrder::Little.number(&[1, 2, 3]), 0x03_02_01);
        assert_eq!(ByteOrder::Big.number(&[1, 2, 3]), 0x01_02_03);
        assert_eq!(ByteOrder::Big.number(&[0xff; 8]), u64::MAX);
    }
}
