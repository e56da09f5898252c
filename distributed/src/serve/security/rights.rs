//! What users may do, beside queries: sessions by their roles and limits.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::memory_pool::MemoryPool;
use parking_lot::Mutex;
use quarray_engine::access::AccessPolicy;
use quarray_engine::session::SessionBuilder;
use quarray_engine::state::memory_pool;
use quarray_engine::{Clusters, Error, Outcome, Session};
use quarray_lang::cluster::ClusterStatement;
use quarray_lang::diagnostic::Diagnostic;

use super::limits::Turnstiles;
use super::users::{Role, Users};
use crate::serve::flight::User;

/// Users whose memory is counted.
const POOLS_MAX: usize = 4096;

/// Makes the sessions of users.
#[derive(Debug)]
pub struct Rights {
    users: Arc<Users>,
    limits: Arc<Turnstiles>,
    access: AccessPolicy,
    /// The memory of all sessions of a user.
    pools: Mutex<HashMap<Arc<str>, Arc<dyn MemoryPool>>>,
}

impl Rights {
    /// The rights of these users, none of whom may touch more than `access` says.
    pub fn new(users: Arc<Users>, limits: Arc<Turnstiles>, access: AccessPolicy) -> Self {
        Self { users, limits, access, pools: Mutex::default() }
    }

    /// A session of a user, on the clusters of the server.
    pub fn session(
        &self,
        user: &User,
        settings: SessionBuilder,
        clusters: &Arc<dyn Clusters>,
    ) -> Result<Session, Error> {
        let role = self.role(user);
        let access = if role == Role::Read { self.access.reading_only() } else { self.access.clone() };
        let clusters = match role {
            Role::Admin => Arc::clone(clusters),
            Role::Read | Role::Write => Arc::new(UsedClusters(Arc::clone(clusters))),
        };
        let limits = self.limits.of(&user.name);
        let mut settings = settings.access(access).clusters(clusters);
        if role != Role::Admin {
            settings = settings.sees_own_queries();
        }
        if let Some(time) = limits.time {
            settings = settings.time_limit(time);
        }
        if let Some(bytes) = limits.memory {
            settings = settings.memory_pool(self.pool(user, bytes));
        }
        settings.build()
    }

    /// Whoever is not asked who they are may do everything: they are on the same machine.
    fn role(&self, user: &User) -> Role {
        match self.users.get(&user.name) {
            Some(user) => user.role,
            None if self.users.is_empty() => Role::Admin,
            None => Role::Read,
        }
    }

    fn pool(&self, user: &User, bytes: usize) -> Arc<dyn MemoryPool> {
        let mut pools = self.pools.lock();
        if pools.len() >= POOLS_MAX && !pools.contains_key(&user.name) {
            // Sessions hold theirs.
            pools.retain(|_, pool| Arc::strong_count(pool) > 1);
        }
        Arc::clone(pools.entry(Arc::clone(&user.name)).or_insert_with(|| memory_pool(bytes)))
    }
}

/// Clusters of someone who may use them, and no more.
#[derive(Debug)]
struct UsedClusters(Arc<dyn Clusters>);

#[async_trait]
impl Clusters for UsedClusters {
    async fn run(&self, statement: ClusterStatement, session: &Session) -> Result<Outcome, Error> {
        match statement {
            ClusterStatement::Create { .. }
            | ClusterStatement::Scale { .. }
            | ClusterStatement::Adapt { .. }
            | ClusterStatement::Drop { .. }
            // Whose job it is, nobody knows by then: a query is cancelled as a query.
            | ClusterStatement::CancelJob { .. } => {
                let message = "clusters are changed, and their jobs cancelled, by users with role=admin";
                let diagnostic = Diagnostic::new(message);
                let place = statement.name().map(|name| name.span);
                Err(Error::Bind(diagnostic.at(place)))
            }
            other => self.0.run(other, session).await,
        }
    }

    fn names(&self) -> Vec<String> {
        self.0.names()
    }
}
