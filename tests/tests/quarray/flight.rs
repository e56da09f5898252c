//! The golden cases over Flight SQL, by the client that arrow-flight has: the same answers as in this process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::Schema;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use quarray_distributed::serve::{Anyone, ServeSettings, StatementServer, Unlimited};
use quarray_engine::Error;
use tokio::runtime::Handle;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::answer::Answer;
use crate::golden::{CaseSession, check_all_cases_in};
use crate::run::{Ending, Settings, guarded, runtime};

/// Many partitions, in arrays and in rows.
const WAYS: [Settings; 2] =
    [Settings { grid: true, threads: 3, block_bytes: 400 }, Settings { grid: false, threads: 2, block_bytes: 1000 }];

/// The key of a schema's metadata that has the names of the dimensions.
const DIMENSIONS: &str = "quarray:dimensions";

#[test]
fn golden_cases_over_flight_sql() {
    let servers = WAYS.map(|settings| (settings, runtime().block_on(start(settings))));
    check_all_cases_in(&WAYS, &|settings| {
        let (_, server) = servers.iter().find(|(known, _)| *known == settings).expect("a server for every way");
        Arc::new(runtime().block_on(connect(server.address())).expect("a connection"))
    });
}

async fn start(settings: Settings) -> StatementServer {
    let settings = ServeSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        idle_max: Duration::from_secs(600),
        sessions: Arc::new(move |_| Ok(settings.session())),
        authenticator: Arc::new(Anyone),
        admission: Arc::new(Unlimited),
        tls: None,
        is_exposed: false,
    };
    StatementServer::start(settings, Handle::current()).await.expect("a server")
}

async fn connect(address: SocketAddr) -> Result<FlightSession, FlightError> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address is one of an endpoint");
    let channel = endpoint.connect().await.expect("the server listens");
    let mut client = FlightSqlServiceClient::new(channel);
    client.handshake("ada", "password").await?;
    Ok(FlightSession { client })
}

/// A session in a server.
struct FlightSession {
    client: FlightSqlServiceClient<Channel>,
}

impl CaseSession for FlightSession {
    fn attach(&self, name: &str, path: &Path) -> Result<(), String> {
        match self.run(&format!("ATTACH '{}' AS {name}", path.display())) {
            Ending::Other(_) => Ok(()),
            other => Err(format!("attach: {other:?}")),
        }
    }

    fn run(&self, text: &str) -> Ending {
        let (client, text) = (self.client.clone(), text.to_string());
        match guarded(fetch(client, text)) {
            Ok(Ok(ending)) => ending,
            Ok(Err(FlightError::Tonic(status))) if status.code() == Code::Internal => {
                Ending::Error(Error::Internal(status.message().to_string()))
            }
            Ok(Err(FlightError::Tonic(status))) => Ending::Error(Error::Execution(status.message().to_string())),
            Ok(Err(other)) => Ending::Error(Error::Internal(other.to_string())),
            Err(panic) => Ending::Panic(panic),
        }
    }
}

async fn fetch(mut client: FlightSqlServiceClient<Channel>, text: String) -> Result<Ending, FlightError> {
    let info = client.execute(text, None).await?;
    let schema = info.clone().try_decode_schema()?;
    let ticket = info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone());
    let ticket = ticket.ok_or_else(|| FlightError::protocol("no ticket"))?;
    let batches: Vec<_> = client.do_get(ticket).await?.try_collect().await?;
    if schema.fields().is_empty() {
        return Ok(Ending::Other("no rows".to_string()));
    }
    if let Some(batch) = batches.iter().find(|batch| batch.schema().as_ref() != &schema) {
        return Err(FlightError::protocol(format!("told {schema:?}, sent {:?}", batch.schema())));
    }
    Ok(Ending::Rows(Answer::new(dimensions(&schema)?, &schema, &batches)))
}

fn dimensions(schema: &Schema) -> Result<Vec<String>, FlightError> {
    match schema.metadata().get(DIMENSIONS) {
        Some(names) => serde_json::from_str(names).map_err(|error| FlightError::protocol(error.to_string())),
        None => Ok(Vec::new()),
    }
}
