//! Whole tables from clients: into a table of the session, or into a Zarr store.
//!
//! A table is a store when its name is a URL or ends in `.zarr`. The dimensions of a store stand in the metadata of the
//! schema that is sent (`quarray:dimensions`, a list as JSON), or among the options of the command (`dimensions`, with
//! commas between).

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::{CommandStatementIngest, TableExistsOption, TableNotExistOption};
use datafusion::common::TableReference;
use futures::{Stream, StreamExt};
use quarray_engine::held::{HeldRows, HeldTable};
use quarray_engine::outcome::Rows;
use quarray_engine::session::{CATALOG, SCHEMA};
use quarray_engine::sink::{StoreContents, StoreOrder};
use quarray_engine::{Error, Outcome, Session};
use quarray_lang::syntax::IntoMode;
use sqlparser::ast::Ident;
use tonic::Status;

use super::expanded;
use super::wire::{WireTypes, with_schema};
use crate::serve::random::random_name;
use crate::serve::{DIMENSIONS_KEY, failure};

/// Takes rows into a table or a store; how many.
pub(super) async fn ingest(
    session: &Session,
    command: CommandStatementIngest,
    batches: impl Stream<Item = Result<RecordBatch, Status>> + Unpin,
) -> Result<i64, Status> {
    let is_ours = |found: &Option<String>, ours: &str| found.as_deref().is_none_or(|found| found == ours);
    if !is_ours(&command.catalog, CATALOG) || !is_ours(&command.schema, SCHEMA) {
        let message = format!("expected the catalog {CATALOG} and the schema {SCHEMA}, found another one");
        return Err(Status::invalid_argument(message));
    }
    let ingestion = Ingestion::new(&command)?;
    // One who sends nothing any more does not run for ever.
    let received = session.in_time(ClientRows::receive(session, batches)).await;
    let received = received.map_err(|error| failure::status(&error))??;
    let count = received.rows.count();
    let taken = match is_store(&command.table) {
        true => store(session, &command, &ingestion, received).await,
        false => table(session, &command.table, &ingestion, received).await,
    };
    taken.map_err(|error| failure::status(&error))?;
    i64::try_from(count).map_err(|_| Status::internal("more rows than there are numbers"))
}

/// What is done where the table is there, and where it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ingestion {
    creates: bool,
    existing: Existing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existing {
    Fails,
    IsAppendedTo,
    IsReplaced,
}

impl Ingestion {
    fn new(command: &CommandStatementIngest) -> Result<Self, Status> {
        let options = command.table_definition_options.unwrap_or_default();
        let unknown = |_| Status::invalid_argument("expected known table definition options, found others");
        let creates = match TableNotExistOption::try_from(options.if_not_exist).map_err(unknown)? {
            TableNotExistOption::Create => true,
            TableNotExistOption::Unspecified | TableNotExistOption::Fail => false,
        };
        let existing = match TableExistsOption::try_from(options.if_exists).map_err(unknown)? {
            TableExistsOption::Unspecified | TableExistsOption::Fail => Existing::Fails,
            TableExistsOption::Append => Existing::IsAppendedTo,
            TableExistsOption::Replace => Existing::IsReplaced,
        };
        Ok(Self { creates, existing })
    }
}

/// Rows of a client, which count as the session's.
struct ClientRows {
    schema: SchemaRef,
    rows: HeldRows,
}

impl ClientRows {
    async fn receive(
        session: &Session,
        mut batches: impl Stream<Item = Result<RecordBatch, Status>> + Unpin,
    ) -> Result<Self, Status> {
        let mut rows = HeldRows::new(&session.context().runtime_env().memory_pool, "rows of a client");
        let mut schema: Option<SchemaRef> = None;
        while let Some(batch) = batches.next().await.transpose()? {
            expanded::check(&batch)?;
            let schema = schema.get_or_insert_with(|| WireTypes::Plain.schema(&batch.schema(), &[]));
            let batch = with_schema(&batch, Arc::clone(schema));
            let batch = batch.map_err(|error| Status::invalid_argument(format!("cannot take the rows: {error}")))?;
            rows.push(batch).map_err(|error| failure::status(&Error::from(error)))?;
        }
        match schema.filter(|schema| !schema.fields().is_empty()) {
            Some(schema) => Ok(Self { schema, rows }),
            None => Err(Status::invalid_argument("expected rows with columns, found none")),
        }
    }

    fn into_table(self) -> Result<HeldTable, Error> {
        Ok(HeldTable::try_new(self.schema, vec![self.rows])?)
    }
}

/// Into a table of the session.
async fn table(session: &Session, name: &str, ingestion: &Ingestion, received: ClientRows) -> Result<(), Error> {
    let known = session.tables().into_iter().find(|table| table.name == name).map(|table| table.kind);
    match known {
        Some(kind) if kind != "table" => {
            Err(Error::Execution(format!("expected the name of a table, found the {kind} `{name}`")))
        }
        None if !ingestion.creates => Err(Error::Execution(format!("no table `{name}` to append to"))),
        Some(_) if ingestion.existing == Existing::Fails => {
            Err(Error::Execution(format!("the table `{name}` exists already")))
        }
        Some(_) if ingestion.existing == Existing::IsAppendedTo => append(session, name, received).await,
        _ => {
            let table = received.into_table()?;
            let place = TableReference::bare(name.to_string());
            session.context().deregister_table(place.clone())?;
            session.context().register_table(place, Arc::new(table))?;
            Ok(())
        }
    }
}

async fn append(session: &Session, name: &str, received: ClientRows) -> Result<(), Error> {
    let columns = received.schema.fields().iter().map(|field| quoted(field.name())).collect::<Vec<_>>().join(", ");
    let staged = Staged::new(session, received)?;
    let text = format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {}", quoted(name), quoted(&staged.name));
    match session.query(&text).await? {
        Outcome::Rows(rows) => rows.collect().await.map(|_| ()),
        _ => Ok(()),
    }
}

/// Into a Zarr store: a cell a row, known by the labels of its dimensions, which keep the order in which they come.
async fn store(
    session: &Session,
    command: &CommandStatementIngest,
    ingestion: &Ingestion,
    received: ClientRows,
) -> Result<(), Error> {
    let dimensions = dimensions(command, &received.schema)?;
    let (mode, options) = match (ingestion.creates, ingestion.existing) {
        (_, Existing::IsAppendedTo) => (IntoMode::Append(Ident::new(dimensions.join(", "))), Vec::new()),
        (true, Existing::IsReplaced) => (IntoMode::New, vec![("overwrite".to_string(), "true".to_string())]),
        _ => (IntoMode::New, Vec::new()),
    };
    if received.schema.fields().len() == dimensions.len() {
        return Err(Error::Execution("expected a column beside those of the dimensions, found none".to_string()));
    }
    let order = StoreOrder::new(&command.table, &[], &options, &mode, session.access()).await?;
    // As they came: a plan would read them in several partitions, in any order.
    let ClientRows { schema, rows } = received;
    let mut rows = Rows::new(rows.into_stream(schema), dimensions, None);
    rows.memory_pool = Some(Arc::clone(&session.context().runtime_env().memory_pool));
    let written = async { order.write(StoreContents::of_rows(vec![rows]).await?).await.map(|_| ()) };
    session.in_time(written).await?
}

fn dimensions(command: &CommandStatementIngest, schema: &SchemaRef) -> Result<Vec<String>, Error> {
    let of_options = command.options.get("dimensions");
    let of_options = of_options.map(|names| names.split(',').map(|name| name.trim().to_string()).collect());
    let of_schema = || schema.metadata().get(DIMENSIONS_KEY).and_then(|names| serde_json::from_str(names).ok());
    let names: Vec<String> = of_options.or_else(of_schema).unwrap_or_default();
    if names.is_empty() {
        let message =
            format!("expected the names of the dimensions in the schema's metadata `{DIMENSIONS_KEY}`, as in");
        return Err(Error::Execution(format!("{message} [\"time\", \"y\", \"x\"], found none")));
    }
    match names.iter().find(|name| schema.index_of(name).is_err()) {
        Some(name) => Err(Error::Execution(format!("the dimension `{name}` is none of the columns"))),
        None => Ok(names),
    }
}

/// Rows under a name that nobody else knows, until this is dropped.
struct Staged<'a> {
    session: &'a Session,
    name: String,
}

impl<'a> Staged<'a> {
    fn new(session: &'a Session, received: ClientRows) -> Result<Self, Error> {
        // Names that begin so are not listed.
        let unique = random_name().map_err(|error| Error::Internal(error.to_string()))?;
        let name = format!("cells_of_client_{unique}");
        session.context().register_table(name.as_str(), Arc::new(received.into_table()?))?;
        Ok(Self { session, name })
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // It is there: nothing can go wrong but that it is not.
        let _ = self.session.context().deregister_table(self.name.as_str());
    }
}

fn is_store(name: &str) -> bool {
    name.contains("://") || name.trim_end_matches('/').ends_with(".zarr")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
