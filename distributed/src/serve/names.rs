//! Names of a session, and how far its query is, as messages.

use quarray_engine::progress::ProgressSnapshot;
use quarray_engine::session::{KnownNames, Session, TableListing};

use super::message::{NamesMessage, PairMessage, ProgressMessage, TableMessage};

/// Kinds of names, and of columns.
const KINDS: [&str; 6] = ["dataset", "view", "table", "dimension", "coordinate", "variable"];

/// What a column is when it is nothing special.
const COLUMN: &str = "column";

/// The names that queries of a session can use.
pub(super) fn names(session: &Session) -> NamesMessage {
    let column = |(name, what): (String, &str)| PairMessage { name, value: what.to_string() };
    let table = |table: TableListing| TableMessage {
        name: table.name,
        kind: table.kind.to_string(),
        columns: table.columns.into_iter().map(column).collect(),
    };
    let KnownNames { tables, functions, clusters } = session.known_names();
    NamesMessage { tables: tables.into_iter().map(table).collect(), functions, clusters }
}

/// The names that a message tells.
pub(super) fn known_names(mut message: NamesMessage) -> KnownNames {
    let functions = std::mem::take(&mut message.functions);
    let clusters = std::mem::take(&mut message.clusters);
    KnownNames { tables: tables(message), functions, clusters }
}

/// The tables among the names.
pub(super) fn tables(message: NamesMessage) -> Vec<TableListing> {
    let column = |pair: PairMessage| (pair.name, known(&pair.value));
    let table = |table: TableMessage| TableListing {
        kind: known(&table.kind),
        name: table.name,
        columns: table.columns.into_iter().map(column).collect(),
    };
    message.tables.into_iter().map(table).collect()
}

/// The counters of a session's query.
pub(super) fn progress(session: &Session) -> ProgressMessage {
    let ProgressSnapshot { work_total, work_done, bytes_read, bytes_decoded } = session.progress().snapshot();
    ProgressMessage { work_total, work_done, bytes_read, bytes_decoded, page: session.page() }
}

/// The counters that a message tells.
pub(super) fn snapshot(message: &ProgressMessage) -> ProgressSnapshot {
    let ProgressMessage { work_total, work_done, bytes_read, bytes_decoded, .. } = *message;
    ProgressSnapshot { work_total, work_done, bytes_read, bytes_decoded }
}

fn known(kind: &str) -> &'static str {
    KINDS.into_iter().find(|known| *known == kind).unwrap_or(COLUMN)
}
