//! Statements about clusters to text.

use super::write;
use crate::cluster::{ClusterOptions, ClusterStatement};
use crate::quantity::{bytes_text, duration_text};

/// A statement on one line.
pub(super) fn statement(statement: &ClusterStatement) -> String {
    use ClusterStatement::{Adapt, CancelJob, Create, Drop, Scale, Show, ShowClusters, Use, UseLocal};
    match statement {
        Create { name, if_not_exists, options } => {
            let condition = if *if_not_exists { "IF NOT EXISTS " } else { "" };
            format!("CREATE CLUSTER {condition}{}{}", name.value, with(options))
        }
        Scale { name, executors } => format!("ALTER CLUSTER {} SCALE TO {}", name.value, executors.value),
        Adapt { name, min, max } => {
            format!("ALTER CLUSTER {} ADAPT BETWEEN {} AND {}", name.value, min.value, max.value)
        }
        Drop { name, if_exists } => {
            let condition = if *if_exists { "IF EXISTS " } else { "" };
            format!("DROP CLUSTER {condition}{}", name.value)
        }
        Use { name, above: None } => format!("USE CLUSTER {}", name.value),
        Use { name, above: Some(above) } => {
            format!("USE CLUSTER {} ABOVE {}", name.value, write::string(&bytes_text(above.value)))
        }
        UseLocal => "USE LOCAL".to_string(),
        ShowClusters => "SHOW CLUSTERS".to_string(),
        Show { listing, from: None } => format!("SHOW {}", listing.keyword()),
        Show { listing, from: Some(name) } => format!("SHOW {} FROM {}", listing.keyword(), name.value),
        CancelJob { id } => format!("CANCEL JOB {}", write::string(&id.value)),
    }
}

/// ` WITH (…)`, or nothing.
fn with(options: &ClusterOptions) -> String {
    let ClusterOptions { min, max, cores, memory, idle_timeout } = options;
    let written = [
        min.map(|min| format!("min = {}", min.value)),
        max.map(|max| format!("max = {}", max.value)),
        cores.map(|cores| format!("cores = {}", cores.value)),
        memory.map(|memory| format!("memory = {}", write::string(&bytes_text(memory.value)))),
        idle_timeout.map(|timeout| format!("idle_timeout = {}", write::string(&duration_text(timeout.value)))),
    ];
    let written: Vec<String> = written.into_iter().flatten().collect();
    if written.is_empty() { String::new() } else { format!(" WITH ({})", written.join(", ")) }
}
