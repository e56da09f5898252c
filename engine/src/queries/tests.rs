//! What becomes of statements, from their beginning to their end.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;

use super::{QueryEvent, QueryRegistry, QueryState, redact};
use crate::{Error, Outcome, Session};

type Tested = Result<(), Box<dyn std::error::Error>>;

/// Many more rows than a batch has.
const MANY_ROWS: &str = "SELECT value FROM range(0, 1000000)";

fn session(queries: &Arc<QueryRegistry>) -> Result<Session, Error> {
    Session::builder().threads(2).queries(Arc::clone(queries)).user("ada").build()
}

#[tokio::test]
async fn a_statement_is_done_when_its_rows_are_read() -> Tested {
    let queries = QueryRegistry::new();
    let session = session(&queries)?;
    assert_eq!(queries.sessions(), 1);
    let mut news = queries.subscribe();
    let mut rows = session.query(MANY_ROWS).await?.into_rows()?;
    let first = rows.next().await?.map_or(0, |batch| batch.num_rows() as u64);
    let running = queries.running();
    let [record] = running.as_slice() else { return Err(format!("{running:?}").into()) };
    assert_eq!((record.state, record.rows, record.user.as_str()), (QueryState::Running, first, "ada"));
    assert_eq!((record.place.as_str(), record.text.as_str()), ("this process", MANY_ROWS));
    assert!(queries.plan(&record.id).is_some() && queries.recent(10).is_empty());
    let alive = Arc::downgrade(&queries.plan(&record.id).ok_or("no plan")?);
    rows.collect().await?;
    let ended = queries.recent(10);
    let [record] = ended.as_slice() else { return Err(format!("{ended:?}").into()) };
    assert_eq!((record.state, record.rows, record.bytes), (QueryState::Done, 1_000_000, 8_000_000));
    let plan = record.plan.as_ref().ok_or("no plan is left")?;
    assert_eq!(plan.inputs.len() + plan.omitted, usize::from(!plan.name.contains("Lazy")), "{plan:?}");
    assert!(plan.total("output_rows") >= 1_000_000, "{plan:?}");
    assert!(queries.running().is_empty() && alive.upgrade().is_none(), "the plan is held by nobody");
    assert_eq!(queries.get(&record.id).as_ref(), Some(record));
    assert!(matches!(news.try_recv()?, QueryEvent::Began(began) if began.id == record.id));
    assert!(matches!(news.try_recv()?, QueryEvent::Ended(ended) if ended.rows == 1_000_000));
    drop(session);
    assert_eq!(queries.sessions(), 0);
    Ok(())
}

#[tokio::test]
async fn statements_without_rows_and_failures_leave_records() -> Tested {
    let queries = QueryRegistry::new();
    let session = session(&queries)?;
    session.query("CREATE TABLE t AS SELECT 1 AS a").await?;
    session.query("EXPLAIN SELECT a FROM t").await?;
    assert!(session.query("SELECT FROM WHERE").await.is_err());
    assert!(session.query("SELECT nothing FROM t").await.is_err());
    let rows = session.query("SELECT 1 / (a - 1) FROM t").await?.into_rows()?;
    assert!(rows.collect().await.is_err());
    let ended: Vec<_> = queries.recent(10).into_iter().rev().collect();
    let states: Vec<_> = ended.iter().map(|record| record.state).collect();
    use QueryState::{Done, Failed};
    assert_eq!(states, [Done, Done, Failed, Failed, Failed]);
    assert!(ended.is_sorted_by_key(|record| record.id.clone()));
    let errors: Vec<_> = ended.iter().filter_map(|record| record.error.clone()).collect();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[1].contains("nothing") && errors[2].to_lowercase().contains("zero"), "{errors:?}");
    let totals = queries.totals();
    assert_eq!((totals.done, totals.failed, totals.cancelled), (2, 3, 0));
    assert_eq!(totals.by_seconds.iter().sum::<u64>(), 5);
    Ok(())
}

#[tokio::test]
async fn rows_that_are_dropped_are_cancelled() -> Tested {
    let queries = QueryRegistry::new();
    let session = session(&queries)?;
    let mut rows = session.query(MANY_ROWS).await?.into_rows()?;
    rows.next().await?;
    drop(rows);
    drop(session.query(MANY_ROWS).await?);
    let states: Vec<_> = queries.recent(10).iter().map(|record| record.state).collect();
    assert_eq!(states, [QueryState::Cancelled, QueryState::Cancelled]);
    assert!(queries.running().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_cancelled_statement_lets_go_at_once() -> Tested {
    let queries = QueryRegistry::new();
    let session = session(&queries)?;
    // Of a reader who reads, …
    let mut rows = session.query(MANY_ROWS).await?.into_rows()?;
    rows.next().await?;
    let id = queries.running().pop().ok_or("nothing runs")?.id;
    let plan = Arc::downgrade(&queries.plan(&id).ok_or("no plan")?);
    assert!(queries.cancel(&id));
    assert!(matches!(rows.next().await, Err(Error::Cancelled)));
    assert!(rows.next().await?.is_none());
    assert_eq!(queries.get(&id).map(|record| record.state), Some(QueryState::Cancelled));
    assert!(!queries.cancel(&id) && plan.upgrade().is_none());
    // … and of one who does not come back.
    let sorted = "SELECT value FROM range(0, 1000000) ORDER BY value DESC";
    let mut rows = session.query(sorted).await?.into_rows()?;
    rows.next().await?;
    let pool = rows.memory_pool.clone().ok_or("no pool")?;
    assert!(pool.reserved() > 0);
    let id = queries.running().pop().ok_or("nothing runs")?.id;
    assert!(queries.cancel(&id));
    let freed = async {
        while pool.reserved() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), freed).await?;
    assert_eq!(queries.get(&id).map(|record| record.state), Some(QueryState::Cancelled));
    assert!(queries.running().is_empty());
    assert!(matches!(rows.next().await, Err(Error::Cancelled)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_gives_no_rows_is_cancelled_too() -> Tested {
    let queries = QueryRegistry::new();
    let session = session(&queries)?;
    // A sum of so many rows takes hours.
    let text =
        "EXPLAIN ANALYZE SELECT sum(a.value * b.value) FROM range(0, 10000000) a CROSS JOIN range(0, 10000000) b";
    let work = tokio::spawn(async move { session.query(text).await });
    let id = loop {
        match queries.running().pop() {
            Some(record) if record.state == QueryState::Running => break record.id,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    assert!(queries.cancel(&id));
    let ended = tokio::time::timeout(Duration::from_secs(10), work).await??;
    assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
    assert_eq!(queries.get(&id).map(|record| record.state), Some(QueryState::Cancelled));
    Ok(())
}

#[tokio::test]
async fn two_statements_of_a_session_count_for_themselves() -> Tested {
    let queries = QueryRegistry::new();
    let session = session(&queries)?;
    let mut first = session.query(MANY_ROWS).await?.into_rows()?;
    let second = session.query("SELECT 1").await?.into_rows()?;
    first.next().await?;
    second.collect().await?;
    let records: Vec<_> =
        queries.running().into_iter().chain(queries.recent(1).iter().map(|r| (**r).clone())).collect();
    assert!(records[0].rows > 1 && records[1].rows == 1, "{records:?}");
    let running = queries.query(&records[0].id).ok_or("it has ended")?;
    assert!(!Arc::ptr_eq(running.progress(), &session.progress()));
    Ok(())
}

/// On a thread like those of the command: unions are planned by recursion, which takes room in an unoptimised build.
#[test]
fn memory_is_bounded() -> Tested {
    let bounded = || -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(records_are_bounded()).map_err(|error| error.to_string())
    };
    let thread = std::thread::Builder::new().stack_size(16 << 20).spawn(bounded)?;
    Ok(thread.join().map_err(|_| "it panicked")??)
}

async fn records_are_bounded() -> Tested {
    let queries = QueryRegistry::new();
    let session = session(&queries)?;
    let long = format!("SELECT '{}' AS text", "é".repeat(100_000));
    session.query(&long).await?.into_rows()?.collect().await?;
    let record = queries.recent(1).pop().ok_or("no record")?;
    assert!(record.text.len() < 9000 && long.starts_with(record.text.trim_end_matches('…')), "{}", record.text.len());
    let columns: Vec<String> = (0..100).map(|number| format!("({number}) AS c{number}")).collect();
    let unions = vec![format!("SELECT {}", columns.join(", ")); 16].join(" UNION ALL ");
    session.query(&unions).await?.into_rows()?.collect().await?;
    let plan = queries.recent(1).pop().and_then(|record| record.plan.clone()).ok_or("no plan")?;
    assert!(size_of_plan(&plan) < 40 << 10, "{}", size_of_plan(&plan));
    let first = queries.recent(10).pop().ok_or("no record")?.id.clone();
    for _ in 0..1000 {
        assert!(matches!(session.query("EXPLAIN SELECT 1").await?, Outcome::Explain(_)));
    }
    assert_eq!(queries.recent(usize::MAX).len(), 1000);
    assert!(queries.get(&first).is_none());
    assert_eq!(queries.totals().done, 1002);
    Ok(())
}

fn size_of_plan(plan: &super::PlanSummary) -> usize {
    let metrics = plan.metrics.iter().map(|metric| metric.name.len() + 16).sum::<usize>();
    plan.name.len() + plan.detail.len() + metrics + plan.inputs.iter().map(size_of_plan).sum::<usize>()
}

#[test]
fn secrets_are_taken_out_of_texts() {
    let cases = [
        ("ATTACH 'az://c/x' AS e WITH (account = 'name', key = 'c2VjcmV0')", "c2VjcmV0"),
        ("ATTACH 'az://c/x' AS e WITH (account = name, key = c2VjcmV0==, timeout = 5)", "c2VjcmV0"),
        ("ATTACH 's3://b/x' AS e WITH (unknown = 'hidden ''away''')", "hidden"),
        ("attach 'https://a.blob.core.windows.net/c/x.zarr?sv=2020&sig=aGlkZGVu%3D' AS e", "aGlkZGVu"),
        ("FROM 'https://h/x.zarr?token=hidden away' |> REDUCE avg(t) ALONG y", "hidden"),
        ("FROM 's3://b/x' WITH (secret_access_key = 'hidden!') |> REDUCE avg(t) ALONG y", "hidden"),
        ("CREATE EXTERNAL TABLE e STORED AS ZARR LOCATION 's3://b/x' OPTIONS ('aws.secret' 'hidden!')", "hidden"),
        ("COPY t TO 's3://b/x.parquet' OPTIONS ('aws.secret_access_key' 'hidden!')", "hidden"),
        ("FROM t |> INTO 's3://b/x' WITH (codec = 'zstd', session_token = 'hidden!')", "hidden"),
        ("SELECT f(secret => 'hidden!', key => 'hidden2')", "hidden"),
        ("SET x.password = 'hidden!'", "hidden"),
        ("ATTACH 'x' AS e WITH (key = 'hidden", "hidden"),
        ("-- don't\nATTACH 'x' AS e WITH (key = 'hidden!')", "hidden"),
        ("/* ATTACH 'x' AS e WITH (key = 'hidden!') */ SELECT 1", "hidden"),
        ("FROM \"https://u:hidden@h/x\"", "hidden"),
        ("FROM $$https://h/x?sig=hidden$$", "hidden"),
        ("SELECT 'sv=1&sig=hidden!'", "hidden"),
    ];
    for (text, secret) in cases {
        let redacted = redact(text);
        assert!(!redacted.text().contains(secret), "{}", redacted.text());
        assert!(redacted.text().contains("<secret>") || text.contains("u:"), "{}", redacted.text());
    }
    let kept = [
        "ATTACH 'az://c/x' AS e WITH (account = 'name', timeout = 5, decode_cf = false)",
        "SELECT key, sum(a) FROM t WHERE key = 'lon' GROUP BY key ORDER BY key -- the end",
        "CREATE CLUSTER pc WITH (min = 1, memory = '2 GiB')",
        "FROM t |> PLOT TO 'x.png' WITH (width = 12, title = 'Daily')",
        "FROM 'a?b.zarr'[time = '1980':'1990'] |> REDUCE avg(t) ALONG y, x",
        "SELECT $1, 'é', \"A b\", a.\"key\", E'x', 1e5 FROM s.t",
    ];
    for text in kept {
        assert_eq!(redact(text).text(), text);
    }
}

#[test]
fn secrets_of_a_text_are_taken_out_of_messages() {
    let text = "ATTACH 'https://a/x?sv=2020-01&sig=aGlkZGVu%3D' AS e WITH (key = 'it''s hidden')";
    let redacted = redact(text);
    for message in [
        "cannot open https://a/x?sv=2020-01&sig=aGlkZGVu%3D: it is not there",
        "the server said: aGlkZGVu= and aGlkZGVu%3D are wrong",
        "no key `it's hidden`",
        "got 'it''s hidden'",
    ] {
        let clean = redacted.clean(message);
        assert!(!clean.contains("aGlkZGVu") && !clean.contains("s hidden"), "{clean}");
    }
    assert_eq!(
        redact("SELECT 1").clean("s3://b/k is at https://u:p@h/x?y=1, so"),
        "s3://b/k is at https://h/x?<secret>, so"
    );
}

#[tokio::test]
async fn records_hold_no_secrets() -> Tested {
    let queries = QueryRegistry::new();
    let session = session(&queries)?;
    let text = "ATTACH 'no/such/place.zarr' AS e WITH (secret_access_key = 'hidden away')";
    let error = session.query(text).await.err().ok_or("it was there")?;
    let record = queries.recent(1).pop().ok_or("no record")?;
    assert_eq!(record.state, QueryState::Failed);
    assert!(record.error.is_some() && !format!("{record:?}").contains("hidden"), "{record:?} {error}");
    Ok(())
}

#[tokio::test]
async fn statements_are_shown_and_cancelled_by_statements() -> Tested {
    let queries = QueryRegistry::new();
    let session = session(&queries)?;
    let mut rows = session.query(MANY_ROWS).await?.into_rows()?;
    rows.next().await?;
    let other = Session::builder().queries(Arc::clone(&queries)).user("bob").build()?;
    let shown = other.query("SHOW QUERIES").await?.into_rows()?.collect().await?;
    assert_eq!(shown.iter().map(|batch| batch.num_rows()).sum::<usize>(), 2);
    let text = "SELECT id FROM system.queries WHERE state = 'running' AND \"user\" = 'ada' AND rows > 0";
    let found = other.query(text).await?.into_rows()?.collect().await?;
    let id = found.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten()).next();
    let id = id.ok_or("it is not shown")?.to_string();
    let cancel = format!("CANCEL QUERY '{id}'");
    let refused = other.query(&cancel).await.err().map(|error| error.to_string());
    assert_eq!(refused, Some(format!("no query `{id}` runs")));
    assert!(matches!(session.query(&cancel).await?, Outcome::Done(done) if done == format!("cancelled {id}")));
    assert!(matches!(rows.next().await, Err(Error::Cancelled)));
    assert_eq!(queries.get(&id).map(|record| record.state), Some(QueryState::Cancelled));
    Ok(())
}

#[tokio::test]
async fn a_plan_that_has_run_is_in_the_table() -> Tested {
    let queries = QueryRegistry::new();
    let session = session(&queries)?;
    session
        .query("SELECT value % 3 AS k, count(*) AS n FROM range(10) GROUP BY 1")
        .await?
        .into_rows()?
        .collect()
        .await?;
    let text = "SELECT plan FROM system.queries WHERE state = 'done' AND plan IS NOT NULL AND text LIKE '%range(10)%'";
    let found = session.query(text).await?.into_rows()?.collect().await?;
    let plans: Vec<&str> = found.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten()).collect();
    let [plan] = plans.as_slice() else { return Err(format!("expected a plan, found {plans:?}").into()) };
    assert!(plan.lines().any(|line| line.contains("AggregateExec: mode=") && line.contains("output_rows=3")), "{plan}");
    assert!(plan.lines().last().is_some_and(|line| line.starts_with("  ")), "{plan}");
    Ok(())
}

#[tokio::test]
async fn whoever_may_see_no_others_sees_their_own() -> Tested {
    let queries = QueryRegistry::new();
    session(&queries)?.query("EXPLAIN SELECT 1").await?;
    let of = |name: &str| Session::builder().threads(1).queries(Arc::clone(&queries)).user(name);
    let bob = of("bob").sees_own_queries().build()?;
    bob.query("EXPLAIN SELECT 2").await?;
    let users = |batches: Vec<arrow::record_batch::RecordBatch>| -> Vec<String> {
        let columns = batches.iter().filter_map(|batch| batch.column_by_name("user")?.as_string_opt::<i32>());
        let mut users: Vec<String> = columns.flat_map(|names| names.iter().flatten().map(str::to_string)).collect();
        users.sort();
        users.dedup();
        users
    };
    for text in ["SHOW QUERIES", "SELECT * FROM system.queries"] {
        let (own, all) = (bob.query(text).await?.into_rows()?, of("carol").build()?.query(text).await?.into_rows()?);
        assert_eq!(users(own.collect().await?), ["bob"], "{text}");
        let seen = users(all.collect().await?);
        assert!(seen.iter().any(|user| user == "ada") && seen.iter().any(|user| user == "bob"), "{text}: {seen:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_runs_has_a_page_where_there_are_pages() -> Tested {
    let queries = QueryRegistry::new();
    let (session, other) = (session(&queries)?, session(&queries)?);
    let rows = session.query(MANY_ROWS).await?.into_rows()?;
    assert_eq!(session.page(), None, "nobody shows pages");
    queries.shown_at("http://127.0.0.1:1/");
    queries.shown_at("http://127.0.0.1:2/");
    let running = queries.running();
    let page = format!("http://127.0.0.1:1/query/{}", running.first().ok_or("nothing runs")?.id);
    assert_eq!((session.page(), other.page()), (Some(page), None));
    let Outcome::Explain(text) = other.query("EXPLAIN ANALYZE SELECT 1 AS a").await? else { return Err("rows".into()) };
    let measured = queries.recent(1);
    let id = &measured.first().ok_or("nothing was measured")?.id;
    assert!(text.ends_with(&format!("\n\npage: http://127.0.0.1:1/query/{id}\n")), "{text}");
    drop(rows);
    assert_eq!(session.page(), None);
    Ok(())
}
