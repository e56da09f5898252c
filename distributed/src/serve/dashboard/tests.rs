//! Tests of the pages and figures, asked for as a browser does.

mod users;

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use quarray_engine::Session;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::assets::FILES;
use super::tasks::{TaskEnd, TaskKey};
use super::*;
use crate::cluster::{ClusterError, Program, ballista_codec};
use crate::metrics::{Metrics, QueriesSource};
use crate::scaling::Limits;
use crate::serve::http::{Access, Everyone, HttpServer, HttpSettings};

type Tested = Result<(), Box<dyn Error>>;

/// A server, one that asks nobody if nothing else is wanted, and a session that it watches.
struct Setting {
    server: HttpServer,
    session: Session,
}

/// What a server said.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Setting {
    async fn start() -> Result<Self, Box<dyn Error>> {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    async fn listen(listen: SocketAddr) -> Result<Self, Box<dyn Error>> {
        Self::with(listen, Arc::new(Everyone)).await
    }

    async fn with(listen: SocketAddr, access: Arc<dyn Access>) -> Result<Self, Box<dyn Error>> {
        let queries = QueryRegistry::new();
        let clusters = LocalClusters::new(Program::current()?, ballista_codec(), None, Limits::NONE);
        let watched = Watched { queries: Arc::clone(&queries), clusters: Arc::new(clusters) };
        let metrics = Metrics::new().with(QueriesSource::new(Arc::clone(&queries)));
        let server = HttpServer::start(HttpSettings { listen, names: Vec::new(), access, metrics, watched }).await?;
        Ok(Self { server, session: Session::builder().queries(queries).build()? })
    }

    async fn ask(&self, method: &str, path: &str, headers: &str) -> Result<Answer, Box<dyn Error>> {
        let address = self.server.address();
        let host = if headers.contains("host:") { String::new() } else { format!("host: {address}\r\n") };
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("{method} {path} HTTP/1.1\r\n{host}{headers}connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await??;
        let text = String::from_utf8(bytes)?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or("an answer without a head")?;
        let status = head.split(' ').nth(1).ok_or("an answer without a status")?.parse()?;
        Ok(Answer { status, head: head.to_lowercase(), body: body.to_string() })
    }

    async fn get(&self, path: &str) -> Result<Value, Box<dyn Error>> {
        let answer = self.ask("GET", path, "").await?;
        assert_eq!((answer.status, path), (200, path), "{}", answer.body);
        Ok(serde_json::from_str(&answer.body)?)
    }

    /// The first words of a stream, until an event has said this and has ended.
    async fn listen_for(&self, path: &str, wanted: &str) -> Result<String, Box<dyn Error>> {
        self.listen_for_as(path, "", wanted).await
    }

    /// Likewise, with these headers.
    async fn listen_for_as(&self, path: &str, headers: &str, wanted: &str) -> Result<String, Box<dyn Error>> {
        let address = self.server.address();
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n").as_bytes()).await?;
        let mut heard = Vec::new();
        let listen = async {
            let is_said = |heard: &str| heard.split_once(wanted).is_some_and(|(_, rest)| rest.contains("\n\n"));
            while !is_said(&String::from_utf8_lossy(&heard)) {
                if stream.read_buf(&mut heard).await? == 0 {
                    break;
                }
            }
            Ok::<_, std::io::Error>(())
        };
        tokio::time::timeout(Duration::from_secs(20), listen).await??;
        Ok(String::from_utf8_lossy(&heard).into_owned())
    }

    async fn run(&self, text: &str) -> Tested {
        self.session.query(text).await?.into_rows()?.collect().await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_their_files_are_there() -> Tested {
    let setting = Setting::start().await?;
    for path in ["/", "/query/x", "/executors", "/history", "/compare?a=1&b=2"] {
        let answer = setting.ask("GET", path, "").await?;
        assert_eq!((answer.status, path), (200, path));
        assert!(answer.body.contains("<main") && answer.head.contains("text/html"), "{path}");
        for header in ["content-security-policy: default-src 'none'", "x-content-type-options: nosniff"] {
            assert!(answer.head.contains(header), "{path}: {header}\n{}", answer.head);
        }
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
    }
    for (name, asset) in FILES {
        let answer = setting.ask("GET", &format!("/assets/{name}"), "").await?;
        assert_eq!((answer.status, *name), (200, *name));
        assert!(answer.head.contains(&format!("content-type: {}", asset.content_type)), "{name}\n{}", answer.head);
    }
    for path in ["/nothing", "/assets/../mod.rs", "/assets/mod.rs", "/api/queries/nobody", "/query"] {
        assert_eq!((setting.ask("GET", path, "").await?.status, path), (404, path));
    }
    assert_eq!(setting.ask("GET", "/", "host: evil.example\r\n").await?.status, 421);
    assert_eq!(setting.ask("GET", "/healthz", "").await?.body, "ok\n");
    setting.listen_for("/api/live", "event: overview").await?;
    assert_eq!(setting.ask("GET", "/readyz", "").await?.status, 200);
    let metrics = setting.ask("GET", "/metrics", "").await?;
    assert!(metrics.status == 200 && metrics.body.contains("# TYPE quarray_"), "{}", metrics.body);
    Ok(())
}

#[test]
fn pages_ask_for_nothing_from_elsewhere() {
    for (name, asset) in FILES.iter().copied().chain([("index.html", shell())]) {
        let text = String::from_utf8_lossy(asset.bytes);
        let foreign = text.replace("http://www.w3.org/", "");
        assert!(!foreign.contains("http://") && !foreign.contains("https://"), "{name}");
        // The policy of the pages would refuse these.
        for refused in ["<style", " style=\"", "onclick=", "eval(", "innerHTML", "setAttribute(\"style\""] {
            assert!(!text.contains(refused), "{name}: {refused}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_told_after_their_end() -> Tested {
    let setting = Setting::start().await?;
    setting.run("SELECT value, value * 2 AS twice FROM range(1000)").await?;
    assert!(setting.session.query("SELECT no_such_column FROM range(3)").await.is_err());
    let overview = setting.get("/api/overview").await?;
    assert_eq!((&overview["totals"]["done"], &overview["totals"]["failed"]), (&1.into(), &1.into()));
    assert_eq!(overview["running"], Value::Array(Vec::new()));
    let history = setting.get("/api/history?text=TWICE").await?;
    assert_eq!(history["found"], 1);
    let query = &history["queries"][0];
    assert_eq!(
        (&query["state"], &query["rows"], &query["place"]),
        (&"done".into(), &1000.into(), &"this process".into())
    );
    let failed = setting.get("/api/history?state=failed").await?;
    assert!(failed["queries"][0]["error"].as_str().is_some_and(|error| error.contains("no_such_column")), "{failed}");
    let id = query["id"].as_str().ok_or("a query without a name")?;
    let told = setting.get(&format!("/api/queries/{id}")).await?;
    let plan = told["plan"].as_array().ok_or("no plan")?;
    assert!(plan.iter().any(|node| node["metrics"]["output_rows"]["value"] == 1000), "{told}");
    assert!(plan.iter().skip(1).all(|node| node["parent"].is_u64()) && plan[0]["parent"].is_null(), "{told}");
    // Its stream says all there is, and ends.
    let stream = setting.ask("GET", &format!("/api/queries/{id}/live"), "").await?;
    assert!(stream.head.contains("text/event-stream") && stream.body.contains("event: end"), "{}", stream.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_cancelled_from_own_pages_alone() -> Tested {
    let setting = Setting::start().await?;
    let rows = setting.session.query("SELECT * FROM range(100000000)").await?.into_rows()?;
    let running = setting.get("/api/overview").await?;
    let id = running["running"][0]["id"].as_str().ok_or("nothing runs")?.to_string();
    let path = format!("/api/queries/{id}/cancel");
    let own = format!("origin: http://{}\r\ncontent-length: 0\r\n", setting.server.address());
    assert_eq!(setting.ask("GET", &path, "").await?.status, 405);
    assert_eq!(setting.ask("POST", &path, "content-length: 0\r\n").await?.status, 403);
    assert_eq!(setting.ask("POST", &path, "origin: http://evil.example\r\ncontent-length: 0\r\n").await?.status, 403);
    assert_eq!(setting.get("/api/overview").await?["running_count"], 1);
    let cancelled = setting.ask("POST", &path, &own).await?;
    assert_eq!((cancelled.status, cancelled.body.contains(&id)), (200, true));
    assert!(rows.collect().await.is_err());
    assert_eq!(setting.get("/api/history").await?["queries"][0]["state"], "cancelled");
    assert_eq!(setting.ask("POST", &path, &own).await?.status, 404);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_a_hundred_thousand_tasks_is_told_quickly_and_briefly() -> Tested {
    let setting = Setting::start().await?;
    let _rows = setting.session.query("SELECT * FROM range(100000000)").await?.into_rows()?;
    let running = setting.session.queries().running();
    let record = running.first().ok_or("nothing runs")?;
    let key = |task: u64| TaskKey { job: 0, stage: 1 + (task % 3) as u32, attempt: 0, task: task as u32 };
    let fed = Instant::now();
    {
        let mut state = setting.server.dashboard().state.lock();
        let followed = state.followed.entry(record.id.clone()).or_insert_with(|| Followed::new(record));
        for task in 0..100_000u64 {
            let (executor, start) = (format!("executor-{}", task % 32), task / 32 * 20);
            followed.tasks.start(key(task), &executor, start);
            followed.tasks.end(key(task), &executor, start, start + 1 + task % 19, &TaskEnd::Done);
        }
    }
    let fed = fed.elapsed();
    let asked = Instant::now();
    let answer = setting.ask("GET", &format!("/api/queries/{}", record.id), "").await?;
    let (told, bytes) = (asked.elapsed(), answer.body.len());
    eprintln!("100,000 tasks: taken in in {fed:?}, told in {told:?} and {bytes} bytes");
    assert_eq!(serde_json::from_str::<Value>(&answer.body)?["tasks"]["counts"]["done"], 100_000);
    assert!(bytes < 300_000, "{bytes} bytes");
    assert!(fed < Duration::from_secs(10) && told < Duration::from_secs(1), "{fed:?}, {told:?}");
    // Whoever listens gets all of it once, and then only what is new.
    let path = format!("/api/queries/{}/live", record.id);
    let heard = setting.listen_for(&path, "\"whole\":false").await?;
    let events: Vec<usize> = heard.split("event: query").skip(1).map(str::len).collect();
    assert!(events.len() >= 2 && events[1] < events[0] / 10, "{events:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_users_only_this_machine_is_served() -> Tested {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = Setting::listen(everywhere).await.err().ok_or("it serves everyone")?;
    assert!(matches!(refused.downcast_ref::<ClusterError>(), Some(ClusterError::NotLocal { .. })), "{refused}");
    Ok(())
}
