//! Runs statements: on the runtime's threads, while this one draws progress and listens for Ctrl-C.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quarray_distributed::control::LocalClusters;
use quarray_distributed::serve::RemoteSession;
use quarray_distributed::serve::http::{Everyone, HttpServer};
use quarray_engine::error::Error;
use quarray_engine::session::{Session, SessionBuilder};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::any_session::AnySession;
use crate::args::Args;
use crate::cluster::{self, Resources};
use crate::dashboard;
use crate::deliver::{Delivery, deliver};
use crate::failure::Failure;
use crate::progress::{ProgressLine, REDRAW};
use crate::security::login;
use crate::terminal::tell;

/// A session and the threads that its statements run on.
pub struct Runner {
    workers: RefCell<Runtime>,
    threads: Option<usize>,
    /// Signals and the clock, on the calling thread. The workers would do, did statements never keep all of them busy:
    /// then nobody is left to hear Ctrl-C.
    desk: Runtime,
    session: AnySession,
    /// The clusters that statements make.
    clusters: Arc<LocalClusters>,
    /// Pages about the session, where they are wanted.
    dashboard: Option<HttpServer>,
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
        let workers = workers(args.threads)?;
        let desk = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Start)?;
        let clusters = Arc::new(cluster::clusters()?);
        let session = match &args.connect {
            Some(address) => AnySession::There(desk.block_on(RemoteSession::connect_as(login(address, args)?))?),
            None => {
                let settings = desk.block_on(settings(args, &clusters))?;
                let _guard = workers.enter();
                AnySession::Here(settings.build()?)
            }
        };
        let dashboard = match &session {
            AnySession::Here(session) if args.dashboard => {
                let (listen, everyone) = (dashboard::any_port(), Arc::new(Everyone));
                let started = dashboard::start(listen, Vec::new(), everyone, session.queries(), &clusters);
                let started = desk.block_on(started)?;
                tell(&format!("dashboard {}", started.link()));
                Some(started)
            }
            _ => None,
        };
        let workers = RefCell::new(workers);
        let runner = Self { workers, threads: args.threads, desk, session, clusters, dashboard };
        for attachment in &args.attach {
            let attachment = attachment.clone();
            let attach = |session: AnySession| async move { Ok(session.attach(&attachment).await?) };
            runner.run(attach, &mut runner.interrupts(true)?)?;
        }
        Ok(runner)
    }

    /// The session.
    pub fn session(&self) -> &AnySession {
        &self.session
    }

    /// Signals from now on. A program that is not a shell also ends in good order on SIGTERM.
    pub fn interrupts(&self, with_terminate: bool) -> Result<Interrupts, Failure> {
        let _guard = self.desk.enter();
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
        let line = Arc::clone(&progress);
        let text = text.to_string();
        let work = |session: AnySession| async move { deliver(session.query(&text).await?, delivery, &line).await };
        let ended = self.run_with(work, interrupts, || progress.draw(&self.session.progress(), || self.session.page()));
        progress.finish();
        ended.map(|()| started.elapsed())
    }

    /// Runs work on the session, until it ends or is interrupted.
    pub fn run<T, F>(&self, work: impl FnOnce(AnySession) -> F, interrupts: &mut Interrupts) -> Result<T, Failure>
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

    /// Ends a session in a server, lets executors leave, and ends the threads without waiting for those that still block.
    pub fn shut_down(self) {
        self.desk.block_on(async {
            if let Some(dashboard) = self.dashboard {
                dashboard.shut_down().await;
            }
            self.session.close().await;
            self.clusters.shut_down().await;
        });
        self.workers.into_inner().shutdown_background();
    }

    fn run_with<T, F>(
        &self,
        work: impl FnOnce(AnySession) -> F,
        interrupts: &mut Interrupts,
        on_tick: impl Fn(),
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let work = work(self.session.clone());
        let workers = self.workers.borrow().handle().clone();
        let mut task = workers.spawn(work);
        let have_let_go = self.desk.block_on(async {
            let mut ticks = tokio::time::interval(REDRAW);
            loop {
                tokio::select! {
                    ended = &mut task => return Err(ended.unwrap_or_else(|error| Err(Failure::crash(&error)))),
                    () = interrupts.next() => break,
                    _ = ticks.tick() => on_tick(),
                }
            }
            task.abort();
            let let_go = async {
                // Whatever it says now, the user has asked for it to end.
                let _ = task.await;
                let _ = workers.spawn(async {}).await;
            };
            Ok(tokio::time::timeout(GRACE, let_go).await.is_ok())
        });
        match have_let_go {
            Err(ended) => return ended,
            Ok(true) => {}
            Ok(false) => self.replace_workers()?,
        }
        Err(Failure::Query(Error::Cancelled))
    }

    /// Leaves threads that are deep in a computation to themselves: they end as soon as they come up for air.
    fn replace_workers(&self) -> Result<(), Failure> {
        self.workers.replace(workers(self.threads)?).shutdown_background();
        Ok(())
    }
}

/// What the session of a command line is built with, and the executors that it asks for.
async fn settings(args: &Args, clusters: &Arc<LocalClusters>) -> Result<SessionBuilder, Failure> {
    let mut settings = Session::builder().clusters(Arc::clone(clusters) as _);
    if let Some(threads) = args.threads {
        settings = settings.threads(threads);
    }
    if let Some(bytes) = args.block_size {
        settings = settings.block_bytes(bytes as u64);
    }
    if let Some(bytes) = args.memory_limit {
        settings = settings.memory_limit(bytes);
    }
    if let Some(counts) = args.executors {
        let resources = Resources { threads: args.threads, memory: args.memory_limit };
        settings = settings.backend(Arc::new(cluster::of_session(clusters, resources, counts).await?));
    }
    Ok(settings)
}

/// Threads that queries run on.
pub(crate) fn workers(threads: Option<usize>) -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().thread_stack_size(STACK_BYTES);
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    builder.build().map_err(Failure::Start)
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
