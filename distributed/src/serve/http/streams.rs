//! Figures that go on coming, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::watch::Receiver;

use super::routes::{Routes, missing};
use crate::serve::dashboard::{Dashboard, Seen, Viewer};

/// A stream without news says so this often: a connection that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Someone who watches.
struct Watcher {
    viewer: Viewer,
    dashboard: Arc<Dashboard>,
    ticks: Receiver<u64>,
    closing: Receiver<bool>,
    is_first: bool,
    _permit: OwnedSemaphorePermit,
}

/// The overview, whenever there may be news.
pub(super) async fn overview_stream(
    State(shared): State<Arc<Routes>>,
    Extension(viewer): Extension<Viewer>,
) -> Response {
    let Some(watcher) = Watcher::new(&shared, viewer) else { return too_many() };
    let events = stream::unfold(watcher, |mut watcher| async move {
        watcher.wait().await?;
        let text = watcher.dashboard.overview(&watcher.viewer).await;
        Some((Event::default().event("overview").data(&*text), watcher))
    });
    answer(events)
}

/// A statement, whenever there may be news, until it is over.
pub(super) async fn query_stream(
    State(shared): State<Arc<Routes>>,
    Extension(viewer): Extension<Viewer>,
    Path(id): Path<String>,
) -> Response {
    if shared.dashboard.query(&id, &viewer, &mut Seen::default()).is_none() {
        return missing("no query has that name, or it was forgotten");
    }
    let Some(watcher) = Watcher::new(&shared, viewer) else { return too_many() };
    let state = Some((watcher, Seen::default(), id));
    let events = stream::unfold(state, |state| async move {
        let (mut watcher, mut seen, id) = state?;
        watcher.wait().await?;
        let query = watcher.dashboard.query(&id, &watcher.viewer, &mut seen)?;
        let is_over = query.pointer("/query/is_over").and_then(serde_json::Value::as_bool).unwrap_or(true)
            && watcher.dashboard.is_settled(&id);
        let event = Event::default().event(if is_over { "end" } else { "query" }).data(query.to_string());
        Some((event, if is_over { None } else { Some((watcher, seen, id)) }))
    });
    answer(events)
}

fn answer(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let events = events.map(Ok::<_, Infallible>);
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

fn too_many() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "too many pages watch at once\n").into_response()
}

impl Watcher {
    /// `None` where too many watch.
    fn new(shared: &Routes, viewer: Viewer) -> Option<Self> {
        let permit = Arc::clone(&shared.watchers).try_acquire_owned().ok()?;
        let dashboard = Arc::clone(&shared.dashboard);
        let (ticks, closing) = (dashboard.ticks(), dashboard.closing());
        Some(Self { viewer, dashboard, ticks, closing, is_first: true, _permit: permit })
    }

    /// Waits for news; the first time there are some. `None` at the end.
    async fn wait(&mut self) -> Option<()> {
        if std::mem::take(&mut self.is_first) {
            self.ticks.mark_unchanged();
            return Some(());
        }
        tokio::select! {
            changed = self.ticks.changed() => changed.ok(),
            _ = self.closing.wait_for(|is_closed| *is_closed) => None,
        }
    }
}
