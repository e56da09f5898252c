//! Statements about clusters: executors that come and go with the work.
//!
//! ```text
//! CREATE CLUSTER [IF NOT EXISTS] name [WITH (option = value, …)]
//! ALTER CLUSTER name SCALE TO n
//! ALTER CLUSTER name ADAPT BETWEEN a AND b
//! DROP CLUSTER [IF EXISTS] name
//! USE CLUSTER name [ABOVE 'size']
//! USE LOCAL
//! SHOW CLUSTERS
//! SHOW {EXECUTORS | JOBS | SCALING} [FROM name]
//! CANCEL JOB 'id'
//!
//! option := min = n            executors that are there without any work; 0 is allowed
//!         | max = n            executors that are there at most; at least 1 and `min`
//!         | cores = n          of one executor; at least 1
//!         | memory = size      of one executor; at least 1 MiB: '2 GiB', '800 MB', or bytes
//!         | idle_timeout = duration   how long without work until executors go; more than 0: '5 minutes', or seconds
//! ```
//!
//! Options come in any order, each at most once; what is not said is for the engine to choose. Without FROM, the
//! cluster in use is meant. USE CLUSTER sends every query to the cluster; with ABOVE those that decode more than so much,
//! the others run in the session's process. The words are keywords only here: a column may be called `cluster` or `jobs`. IF, WITH,
//! FROM, SCALE, ADAPT and ABOVE name a cluster only in quotes. Other statements that begin with USE or SHOW are SQL.

mod forms;
mod options;
mod parse;

use std::time::Duration;

use sqlparser::ast::Ident;

use crate::span::Located;

pub(crate) use forms::{Piece, is_begun, is_reserved, keywords, next_pieces, takes_options};
pub(crate) use options::OPTION_NAMES;
pub(crate) use parse::parse;

/// A statement about clusters.
#[derive(Debug, Clone, PartialEq)]
pub enum ClusterStatement {
    /// `CREATE CLUSTER [IF NOT EXISTS] name [WITH (…)]`
    Create {
        /// The name of the new cluster.
        name: Located<Ident>,
        /// Whether a cluster of this name may be there, and is left as it is.
        if_not_exists: bool,
        /// What it is to be like.
        options: ClusterOptions,
    },
    /// `ALTER CLUSTER name SCALE TO n`
    Scale {
        /// The cluster.
        name: Located<Ident>,
        /// How many executors it is to have from now on; none is allowed.
        executors: Located<u32>,
    },
    /// `ALTER CLUSTER name ADAPT BETWEEN a AND b`
    Adapt {
        /// The cluster.
        name: Located<Ident>,
        /// The least executors it is to have.
        min: Located<u32>,
        /// The most: at least 1, and at least `min`.
        max: Located<u32>,
    },
    /// `DROP CLUSTER [IF EXISTS] name`
    Drop {
        /// The cluster.
        name: Located<Ident>,
        /// Whether there may be no such cluster.
        if_exists: bool,
    },
    /// `USE CLUSTER name [ABOVE 'size']`: where queries of this session run from now on.
    Use {
        /// The cluster.
        name: Located<Ident>,
        /// Bytes that a query decodes at most when it runs in the session's process; without them every query goes to the
        /// cluster.
        above: Option<Located<u64>>,
    },
    /// `USE LOCAL`: queries run in this process from now on.
    UseLocal,
    /// `SHOW CLUSTERS`
    ShowClusters,
    /// `SHOW EXECUTORS`, `JOBS` or `SCALING`, `[FROM name]`
    Show {
        /// What is listed.
        listing: ClusterListing,
        /// Of which cluster; the one in use if it is not said.
        from: Option<Located<Ident>>,
    },
    /// `CANCEL JOB 'id'`
    CancelJob {
        /// The job, by the id that `SHOW JOBS` has.
        id: Located<String>,
    },
}

impl ClusterStatement {
    /// The cluster that the statement names.
    pub fn name(&self) -> Option<&Located<Ident>> {
        match self {
            Self::Create { name, .. }
            | Self::Scale { name, .. }
            | Self::Adapt { name, .. }
            | Self::Drop { name, .. }
            | Self::Use { name, .. } => Some(name),
            Self::Show { from, .. } => from.as_ref(),
            Self::UseLocal | Self::ShowClusters | Self::CancelJob { .. } => None,
        }
    }
}

/// What `SHOW` lists of one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClusterListing {
    /// Its executors.
    Executors,
    /// Its jobs.
    Jobs,
    /// The decisions to scale it, with their reasons.
    Scaling,
}

impl ClusterListing {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Executors, Self::Jobs, Self::Scaling];

    /// The word after SHOW.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Executors => "EXECUTORS",
            Self::Jobs => "JOBS",
            Self::Scaling => "SCALING",
        }
    }
}

/// What `CREATE CLUSTER … WITH (…)` says. Each has the place of its value in the text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClusterOptions {
    /// The least executors.
    pub min: Option<Located<u32>>,
    /// The most executors: at least 1, and at least `min` where both are said.
    pub max: Option<Located<u32>>,
    /// Cores of one executor: at least 1.
    pub cores: Option<Located<u32>>,
    /// Bytes of memory of one executor.
    pub memory: Option<Located<u64>>,
    /// How long executors are without work until they go: more than zero.
    pub idle_timeout: Option<Located<Duration>>,
}
