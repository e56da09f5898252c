//! How much of a server a user may have at once.

use std::time::{Duration, Instant};

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
