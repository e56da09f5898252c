//! A server and arrow-flight's own client of Flight SQL: statements, tickets, handles, parameters, cancelling.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    CommandGetTables, CommandGetXdbcTypeInfo, CommandStatementIngest, CommandStatementQuery, ProstMessageExt,
    TableDefinitionOptions,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, FlightDescriptor, FlightInfo, PollInfo, RenewFlightEndpointRequest, Ticket,
};
use futures::{TryStreamExt, stream};
use prost::Message;
use quarray_engine::Session;
use tokio::runtime::Handle;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use super::{Anyone, Unlimited};
use crate::serve::{ServeSettings, SessionFactory, StatementServer};

pub(super) type Ended<T = ()> = Result<T, Box<dyn std::error::Error>>;
pub(super) type Client = FlightSqlServiceClient<Channel>;

pub(super) async fn server() -> Ended<StatementServer> {
    server_of(Arc::new(|_| Session::builder().threads(2).build())).await
}

/// A server of such sessions.
pub(super) async fn server_of(sessions: SessionFactory) -> Ended<StatementServer> {
    let settings = ServeSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        idle_max: Duration::from_secs(60),
        sessions,
        authenticator: Arc::new(Anyone),
        admission: Arc::new(Unlimited),
        tls: None,
        is_exposed: false,
    };
    Ok(StatementServer::start(settings, Handle::current()).await?)
}

async fn connect(server: &StatementServer) -> Ended<Client> {
    let channel = Endpoint::from_shared(format!("http://{}", server.address()))?.connect().await?;
    Ok(FlightSqlServiceClient::new(channel))
}

pub(super) async fn named(server: &StatementServer, name: &str) -> Ended<Client> {
    let mut client = connect(server).await?;
    client.handshake(name, "password").await?;
    Ok(client)
}

pub(super) fn ticket(info: &FlightInfo) -> Ended<Ticket> {
    Ok(info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone()).ok_or("no ticket")?)
}

pub(super) async fn fetch(client: &mut Client, info: &FlightInfo) -> Ended<Vec<RecordBatch>> {
    let schema = info.clone().try_decode_schema()?;
    let mut batches = client.do_get(ticket(info)?).await?;
    let mut found = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        assert_eq!(batch.schema().as_ref(), &schema, "rows have another schema than was told");
        found.push(batch);
    }
    Ok(found)
}

pub(super) async fn numbers(client: &mut Client, text: &str) -> Ended<Vec<i64>> {
    let info = client.execute(text.to_string(), None).await?;
    integers(&fetch(client, &info).await?)
}

/// A column of integers, by its name.
pub(super) fn column(name: &str, values: Vec<i64>) -> (String, ArrayRef) {
    (name.to_string(), Arc::new(Int64Array::from(values)))
}

pub(super) fn integers(batches: &[RecordBatch]) -> Ended<Vec<i64>> {
    let mut found = Vec::new();
    for batch in batches {
        let column = batch.columns().first().and_then(|column| column.as_primitive_opt::<Int64Type>());
        found.extend(column.ok_or("no integers")?.iter().flatten());
    }
    Ok(found)
}

/// An action with the header of a session.
pub(super) async fn act(client: &mut Client, name: &str, body: Vec<u8>) -> Ended<Vec<u8>> {
    let answers = client.do_action(Action::new(name, body)).await?.try_collect::<Vec<_>>().await?;
    Ok(answers.first().map(|answer| answer.body.to_vec()).unwrap_or_default())
}

pub(super) fn refused<T>(result: Ended<T>, words: &str) -> Ended {
    let error = result.err().ok_or_else(|| format!("expected an error with {words:?}, found none"))?.to_string();
    assert!(error.contains(words), "expected {words:?} in: {error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_may_be_redeemed_again_by_its_session_alone() -> Ended {
    let server = server().await?;
    let (mut ada, mut bob, mut nobody) =
        (named(&server, "ada").await?, named(&server, "bob").await?, connect(&server).await?);
    let info = ada.execute("SELECT value FROM range(3)".to_string(), None).await?;
    for _ in 0..3 {
        assert_eq!(integers(&fetch(&mut ada, &info).await?)?, [0, 1, 2]);
    }
    for other in [&mut bob, &mut nobody] {
        refused(fetch(other, &info).await, "not one of this session")?;
    }
    // What is larger than is kept runs again.
    let info = ada.execute("SELECT value FROM range(1000000)".to_string(), None).await?;
    for _ in 0..2 {
        assert_eq!(integers(&fetch(&mut ada, &info).await?)?.len(), 1_000_000);
    }
    let mut forged = ticket(&info)?.ticket.to_vec();
    if let Some(last) = forged.last_mut() {
        *last ^= 1;
    }
    refused(ada.do_get(Ticket::new(forged)).await.map_err(Into::into), "not one of this session")?;
    refused(ada.do_get(Ticket::new("ticket")).await.map_err(Into::into), "cannot read the ticket")?;
    let endpoint = info.endpoint.first().cloned();
    let renewed = act(&mut ada, "RenewFlightEndpoint", RenewFlightEndpointRequest { endpoint }.encode_to_vec()).await?;
    assert!(!renewed.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_put_by_number() -> Ended {
    let server = server().await?;
    let mut client = named(&server, "ada").await?;
    let mut prepared = client.prepare("SELECT $10 - $2 AS d, $1 AS w WHERE $3".to_string(), None).await?;
    let names: Vec<&str> = prepared.parameter_schema()?.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10"]);
    let words: ArrayRef = Arc::new(StringArray::from(vec!["a'b", "c"]));
    let truths: ArrayRef = Arc::new(BooleanArray::from(vec![true, true]));
    let mut columns = vec![("$1".to_string(), words), column("$2", vec![2, 20]), ("$3".to_string(), truths)];
    columns.extend((4..=10).map(|n| column(&format!("${n}"), vec![n, n * 100])));
    prepared.set_parameters(RecordBatch::try_from_iter(columns)?)?;
    let info = prepared.execute().await?;
    let rows = fetch(&mut client, &info).await?;
    assert_eq!(integers(&rows)?, [8, 980]);
    let words: Vec<_> = rows.iter().flat_map(|batch| batch.column(1).as_string::<i32>().iter().flatten()).collect();
    assert_eq!(words, ["a'b", "c"]);
    let mut few = client.prepare("SELECT ? + ? AS s".to_string(), None).await?;
    few.set_parameters(RecordBatch::try_from_iter([column("a", vec![1])])?)?;
    refused(few.execute().await.map_err(Into::into), "expected values of 2 parameters, found 1")?;
    let mut closed = few.clone();
    few.close().await?;
    refused(closed.execute().await.map_err(Into::into), "it was closed")?;
    refused(client.prepare("SELECT $1, ?".to_string(), None).await.map_err(Into::into), "found both")?;
    refused(client.prepare("SELECT $0".to_string(), None).await.map_err(Into::into), "$0")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_prepared_does_not_run() -> Ended {
    let server = server().await?;
    let mut client = named(&server, "ada").await?;
    client.execute("CREATE TABLE t (a BIGINT)".to_string(), None).await?;
    let endless = "-- how long?\nEXPLAIN ANALYZE SELECT sum(value % 7) FROM range(1000000000000)";
    for (text, columns) in [(endless, 1), ("/**/ EXPLAIN ANALYZE INSERT INTO t VALUES (1)", 2)] {
        let prepared = tokio::time::timeout(Duration::from_secs(20), client.prepare(text.to_string(), None)).await??;
        assert_eq!(prepared.dataset_schema()?.fields().len(), columns, "{text}");
    }
    assert_eq!(numbers(&mut client, "SELECT count(*) FROM t").await?, [0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_something_runs_once() -> Ended {
    let server = server().await?;
    let mut client = named(&server, "ada").await?;
    let made = client.execute("CREATE TABLE t (a BIGINT)".to_string(), None).await?;
    assert!(made.clone().try_decode_schema()?.fields().is_empty());
    assert!(fetch(&mut client, &made).await?.iter().all(|batch| batch.num_rows() == 0));
    let inserted = client.execute("INSERT INTO t VALUES (1), (2)".to_string(), None).await?;
    assert_eq!(inserted.total_records, 2);
    for _ in 0..2 {
        fetch(&mut client, &inserted).await?;
    }
    assert_eq!(client.execute_update("INSERT INTO t VALUES (3)".to_string(), None).await?, 1);
    let mut prepared = client.prepare("INSERT INTO t VALUES ($1)".to_string(), None).await?;
    assert!(prepared.dataset_schema()?.fields().is_empty());
    assert_eq!(prepared.parameter_schema()?.field(0).data_type(), &DataType::Int64);
    prepared.set_parameters(RecordBatch::try_from_iter([column("$1", (4..=40).collect())])?)?;
    assert_eq!(prepared.execute_update().await?, 37);
    assert_eq!(numbers(&mut client, "SELECT count(*) FROM t").await?, [40]);
    let begun = client.begin_transaction().await;
    refused(begun.map_err(Into::into), "no transactions")
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_taken() -> Ended {
    let server = server().await?;
    let mut client = named(&server, "ada").await?;
    let rows = RecordBatch::try_from_iter([column("a", vec![1, 2, 3])])?;
    let command = |not_there: i32, there: i32| CommandStatementIngest {
        table_definition_options: Some(TableDefinitionOptions { if_not_exist: not_there, if_exists: there }),
        table: "taken".to_string(),
        ..CommandStatementIngest::default()
    };
    let (create, fail, append, replace) = (1, 1, 2, 3);
    let send =
        async |command, client: &mut Client| client.execute_ingest(command, stream::iter([Ok(rows.clone())])).await;
    assert_eq!(send(command(create, fail), &mut client).await?, 3);
    refused(send(command(create, fail), &mut client).await.map_err(Into::into), "exists already")?;
    assert_eq!(send(command(2, append), &mut client).await?, 3);
    assert_eq!(numbers(&mut client, "SELECT sum(a) FROM taken").await?, [12]);
    assert_eq!(send(command(create, replace), &mut client).await?, 3);
    assert_eq!(numbers(&mut client, "SELECT sum(a) FROM taken").await?, [6]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_is_told() -> Ended {
    let server = server().await?;
    let mut client = connect(&server).await?;
    client.execute("CREATE TABLE words (w VARCHAR, n BIGINT)".to_string(), None).await?;
    for include_schema in [false, true] {
        let command = CommandGetTables {
            include_schema,
            table_name_filter_pattern: Some("wor%".to_string()),
            table_types: vec!["TABLE".to_string()],
            ..CommandGetTables::default()
        };
        let info = client.get_tables(command).await?;
        let found = fetch(&mut client, &info).await?;
        let batch = found.first().ok_or("no tables")?;
        assert_eq!((batch.num_rows(), batch.num_columns()), (1, if include_schema { 5 } else { 4 }));
        assert_eq!(batch.column(2).as_string::<i32>().value(0), "words");
    }
    let info = client.get_sql_info(Vec::new()).await?;
    let known: usize = fetch(&mut client, &info).await?.iter().map(RecordBatch::num_rows).sum();
    assert!(known > 80, "{known} facts");
    let info = client.get_xdbc_type_info(CommandGetXdbcTypeInfo { data_type: None }).await?;
    let known: usize = fetch(&mut client, &info).await?.iter().map(RecordBatch::num_rows).sum();
    assert!(known > 10, "{known} types");
    let info = client.get_primary_keys(Default::default()).await?;
    assert_eq!(info.clone().try_decode_schema()?.fields().len(), 6);
    fetch(&mut client, &info).await?;
    let info = client.get_cross_reference(Default::default()).await?;
    assert_eq!(info.clone().try_decode_schema()?.fields().len(), 13);
    fetch(&mut client, &info).await?;
    Ok(())
}

fn statement(text: &str) -> FlightDescriptor {
    let query = CommandStatementQuery { query: text.to_string(), transaction_id: None };
    FlightDescriptor::new_cmd(query.as_any().encode_to_vec())
}

fn with_header<T>(client: &Client, message: T) -> Ended<Request<T>> {
    let mut request = Request::new(message);
    let header = format!("Bearer {}", client.token().ok_or("no token")?).parse()?;
    request.metadata_mut().insert("authorization", header);
    Ok(request)
}

async fn poll(client: &mut Client, descriptor: FlightDescriptor) -> Ended<PollInfo> {
    let request = with_header(client, descriptor)?;
    Ok(client.inner_mut().poll_flight_info(request).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_runs_is_asked_about() -> Ended {
    let server = server().await?;
    let mut client = named(&server, "ada").await?;
    let quick = poll(&mut client, statement("SELECT value FROM range(2)")).await?;
    assert!(quick.flight_descriptor.is_none());
    assert_eq!(integers(&fetch(&mut client, &quick.info.ok_or("no info")?).await?)?, [0, 1]);
    let slow = "CREATE TABLE s AS SELECT count(*) AS n FROM range(3000) a, range(3000) b, range(6) c";
    let mut asked = 0;
    let mut told = poll(&mut client, statement(slow)).await?;
    while let Some(descriptor) = told.flight_descriptor.take() {
        asked += 1;
        told = poll(&mut client, descriptor).await?;
    }
    assert!(asked > 0, "it was too quick to be asked about");
    assert_eq!(numbers(&mut client, "SELECT n FROM s").await?, [54_000_000]);
    let endless = "CREATE TABLE e AS SELECT sum(value % 7) AS n FROM range(1000000000000)";
    let told = poll(&mut client, statement(endless)).await?;
    let descriptor = told.flight_descriptor.clone().ok_or("an endless statement has ended")?;
    let request = CancelFlightInfoRequest { info: told.info };
    act(&mut client, "CancelFlightInfo", request.encode_to_vec()).await?;
    refused(poll(&mut client, descriptor).await, "cancelled")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_cancelled_by_its_info() -> Ended {
    let server = server().await?;
    let mut client = named(&server, "ada").await?;
    let info = client.execute("SELECT value FROM range(1000000000000)".to_string(), None).await?;
    let mut rows = client.do_get(ticket(&info)?).await?;
    rows.try_next().await?.ok_or("no rows")?;
    act(&mut client, "CancelFlightInfo", CancelFlightInfoRequest::new(info.clone()).encode_to_vec()).await?;
    let ended = async {
        loop {
            match rows.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => return Err("rows end as if there were no more".into()),
                Err(error) => return Ok::<_, Box<dyn std::error::Error>>(error.to_string()),
            }
        }
    };
    let error = tokio::time::timeout(Duration::from_secs(5), ended).await??;
    assert!(error.contains("cancelled"), "{error}");
    refused(fetch(&mut client, &info).await, "cancelled")
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_told_without_running() -> Ended {
    let server = server().await?;
    let mut client = named(&server, "ada").await?;
    let request = with_header(&client, statement("SELECT sum(value) AS s, 'a' AS w FROM range(1000000000000)"))?;
    let answer = client.inner_mut().get_schema(request).await?.into_inner();
    let found = Schema::try_from(&answer)?;
    let expected = [Field::new("s", DataType::Int64, true), Field::new("w", DataType::Utf8, false)];
    assert_eq!(found.fields().iter().map(|field| field.as_ref().clone()).collect::<Vec<_>>(), expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_token_has_the_session_of_its_connection() -> Ended {
    let server = server().await?;
    let (mut one, mut other) = (connect(&server).await?, connect(&server).await?);
    one.execute("CREATE TABLE mine AS SELECT 7 AS n".to_string(), None).await?;
    assert_eq!(numbers(&mut one, "SELECT n FROM mine").await?, [7]);
    refused(numbers(&mut other, "SELECT n FROM mine").await, "mine")?;
    other.set_token("0123456789abcdef".to_string());
    refused(numbers(&mut other, "SELECT 1 AS n").await, "the session has ended")
}
