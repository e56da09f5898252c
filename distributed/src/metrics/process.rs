//! What every process tells: what was read and decoded in it, its memory, its processor time.

use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use quarray_engine::totals::totals;

use super::MetricSource;
use super::families::Families;
use crate::cluster::provider::resident_bytes;

/// This process.
#[derive(Debug)]
pub struct ProcessSource {
    started: SystemTime,
}

impl Default for ProcessSource {
    fn default() -> Self {
        Self { started: SystemTime::now() }
    }
}

#[async_trait]
impl MetricSource for ProcessSource {
    async fn read(&self, into: &mut Families) {
        let scans = totals().snapshot();
        let counters = [
            ("quarray_chunks_read_total", "Chunks that scans have fetched.", scans.chunks_read),
            (
                "quarray_chunks_shared_total",
                "Chunks that scans have found fetched already, for a neighbouring partition.",
                scans.chunks_shared,
            ),
            ("quarray_read_bytes_total", "Encoded bytes of the chunks that scans have fetched.", scans.bytes_read),
            ("quarray_decoded_bytes_total", "Bytes of cells that scans have decoded.", scans.bytes_decoded),
            ("quarray_decoded_cells_total", "Cells that scans have decoded.", scans.cells_decoded),
        ];
        for (name, help, value) in counters {
            into.counter(name, help, &[], value as f64);
        }
        let pools = totals().pools();
        into.gauge("quarray_memory_reserved_bytes", "Memory that queries hold of pools.", &[], pools.reserved as f64);
        into.gauge("quarray_memory_limit_bytes", "Memory that queries may hold of pools.", &[], pools.limit as f64);
        if let Some(bytes) = resident_bytes(std::process::id()) {
            into.gauge("quarray_process_resident_bytes", "Memory of the process.", &[], bytes as f64);
        }
        if let Some(seconds) = cpu_seconds() {
            let help = "Processor time of the process, of all its threads.";
            into.counter("quarray_process_cpu_seconds_total", help, &[], seconds);
        }
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let help = "When the process began to serve metrics, in seconds since 1970.";
        into.gauge("quarray_process_start_time_seconds", help, &[], started);
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        into.gauge("quarray_build_info", "Always 1; its label is the version.", &version, 1.0);
    }
}

/// Processor time of this process so far.
fn cpu_seconds() -> Option<f64> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the call fills what it is given, which is valid as it was, all zeros.
    let usage = unsafe {
        if libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) != 0 {
            return None;
        }
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Some(seconds(usage.ru_utime) + seconds(usage.ru_stime))
}
