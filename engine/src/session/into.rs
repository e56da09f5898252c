//! `INTO`: the labels of the dimensions first, then the rows of one array after the other.

use std::sync::Arc;

use arrow::array::{ArrayRef, new_empty_array};
use arrow::compute::concat;
use arrow::datatypes::FieldRef;
use arrow::record_batch::RecordBatch;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::sqlparser::ast::Ident;
use futures::{TryStreamExt, stream};
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::span::Span;

use super::Session;
use crate::bind::{DimensionQuery, IntoClause, IntoTarget, Named, StoreQueries};
use crate::catalog::Address;
use crate::error::Error;
use crate::labelled::arrow_error;
use crate::outcome::Rows;
use crate::scan::CellTable;
use crate::sink::{StoreArray, StoreContents, StoreDimension, StoreOrder};

/// Rows of a batch on its way into a store: enough for a few rows of chunks at once, few enough to be held many times.
const BATCH_ROWS: usize = 1 << 16;

impl Session {
    /// Writes a store, and says in a line what was written.
    pub(super) async fn write(
        &self,
        text: &str,
        store: StoreQueries,
        into: IntoClause,
        tables: &[Arc<CellTable>],
    ) -> Result<String, Error> {
        let (address, attached) = match &into.target {
            IntoTarget::Address(uri) => {
                let access = self.access().clone();
                (Address { uri: uri.clone(), options: Default::default(), access }, None)
            }
            IntoTarget::Attached(name) => self.attached(text, name)?,
        };
        let options: Vec<(String, String)> = address.store_options().into_iter().chain(into.options).collect();
        let order = StoreOrder::new(&address.uri, &into.chunks, &options, &into.mode, self.access()).await?;
        let mut contents = StoreContents {
            dimensions: Vec::new(),
            arrays: Vec::new(),
            scalars: store.scalars,
            origins: store.origins,
            attributes: store.attributes,
        };
        for dimension in &store.dimensions {
            contents.dimensions.push(self.dimension(text, dimension, tables).await?);
        }
        for array in store.arrays {
            let plan = self.physical(&self.plan(text, &array.query, tables).await?.logical).await?;
            let number = |name: &String| contents.dimensions.iter().position(|known| known.field.name() == name);
            let places = array.places.iter().filter_map(|(name, column)| Some((number(name)?, column.clone())));
            let rows = self.rows_when_asked(plan);
            contents.arrays.push(StoreArray::of_rows(rows, places.collect()).await?);
        }
        let report = order.write(contents).await?;
        if let Some(name) = attached {
            // What is attached is the new store now.
            self.attach(&name, &address.uri, &address.options).await?;
        }
        Ok(report)
    }

    /// The address of an attached store.
    fn attached(&self, text: &str, name: &Ident) -> Result<(Address, Option<String>), Error> {
        let key = if name.quote_style.is_some() { name.value.clone() } else { name.value.to_ascii_lowercase() };
        if let Some(address) = self.shared.catalog.address(&key) {
            return Ok((address, Some(key)));
        }
        let message = match self.shared.catalog.get(&key) {
            Some(Named::View(_)) => format!("`{}` is a view, no store", name.value),
            _ => format!("nothing is attached as `{}`", name.value),
        };
        let help = format!("name a new store in quotes: INTO '{}.zarr'", name.value);
        Err(Error::Bind(Diagnostic::new(message).at(Span::of_tokens(text, name.span)).with_help(help)))
    }

    /// The labels of a dimension, and what tells their places.
    async fn dimension(
        &self,
        text: &str,
        dimension: &DimensionQuery,
        tables: &[Arc<CellTable>],
    ) -> Result<StoreDimension, Error> {
        let plan = self.plan(text, &dimension.query, tables).await?;
        let mut rows = self.rows(&plan, Vec::new(), None).await?;
        let schema = rows.schema();
        let memory = rows.reservation("labels");
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await? {
            memory.try_grow(batch.get_array_memory_size())?;
            batches.push(batch);
        }
        let [label, place] = schema.fields().as_ref() else {
            return Err(Error::Internal(format!("the labels of `{}` have no places", dimension.name)));
        };
        let labels = joined(&batches, 0, label)?;
        let places = if dimension.is_by_label { Arc::clone(&labels) } else { joined(&batches, 1, place)? };
        let field = label.as_ref().clone().with_name(&dimension.name);
        Ok(StoreDimension { field: Arc::new(field), labels, places })
    }

    /// The rows of a plan that starts to run when the first of them is asked for.
    fn rows_when_asked(&self, plan: Arc<dyn ExecutionPlan>) -> Rows {
        let state = self.state();
        let config = state.config().clone().with_batch_size(BATCH_ROWS);
        let task = Arc::new(TaskContext::from(&state).with_session_config(config));
        let pool = Arc::clone(task.memory_pool());
        let schema = plan.schema();
        let (session, backend) = (self.clone(), self.backend());
        let execute = async move {
            session.runs(&plan, &*backend);
            backend.execute(plan, task).await
        };
        let batches = stream::once(execute).try_flatten();
        let batches: SendableRecordBatchStream = Box::pin(RecordBatchStreamAdapter::new(schema, batches));
        let mut rows = Rows::new(batches, Vec::new(), None);
        rows.memory_pool = Some(pool);
        rows
    }
}

fn joined(batches: &[RecordBatch], column: usize, field: &FieldRef) -> Result<ArrayRef, Error> {
    let arrays: Vec<_> = batches.iter().map(|batch| batch.column(column).as_ref()).collect();
    match arrays.is_empty() {
        true => Ok(new_empty_array(field.data_type())),
        false => concat(&arrays).map_err(arrow_error),
    }
}
