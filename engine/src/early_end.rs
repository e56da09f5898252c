//! What ends a statement before its last row: its time is over, or it was cancelled.
//!
//! Rows tell it themselves when they are asked for the next one. Whoever holds some and waits for something else (a reader
//! that is slow) learns it here.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;

use futures::future::select;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::queries::Cancellation;

/// The end of a statement whose rows are not read to their end. Clones share it.
#[derive(Clone, Default)]
pub struct EarlyEnd(Arc<Mutex<Causes>>);

#[derive(Clone, Default)]
struct Causes {
    deadline: Option<Instant>,
    cancellation: Option<Cancellation>,
}

impl EarlyEnd {
    /// Waits until the statement has come to such an end; for ever, where nothing ends it. What its rows give from then on
    /// is the reason, at once. For their reader alone, who does not read meanwhile.
    pub async fn reached(&self) {
        let Causes { deadline, cancellation } = self.0.lock().clone();
        let late = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => pending().await,
            }
        };
        let cancelled = async {
            match cancellation {
                Some(cancellation) => cancellation.reached().await,
                None => pending().await,
            }
        };
        select(pin!(late), pin!(cancelled)).await;
    }

    /// Is that of another statement from now on, whose rows follow.
    pub fn follow(&self, next: &Self) {
        let causes = next.0.lock().clone();
        *self.0.lock() = causes;
    }

    /// The time is over then.
    pub(crate) fn at(&self, deadline: Instant) {
        self.0.lock().deadline = Some(deadline);
    }

    /// It may be cancelled so.
    pub(crate) fn by(&self, cancellation: Cancellation) {
        self.0.lock().cancellation = Some(cancellation);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use crate::error::Error;
    use crate::session::Session;

    type Ended = Result<(), Box<dyn std::error::Error>>;

    const LONG: &str = "SELECT value FROM range(1000000000000)";

    /// Nobody waits longer for what comes at once.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reader_that_waits_learns_that_the_time_is_over() -> Ended {
        let session = Session::builder().threads(2).time_limit(Duration::from_secs(1)).build()?;
        let mut rows = session.query(LONG).await?.into_rows()?;
        rows.next().await?.ok_or("no rows")?;
        tokio::time::timeout(PATIENCE, rows.early_end().reached()).await?;
        let told = tokio::time::timeout(PATIENCE, rows.next()).await?;
        assert!(matches!(&told, Err(Error::Resources(_))), "{told:?}");
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reader_that_waits_learns_that_it_was_cancelled() -> Ended {
        let session = Session::builder().threads(2).build()?;
        let mut rows = session.query(LONG).await?.into_rows()?;
        rows.next().await?.ok_or("no rows")?;
        let end = rows.early_end();
        assert!(end.reached().now_or_never().is_none());
        let waits = tokio::spawn(async move { end.reached().await });
        let id = session.queries().running().pop().ok_or("nothing runs")?.id;
        assert!(session.queries().cancel(&id));
        tokio::time::timeout(PATIENCE, waits).await??;
        assert!(matches!(rows.next().await, Err(Error::Cancelled)));
        // One that comes late learns it too.
        assert!(rows.early_end().reached().now_or_never().is_some());
        Ok(())
    }
}
