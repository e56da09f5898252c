//! A statement and its outcome, once: what changes something runs in `GetFlightInfo`, never in `DoGet`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::{ProstMessageExt, TicketStatementQuery};
use arrow_flight::{FlightEndpoint, FlightInfo, Ticket};
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use quarray_engine::session::StatementClass;
use quarray_engine::{Error, Outcome, Rows, Session};
use tonic::Status;

use super::blocks::Blocks;
use super::options::{ResultForm, SessionOptions};
use super::prepared::BoundValues;
use super::results::{RESULT_AGE_MAX, SessionResult};
use super::seal::{SealedKind, seconds_now};
use super::wire::{WireTypes, with_schema};
use crate::serve::failure;
use crate::serve::message::{OutcomeKind, OutcomeMessage, RowsMessage};
use crate::serve::outcome::{plot_message, summary_message};
use crate::serve::service::StatementService;
use crate::serve::sessions::SessionInUse;

/// Bytes of a result that is made at once: what tells of the session, or counts rows.
const REPORT_BYTES_MAX: usize = 64 << 20;

/// The column of the text of an `EXPLAIN`.
const PLAN: &str = "plan";

/// A statement of a client, and the values of its parameters: it runs once for each row of them.
#[derive(Debug, Clone)]
pub(in crate::serve) struct Statement {
    /// Its text.
    pub(super) text: Arc<str>,
    /// A column a parameter.
    pub(super) parameters: Option<Arc<BoundValues>>,
}

/// What became of a statement.
pub(super) struct Carried {
    pub(super) class: StatementClass,
    pub(super) outcome: Outcome,
    /// Rows that were changed, where that is told.
    pub(super) changed: Option<i64>,
}

impl Statement {
    /// A statement without parameters.
    pub(in crate::serve) fn new(text: String) -> Self {
        Self { text: Arc::from(text), parameters: None }
    }

    /// The values of each run, which are made one after the other.
    fn runs(&self) -> impl ExactSizeIterator<Item = Result<Vec<ScalarValue>, Error>> + Send + use<> {
        let bound = self.parameters.clone();
        let count = bound.as_ref().map_or(1, |bound| bound.count());
        (0..count).map(move |row| bound.as_ref().map_or_else(|| Ok(Vec::new()), |bound| bound.row(row)))
    }

    /// Runs it: rows are made only when they are asked for, everything else is done once this returns.
    pub(super) async fn carry_out(&self, session: &Session) -> Result<Carried, Error> {
        let class = session.class(&self.text)?;
        let mut runs = self.runs();
        let first = runs.next().transpose()?;
        if first.is_none() && class != StatementClass::Change {
            return Err(Error::Execution("expected a row of values for the parameters, found none".to_string()));
        }
        let mut last = Outcome::Done("done, for no values".to_string());
        let mut changed = None;
        if let Some(values) = first {
            last = session.with_parameters(values).query(&self.text).await?;
        }
        // INTO and PLOT end in something else than rows.
        if class == StatementClass::Query && matches!(last, Outcome::Rows(_)) {
            return Ok(Carried { class, outcome: chained(last, session, &self.text, runs), changed });
        }
        loop {
            if let Outcome::Rows(rows) = last {
                let (told, count) = gathered(rows).await?;
                if class == StatementClass::Change {
                    changed = count.map(|count| count + changed.unwrap_or(0));
                }
                last = Outcome::Rows(told);
            }
            match runs.next().transpose()? {
                Some(values) => last = session.with_parameters(values).query(&self.text).await?,
                None => return Ok(Carried { class, outcome: last, changed }),
            }
        }
    }
}

impl Statement {
    /// The columns of its rows, without running it.
    pub(in crate::serve) async fn schema(&self, session: &SessionInUse) -> Result<SchemaRef, Error> {
        let options = *session.options.lock();
        if options.form == ResultForm::Blocks {
            let message = "the columns of blocks are known when the query has run: ask for rows";
            return Err(Error::Execution(message.to_string()));
        }
        let values = self.runs().next().transpose()?.unwrap_or_default();
        let outline = match values.is_empty() {
            true => session.session.outline(&self.text).await?,
            false => session.session.with_parameters(values).outline(&self.text).await?,
        };
        match (outline.class, outline.schema) {
            (StatementClass::Query, Some(schema)) => Ok(options.wire.schema(&schema, &outline.dimensions)),
            (StatementClass::Query, None) => {
                Err(Error::Execution("the columns depend on the values of the parameters: bind them first".to_string()))
            }
            _ => Ok(SchemaRef::new(Schema::empty())),
        }
    }
}

impl StatementService {
    /// Runs a statement of a session, and tells what its client can fetch.
    pub(in crate::serve) async fn statement_info(
        &self,
        session: &SessionInUse,
        statement: Statement,
    ) -> Result<FlightInfo, Status> {
        let permit = self.permit(session).await?;
        let running = session.share();
        let told = self.run(async move {
            // The work itself holds it: what is told to end may take a moment.
            let _permit = permit;
            let carried = statement.carry_out(&running.session).await;
            let carried = carried.map_err(|error| failure::status(&error))?;
            let options = *running.options.lock();
            Told::of(carried, &options, &running, statement).await
        });
        told.await??.info(self, session)
    }

    /// The endpoint of a result, whose ticket holds for a while.
    pub(super) fn endpoint(&self, session: &SessionInUse, result: &SessionResult) -> FlightEndpoint {
        let seals = self.sessions.seals();
        let handle = seals.seal(SealedKind::Result, &result.name, RESULT_AGE_MAX, session);
        let ticket = TicketStatementQuery { statement_handle: handle }.as_any().encode_to_vec();
        let mut endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket));
        let until = endpoint.expiration_time.get_or_insert_default();
        until.seconds = i64::try_from(seconds_now() + RESULT_AGE_MAX.as_secs()).unwrap_or(i64::MAX);
        endpoint
    }
}

/// What a client is told of an outcome.
struct Told {
    kind: OutcomeKind,
    schema: SchemaRef,
    result: Arc<SessionResult>,
    records: Option<i64>,
}

impl Told {
    async fn of(
        carried: Carried,
        options: &SessionOptions,
        session: &SessionInUse,
        statement: Statement,
    ) -> Result<Self, Status> {
        let none = || SchemaRef::new(Schema::empty());
        let results = &session.results;
        let Carried { class, outcome, changed } = carried;
        let (kind, schema, result, records) = match outcome {
            // A client that knows statements from queries by their columns is told none of what changed something.
            Outcome::Rows(_) if class == StatementClass::Change && options.wire == WireTypes::Plain => {
                (OutcomeKind::Done("done".to_string()), none(), results.keep(Vec::new(), none())?, changed)
            }
            Outcome::Rows(mut rows) => {
                let summary = rows.summary.take().map(summary_message);
                let cells = rows.cells;
                let kind = OutcomeKind::Rows(RowsMessage { cells, summary });
                let mut records = cells.and_then(|cells| i64::try_from(cells).ok());
                let again = (class == StatementClass::Query).then_some(statement);
                let result = if options.form == ResultForm::Blocks && !rows.dimensions.is_empty() {
                    let blocks = Blocks::of(rows).await.map_err(|error| failure::status(&error))?;
                    records = i64::try_from(blocks.batch.num_rows()).ok();
                    results.wait_made(blocks, again)?
                } else {
                    let schema = options.wire.schema(&rows.schema(), &rows.dimensions);
                    results.wait(rows, schema, again)?
                };
                (kind, SchemaRef::clone(&result.schema), result, records)
            }
            Outcome::Explain(text) => {
                let plan = plan_batch(&text).map_err(|error| failure::status(&error))?;
                let schema = plan.schema();
                let result = results.keep(vec![plan], SchemaRef::clone(&schema))?;
                (OutcomeKind::Explain(text), schema, result, Some(1))
            }
            Outcome::Done(message) => (OutcomeKind::Done(message), none(), results.keep(Vec::new(), none())?, changed),
            Outcome::Plot(spec) => {
                (OutcomeKind::Plot(plot_message(spec)), none(), results.keep(Vec::new(), none())?, None)
            }
        };
        Ok(Self { kind, schema, result, records })
    }

    fn info(self, service: &StatementService, session: &SessionInUse) -> Result<FlightInfo, Status> {
        let mut info = FlightInfo::new().with_endpoint(service.endpoint(session, &self.result)).with_ordered(true);
        info.total_records = self.records.unwrap_or(-1);
        info.app_metadata = OutcomeMessage { kind: Some(self.kind) }.encode_to_vec().into();
        info.try_with_schema(&self.schema).map_err(|error| failure::status(&Error::Internal(error.to_string())))
    }
}

/// The columns of an `EXPLAIN`.
pub(super) fn plan_schema() -> SchemaRef {
    SchemaRef::new(Schema::new(vec![Field::new(PLAN, DataType::Utf8, false)]))
}

fn plan_batch(text: &str) -> Result<RecordBatch, Error> {
    let column: ArrayRef = Arc::new(StringArray::from(vec![text]));
    RecordBatch::try_new(plan_schema(), vec![column]).map_err(|error| Error::Internal(error.to_string()))
}

/// The rows of the first run, and those of the others, which run one after the other.
fn chained(
    first: Outcome,
    session: &Session,
    text: &Arc<str>,
    rest: impl ExactSizeIterator<Item = Result<Vec<ScalarValue>, Error>> + Send + 'static,
) -> Outcome {
    let Outcome::Rows(rows) = first else { return first };
    if rest.len() == 0 {
        return Outcome::Rows(rows);
    }
    let (schema, pool, early_end) = (rows.schema(), rows.memory_pool.clone(), rows.early_end());
    let of_run = early_end.clone();
    let (session, text) = (session.clone(), Arc::clone(text));
    let later = stream::iter(rest).then(move |values| {
        let session = values.map(|values| session.with_parameters(values));
        let (text, of_run) = (Arc::clone(&text), of_run.clone());
        async move {
            let rows = session.map_err(failure::of_stream)?.query(&text).await.and_then(Outcome::into_rows);
            let rows = rows.map_err(failure::of_stream)?;
            of_run.follow(&rows.early_end());
            Ok::<_, DataFusionError>(rows.into_stream())
        }
    });
    let of_batches = SchemaRef::clone(&schema);
    let batches = rows.into_stream().chain(later.try_flatten());
    let batches = batches.map(move |batch| Ok(with_schema(&batch?, SchemaRef::clone(&of_batches))?));
    let stream: SendableRecordBatchStream = Box::pin(RecordBatchStreamAdapter::new(schema, batches));
    // Labels may come more than once: the rows are no array any more.
    let mut rows = Rows::new(stream, Vec::new(), None).ending(early_end);
    rows.memory_pool = pool;
    Outcome::Rows(rows)
}

/// Rows that are all there, and the number that they tell if they are an account of what was changed.
async fn gathered(mut rows: Rows) -> Result<(Rows, Option<i64>), Error> {
    let (schema, dimensions) = (rows.schema(), std::mem::take(&mut rows.dimensions));
    let mut batches = Vec::new();
    let mut bytes = 0usize;
    while let Some(batch) = rows.next().await? {
        bytes = bytes.saturating_add(batch.get_array_memory_size());
        if bytes > REPORT_BYTES_MAX {
            let message = format!("the statement tells more than {REPORT_BYTES_MAX} bytes");
            return Err(Error::Resources(message));
        }
        batches.push(batch);
    }
    let is_count = matches!(schema.fields().as_ref(), [field] if field.data_type() == &DataType::UInt64);
    let counts = batches.iter().filter_map(|batch| batch.columns().first()?.as_primitive_opt::<UInt64Type>());
    let count = is_count.then(|| counts.flat_map(|counts| counts.iter().flatten()).sum::<u64>());
    let batches = stream::iter(batches.into_iter().map(Ok));
    let stream: SendableRecordBatchStream = Box::pin(RecordBatchStreamAdapter::new(schema, batches));
    Ok((Rows::new(stream, dimensions, None), count.and_then(|count| i64::try_from(count).ok())))
}
