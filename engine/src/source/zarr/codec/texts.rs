//! `vlen-utf8` and `vlen-bytes`: how many items there are, then each one's length and bytes; counts in four bytes,
//! lowest first.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, StringBuilder};

/// The texts of a chunk.
pub(super) fn texts(bytes: &[u8], cells: usize) -> Result<ArrayRef, String> {
    let mut texts = StringBuilder::new();
    each(bytes, cells, |item| {
        texts.append_value(std::str::from_utf8(item).map_err(|_| "vlen-utf8: a text is not UTF-8".to_string())?);
        Ok(())
    })?;
    Ok(Arc::new(texts.finish()))
}

/// The byte strings of a chunk.
pub(super) fn binaries(bytes: &[u8], cells: usize) -> Result<ArrayRef, String> {
    let mut binaries = BinaryBuilder::new();
    each(bytes, cells, |item| {
        binaries.append_value(item);
        Ok(())
    })?;
    Ok(Arc::new(binaries.finish()))
}

fn each<'a>(
    bytes: &'a [u8],
    cells: usize,
    mut visit: impl FnMut(&'a [u8]) -> Result<(), String>,
) -> Result<(), String> {
    // Arrow's offsets have 31 bits.
    if bytes.len() > i32::MAX as usize {
        return Err(format!("{} bytes of texts, expected at most {}", bytes.len(), i32::MAX));
    }
    let (count, mut rest) = length(bytes)?;
    if count != cells {
        return Err(format!("{count} texts, expected {cells}"));
    }
    for _ in 0..count {
        let (size, behind) = length(rest)?;
        let Some((item, behind)) = behind.split_at_checked(size) else {
            return Err(format!("a text of {size} bytes, but {} are left", behind.len()));
        };
        visit(item)?;
        rest = behind;
    }
    Ok(())
}

fn length(bytes: &[u8]) -> Result<(usize, &[u8]), String> {
    match bytes.split_first_chunk::<4>() {
        Some((length, rest)) => Ok((u32::from_le_bytes(*length) as usize, rest)),
        None => Err(format!("{} bytes are left, expected a length in 4", bytes.len())),
    }
}
