//! One statement of the language.

use sqlparser::ast;

use crate::cluster::ClusterStatement;
use crate::queries::QueriesStatement;
use crate::span::Span;

/// A statement and where it stands in the text it was parsed from.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// What it says.
    pub kind: StatementKind,
    /// Its bytes in the text, without the closing `;`.
    pub span: Span,
}

/// The kinds of statements.
#[derive(Debug, Clone, PartialEq)]
pub enum StatementKind {
    /// A query, an `EXPLAIN [ANALYZE]` of one, a `CREATE VIEW`, or any other statement that stock sqlparser reads. Array
    /// syntax inside it is in its desugared form: see [`crate::syntax`].
    Sql(Box<ast::Statement>),
    /// `ATTACH 'uri' AS name [WITH (k = v, …)]`, and `CREATE EXTERNAL TABLE name STORED AS ZARR LOCATION 'uri'
    /// [OPTIONS (k v, …)]`, which means the same.
    Attach {
        /// URL or path of the store.
        uri: String,
        /// The name it is attached as.
        name: ast::Ident,
        /// Options of the store, credentials among them: names in lower case, values as text.
        options: Vec<(String, String)>,
    },
    /// `DETACH name`
    Detach {
        /// The attached name.
        name: ast::Ident,
    },
    /// `LET name = query`: a view of this session.
    Let {
        /// The name given.
        name: ast::Ident,
        /// What it names.
        query: Box<ast::Query>,
    },
    /// `CREATE CLUSTER …`, `USE CLUSTER …`, `SHOW EXECUTORS` and the others about clusters: see [`crate::cluster`].
    Cluster(ClusterStatement),
    /// `SHOW QUERIES`, `CANCEL QUERY 'id'`: see [`crate::queries`].
    Queries(QueriesStatement),
    /// A statement that is DataFusion's own and that stock sqlparser does not read (`CREATE EXTERNAL TABLE … STORED AS
    /// PARQUET`, `COPY … TO`): its text, unchanged.
    Stock(String),
}
