//! Processor time and memory of processes of this machine, where the system tells them.

use std::fs::read_to_string;

/// What a process has used.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Seconds of processor time since its start.
    pub cpu_seconds: f64,
    /// Bytes in memory.
    pub memory: u64,
}

/// Of this process.
pub fn own_usage() -> Option<Usage> {
    usage_of("self")
}

/// Of another one.
pub fn usage(process: u32) -> Option<Usage> {
    usage_of(&process.to_string())
}

/// Bytes of memory that the machine has.
pub fn machine_memory() -> Option<u64> {
    let text = read_to_string("/proc/meminfo").ok()?;
    kibibytes(&text, "MemTotal:")
}

fn usage_of(process: &str) -> Option<Usage> {
    let stat = read_to_string(format!("/proc/{process}/stat")).ok()?;
    let status = read_to_string(format!("/proc/{process}/status")).ok()?;
    Some(Usage { cpu_seconds: cpu_seconds(&stat)?, memory: kibibytes(&status, "VmRSS:")? })
}

/// The name of a program may hold spaces and brackets: what follows starts behind the last bracket.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut rest = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = rest.next()?.parse().ok()?;
    let system: u64 = rest.next()?.parse().ok()?;
    Some((user + system) as f64 / ticks_a_second())
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(number.saturating_mul(1024))
}

fn ticks_a_second() -> f64 {
    // SAFETY: a question to the system without any pointers.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    if ticks > 0 { ticks as f64 } else { 100.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_are_no_trouble() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 4 0 9 1 1";
        assert_eq!(cpu_seconds(stat).map(|seconds| seconds * ticks_a_second()), Some(300.0));
        assert_eq!(cpu_seconds("nothing"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(own_usage().is_none_or(|usage| usage.memory > 1 << 20));
    }
}
