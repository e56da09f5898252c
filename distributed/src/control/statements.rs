//! Statements about clusters, carried out.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::future::BoxFuture;
use futures::stream;
use quarray_engine::backend::{Clusters, Local};
use quarray_engine::{Error, Outcome, Rows, Session};
use quarray_lang::cluster::{ClusterListing, ClusterOptions, ClusterStatement};
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::quantity::bytes_text;
use quarray_lang::span::{Located, Span};
use sqlparser::ast::Ident;

use super::clusters::{ClusterSettings, LocalClusters, NamedCluster, Removal};
use super::listing;
use crate::choice::ChoosingBackend;
use crate::cluster::{ClusterError, ExecutorShape};
use crate::scaling::ScalingMode;

/// Bytes of an executor when nothing else is said.
pub const MEMORY_DEFAULT: u64 = 2 << 30;

#[async_trait]
impl Clusters for LocalClusters {
    async fn run(&self, statement: ClusterStatement, session: &Session) -> Result<Outcome, Error> {
        self.boxed(statement, session).await
    }

    fn names(&self) -> Vec<String> {
        self.names_at_once()
    }
}

impl LocalClusters {
    /// Boxed outside of the trait, where the compiler remembers that it may move between threads.
    fn boxed<'a>(&'a self, statement: ClusterStatement, session: &'a Session) -> BoxFuture<'a, Result<Outcome, Error>> {
        Box::pin(self.carry_out(statement, session))
    }

    async fn carry_out(&self, statement: ClusterStatement, session: &Session) -> Result<Outcome, Error> {
        match statement {
            ClusterStatement::Create { name, if_not_exists, options } => {
                let settings = settings_of(&options);
                let (name, span) = plain(&name);
                match self.create(&name, settings).await.map_err(failed)? {
                    true => Ok(Outcome::Done(format!("created cluster {name}"))),
                    false if if_not_exists => Ok(Outcome::Done(format!("cluster {name} is there already"))),
                    false => Err(wrong(format!("there is a cluster `{name}` already"), span)),
                }
            }
            ClusterStatement::Scale { name, executors } => {
                self.ask(&name, ScalingMode::Fixed(executors.value)).await?;
                Ok(Outcome::Done(format!("cluster {} is to have {} executors", plain(&name).0, executors.value)))
            }
            ClusterStatement::Adapt { name, min, max } => {
                self.ask(&name, ScalingMode::Between { min: min.value, max: max.value }).await?;
                let name = plain(&name).0;
                Ok(Outcome::Done(format!("cluster {name} adapts between {} and {} executors", min.value, max.value)))
            }
            ClusterStatement::Drop { name, if_exists } => self.drop_cluster(&name, if_exists, session).await,
            ClusterStatement::Use { name, above } => self.use_cluster(&name, above, session).await,
            ClusterStatement::UseLocal => {
                session.set_backend(Arc::new(Local));
                Ok(Outcome::Done("queries run in this process".to_string()))
            }
            ClusterStatement::ShowClusters => {
                listing::clusters(&self.list().await, self.dashboard(), session).await.map(rows)
            }
            ClusterStatement::Show { listing, from } => self.show(listing, from.as_ref(), session).await,
            ClusterStatement::CancelJob { id } => self.cancel(&id).await,
        }
    }

    async fn ask(&self, name: &Located<Ident>, mode: ScalingMode) -> Result<(), Error> {
        let (name, span) = plain(name);
        match self.scale(&name, mode).await {
            true => Ok(()),
            false => Err(self.unknown(&name, span).await),
        }
    }

    async fn use_cluster(
        &self,
        name: &Located<Ident>,
        above: Option<Located<u64>>,
        session: &Session,
    ) -> Result<Outcome, Error> {
        let (name, span) = plain(name);
        let Some(cluster) = self.backend(&name).await else {
            return Err(self.unknown(&name, span).await);
        };
        let done = match above {
            None => {
                session.set_backend(Arc::new(cluster));
                format!("queries run on cluster {name}")
            }
            Some(above) => {
                session.set_backend(Arc::new(ChoosingBackend::new(cluster, above.value)));
                let limit = bytes_text(above.value);
                format!("queries that decode more than {limit} run on cluster {name}, others in this process")
            }
        };
        Ok(Outcome::Done(done))
    }

    async fn drop_cluster(&self, name: &Located<Ident>, if_exists: bool, session: &Session) -> Result<Outcome, Error> {
        let (name, span) = plain(name);
        if session.backend().cluster() == Some(&name) {
            let help = "USE LOCAL, or another cluster, first";
            let diagnostic = Diagnostic::new(format!("cluster `{name}` is in use by this session"));
            return Err(Error::Bind(diagnostic.at(span).with_help(help)));
        }
        match self.remove(&name).await {
            Removal::Removed => Ok(Outcome::Done(format!("dropped cluster {name}"))),
            Removal::Unknown if if_exists => Ok(Outcome::Done(format!("there is no cluster {name}"))),
            Removal::Unknown => Err(self.unknown(&name, span).await),
            Removal::InUse(uses) => {
                let others = if uses == 1 { "another session or query".to_string() } else { format!("{uses} others") };
                let help = "sessions say USE LOCAL, or end; SHOW JOBS lists what runs";
                let diagnostic = Diagnostic::new(format!("cluster `{name}` is in use by {others}"));
                Err(Error::Bind(diagnostic.at(span).with_help(help)))
            }
            Removal::OfServer => {
                let help = format!("ALTER CLUSTER {name} SCALE TO 0 sends its executors away");
                let diagnostic = Diagnostic::new(format!("cluster `{name}` belongs to the server, and ends with it"));
                Err(Error::Bind(diagnostic.at(span).with_help(help)))
            }
        }
    }

    async fn show(
        &self,
        listing: ClusterListing,
        from: Option<&Located<Ident>>,
        session: &Session,
    ) -> Result<Outcome, Error> {
        let cluster = self.chosen(from, session).await?;
        let batch = match listing {
            ClusterListing::Executors => listing::executors(&cluster).await,
            ClusterListing::Jobs => listing::jobs(&cluster).await,
            ClusterListing::Scaling => listing::scaling(&cluster),
        };
        batch.map(rows)
    }

    /// The cluster that is named, the one in use, or the only one there is.
    async fn chosen(&self, from: Option<&Located<Ident>>, session: &Session) -> Result<Arc<NamedCluster>, Error> {
        if let Some(name) = from {
            let (name, span) = plain(name);
            return match self.get(&name).await {
                Some(cluster) => Ok(cluster),
                None => Err(self.unknown(&name, span).await),
            };
        }
        let backend = session.backend();
        if let Some(name) = backend.cluster()
            && let Some(cluster) = self.get(name).await
        {
            return Ok(cluster);
        }
        let mut all = self.list().await;
        match (all.pop(), all.is_empty()) {
            (Some((_, only)), true) => Ok(only),
            (None, _) => Err(Error::Bind(Diagnostic::new("there is no cluster").with_help("CREATE CLUSTER makes one"))),
            (Some(_), false) => {
                let message = "expected the name of a cluster, since none is in use";
                Err(Error::Bind(Diagnostic::new(message).with_help("SHOW … FROM name, or USE CLUSTER name")))
            }
        }
    }

    async fn cancel(&self, id: &Located<String>) -> Result<Outcome, Error> {
        for (_, cluster) in self.list().await {
            let server = cluster.cluster.scheduler().server();
            let jobs = server.state.task_manager.get_running_job_cache();
            if let Some(job) = jobs.keys().find(|job| job.to_string() == id.value) {
                let cancelled = server.cancel_job(job.clone()).await;
                cancelled.map_err(|error| failed(ClusterError::from(error)))?;
                return Ok(Outcome::Done(format!("cancelled {}", id.value)));
            }
        }
        Err(wrong(format!("no job `{}` runs", id.value), id.span))
    }

    async fn unknown(&self, name: &str, span: Span) -> Error {
        let known: Vec<String> = self.list().await.into_iter().map(|(name, _)| name).collect();
        let help = match known.as_slice() {
            [] => "there are none: CREATE CLUSTER makes one".to_string(),
            known => format!("there are: {}", known.join(", ")),
        };
        Error::Bind(Diagnostic::new(format!("no cluster `{name}`")).at(span).with_help(help))
    }
}

/// What a cluster is created with: as much as is said.
fn settings_of(options: &ClusterOptions) -> ClusterSettings {
    let machine = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let machine = u32::try_from(machine).unwrap_or(u32::MAX);
    let max = options.max.map(|max| max.value);
    let min = options.min.map_or_else(|| max.map_or(1, |max| max.min(1)), |min| min.value);
    ClusterSettings {
        min,
        max: max.unwrap_or_else(|| machine.max(min)),
        shape: ExecutorShape {
            cores: options.cores.map_or(1, |cores| cores.value as usize),
            memory: options.memory.map_or(MEMORY_DEFAULT, |memory| memory.value),
        },
        idle_timeout: options.idle_timeout.map(|timeout| timeout.value),
    }
}

/// The name as it is known by: lower case, unless it is quoted.
fn plain(name: &Located<Ident>) -> (String, Span) {
    let text = match name.value.quote_style {
        None => name.value.value.to_ascii_lowercase(),
        Some(_) => name.value.value.clone(),
    };
    (text, name.span)
}

fn wrong(message: String, span: Span) -> Error {
    Error::Bind(Diagnostic::new(message).at(span))
}

fn failed(error: ClusterError) -> Error {
    Error::Execution(error.to_string())
}

fn rows(batch: RecordBatch) -> Outcome {
    let schema = batch.schema();
    let stream = RecordBatchStreamAdapter::new(schema, stream::iter([Ok(batch)]));
    Outcome::Rows(Rows::new(Box::pin(stream), Vec::new(), None))
}
