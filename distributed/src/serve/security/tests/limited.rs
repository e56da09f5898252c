//! How much of a server a user may have at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array};
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandStatementIngest, TableDefinitionOptions};
use futures::{StreamExt, stream};
use quarray_engine::{Error, Outcome};
use tonic::Code;

use super::{Bench, Ended, Manners, UserLimits, check, run};

/// Rows without end, for all that anyone waits.
const LONG: &str = "SELECT value FROM range(1000000000000)";

#[tokio::test(flavor = "multi_thread")]
async fn some_statements_run_some_wait_and_the_next_is_refused() -> Ended {
    let limits = UserLimits { queries: Some(1), queue: Some(1), ..UserLimits::default() };
    let bench = Bench::start(Manners { limits, ..Manners::default() }).await?;
    let first = bench.session("ada").await?;
    let held = first.query(LONG).await?;
    let mut waiting = bench.calls_of("ada").await?;
    let waits = tokio::spawn(async move { waiting.run("SELECT 1 AS n").await });
    // It waits by now, or will be the one that is refused.
    let mut refused = bench.calls_of("ada").await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    check("one too many", refused.run("SELECT 1 AS n").await, &[Code::ResourceExhausted])?;
    // Others are not held up.
    assert_eq!(run(&bench.session("bob").await?, "SELECT 1 AS n").await?, 1);
    assert!(!waits.is_finished(), "a statement did not wait for its turn");
    drop(held);
    tokio::time::timeout(Duration::from_secs(20), waits).await???;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_fetched_make_room() -> Ended {
    let limits = UserLimits { queries: Some(1), queue: Some(0), ..UserLimits::default() };
    let bench = Bench::start(Manners { limits, queries_max: Some(1), ..Manners::default() }).await?;
    let ada = bench.session("ada").await?;
    for _ in 0..20 {
        assert_eq!(run(&ada, "SELECT 1 AS n").await?, 1);
        run(&ada, "CREATE OR REPLACE VIEW v AS SELECT 1 AS n").await?;
        assert!(run(&ada, "SELECT nothing").await.is_err());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_nobody_asks_for_take_no_turn_and_no_time() -> Ended {
    let limits = UserLimits { queries: Some(1), queue: Some(0), ..UserLimits::default() };
    let bench = Bench::start(Manners { limits, ..Manners::default() }).await?;
    let mut ada = bench.calls_of("ada").await?;
    let ticket = ada.ticket("SELECT 7 AS n").await?;
    let other = bench.session("ada").await?;
    let held = other.query(LONG).await?;
    // Whoever is refused a turn still has the ticket.
    check("no turn", ada.fetch(ticket.clone()).await, &[Code::ResourceExhausted])?;
    drop(held);
    let fetched = async {
        while let Err(status) = ada.fetch(ticket.clone()).await {
            check("no turn yet", Err::<(), _>(status), &[Code::ResourceExhausted])?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ended::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(20), fetched).await?
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_reading_gives_its_turn_back() -> Ended {
    let limits =
        UserLimits { queries: Some(1), queue: Some(0), time: Some(Duration::from_secs(2)), ..UserLimits::default() };
    let bench = Bench::start(Manners { limits, ..Manners::default() }).await?;
    let (ada, other) = (bench.session("ada").await?, bench.session("ada").await?);
    let Outcome::Rows(mut rows) = ada.query(LONG).await? else { return Err("no rows".into()) };
    rows.next().await?.ok_or("no rows")?;
    assert!(matches!(run(&other, "SELECT 1 AS n").await, Err(Error::Resources(_))), "it has a turn beside the reader");
    let has_turn = async {
        while run(&other, "SELECT 1 AS n").await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), has_turn).await.map_err(|_| "a stalled reader keeps its turn")?;
    // It learns why, after what was on its way.
    let ended = loop {
        match rows.next().await {
            Ok(Some(_)) => {}
            ended => break ended,
        }
    };
    let Err(Error::Resources(words)) = ended else { return Err(format!("{ended:?}").into()) };
    assert!(words.contains("more than 2 s"), "{words}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_stops_sending_gives_its_turn_back() -> Ended {
    let limits =
        UserLimits { queries: Some(1), queue: Some(0), time: Some(Duration::from_secs(1)), ..UserLimits::default() };
    let bench = Bench::start(Manners { limits, ..Manners::default() }).await?;
    let calls = bench.calls_of("ada").await?;
    let mut client = FlightSqlServiceClient::new_from_inner(calls.client);
    let token = calls.header.as_deref().and_then(|header| header.strip_prefix("Bearer ")).ok_or("no token")?;
    client.set_token(token.to_string());
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let rows = RecordBatch::try_from_iter([("a", column)])?;
    let options = TableDefinitionOptions { if_not_exist: 1, if_exists: 1 };
    let command = CommandStatementIngest {
        table_definition_options: Some(options),
        table: "taken".to_string(),
        ..CommandStatementIngest::default()
    };
    let stalled = stream::iter([Ok(rows)]).chain(stream::pending());
    let sent = tokio::time::timeout(Duration::from_secs(30), client.execute_ingest(command, stalled)).await;
    let error = sent.map_err(|_| "a stalled sender keeps its turn")?.err().ok_or("it has all rows")?.to_string();
    assert!(error.contains("more than 1 s"), "{error}");
    assert_eq!(run(&bench.session("ada").await?, "SELECT 1 AS n").await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn time_is_up() -> Ended {
    let limits = UserLimits { time: Some(Duration::from_secs(1)), ..UserLimits::default() };
    let bench = Bench::start(Manners { limits, ..Manners::default() }).await?;
    let ada = bench.session("ada").await?;
    let begun = Instant::now();
    let Err(Error::Resources(words)) = run(&ada, LONG).await else { return Err("it goes on".into()) };
    assert!(words.contains("more than 1 s"), "{words}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(run(&ada, "SELECT 1 AS n").await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_that_of_all_sessions_of_a_user() -> Ended {
    let limits = UserLimits { memory: Some(8 << 20), ..UserLimits::default() };
    let bench = Bench::start(Manners { limits, ..Manners::default() }).await?;
    let sorted = "SELECT array_agg(value || 'some words to fill memory with') AS words FROM range(1000000)";
    let ada = bench.session("ada").await?;
    let Err(error) = run(&ada, sorted).await else { return Err("it has all the memory it wants".into()) };
    assert!(matches!(error, Error::Resources(_)), "{error:?}");
    // What was refused is given back.
    assert_eq!(run(&ada, "SELECT count(*) AS n FROM range(1000)").await?, 1);
    let Outcome::Rows(_) = bench.session("bob").await?.query("SELECT 1 AS n").await? else {
        return Err("no rows".into());
    };
    Ok(())
}
