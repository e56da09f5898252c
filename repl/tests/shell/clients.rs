//! Clients of Flight SQL from the registries, against a running server: the scripts in `clients/`.

use std::path::Path;
use std::process::Command;

use super::STORE;
use super::connect::Server;

/// The interpreter that has the clients.
const PYTHON: &str = "QUARRAY_TEST_FLIGHT_PYTHON";

/// The folder of the jars that have Java's client.
const JARS: &str = "QUARRAY_TEST_FLIGHT_JARS";

/// A client asks the server of a test for what it should have.
fn script(name: &str) {
    let Some(python) = std::env::var_os(PYTHON) else {
        eprintln!("skipped: {PYTHON} is not set (see .ci/servers)");
        return;
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|command| {
        command.arg("--root").arg(folder.path());
    });
    let output = Command::new(python)
        .arg("-B")
        .arg(here.join("tests/shell/clients").join(name))
        .arg(&server.address)
        .args([Path::new(STORE), folder.path(), &here.join("../examples/python")])
        .output()
        .unwrap();
    let words = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success() && words[0].ends_with("done\n"), "{name}:\n{}\n{}", words[0], words[1]);
}

#[test]
fn adbc_finds_what_it_asks_for() {
    script("adbc.py");
}

#[test]
fn pyarrow_sqlalchemy_pandas_and_polars_find_what_they_ask_for() {
    script("others.py");
}

#[test]
fn java_finds_what_it_asks_for() {
    let Some(jars) = std::env::var_os(JARS) else {
        eprintln!("skipped: {JARS} is not set (see .ci/java-client)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_| {});
    let jars = format!("{}/*", Path::new(&jars).display());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shell/clients/FlightSqlCheck.java");
    let done = |command: &mut Command| {
        let output = command.output().unwrap();
        let words = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert!(output.status.success(), "{}\n{}", words[0], words[1]);
        words[0].clone()
    };
    done(Command::new("javac").args(["-cp", &jars, "-d"]).arg(folder.path()).arg(source));
    let classes = format!("{}:{jars}", folder.path().display());
    let mut run = Command::new("java");
    // Arrow's memory wants it of newer machines.
    run.args(["--add-opens=java.base/java.nio=ALL-UNNAMED", "-cp", &classes, "FlightSqlCheck", &server.address, STORE]);
    assert!(done(&mut run).ends_with("done\n"));
}
