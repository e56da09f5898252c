//! Ballista's scheduler as a part of this process.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ballista_core::JobId;
use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::extension::SessionConfigExt;
use ballista_core::serde::protobuf::task_status::Status;
use ballista_scheduler::cluster::memory::InMemoryJobState;
use ballista_scheduler::cluster::{BallistaCluster, JobState};
use ballista_scheduler::config::{SchedulerConfig, TaskDistributionPolicy};
use ballista_scheduler::scheduler_process::{create_scheduler, start_grpc_service_with_listener};
use ballista_scheduler::scheduler_server::SchedulerServer;
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use parking_lot::Mutex;
use quarray_engine::access::AccessPolicy;
use quarray_engine::progress::Progress;
use quarray_engine::state::{GridSettings, StateSettings, session_state};
use quarray_engine::thread_safe::ThreadSafe;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::error::ClusterError;
use super::guarded_state::{ExecutorCores, GuardedClusterState};
use super::job_counts::JobCounts;
use super::job_names::JobNames;
use super::job_observer::ObserverPlace;
use super::places::in_url;
use super::{MESSAGE_BYTES_MAX, PlanCodec};
use crate::links::{Door, Gate, GateCounts, Identity, Links, Secret, Service};

/// Executors say that they live this often.
pub const HEARTBEAT: Duration = Duration::from_secs(2);

/// An executor that has not been heard for so long is lost. A process that ends on this machine is noticed at once.
const EXECUTOR_TIMEOUT: Duration = Duration::from_secs(20);

/// How often those are looked for.
const SWEEP: Duration = Duration::from_secs(2);

/// Children of this process come back in this time after all of them were lost, or never.
const NO_EXECUTORS_GRACE: Duration = Duration::from_secs(30);

/// What ended jobs were is forgotten after this, if nobody has done it before.
const JOB_STATE_KEPT: Duration = Duration::from_secs(300);

/// How often waiting looks again.
const POLL: Duration = Duration::from_millis(10);

/// The first pause when the graph of a job that has succeeded is not there yet: it comes within a moment, and a small query
/// would notice a longer one. Pauses double, up to `POLL`.
const GRAPH_POLL: Duration = Duration::from_millis(1);

/// The server of Ballista.
pub(super) type Server = SchedulerServer<LogicalPlanNode, PhysicalPlanNode>;

/// What a scheduler is started with.
#[derive(Clone)]
pub struct SchedulerSettings {
    /// Where it listens, on this machine alone unless there is a secret; port 0 is any that is free.
    pub listen: SocketAddr,
    /// The secret that all hosts of the cluster share.
    pub secret: Option<Secret>,
    /// The codec of plans.
    pub codec: PlanCodec,
    /// Whether Ballista's REST answers; for this machine alone, even with a secret.
    pub has_rest: bool,
    /// Jobs fail when all executors are lost and none comes back in this time.
    pub no_executors_grace: Duration,
}

impl SchedulerSettings {
    /// A scheduler for this machine alone, without REST.
    pub fn new(codec: PlanCodec) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen, secret: None, codec, has_rest: false, no_executors_grace: NO_EXECUTORS_GRACE }
    }
}

/// A scheduler that runs. It ends when it is dropped.
pub struct Scheduler {
    pub(super) server: ThreadSafe<Server>,
    pub(super) codec: PlanCodec,
    /// The threads that it runs on: what it does must not wait for queries.
    pub(super) threads: Handle,
    state: Arc<GuardedClusterState>,
    pub(super) jobs: ThreadSafe<Arc<InMemoryJobState>>,
    base: ThreadSafe<SessionState>,
    /// Where others reach it.
    address: SocketAddr,
    /// Where it listens itself; with a secret, only this machine comes there.
    local: SocketAddr,
    links: Option<Arc<Links>>,
    gate: Option<Gate>,
    service: JoinHandle<()>,
    /// Executors that hold results which are not fetched yet, by job.
    unfetched: Mutex<Vec<(JobId, HashSet<String>)>>,
    job_counts: JobCounts,
    observer: ObserverPlace,
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Scheduler").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Scheduler {
    /// Starts a scheduler on the threads of the runtime that this is called on.
    pub async fn start(settings: SchedulerSettings) -> Result<Arc<Self>, ClusterError> {
        let Openings { listener, local, address, links, gate } = Openings::make(&settings).await?;
        let base = scheduler_state()?;
        let state = Arc::new(GuardedClusterState::default());
        let jobs = Arc::new(job_state(&base));
        let cluster = BallistaCluster::new(Arc::clone(&state) as _, Arc::clone(&jobs) as _);
        let server: Server = create_scheduler(cluster, Arc::new(config(&settings, address, links.as_ref()))).await?;
        let service = start_grpc_service_with_listener(listener, server.clone());
        let service = tokio::spawn(async move {
            // It ends with the process, or when it is aborted.
            let _ = service.await;
        });
        let (threads, codec) = (Handle::current(), settings.codec);
        let (unfetched, observer) = (Mutex::default(), ObserverPlace::default());
        let (server, jobs, base) = (ThreadSafe::new(server), ThreadSafe::new(jobs), ThreadSafe::new(base));
        Ok(Arc::new(Self {
            server,
            codec,
            threads,
            state,
            jobs,
            base,
            address,
            local,
            links,
            gate,
            service,
            unfetched,
            job_counts: JobCounts::default(),
            observer,
        }))
    }

    /// Where others reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is reached on this machine without a secret, by REST above all.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// The ways to executors of other hosts, if they share a secret.
    pub fn links(&self) -> Option<&Arc<Links>> {
        self.links.as_ref()
    }

    /// What has come to its gate, if it has one.
    pub fn gate_counts(&self) -> Option<GateCounts> {
        self.gate.as_ref().map(Gate::counts)
    }

    /// The state of the cluster: fences, departures.
    pub fn state(&self) -> &Arc<GuardedClusterState> {
        &self.state
    }

    /// Ballista's server, to ask for jobs and events.
    pub fn server(&self) -> &SchedulerServer<LogicalPlanNode, PhysicalPlanNode> {
        &self.server
    }

    /// Who is told of jobs that finish.
    pub fn observer(&self) -> &ObserverPlace {
        &self.observer
    }

    /// The threads that it runs on.
    pub fn threads(&self) -> &Handle {
        &self.threads
    }

    /// How many jobs it was given.
    pub fn job_counts(&self) -> &JobCounts {
        &self.job_counts
    }

    /// The cores of all executors.
    pub async fn cores(&self) -> Vec<ExecutorCores> {
        self.state.cores(&self.server.state.task_manager.get_running_job_cache()).await
    }

    /// Executors that somebody still needs: they run tasks, or hold what a running job or a reader has yet to read.
    pub async fn needed_executors(&self) -> HashSet<String> {
        let mut needed: HashSet<String> =
            self.unfetched.lock().iter().flat_map(|(_, holders)| holders.iter().cloned()).collect();
        for job in self.server.state.task_manager.get_running_job_cache().values() {
            let graph = job.execution_graph.read().await;
            needed.extend(graph.running_tasks().into_iter().map(|task| task.executor_id));
            let tasks = graph.stages().values().filter_map(|stage| stage.task_infos()).flatten();
            // What a task has written stays where it ran.
            needed.extend(tasks.filter_map(|task| match &task.task_status {
                Status::Successful(done) => Some(done.executor_id.clone()),
                Status::Running(_) | Status::Failed(_) => None,
            }));
        }
        needed
    }

    /// Waits until so many executors are registered.
    pub async fn wait_for_executors(&self, expected: usize, patience: Duration) -> Result<(), ClusterError> {
        let wait = async {
            while self.state.executors().await.len() < expected {
                tokio::time::sleep(POLL).await;
            }
        };
        if tokio::time::timeout(patience, wait).await.is_ok() {
            return Ok(());
        }
        let found = self.state.executors().await.len();
        Err(ClusterError::Missing { expected, found, seconds: patience.as_secs() })
    }

    /// Where jobs of a session are planned: with its settings and its name.
    pub(super) fn session(&self, config: SessionConfig, id: &str) -> Arc<SessionContext> {
        let config = config.upgrade_for_ballista();
        let config = config.with_ballista_grpc_client_max_message_size(MESSAGE_BYTES_MAX as usize);
        let state = with_config(&self.base, config, Some(id));
        Arc::new(SessionContext::new_with_state(state))
    }

    /// The graph of a job that has succeeded. It is told of before it is put there.
    pub(super) async fn finished_graph(&self, job: &JobId, patience: Duration) -> Option<ExecutionGraphBox> {
        let end = tokio::time::Instant::now() + patience;
        let mut pause = GRAPH_POLL;
        loop {
            if let Ok(Some(graph)) = self.jobs.get_execution_graph(job).await {
                return Some(graph);
            }
            if tokio::time::Instant::now() > end {
                return None;
            }
            tokio::time::sleep(pause).await;
            pause = POLL.min(pause * 2);
        }
    }

    /// Whether the job waits to be planned, and cannot be cancelled yet.
    pub(super) async fn is_unplanned(&self, job: &JobId) -> bool {
        use ballista_core::serde::protobuf::job_status::Status as JobStatus;
        let status = self.jobs.get_job_status(job).await.ok().flatten().and_then(|status| status.status);
        let is_running = self.server.state.task_manager.get_running_job_cache().contains_key(job);
        match status {
            // Nobody has heard of it, or only its name is known.
            None | Some(JobStatus::Queued(_)) => true,
            // Its graph is put where it can be cancelled a moment after its status is.
            Some(JobStatus::Running(_)) => !is_running,
            Some(_) => false,
        }
    }

    /// Forgets an ended job, and removes what it has left on executors.
    pub(super) fn forget(&self, job: &JobId) {
        self.unfetched.lock().retain(|(id, _)| id != job);
        let (server, jobs, job) = (Server::clone(&self.server), Arc::clone(&self.jobs), job.clone());
        self.threads.spawn(async move {
            server.state.executor_manager.clean_up_job_data(job.clone());
            // It complains about jobs that it has forgotten already, and there is nothing to be done about it.
            let _ = jobs.remove_job(&job).await;
        });
    }

    /// These executors hold a result that has yet to be fetched.
    pub(super) fn hold_result(&self, job: &JobId, holders: HashSet<String>) {
        self.unfetched.lock().push((job.clone(), holders));
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.service.abort();
        if let Some(links) = &self.links {
            links.close();
        }
    }
}

/// Where a scheduler is open, and for whom.
struct Openings {
    listener: TcpListener,
    local: SocketAddr,
    address: SocketAddr,
    links: Option<Arc<Links>>,
    gate: Option<Gate>,
}

impl Openings {
    async fn make(settings: &SchedulerSettings) -> Result<Self, ClusterError> {
        let wrong = |error: std::io::Error| {
            let (address, reason) = (settings.listen.to_string(), error.to_string());
            ClusterError::Scheduler { address, reason }
        };
        let Some(secret) = &settings.secret else {
            if !settings.listen.ip().is_loopback() {
                return Err(ClusterError::NeedsSecret { address: settings.listen.to_string() });
            }
            let listener = TcpListener::bind(settings.listen).await.map_err(wrong)?;
            let local = listener.local_addr().map_err(wrong)?;
            return Ok(Self { listener, local, address: local, links: None, gate: None });
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(wrong)?;
        let local = listener.local_addr().map_err(wrong)?;
        let outside = TcpListener::bind(settings.listen).await.map_err(wrong)?;
        let address = outside.local_addr().map_err(wrong)?;
        let identity = Identity::new(secret)?;
        let links = Links::new(&identity, &std::env::temp_dir())?;
        let gate = Gate::open(vec![Door { listener: outside, service: Service::Scheduler, target: local }], &identity);
        Ok(Self { listener, local, address, links: Some(links), gate: Some(gate) })
    }
}

fn scheduler_state() -> Result<SessionState, ClusterError> {
    let settings = StateSettings {
        memory_limit: usize::MAX,
        threads: 1,
        grid: GridSettings::default(),
        access: AccessPolicy::everything(),
        memory_pool: None,
    };
    Ok(session_state(&settings, &Arc::new(Progress::default()))?)
}

/// The engine's own state with other settings.
fn with_config(base: &SessionState, config: SessionConfig, id: Option<&str>) -> SessionState {
    let builder = SessionStateBuilder::new_from_existing(base.clone()).with_config(config);
    match id {
        Some(id) => builder.with_session_id(id.to_string()).build(),
        None => builder.build(),
    }
}

fn job_state(base: &SessionState) -> InMemoryJobState {
    let config = base.config().clone().upgrade_for_ballista();
    let base = base.clone();
    let session_builder = Arc::new(move |config: SessionConfig| Ok(with_config(&base, config, None)));
    InMemoryJobState::new("quarray", session_builder, Arc::new(move || config.clone()))
}

fn config(settings: &SchedulerSettings, address: SocketAddr, links: Option<&Arc<Links>>) -> SchedulerConfig {
    let host = in_url(address.ip());
    SchedulerConfig {
        scheduler_id: "quarray".to_string(),
        external_host: host.clone(),
        bind_host: host,
        bind_port: address.port(),
        scheduling_policy: TaskSchedulingPolicy::PushStaged,
        task_distribution: TaskDistributionPolicy::RoundRobin,
        executor_timeout_seconds: EXECUTOR_TIMEOUT.as_secs(),
        expire_dead_executor_interval_seconds: SWEEP.as_secs(),
        // With more, the scheduler would believe in shuffled data that left with its executor.
        executor_termination_grace_period: 0,
        no_executors_grace_period_seconds: settings.no_executors_grace.as_secs(),
        // A slow reader may come for the last partition hours after the first: whoever ran a job removes its data.
        finished_job_data_clean_up_interval_seconds: 0,
        finished_job_state_clean_up_interval_seconds: JOB_STATE_KEPT.as_secs(),
        grpc_server_max_decoding_message_size: MESSAGE_BYTES_MAX,
        grpc_server_max_encoding_message_size: MESSAGE_BYTES_MAX,
        grpc_client_max_message_size: MESSAGE_BYTES_MAX,
        disable_rest_api: !settings.has_rest,
        // By default `/` would lead away from this host.
        web_tui_route: "/ballista".to_string(),
        override_physical_codec: Some(Arc::clone(&settings.codec)),
        override_create_grpc_client_endpoint: links.map(Links::to_tasks),
        job_id_generator: Some(Arc::new(JobNames::new())),
        ..Default::default()
    }
}
