//! Catalogs as tables: `stac('https://…', collection => 'x')`, which is `stac('https://…', '{"collection": "x"}')` for the
//! planner.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::prelude::SessionContext;
use futures::stream::{StreamExt, TryStreamExt};
use serde_json::{Map, Value};

use super::catalog::Catalog;
use super::columns::{collections_batch, collections_schema, items_batch, items_schema};
use super::pushdown::{is_pushed, narrowed};
use super::search::{CatalogOptions, Search, arguments};
use crate::access::AccessPolicy;

/// The function that is the items of a catalog.
pub const ITEMS_FUNCTION: &str = "stac";

/// The function that is the collections of a catalog.
pub const COLLECTIONS_FUNCTION: &str = "stac_collections";

/// Adds the functions to a context whose statements may touch what the policy says.
pub fn register(context: &SessionContext, access: &AccessPolicy) {
    for (name, of_items) in [(ITEMS_FUNCTION, true), (COLLECTIONS_FUNCTION, false)] {
        context.register_udtf(name, Arc::new(CatalogFunction { name, of_items, access: access.clone() }));
    }
}

#[derive(Debug)]
struct CatalogFunction {
    name: &'static str,
    of_items: bool,
    access: AccessPolicy,
}

impl TableFunctionImpl for CatalogFunction {
    fn call_with_args(&self, given: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let text = |expression: &Expr| match expression {
            Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_string),
            _ => None,
        };
        let texts: Option<Vec<String>> = given.exprs().iter().map(text).collect();
        let wrong = |message: String| DataFusionError::Plan(format!("{}: {message}", self.name));
        let (uri, given) = match texts.as_deref() {
            Some([uri]) => (uri.clone(), Map::new()),
            Some([uri, given]) => {
                let parsed = serde_json::from_str::<Map<String, Value>>(given);
                (uri.clone(), parsed.map_err(|_| wrong("expected arguments as JSON".to_string()))?)
            }
            _ => return Err(wrong("expected the address of a catalog in quotes".to_string())),
        };
        let (search, options) = arguments(&given).map_err(wrong)?;
        Ok(Arc::new(CatalogScan { uri, search, options, of_items: self.of_items, access: self.access.clone() }))
    }
}

/// The items or the collections of a catalog, which is asked when rows are.
#[derive(Debug, Clone)]
pub struct CatalogScan {
    uri: String,
    search: Search,
    options: CatalogOptions,
    of_items: bool,
    access: AccessPolicy,
}

impl CatalogScan {
    fn table_schema(&self) -> SchemaRef {
        if self.of_items { items_schema() } else { collections_schema() }
    }
}

#[async_trait]
impl TableProvider for CatalogScan {
    fn schema(&self) -> SchemaRef {
        self.table_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // A server may take more than was meant: a predicate is looked at again here.
        let support = |filter: &&Expr| match self.of_items && is_pushed(filter) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.table_schema();
        let Some(mut search) = narrowed(&self.search, if self.of_items { filters } else { &[] }) else {
            let projected = match projection {
                Some(columns) => Arc::new(schema.project(columns)?),
                None => schema,
            };
            return Ok(Arc::new(EmptyExec::new(projected)));
        };
        if let Some(limit) = limit {
            search.limit = Some(search.limit.map_or(limit as u64, |own| own.min(limit as u64)));
        }
        let rows = CatalogRows { scan: Self { search, ..self.clone() }, schema: Arc::clone(&schema) };
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(rows)], projection, [], false, limit)?))
    }
}

#[derive(Debug)]
struct CatalogRows {
    scan: CatalogScan,
    schema: SchemaRef,
}

impl PartitionStream for CatalogRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let CatalogScan { uri, search, options, of_items, access } = self.scan.clone();
        let found = async move {
            let catalog = Catalog::open(&uri, &options, &access).await?;
            Ok(if of_items { catalog.items(&search) } else { catalog.collections() })
        };
        let external = |error: crate::source::SourceError| DataFusionError::External(Box::new(error));
        let batches = futures::stream::once(found).try_flatten().map_err(external).map(move |entries| {
            let entries = entries?;
            Ok(if of_items { items_batch(&entries)? } else { collections_batch(&entries)? })
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}
