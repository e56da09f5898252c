//! The executors, and this process beside them.

use serde_json::{Value, json};

use super::super::clusters::ExecutorFacts;
use super::super::host::{machine_memory, own_usage};
use super::super::{Dashboard, THIS_PROCESS};

impl Dashboard {
    /// Every executor of every cluster.
    pub fn executors(&self) -> Value {
        let own = own_usage();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let state = self.state.lock();
        let executors = state.clusters.iter().flat_map(|cluster| {
            let cpu = &state.cpu;
            let told = move |executor: &ExecutorFacts| {
                let cpu = executor.process.and_then(|process| cpu.get(&process).copied());
                told(&cluster.name, executor, cpu)
            };
            cluster.executors.iter().map(told)
        });
        json!({
            "process": {
                "id": THIS_PROCESS,
                "cores": cores,
                "cpu": state.cpu.get(&0),
                "memory": own.map(|usage| usage.memory),
                "memory_limit": machine_memory(),
                "process": std::process::id(),
                "seconds": self.began.elapsed().as_secs_f64(),
            },
            "executors": executors.collect::<Vec<_>>(),
        })
    }
}

fn told(cluster: &str, executor: &ExecutorFacts, cpu: Option<f64>) -> Value {
    json!({
        "cluster": cluster,
        "id": executor.id,
        "state": executor.state,
        "cores": executor.cores,
        "free": executor.free,
        "cpu": cpu,
        "cpu_seconds": executor.usage.map(|usage| usage.cpu_seconds),
        "memory": executor.usage.map(|usage| usage.memory),
        "memory_limit": executor.memory_limit,
        "process": executor.process,
        "seconds": executor.age.map(|age| age.as_secs_f64()),
    })
}
