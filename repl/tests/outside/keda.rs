//! A client of gRPC that knows nothing of ours asks how many executors are wanted, as KEDA does.

use std::path::Path;
use std::process::Command;

use super::processes::{PATIENCE, Server, answer, wait};
use super::python::python;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/outside");

#[test]
fn keda_is_told_how_many_executors_are_wanted() {
    let Some(python) = python("KEDA's protocol") else { return };
    let server = Server::start(&["--scheduler", "big=127.0.0.1:0", "--scaler", "127.0.0.1:0"]);
    let scaler = server.scaler.clone().unwrap();
    server.ask(&["ALTER CLUSTER outside SCALE TO 3"]);
    wait("three wanted", PATIENCE, || server.column("SHOW CLUSTERS", "wanted") == ["0", "3"]);
    let told = |cluster: &str| {
        let script = Path::new(FOLDER).join("keda.py");
        let output = Command::new(&python).arg(script).args([FOLDER, &scaler, cluster]).output().unwrap();
        answer(output).lines().map(str::to_string).collect::<Vec<_>>()
    };
    let metric = "quarray_desired_executors";
    let active = |active: &str| [format!("IsActive {active}"), format!("StreamIsActive {active}")];
    let spec = format!("GetMetricSpec {metric} 1 1.0");
    let [is_active, stream] = active("True");
    assert_eq!(told("outside"), [is_active, stream, spec.clone(), format!("GetMetrics {metric} 3 3.0")]);
    let [is_active, stream] = active("False");
    assert_eq!(told("big"), [is_active, stream, spec, format!("GetMetrics {metric} 0 0.0")]);
    let missing = "NOT_FOUND no cluster `missing`: there are big, outside";
    assert_eq!(
        told("missing"),
        ["IsActive", "StreamIsActive", "GetMetricSpec", "GetMetrics"].map(|of| format!("{of} {missing}"))
    );
}
