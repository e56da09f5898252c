//! Runs statements: on the runtime's threads, while this one draws progress and listens for Ctrl-C.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quarray_engine::error::Error;
use quarray_engine::session::Session;
use quarray_engine::source::store::StoreOptions;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::Args;
use crate::deliver::{Delivery, deliver};
use crate::failure::Failure;
use crate::progress::{ProgressLine, REDRAW};

/// A session and the threads that its statements run on.
pub struct Runner {
    runtime: Runtime,
    session: Session,
}

/// Ctrl-C and, where wanted, SIGTERM.
pub struct Interrupts {
    interrupt: Signal,
    terminate: Option<Signal>,
}

/// A cancelled query is given this long to let go of its files and memory.
const GRACE: Duration = Duration::from_secs(2);

/// Planning a deeply nested query recurses deeply.
const STACK_BYTES: usize = 8 << 20;

impl Runner {
    /// The session that a command line asks for, its stores attached.
    pub fn new(args: &Args) -> Result<Self, Failure> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.enable_all().thread_stack_size(STACK_BYTES);
        let mut settings = Session::builder();
        if let Some(threads) = args.threads {
            builder.worker_threads(threads);
            settings = settings.threads(threads);
        }
        if let Some(bytes) = args.memory_limit {
            settings = settings.memory_limit(bytes);
        }
        let runtime = builder.build().map_err(Failure::Start)?;
        let session = {
            let _guard = runtime.enter();
            settings.build()?
        };
        let runner = Self { runtime, session };
        for attachment in &args.attach {
            let attach = |session: Session| {
                let (name, uri) = (attachment.name.clone(), attachment.uri.clone());
                async move { Ok(session.attach(&name, &uri, &StoreOptions::new()).await?) }
            };
            runner.run(attach, &mut runner.interrupts(true)?)?;
        }
        Ok(runner)
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Signals from now on. A program that is not a shell also ends in good order on SIGTERM.
    pub fn interrupts(&self, with_terminate: bool) -> Result<Interrupts, Failure> {
        let _guard = self.runtime.enter();
        let listen = |kind| signal(kind).map_err(Failure::Start);
        let terminate = with_terminate.then(|| listen(SignalKind::terminate())).transpose()?;
        Ok(Interrupts { interrupt: listen(SignalKind::interrupt())?, terminate })
    }

    /// Runs one statement and writes its result; answers how long that took.
    pub fn run_statement(
        &self,
        text: &str,
        delivery: Delivery,
        interrupts: &mut Interrupts,
    ) -> Result<Duration, Failure> {
        let started = Instant::now();
        let progress = Arc::new(ProgressLine::start());
        self.session.progress().reset();
        let line = Arc::clone(&progress);
        let text = text.to_string();
        let work = |session: Session| async move { deliver(session.query(&text).await?, delivery, &line).await };
        let ended = self.run_with(work, interrupts, || progress.draw(&self.session.progress().snapshot()));
        progress.finish();
        ended.map(|()| started.elapsed())
    }

    /// Runs work on the session, until it ends or is interrupted.
    pub fn run<T, F>(&self, work: impl FnOnce(Session) -> F, interrupts: &mut Interrupts) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        self.run_with(work, interrupts, || {})
    }

    /// Waits for work that blocks its thread, such as reading standard input, without going deaf to signals.
    pub fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        interrupts: &mut Interrupts,
    ) -> Result<T, Failure> {
        let work = |_| async { tokio::task::spawn_blocking(work).await.map_err(|error| Failure::crash(&error)) };
        self.run_with(work, interrupts, || {})
    }

    /// Ends the threads without waiting for those that still block.
    pub fn shut_down(self) {
        self.runtime.shutdown_background();
    }

    fn run_with<T, F>(
        &self,
        work: impl FnOnce(Session) -> F,
        interrupts: &mut Interrupts,
        on_tick: impl Fn(),
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let work = work(self.session.clone());
        self.runtime.block_on(async {
            // A task of its own: a statement that keeps its thread busy cannot keep this loop from hearing Ctrl-C.
            let mut task = tokio::spawn(work);
            let mut ticks = tokio::time::interval(REDRAW);
            loop {
                tokio::select! {
                    ended = &mut task => return ended.unwrap_or_else(|error| Err(Failure::crash(&error))),
                    () = interrupts.next() => break,
                    _ = ticks.tick() => on_tick(),
                }
            }
            task.abort();
            // Whatever it says now, the user has asked for it to end.
            let _ = tokio::time::timeout(GRACE, task).await;
            Err(Failure::Query(Error::Cancelled))
        })
    }
}

impl Interrupts {
    async fn next(&mut self) {
        match &mut self.terminate {
            Some(terminate) => {
                tokio::select! {
                    _ = self.interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }
            None => {
                self.interrupt.recv().await;
            }
        }
    }
}
