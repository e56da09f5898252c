//! LZW, as TIFF has it.

use weezl::decode::Configuration;
use weezl::{BitOrder, LzwStatus};

/// The decoded bytes, as many as are expected at most.
pub(in super::super) fn decode(encoded: &[u8], expected: usize) -> Result<Vec<u8>, String> {
    // Writers of the first years put the lowest bit first: their clear code is seen in the first two bytes.
    let is_old = matches!(encoded, [0, second, ..] if second & 1 == 1);
    let configuration = match is_old {
        true => Configuration::new(BitOrder::Lsb, 8),
        false => Configuration::with_tiff_size_switch(BitOrder::Msb, 8),
    };
    let mut decoder = configuration.with_yield_on_full_buffer(true).build();
    let mut decoded = vec![0; expected];
    let (mut rest, mut done) = (encoded, 0);
    while done < expected {
        let result = decoder.decode_bytes(rest, &mut decoded[done..]);
        rest = rest.get(result.consumed_in..).unwrap_or_default();
        done += result.consumed_out;
        match result.status {
            Ok(LzwStatus::Ok) if result.consumed_in + result.consumed_out > 0 => {}
            Ok(_) => break,
            Err(error) => return Err(format!("lzw: {error}")),
        }
    }
    decoded.truncate(done);
    Ok(decoded)
}
