//! Names of executors that come by themselves. Ballista's registration has no place for their memory: the name tells it.

use std::fs::File;
use std::io::{self, Read};

/// The unit of the memory in a name.
const MIB: u64 = 1 << 20;

/// Bytes of a host's name that are used.
const HOST_BYTES_MAX: usize = 63;

/// A name that no other executor has, with host and memory: `executor-node7-5f3a90c1-2048MiB`.
pub fn executor_name(memory: u64) -> io::Result<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut random = [0; 4];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(compose(&host, u32::from_be_bytes(random), memory))
}

fn compose(host: &str, random: u32, memory: u64) -> String {
    // Its first part alone, and nothing that means something in a path.
    let host = host.split('.').next().unwrap_or_default();
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(HOST_BYTES_MAX).collect();
    let host = if host.is_empty() { "host" } else { &host };
    format!("executor-{host}-{random:08x}-{}MiB", memory.div_ceil(MIB))
}

/// The memory that a name tells, if it is one of ours.
pub(super) fn memory_of(name: &str) -> Option<u64> {
    let (_, memory) = name.rsplit_once('-')?;
    let mebibytes: u64 = memory.strip_suffix("MiB")?.parse().ok()?;
    mebibytes.checked_mul(MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_memory() {
        let name = compose("node-7.example\n", 0x5f3a_90c1, 2 << 30);
        assert_eq!(name, "executor-node-7-5f3a90c1-2048MiB");
        assert_eq!(memory_of(&name), Some(2 << 30));
        assert_eq!(compose("../\u{e9}", 1, 1), "executor-host-00000001-1MiB");
        assert_eq!(compose("", 1, 0), "executor-host-00000001-0MiB");
        for other in ["executor-17", "executor-a-b-MiB", "executor-a-99999999999999999999MiB", "2048MiB"] {
            assert_eq!(memory_of(other), None, "{other}");
        }
    }

    #[test]
    fn names_differ() -> io::Result<()> {
        assert_ne!(executor_name(MIB)?, executor_name(MIB)?);
        Ok(())
    }
}
