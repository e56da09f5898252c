//! A limit on how long statements may take, until their last row.

use std::time::Duration;

use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::Session;
use crate::error::Error;
use crate::outcome::Outcome;

impl Session {
    /// Does something for the session, in no more time than its statements may take.
    pub async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        match from_now(self.shared.time_limit) {
            Some((limit, deadline)) => timeout_at(deadline, work).await.map_err(|_| Error::Resources(words(limit))),
            None => Ok(work.await),
        }
    }
}

/// The limit, and when it is reached. One beyond all clocks is none.
fn from_now(limit: Option<Duration>) -> Option<(Duration, Instant)> {
    let limit = limit?;
    Some((limit, Instant::now().checked_add(limit)?))
}

/// The outcome of a statement, or an error once it has taken so long.
pub(super) async fn within(
    limit: Option<Duration>,
    statement: impl Future<Output = Result<Outcome, Error>>,
) -> Result<Outcome, Error> {
    let Some((limit, deadline)) = from_now(limit) else { return statement.await };
    let outcome = timeout_at(deadline, statement).await.map_err(|_| Error::Resources(words(limit)))??;
    Ok(match outcome {
        Outcome::Rows(rows) => {
            rows.early_end().at(deadline);
            Outcome::Rows(rows.map_stream(|stream| until(stream, deadline, limit)))
        }
        other => other,
    })
}

/// The rows until then. What makes them is dropped when the time is over.
fn until(rows: SendableRecordBatchStream, deadline: Instant, limit: Duration) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let limited = stream::unfold(Some(rows), move |rows| async move {
        let mut rows = rows?;
        // Rows that are there at once are there before any clock is looked at.
        if Instant::now() < deadline
            && let Ok(next) = timeout_at(deadline, rows.next()).await
        {
            return next.map(|next| (next, Some(rows)));
        }
        Some((Err(DataFusionError::ResourcesExhausted(words(limit))), None))
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, limited))
}

fn words(limit: Duration) -> String {
    format!("the statement has taken more than {} s, which is the limit for its user", limit.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Ended = Result<(), Box<dyn std::error::Error>>;

    /// More work than anyone would wait for.
    const LONG: &str = "SELECT count(*) AS n FROM range(1000000000000) WHERE value % 7 = 3";

    fn session(limit: Duration) -> Result<Session, Error> {
        Session::builder().threads(2).memory_limit(64 << 20).time_limit(limit).build()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_statement_ends_when_its_time_is_over() -> Ended {
        let session = session(Duration::from_secs(2))?;
        let begun = std::time::Instant::now();
        let mut rows = session.query(LONG).await?.into_rows()?;
        let Err(Error::Resources(words)) = rows.next().await else { return Err("it goes on".into()) };
        assert_eq!(words, "the statement has taken more than 2 s, which is the limit for its user");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        assert!(rows.next().await?.is_none(), "rows go on after the end");
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn rows_that_come_quickly_end_too() -> Ended {
        let mut rows =
            session(Duration::from_secs(1))?.query("SELECT value FROM range(1000000000000)").await?.into_rows()?;
        let begun = std::time::Instant::now();
        let ended = loop {
            match rows.next().await {
                Ok(Some(_)) if begun.elapsed() < Duration::from_secs(20) => {}
                ended => break ended,
            }
        };
        assert!(matches!(&ended, Err(Error::Resources(_))), "{ended:?}");
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_quick_statement_is_left_alone() -> Ended {
        for limit in [Duration::from_secs(60), Duration::MAX] {
            let rows = session(limit)?.query("SELECT 1 AS n").await?.into_rows()?;
            assert_eq!(rows.collect().await?.iter().map(|batch| batch.num_rows()).sum::<usize>(), 1);
        }
        Ok(())
    }
}
