//! The server is killed in the middle of queries, and started again on the same ports.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::processes::{Executor, PATIENCE, STORE, Server, answer, long_query, quarray, wait};

/// How often the server is killed.
const KILLS: u32 = 5;

/// An error is told, and a fresh query has its answer, this soon.
const SOON: Duration = Duration::from_secs(5);

fn short_query() -> String {
    format!("FROM '{STORE}' |> REDUCE avg(tas), max(pr) ALONG latitude, longitude")
}

#[test]
fn a_killed_server_is_an_error_and_the_next_one_finds_its_executors() {
    let files = tempfile::tempdir().unwrap();
    let expected = answer(quarray().args(["-f", "csv", "-c", &short_query()]).output().unwrap());
    let mut server = Server::start(&[]);
    let (flight, scheduler) = (server.flight.clone(), server.scheduler.clone());
    let mut executors = [0; 2].map(|_| Executor::start(&scheduler, files.path()));
    wait("two idle executors", PATIENCE, || server.states() == ["idle", "idle"]);
    for round in 0..KILLS {
        let client = server.client(&long_query()).stderr(Stdio::piped()).spawn().unwrap();
        wait("work on an executor", PATIENCE, || server.states().contains(&"busy".to_string()));
        // At several moments of the work.
        std::thread::sleep(Duration::from_millis(u64::from(round) * 150));
        let names = server.column("SHOW EXECUTORS", "id");
        let stale = directories(files.path());
        server.kill();
        let (status, words, took) = outcome(client);
        assert_eq!(status, Some(1), "{words}");
        assert!(words.contains("is gone"), "{words}");
        assert!(took < SOON, "round {round}: after {took:?} the client heard {words}");

        let since = Instant::now();
        server = Server::start_at(&flight, &scheduler, &[]);
        assert_eq!(server.ask(&[&short_query()]), expected);
        let took = since.elapsed();
        assert!(took < SOON, "round {round}: a fresh query took {took:?}");
        println!("round {round}: a fresh query has its answer {took:?} after the start");
        wait("two idle executors again", SOON, || server.states() == ["idle", "idle"]);
        assert!(server.column("SHOW EXECUTORS", "id").iter().all(|name| !names.contains(name)), "{names:?}");
        assert!(executors.iter_mut().all(|executor| executor.ended().is_none()), "an executor has ended");
        assert!(stale.iter().all(|directory| !directory.exists()), "left: {stale:?}");
        wait("files only of executors", SOON, || {
            let all = directories(files.path());
            let is_of_job =
                |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("job-"));
            all.len() == 2 && all.iter().all(|directory| !directories(directory).iter().any(is_of_job))
        });
    }
    for executor in &mut executors {
        executor.signal(libc::SIGTERM);
        wait("an executor that has left", SOON, || executor.ended() == Some(Some(0)));
    }
    assert_eq!(directories(files.path()), Vec::<PathBuf>::new());
}

#[test]
fn an_executor_waits_for_a_scheduler_and_hears_signals() {
    let files = tempfile::tempdir().unwrap();
    let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut early = Executor::start(&place, files.path());
    let mut impatient = Executor::start(&place, files.path());
    wait("two work directories", PATIENCE, || directories(files.path()).len() == 2);
    std::thread::sleep(Duration::from_millis(300));
    impatient.signal(libc::SIGTERM);
    wait("an executor that has left", SOON, || impatient.ended() == Some(Some(0)));
    let server = Server::start_at("127.0.0.1:0", &place, &[]);
    wait("one idle executor", SOON, || server.states() == ["idle"]);
    // What a killed one leaves, the next one removes.
    early.signal(libc::SIGKILL);
    wait("a killed executor", SOON, || early.ended() == Some(None));
    let left = directories(files.path());
    assert_eq!(left.len(), 1);
    let _next = Executor::start(&place, files.path());
    wait("its files gone", SOON, || !left[0].exists() && directories(files.path()).len() == 1);
}

fn outcome(mut client: Child) -> (Option<i32>, String, Duration) {
    let since = Instant::now();
    let mut words = String::new();
    wait("the end of a client without a server", PATIENCE, || client.try_wait().unwrap().is_some());
    let took = since.elapsed();
    client.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    (client.wait().unwrap().code(), words, took)
}

/// What is in a directory.
fn directories(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
