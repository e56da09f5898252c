//! One statement through a session, whatever becomes of it: a panic is an answer too.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use quarray_engine::{Error, Outcome, Session};
use tokio::runtime::{Builder, Runtime};

use crate::answer::Answer;

/// How a session runs queries: the answers may not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Whether plans may stay in arrays.
    pub grid: bool,
    /// Threads that work on a query.
    pub threads: usize,
    /// Bytes of a block: a few of them cut the smallest array into many blocks and partitions.
    pub block_bytes: u64,
}

const WHOLE: u64 = 1 << 20;

/// Every way in which golden cases and random queries are run.
pub const ALL_SETTINGS: [Settings; 4] = [
    Settings { grid: true, threads: 1, block_bytes: WHOLE },
    Settings { grid: true, threads: 3, block_bytes: 40 },
    Settings { grid: false, threads: 1, block_bytes: WHOLE },
    Settings { grid: false, threads: 4, block_bytes: 100 },
];

impl Settings {
    /// A new session that runs queries so.
    pub fn session(self) -> Session {
        let builder = Session::builder().grid(self.grid).threads(self.threads).block_bytes(self.block_bytes);
        builder.build().expect("a session without a store can be built")
    }
}

/// What became of a statement.
#[derive(Debug)]
pub enum Ending {
    /// Rows.
    Rows(Answer),
    /// Something else than rows: `done: …`, `explain: …`, `plot`
    Other(String),
    /// An error.
    Error(Error),
    /// A panic, with its message.
    Panic(String),
}

/// The runtime of all tests.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    // Deep enough stacks for a development build: the engine is asked questions of many thousand terms.
    RUNTIME.get_or_init(|| {
        let builder = &mut Builder::new_multi_thread();
        builder.worker_threads(4).thread_stack_size(8 << 20).enable_all().build().expect("a runtime")
    })
}

/// Runs a future on the runtime; a panic inside is returned.
pub fn guarded<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Result<T, String> {
    runtime().block_on(async {
        tokio::spawn(future).await.map_err(|failure| match failure.try_into_panic() {
            Ok(payload) => match (payload.downcast_ref::<String>(), payload.downcast_ref::<&str>()) {
                (Some(message), _) => message.clone(),
                (None, Some(message)) => (*message).to_string(),
                (None, None) => "a panic without a message".to_string(),
            },
            Err(failure) => failure.to_string(),
        })
    })
}

/// Runs one statement and reads its whole result.
pub fn run(session: &Session, text: &str) -> Ending {
    let (session, text) = (session.clone(), text.to_string());
    match guarded(async move { collect(&session, &text).await }) {
        Ok(Ok(ending)) => ending,
        Ok(Err(error)) => Ending::Error(error),
        Err(panic) => Ending::Panic(panic),
    }
}

/// Attaches a store; an error or a panic is returned as text.
pub fn attach(session: &Session, name: &str, path: &Path) -> Result<(), String> {
    let (session, name, uri) = (session.clone(), name.to_string(), path.display().to_string());
    match guarded(async move { session.attach(&name, &uri, &Default::default()).await }) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("attach: {error}")),
        Err(panic) => Err(format!("attach: panic: {panic}")),
    }
}

/// The folder of this crate.
pub fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

async fn collect(session: &Session, text: &str) -> Result<Ending, Error> {
    Ok(match session.query(text).await? {
        Outcome::Rows(rows) => {
            let (dimensions, schema) = (rows.dimensions.clone(), rows.schema());
            Ending::Rows(Answer::new(dimensions, &schema, &rows.collect().await?))
        }
        Outcome::Plot(_) => Ending::Other("plot".to_string()),
        Outcome::Explain(text) => Ending::Other(format!("explain: {text}")),
        Outcome::Done(text) => Ending::Other(format!("done: {text}")),
    })
}
