//! Python with what the tests need of it, where it can be had.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A Python with gRPC, its tools and YAML; without it the test says what it leaves out.
pub fn python(what: &str) -> Option<PathBuf> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PYTHON.get_or_init(install) {
        Ok(python) => Some(python.clone()),
        Err(reason) => {
            eprintln!("skipped {what}: {reason}");
            None
        }
    }
}

fn install() -> Result<PathBuf, String> {
    let folder = match std::env::var_os("QUARRAY_TEST_CACHE") {
        Some(cache) => PathBuf::from(cache).join("python-grpc"),
        None => PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("python-grpc"),
    };
    let python = folder.join("bin/python");
    let is_usable = || succeeds(Command::new(&python).args(["-c", "import grpc, grpc_tools.protoc, yaml"]));
    if is_usable() {
        return Ok(python);
    }
    if !succeeds(Command::new("python3").args(["-m", "venv"]).arg(&folder)) {
        return Err("python3 cannot make a virtual environment".to_string());
    }
    let packages = ["grpcio", "grpcio-tools", "pyyaml"];
    let is_installed = succeeds(Command::new(&python).args(["-m", "pip", "install", "-q"]).args(packages));
    if is_installed && is_usable() { Ok(python) } else { Err(format!("pip cannot install {}", packages.join(", "))) }
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
