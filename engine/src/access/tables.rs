//! Tables in files of a confined session: their places are found in its directories before DataFusion sees them.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{DynamicFileCatalog, Session, TableProvider, TableProviderFactory, UrlTableFactory};
use datafusion::datasource::dynamic_file::DynamicListTableFactory;
use datafusion::datasource::listing_table_factory::ListingTableFactory;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::CreateExternalTable;
use datafusion::prelude::SessionContext;

use super::{AccessPolicy, Confinement};
use crate::catalog::is_file_table;

/// Has `CREATE EXTERNAL TABLE` of a confined session reach its directories only.
pub fn guard_tables(state: &mut SessionState, access: &AccessPolicy) {
    let Some(confinement) = access.confinement() else { return };
    for factory in state.table_factories_mut().values_mut() {
        *factory = Arc::new(ConfinedTables { confinement: Arc::clone(confinement) });
    }
}

/// The context in which paths in quotes are tables.
pub fn with_url_tables(context: SessionContext, access: &AccessPolicy) -> SessionContext {
    let Some(confinement) = access.confinement() else { return context.enable_url_table() };
    let inner = Arc::new(DynamicListTableFactory::default());
    let factory = QuotedTables { confinement: Arc::clone(confinement), inner: Arc::clone(&inner) };
    let catalogs = DynamicFileCatalog::new(Arc::clone(context.state().catalog_list()), Arc::new(factory));
    let session = context.session_id();
    let state = context.into_state_builder().with_session_id(session).with_catalog_list(Arc::new(catalogs)).build();
    let context = SessionContext::new_with_state(state);
    inner.session_store().with_state(context.state_weak_ref());
    context
}

/// `CREATE EXTERNAL TABLE`.
#[derive(Debug)]
struct ConfinedTables {
    confinement: Arc<Confinement>,
}

#[async_trait]
impl TableProviderFactory for ConfinedTables {
    async fn create(&self, state: &dyn Session, command: &CreateExternalTable) -> Result<Arc<dyn TableProvider>> {
        // A table without end opens its file by itself, past every store.
        let is_option = |(name, value): (&String, &String)| {
            name.to_ascii_lowercase().ends_with("unbounded") && !value.eq_ignore_ascii_case("false")
        };
        if command.unbounded || command.options.iter().any(is_option) {
            return Err(DataFusionError::Plan("unbounded tables are not there for sessions in a server".to_string()));
        }
        let mut command = command.clone();
        for location in &mut command.locations {
            *location = self.confinement.table_location(location).map_err(external)?;
        }
        let made = ListingTableFactory::new().create(state, &command).await;
        made.map_err(|error| told(&self.confinement, error))
    }
}

/// `FROM 'table.parquet'`.
#[derive(Debug)]
struct QuotedTables {
    confinement: Arc<Confinement>,
    inner: Arc<DynamicListTableFactory>,
}

#[async_trait]
impl UrlTableFactory for QuotedTables {
    async fn try_new(&self, url: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        // Any name that is not known comes here.
        if !is_file_table(url) {
            return Ok(None);
        }
        let location = self.confinement.table_location(url).map_err(external)?;
        self.inner.try_new(&location).await.map_err(|error| told(&self.confinement, error))
    }
}

/// An error of a table that is not there, or not what it seems: it does not tell where the directories are.
fn told(confinement: &Confinement, error: DataFusionError) -> DataFusionError {
    let message = error.find_root().message().into_owned();
    match confinement.without_roots(&message) {
        told if told == message => error,
        told => DataFusionError::Plan(told),
    }
}

fn external(error: crate::source::SourceError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
