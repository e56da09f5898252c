//! What there is: catalogs, schemas, tables and their columns, keys. Attached datasets are tables.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{Command, CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables};
use quarray_engine::Session;
use quarray_engine::session::{CATALOG, SCHEMA};
use tonic::Status;

use super::sql_info::sql_info;
use super::types::type_info;
use super::wire::WireTypes;

/// The types of tables.
const TABLE_TYPES: [&str; 2] = ["TABLE", "VIEW"];

/// The columns of the answer to a question about the catalog; none if it is not one.
pub(in crate::serve) fn schema(command: &Command) -> Option<SchemaRef> {
    Some(match command {
        Command::CommandGetCatalogs(command) => command.into_builder().schema(),
        Command::CommandGetDbSchemas(command) => command.clone().into_builder().schema(),
        Command::CommandGetTables(command) => command.clone().into_builder().schema(),
        Command::CommandGetTableTypes(command) => command.into_builder().schema(),
        Command::CommandGetSqlInfo(_) => Arc::new(arrow_flight::sql::metadata::SqlInfoDataBuilder::schema().clone()),
        Command::CommandGetXdbcTypeInfo(command) => command.into_builder(type_info().ok()?).schema(),
        Command::CommandGetPrimaryKeys(_) => primary_keys(),
        Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetCrossReference(_) => foreign_keys(),
        _ => return None,
    })
}

/// The answer to a question about the catalog; none if it is not one.
pub(in crate::serve) async fn answer(session: &Session, command: Command) -> Result<Option<RecordBatch>, Status> {
    let batch = match command {
        Command::CommandGetCatalogs(command) => catalogs(command),
        Command::CommandGetDbSchemas(command) => schemas(session, command),
        Command::CommandGetTables(command) => tables(session, command).await,
        Command::CommandGetTableTypes(command) => table_types(command),
        Command::CommandGetSqlInfo(command) => command.into_builder(sql_info()?).build(),
        Command::CommandGetXdbcTypeInfo(command) => command.into_builder(type_info()?).build(),
        other => Ok(match schema(&other) {
            // There are no keys.
            Some(schema) => RecordBatch::new_empty(schema),
            None => return Ok(None),
        }),
    };
    batch.map(Some).map_err(|error| Status::internal(error.to_string()))
}

fn catalogs(command: CommandGetCatalogs) -> Result<RecordBatch, FlightError> {
    let mut builder = command.into_builder();
    builder.append(CATALOG);
    builder.build()
}

fn schemas(session: &Session, command: CommandGetDbSchemas) -> Result<RecordBatch, FlightError> {
    let mut builder = command.into_builder();
    for name in schema_names(session) {
        builder.append(CATALOG, name);
    }
    builder.build()
}

async fn tables(session: &Session, command: CommandGetTables) -> Result<RecordBatch, FlightError> {
    let wants_columns = command.include_schema;
    let mut builder = command.into_builder();
    for table in session.tables() {
        let kind = if table.kind == "view" { "VIEW" } else { "TABLE" };
        let columns = if wants_columns { columns(session, SCHEMA, &table.name).await } else { Schema::empty() };
        builder.append(CATALOG, SCHEMA, &table.name, kind, &columns)?;
    }
    for schema in schema_names(session).into_iter().filter(|schema| schema != SCHEMA) {
        let provider = session.context().catalog(CATALOG).and_then(|catalog| catalog.schema(&schema));
        for table in provider.map(|provider| provider.table_names()).unwrap_or_default() {
            let columns = if wants_columns { columns(session, &schema, &table).await } else { Schema::empty() };
            builder.append(CATALOG, &schema, &table, "TABLE", &columns)?;
        }
    }
    builder.build()
}

/// The columns that a query of the table has; none where it has no rows of its own (a view of what is gone).
async fn columns(session: &Session, schema: &str, table: &str) -> Schema {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let name = match schema == SCHEMA {
        true => quoted(table),
        false => format!("{}.{}", quoted(schema), quoted(table)),
    };
    let outline = session.outline(&format!("SELECT * FROM {name}")).await.ok();
    let schema = outline.and_then(|outline| outline.schema);
    schema.map_or_else(Schema::empty, |schema| WireTypes::Plain.schema(&schema, &[]).as_ref().clone())
}

fn schema_names(session: &Session) -> Vec<String> {
    let catalog = session.context().catalog(CATALOG);
    let mut names = catalog.map(|catalog| catalog.schema_names()).unwrap_or_default();
    names.sort();
    names
}

fn table_types(command: CommandGetTableTypes) -> Result<RecordBatch, FlightError> {
    let mut builder = command.into_builder();
    TABLE_TYPES.iter().for_each(|name| builder.append(name));
    builder.build()
}

fn text(name: &str, is_nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, is_nullable)
}

fn primary_keys() -> SchemaRef {
    SchemaRef::new(Schema::new(vec![
        text("catalog_name", true),
        text("db_schema_name", true),
        text("table_name", false),
        text("column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("key_name", true),
    ]))
}

fn foreign_keys() -> SchemaRef {
    SchemaRef::new(Schema::new(vec![
        text("pk_catalog_name", true),
        text("pk_db_schema_name", true),
        text("pk_table_name", false),
        text("pk_column_name", false),
        text("fk_catalog_name", true),
        text("fk_db_schema_name", true),
        text("fk_table_name", false),
        text("fk_column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("fk_key_name", true),
        text("pk_key_name", true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
}
