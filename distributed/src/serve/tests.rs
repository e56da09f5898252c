//! A server and its clients in one process: errors, drawings, results that are dropped, readers that are slow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::error::{DataFusionError, Result as PlanResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
use quarray_engine::backend::Backend;
use quarray_engine::outcome::{Axis, AxisLabels, Chart, ColourOptions, MapSystem, MapUnits, Palette, PlotSpec};
use quarray_engine::source::SourceError;
use quarray_engine::{Error, Outcome, Session};
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::span::Span;
use tokio::runtime::Handle;

use super::flight::{Anyone, Unlimited};
use super::outcome::{plot, plot_message};
use super::{RemoteSession, ServeSettings, StatementServer, failure};

type Ended = Result<(), Box<dyn std::error::Error>>;

const IDLE_MAX: Duration = Duration::from_secs(60);

#[test]
fn errors_come_back_as_they_were() -> Ended {
    let place = Diagnostic::new("unknown step `REDUC`").at(Span::new(14, 19)).with_help("did you mean `REDUCE`?");
    let (uri, message) = ("s3://a/b".to_string(), "it says so".to_string());
    let errors = [
        Error::Syntax(vec![place.clone(), Diagnostic::new("another")]),
        Error::Bind(place),
        Error::Execution("divide by zero".to_string()),
        Error::Resources("no memory".to_string()),
        Error::Cancelled,
        Error::Internal("a fault".to_string()),
        SourceError::NotFound { uri: uri.clone(), message: message.clone() }.into(),
        SourceError::Unsupported { array: uri.clone(), what: "codec", found: "x".to_string() }.into(),
        SourceError::Chunk { array: uri, chunk: vec![1, 2], message }.into(),
    ];
    for error in errors {
        let back = failure::error(&failure::status(&error)).ok_or("no error")?;
        assert_eq!(back.to_string(), error.to_string());
        assert_eq!(back.diagnostics(), error.diagnostics());
        let streamed = Error::from(failure::of_stream(back));
        assert_eq!(streamed.to_string().split(';').next(), error.to_string().split(';').next());
    }
    let long = Error::Execution("ä".repeat(100_000));
    let status = failure::status(&long);
    assert!(status.details().len() + status.message().len() < 4000);
    assert!(long.to_string().starts_with(failure::error(&status).ok_or("no error")?.to_string().trim_end_matches('…')));
    Ok(())
}

#[test]
fn drawings_come_back_as_they_were() -> Ended {
    let axis = |labels| Axis { label: "x [m]".to_string(), labels };
    let numbers = || axis(AxisLabels::Numbers(vec![0.5, -1.0]));
    let charts = [
        Chart::Line {
            x: axis(AxisLabels::Times(vec![-1, 5])),
            y_label: "v".to_string(),
            series: vec![("a".to_string(), vec![1.0, 2.0]), ("b".to_string(), vec![])],
        },
        Chart::HeatMap {
            x: axis(AxisLabels::Texts(vec!["a".to_string()])),
            y: numbers(),
            value_label: "v".to_string(),
            long_name: "values".to_string(),
            values: vec![1.0, 2.0],
            colours: ColourOptions { palette: Palette::Diverging, robust: true, min: None, max: Some(0.0) },
            map: Some(MapSystem { name: "EPSG:32617".to_string(), units: MapUnits::Lengths("ft".to_string()) }),
        },
        Chart::HeatMap {
            x: numbers(),
            y: numbers(),
            value_label: String::new(),
            long_name: String::new(),
            values: vec![],
            colours: ColourOptions::default(),
            map: None,
        },
        Chart::Histogram { value_label: "v".to_string(), edges: vec![0.0, 1.0], counts: vec![7] },
    ];
    for chart in charts {
        let spec =
            PlotSpec { target: Some("a.png".to_string()), width: 6.0, height: 4.0, title: "t".to_string(), chart };
        assert_eq!(plot(plot_message(spec.clone()))?, spec);
    }
    Ok(())
}

/// Rows without end, or none and no end either; knows how many were made, and when nobody wants them any more.
#[derive(Debug, Default)]
struct Endless {
    is_silent: bool,
    made: Arc<AtomicUsize>,
    is_dropped: Arc<AtomicBool>,
}

struct Noted(Arc<AtomicBool>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl Backend for Endless {
    async fn execute(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _context: Arc<TaskContext>,
    ) -> PlanResult<SendableRecordBatchStream> {
        let noted = Noted(Arc::clone(&self.is_dropped));
        if self.is_silent {
            // Not even begun.
            let _noted = noted;
            return std::future::pending().await;
        }
        let (schema, made) = (plan.schema(), Arc::clone(&self.made));
        let of_batches = Arc::clone(&schema);
        let batches = stream::unfold(noted, move |noted| {
            let (schema, made) = (Arc::clone(&of_batches), Arc::clone(&made));
            async move {
                // An endless loop would leave no turn to others.
                tokio::task::yield_now().await;
                made.fetch_add(1, Ordering::SeqCst);
                let column: ArrayRef = Arc::new(Int64Array::from(vec![7; 8192]));
                let batch = RecordBatch::try_new(schema, vec![column]).map_err(DataFusionError::from);
                Some((batch, noted))
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn describe(&self) -> String {
        "endless".to_string()
    }
}

async fn server(backend: Arc<Endless>) -> Result<(StatementServer, RemoteSession), Box<dyn std::error::Error>> {
    let settings = ServeSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        idle_max: IDLE_MAX,
        sessions: Arc::new(move |_| Session::builder().backend(Arc::clone(&backend) as _).build()),
        authenticator: Arc::new(Anyone),
        admission: Arc::new(Unlimited),
        tls: None,
        is_exposed: false,
    };
    let server = StatementServer::start(settings, Handle::current()).await?;
    let client = RemoteSession::connect(&server.address().to_string()).await?;
    Ok((server, client))
}

async fn becomes_true(flag: &AtomicBool) -> bool {
    let wait = async {
        while !flag.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), wait).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_the_work_up_and_one_that_leaves_ends_it() -> Ended {
    let backend = Arc::new(Endless::default());
    let (_server, client) = server(Arc::clone(&backend)).await?;
    let Outcome::Rows(mut rows) = client.query("SELECT 1 AS n").await? else { return Err("no rows".into()) };
    let first = rows.next().await?.ok_or("no batch")?;
    assert_eq!(first.num_rows(), 8192);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let made = backend.made.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(backend.made.load(Ordering::SeqCst), made, "rows are made that nobody takes");
    // 64 KiB each: what lies in the buffers of the connection, and some.
    assert!(made < 200, "{made} batches were made for a reader of one");
    assert!(!backend.is_dropped.load(Ordering::SeqCst));
    drop(rows);
    assert!(becomes_true(&backend.is_dropped).await, "rows that nobody reads go on");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_nobody_waits_for_ends() -> Ended {
    let backend = Arc::new(Endless { is_silent: true, ..Endless::default() });
    let (_server, client) = server(Arc::clone(&backend)).await?;
    let waited = tokio::time::timeout(Duration::from_millis(500), client.query("SELECT 1 AS n")).await;
    assert!(waited.is_err(), "a statement without end has ended");
    assert!(becomes_true(&backend.is_dropped).await, "a statement that nobody waits for goes on");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_is_an_error_and_no_end_of_rows() -> Ended {
    let backend = Arc::new(Endless::default());
    let (server, client) = server(backend).await?;
    let Outcome::Rows(mut rows) = client.query("SELECT 1 AS n").await? else { return Err("no rows".into()) };
    rows.next().await?.ok_or("no batch")?;
    server.shut_down().await;
    let ended = loop {
        match rows.next().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    let Err(error) = ended else { return Err("rows end as if there were no more".into()) };
    assert!(error.to_string().contains("is gone"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_session_is_gone() -> Ended {
    let (_server, client) = server(Arc::new(Endless::default())).await?;
    let same = client.clone();
    client.close().await;
    let Err(error) = same.query("SELECT 1 AS n").await else { return Err("a closed session answers".into()) };
    assert!(error.to_string().contains("the session has ended"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn other_machines_are_not_served() -> Ended {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:50051"] {
        let settings = ServeSettings {
            listen: listen.parse()?,
            idle_max: IDLE_MAX,
            sessions: Arc::new(|_| Session::builder().build()),
            authenticator: Arc::new(Anyone),
            admission: Arc::new(Unlimited),
            tls: None,
            is_exposed: false,
        };
        let refused = StatementServer::start(settings, Handle::current()).await.err().ok_or("it is served")?;
        assert!(refused.to_string().starts_with(&format!("cannot serve {listen}: expected an address")), "{refused}");
    }
    Ok(())
}
