//! Clients of Flight SQL from the registries, against a running server: the scripts in `clients/`.

use std::path::Path;
use std::process::Command;

use super::STORE;
use super::connect::Server;

/// The interpreter that has the clients.
const PYTHON: &str = "QUARRAY_TEST_FLIGHT_PYTHON";

/// The folder of the jars that have Java's client.
const JARS: &str = "QUARRAY_TEST_FLIGHT_JARS";

/// The program of the crate arrow-flight.
const RUST: &str = "QUARRAY_TEST_FLIGHT_RUST";

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

/// The cells of a table that the program of arrow-flight has printed, its head first.
fn cells(printed: &str) -> Vec<Vec<String>> {
    let lines = printed.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    lines.map(|line| line.split('|').map(|cell| cell.trim().to_string()).collect()).collect()
}

#[test]
fn rust_finds_what_it_asks_for() {
    let Some(program) = std::env::var_os(RUST) else {
        eprintln!("skipped: {RUST} is not set (see .ci/rust-client)");
        return;
    };
    let server = Server::start(|_| {});
    let (host, port) = server.address.trim_start_matches("grpc://").rsplit_once(':').unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(["--host", host, "--port", port, "--username", "ada", "--password", "x"]).args(arguments);
        let output = command.output().unwrap();
        let words = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        (output.status.success(), words[0].clone(), words[1].clone())
    };
    let check = |arguments: &[&str], expected: &[&[&str]]| {
        let (is_well, printed, words) = run(arguments);
        assert!(is_well, "{arguments:?}: {words}");
        assert_eq!(cells(&printed), expected, "{arguments:?}");
    };
    check(&["statement-query", "SELECT value FROM range(3)"], &[&["value"], &["0"], &["1"], &["2"]]);
    let count = format!("FROM '{STORE}'[time = '1999-01':'1999-03'] |> REDUCE count(*) AS n ALONG latitude, longitude");
    let months = ["1999-01-31T00:00:00", "1999-02-28T00:00:00", "1999-03-31T00:00:00"].map(|time| [time, "2673"]);
    check(&["statement-query", &count], &[&["time", "n"], &months[0], &months[1], &months[2]]);
    check(&["prepared-statement-query", "SELECT 40 + 2 AS n"], &[&["n"], &["42"]]);
    let above = "SELECT count(*) AS n FROM range(10) WHERE value >= $1 AND value < $2";
    check(&["prepared-statement-query", above, "-p", "$1=3", "-p", "$2=8"], &[&["n"], &["5"]]);
    let bracket = format!("FROM '{STORE}'[time = $1] |> REDUCE count(*) AS n");
    check(&["prepared-statement-query", &bracket, "-p", "$1=1999-02"], &[&["n"], &["2673"]]);
    // What changes something has no rows, in Flight SQL.
    check(&["statement-query", "CREATE TABLE t AS SELECT 1 AS a"], &[]);

    check(&["catalogs"], &[&["catalog_name"], &["datafusion"]]);
    check(
        &["db-schemas", "datafusion", "-d", "pub%"],
        &[&["catalog_name", "db_schema_name"], &["datafusion", "public"]],
    );
    let head = ["catalog_name", "db_schema_name", "table_name", "table_type"];
    let queries = ["datafusion", "system", "queries", "TABLE"];
    check(&["tables", "datafusion", "-d", "sys%", "-t", "quer%"], &[&head, &queries]);
    check(&["tables", "datafusion", "-t", "quer%", "--table-types", "VIEW"], &[&head]);
    check(&["table-types"], &[&["table_type"], &["TABLE"], &["VIEW"]]);

    for (statement, words) in [
        ("FROM nowhere |> REDUCE avg(a) ALONG t", "nowhere"),
        ("SELECT 1 / (value - 10000) FROM range(20000)", "ivide by zero"),
        ("SELEC 1", "SELEC"),
    ] {
        let (is_well, printed, told) = run(&["statement-query", statement]);
        assert!(!is_well && told.contains(words), "{statement}: {printed}{told}");
    }
}
