//! Names that nobody can guess.

use std::fs::File;
use std::io::{self, Read};

/// Random bytes of a name.
const BYTES: usize = 16;

/// A name of 128 random bits.
pub(super) fn random_name() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
