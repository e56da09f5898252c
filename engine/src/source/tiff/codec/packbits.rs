//! PackBits: runs of one byte, and bytes as they are.

/// The decoded bytes, as many as are expected at most.
pub(in super::super) fn decode(encoded: &[u8], expected: usize) -> Result<Vec<u8>, String> {
    let mut decoded = Vec::with_capacity(expected.min(encoded.len().saturating_mul(64)));
    let mut rest = encoded;
    while let [head, tail @ ..] = rest
        && decoded.len() < expected
    {
        let wanted = expected - decoded.len();
        rest = match *head as i8 {
            -128 => tail,
            count @ 0.. => {
                let length = count as usize + 1;
                let Some((bytes, tail)) = tail.split_at_checked(length) else {
                    return Err(format!("packbits: {length} bytes were announced, {} are there", tail.len()));
                };
                decoded.extend_from_slice(&bytes[..length.min(wanted)]);
                tail
            }
            count => {
                let [byte, tail @ ..] = tail else { return Err("packbits: the byte of a run is missing".to_string()) };
                decoded.resize(decoded.len() + (1 - isize::from(count)).unsigned_abs().min(wanted), *byte);
                tail
            }
        };
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs() {
        let encoded = [0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0x80, 0xfd, 0xaa];
        let expected = [0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0xaa, 0xaa, 0xaa, 0xaa];
        assert_eq!(decode(&encoded, 10).as_deref(), Ok(expected.as_slice()));
        assert_eq!(decode(&encoded, 4).as_deref(), Ok(&expected[..4]));
        assert_eq!(decode(&encoded, 20).map(|decoded| decoded.len()), Ok(10));
        assert!(decode(&[5, 1], 6).is_err() && decode(&[0xff], 2).is_err());
    }
}
