//! The same answers on executors that are processes of their own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use quarray_distributed::backend::ClusterBackend;
use quarray_distributed::cluster::{ExecutorProvider, ExecutorShape, LocalCluster, LocalClusterSettings, Program};
use quarray_distributed::codec::WireCodec;
use quarray_engine::Session;

use crate::golden::check_all_cases;
use crate::layouts::{CHUNKINGS, QUERIES, same, write_chunks_of};
use crate::run::{Ending, Settings, attach, run, runtime};

/// Many partitions, in arrays and in rows.
const WAYS: [Settings; 2] =
    [Settings { grid: true, threads: 3, block_bytes: 400 }, Settings { grid: false, threads: 2, block_bytes: 1000 }];

/// Little enough for what does not need to be held to show if it is.
const MEMORY: u64 = 48 << 20;

/// The command, which is built beside the tests.
pub fn program() -> Program {
    let tests = std::env::current_exe().expect("this program's file");
    let folder = tests.parent().and_then(|folder| folder.parent()).expect("the folder of programs");
    let path: PathBuf = folder.join("quarray");
    assert!(path.exists(), "{} is not there: build the whole workspace", path.display());
    Program { path, arguments: Vec::new() }
}

fn cluster(executors: usize) -> LocalCluster {
    let settings = LocalClusterSettings {
        executors,
        shape: ExecutorShape { cores: 1, memory: MEMORY },
        program: program(),
        codec: Arc::new(WireCodec::default()),
        directory: None,
    };
    runtime().block_on(LocalCluster::start(settings)).expect("a cluster")
}

/// Sends the queries of sessions there.
fn send_to(backend: &ClusterBackend) -> impl Fn(&Session) + use<> {
    let backend = Arc::new(backend.clone());
    move |session| session.set_backend(Arc::clone(&backend) as _)
}

#[test]
fn golden_cases_on_two_executors() {
    let cluster = cluster(2);
    check_all_cases(&WAYS, &send_to(&cluster.backend()));
    runtime().block_on(cluster.shut_down());
}

/// In arrays the states of partitions are merged in their order: to the last bit.
#[test]
fn answers_do_not_depend_on_executors() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { grid: true, threads: 2, block_bytes: 4 << 10 };
    for executors in [1, 2, 4] {
        let cluster = cluster(executors);
        let send = send_to(&cluster.backend());
        for chunking in [CHUNKINGS[0], CHUNKINGS[3]] {
            let store = write_chunks_of(folder.path(), chunking);
            for query in QUERIES {
                let (alone, sent) = (settings.session(), settings.session());
                send(&sent);
                let answers = [&alone, &sent].map(|session| {
                    attach(session, "ds", &store).unwrap();
                    match run(session, query) {
                        Ending::Rows(answer) => answer,
                        other => panic!("{query}: expected rows, found {other:?}"),
                    }
                });
                same(&answers[0], &answers[1], 0.0, &format!("{query} on {executors} executors"));
            }
        }
        runtime().block_on(cluster.shut_down());
    }
}

/// Queries over arrays of one, two and more exchanges, while executors are killed at any moment: `QUARRAY_KILLS` rounds.
#[test]
fn answers_do_not_depend_on_lost_executors() {
    let rounds = std::env::var("QUARRAY_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let folder = tempfile::tempdir().unwrap();
    let store = write_chunks_of(folder.path(), CHUNKINGS[1]);
    let cluster = cluster(2);
    let send = send_to(&cluster.backend());
    let rows = Settings { grid: false, threads: 3, block_bytes: 4 << 10 };
    let arrays = Settings { grid: true, ..rows };
    let mut random = 88_172_645_463_325_252u64;
    for round in 0..rounds {
        let settings = if round % 3 == 2 { rows } else { arrays };
        let query = QUERIES[[0, 2, 1, 7, 8, 4][round % 6]];
        let (alone, sent) = (settings.session(), settings.session());
        send(&sent);
        [&alone, &sent].iter().for_each(|session| attach(session, "ds", &store).unwrap());
        let Ending::Rows(expected) = run(&alone, query) else { panic!("{query}: no rows") };
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let moment = Duration::from_millis(random % 400);
        let killer = std::thread::spawn({
            let victim = cluster.provider().list().remove((random >> 32) as usize % 2);
            move || {
                std::thread::sleep(moment);
                let process = i32::try_from(victim.process.unwrap()).unwrap();
                // SAFETY: a system call with two numbers; the process is a child that nobody has waited for.
                assert_eq!(unsafe { libc::kill(process, libc::SIGKILL) }, 0);
            }
        });
        let ended = run(&sent, query);
        killer.join().unwrap();
        let Ending::Rows(found) = ended else { panic!("{query}, killed after {moment:?}: {ended:?}") };
        let tolerance = if settings.grid { 0.0 } else { 1e-12 };
        same(&expected, &found, tolerance, &format!("{query}, killed after {moment:?}"));
        runtime().block_on(async {
            while cluster.provider().list().len() == 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            cluster.provider().start(cluster.shape()).await.expect("an executor");
            cluster.wait(2).await.expect("two executors");
            let cores = cluster.scheduler().cores().await;
            assert!(cores.iter().all(|cores| cores.free == cores.total), "{cores:?}");
        });
    }
    let processes: Vec<_> = cluster.provider().list().iter().filter_map(|executor| executor.process).collect();
    runtime().block_on(cluster.shut_down());
    assert!(processes.iter().all(|process| !PathBuf::from(format!("/proc/{process}")).exists()), "{processes:?}");
}
