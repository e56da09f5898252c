//! Without a terminal: files, `-c`, standard input, formats and exit status.

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::quarray;

fn run(arguments: &[&str]) -> Output {
    quarray().args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn run_with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = spawn(quarray().args(arguments).stdin(Stdio::piped()));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn spawn(command: &mut Command) -> std::process::Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn check(output: &Output, status: i32, stdout: &str, stderr: &str) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let seen = (output.status.code(), text(&output.stdout), text(&output.stderr));
    assert_eq!((seen.0, seen.1.as_str()), (Some(status), stdout), "stderr: {}", seen.2);
    assert!(seen.2.contains(stderr) && (seen.2.is_empty() == stderr.is_empty()), "stderr: {}", seen.2);
}

#[test]
fn statements_of_the_command_line_run_in_order() {
    let output = run(&["-c", "SELECT 1 AS a; SELECT 2 AS b", "-c", "SELECT 3 AS c", "--format", "csv"]);
    check(&output, 0, "a\n1\nb\n2\nc\n3\n", "");
}

#[test]
fn standard_input_and_files() {
    check(&run_with_input(&["-f", "csv"], "SELECT 'a;b' AS x;\n-- a comment\nSELECT 2 AS y"), 0, "x\na;b\ny\n2\n", "");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.sql");
    std::fs::write(&file, "SELECT 1 AS one;").unwrap();
    check(&run(&[file.to_str().unwrap(), "-c", "SELECT 2 AS two", "-f", "jsonl"]), 0, "{\"one\":1}\n{\"two\":2}\n", "");
    check(&run(&["no-such-file.sql"]), 2, "", "cannot read no-such-file.sql");
}

#[test]
fn a_failure_stops_with_a_caret_under_the_place() {
    let output = run(&["-f", "csv", "-c", "SELECT 1 AS a; SELEC 2; SELECT 3 AS c"]);
    check(&output, 1, "a\n1\n", "error: ");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("1 | SELEC 2\n") && stderr.contains('^') && !stderr.contains('\x1b'), "{stderr}");
}

#[test]
fn wrong_command_lines() {
    check(&run(&["--format", "xml"]), 2, "", "invalid value 'xml'");
    check(&run(&["--memory-limit", "much", "-c", "SELECT 1"]), 2, "", "expected a size such as '2 GiB', found 'much'");
    check(&run(&["--format", "parquet", "-c", "SELECT 1"]), 2, "", "parquet needs --output");
    assert_eq!(run(&["--version"]).stdout, format!("quarray {}\n", env!("CARGO_PKG_VERSION")).into_bytes());
}

#[test]
fn formats_on_standard_output() {
    let query = "SELECT 1 AS n, 'x' AS s UNION ALL SELECT 2, NULL ORDER BY n";
    check(&run(&["-c", query, "-f", "csv"]), 0, "n,s\n1,x\n2,\n", "");
    check(&run(&["-c", query, "-f", "json"]), 0, "[{\"n\":1,\"s\":\"x\"},{\"n\":2,\"s\":null}]\n", "");
    let table = "┌───┬──────┐\n│ n │ s    │\n├───┼──────┤\n│ 1 │ x    │\n│ 2 │ NULL │\n└───┴──────┘\n2 rows\n";
    check(&run(&["-c", query]), 0, table, "");
    let stream = run(&["-c", query, "-f", "arrow"]).stdout;
    let reader = arrow::ipc::reader::StreamReader::try_new(stream.as_slice(), None).unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);
}

#[test]
fn output_files_are_whole_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    check(&run(&["-c", "SELECT 1 AS a; SELECT 2 AS b", "-o", &path("two.csv")]), 0, "", "");
    assert_eq!(std::fs::read_to_string(path("two.csv")).unwrap(), "a\n1\nb\n2\n");
    check(&run(&["-c", "SELECT 1 AS a", "-o", &path("one.parquet")]), 0, "", "");
    assert_eq!(&std::fs::read(path("one.parquet")).unwrap()[..4], b"PAR1");
    check(&run(&["-c", "SELECT 1; SELECT 2", "-o", &path("two.arrow")]), 1, "", "holds a result already");
    check(&run(&["-c", "SELECT 1 AS a; SELEC", "-o", &path("wrong.csv")]), 1, "", "error: ");
    check(&run(&["-c", "SELECT 1", "-o", &path("no/folder.csv")]), 1, "", "cannot write");
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["one.parquet", "two.csv"]);
    check(&run(&["-c", "SELECT 1", "-f", "csv", "-o", "/dev/null"]), 0, "", "");
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let query = "SELECT value, value * 2 AS twice FROM range(0, 20000000)";
    let mut child = spawn(quarray().args(["-f", "csv", "-c", query]));
    let mut first = [0; 64];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert!(first.starts_with(b"value,twice\n"));
    let output = child.wait_with_output().unwrap();
    check(&output, 0, "", "");
}

#[test]
fn an_interrupt_ends_with_130_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.csv");
    let query = "SELECT count(*) FROM range(0, 10000000) a, range(0, 10000000) b WHERE a.value + b.value = 17";
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let child = spawn(quarray().args(["-o", target.to_str().unwrap(), "-c", query]));
        let started = Instant::now();
        while std::fs::read_dir(folder.path()).unwrap().count() == 0 {
            assert!(started.elapsed() < Duration::from_secs(60), "the query never started");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(300));
        // SAFETY: sends a signal to a child of ours that has not been waited for.
        unsafe { libc::kill(i32::try_from(child.id()).unwrap(), signal) };
        check(&child.wait_with_output().unwrap(), 130, "", "cancelled");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn memory_and_threads_are_heeded() {
    check(&run(&["--threads", "1", "--memory-limit", "2GiB", "-f", "csv", "-c", "SELECT 1 AS a"]), 0, "a\n1\n", "");
    let sort = "SELECT count(*) FROM (SELECT DISTINCT value FROM range(0, 5000000))";
    let output = run(&["--memory-limit", "1MB", "-c", sort]);
    check(&output, 1, "", "error: ");
}
