//! How many executors are wanted, and who is sent away.

use std::process::Stdio;
use std::time::Duration;

use super::processes::{Executor, PATIENCE, Server, wait};

const SOON: Duration = Duration::from_secs(10);

/// Hours of work, that ends when it is told to.
const ENDLESS: &str = "SELECT sum(value % 7) AS s FROM range(1000000000000)";

fn wanted(server: &Server) -> Vec<String> {
    server.column("SHOW CLUSTERS", "wanted")
}

#[test]
fn all_that_come_are_kept_until_a_number_is_asked_for() {
    let files = tempfile::tempdir().unwrap();
    let server = Server::start(&["--scheduler", "other=127.0.0.1:0"]);
    let mut executors = [0; 2].map(|_| Executor::start(&server.scheduler, files.path()));
    wait("two idle executors", PATIENCE, || server.column("SHOW EXECUTORS FROM outside", "state") == ["idle", "idle"]);
    assert_eq!(server.column("SHOW CLUSTERS", "name"), ["other", "outside"]);
    assert_eq!(server.column("SHOW CLUSTERS", "in_use"), ["no", "yes"]);
    assert_eq!(server.column("SHOW CLUSTERS", "mode"), ["as many as come", "as many as come"]);
    assert_eq!(wanted(&server), ["0", "2"]);
    let of = |column: &str| server.column("SHOW EXECUTORS FROM outside", column);
    assert_eq!((of("host"), of("cores")), (vec!["127.0.0.1".to_string(); 2], vec!["1".to_string(); 2]));
    assert_eq!(of("memory_bytes"), vec![(256 << 20).to_string(); 2]);
    assert!(of("used_bytes").iter().all(|bytes| bytes.parse::<u64>().unwrap() > 1 << 20), "{:?}", of("used_bytes"));
    // Idle ones stay. What is not wanted any more is told to go, and is gone.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(of("state"), ["idle", "idle"]);
    server.ask(&["ALTER CLUSTER outside SCALE TO 1"]);
    wait("one executor", SOON, || of("state") == ["idle"]);
    let ended = |executors: &mut [Executor; 2]| executors.iter_mut().filter_map(Executor::ended).collect::<Vec<_>>();
    wait("the end of the other", SOON, || ended(&mut executors) == [Some(0)]);
    assert_eq!(
        (wanted(&server), server.column("SHOW CLUSTERS", "mode")[1].as_str()),
        (vec!["0".to_string(), "1".to_string()], "scale to 1")
    );
    server.ask(&["ALTER CLUSTER outside ADAPT BETWEEN 3 AND 5"]);
    wait("three wanted", SOON, || wanted(&server)[1] == "3");
    let _third = Executor::start(&server.scheduler, files.path());
    wait("two executors of three", SOON, || of("state") == ["idle", "idle"] && wanted(&server)[1] == "3");
    let refused = server.client(&["DROP CLUSTER outside"]).output().unwrap();
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && words.contains("in use by this session"), "{words}");
    let refused = server.client(&["DROP CLUSTER other"]).output().unwrap();
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && words.contains("belongs to the server"), "{words}");
}

#[test]
fn an_executor_that_is_asked_to_leave_ends_when_nobody_needs_it() {
    let files = tempfile::tempdir().unwrap();
    let server = Server::start(&[]);
    let mut executor = Executor::start(&server.scheduler, files.path());
    wait("an idle executor", PATIENCE, || server.states() == ["idle"]);
    let mut client = server.client(&[ENDLESS]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait("work on it", PATIENCE, || server.states() == ["busy"]);
    executor.signal(libc::SIGUSR1);
    wait("an executor that is about to leave", SOON, || server.states() == ["leaving"]);
    assert_eq!(wanted(&server), ["0"]);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!((executor.ended(), client.try_wait().unwrap()), (None, None));
    client.kill().unwrap();
    client.wait().unwrap();
    wait("its end", SOON, || executor.ended() == Some(Some(0)));
    assert_eq!(server.states(), Vec::<String>::new());
    assert_eq!(std::fs::read_dir(files.path()).unwrap().count(), 0);
    // One that has nothing to do leaves at once.
    let mut executor = Executor::start(&server.scheduler, files.path());
    wait("an idle executor", PATIENCE, || server.states() == ["idle"]);
    executor.signal(libc::SIGUSR1);
    wait("its end", SOON, || executor.ended() == Some(Some(0)));
}

#[test]
fn one_that_was_sent_away_stays_until_it_is_taken_away() {
    let files = tempfile::tempdir().unwrap();
    let server = Server::start(&[]);
    let mut executor = Executor::start_with(&server.scheduler, files.path(), &["--linger", "60"]);
    wait("an idle executor", PATIENCE, || server.states() == ["idle"]);
    server.ask(&["ALTER CLUSTER outside SCALE TO 0"]);
    wait("no executor", SOON, || server.states().is_empty());
    wait("its files gone", SOON, || std::fs::read_dir(files.path()).unwrap().count() == 0);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!((executor.ended(), server.states()), (None, Vec::new()));
    executor.signal(libc::SIGUSR1);
    wait("its end", SOON, || executor.ended() == Some(Some(0)));
}
