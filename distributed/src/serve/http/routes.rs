//! Which path is answered by what.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde_json::json;
use std::collections::HashMap;
use tokio::sync::Semaphore;

use super::streams::{overview_stream, query_stream};
use crate::metrics::{self, Metrics};
use crate::serve::dashboard::{Asset, Dashboard, HistoryFilter, Seen, Viewer, asset, shell};

/// Pages that watch at once, at most.
const WATCHERS_MAX: usize = 64;

/// What the handlers share.
pub(super) struct Routes {
    pub(super) dashboard: Arc<Dashboard>,
    metrics: Metrics,
    /// Leave to watch.
    pub(super) watchers: Arc<Semaphore>,
}

impl Routes {
    pub(super) fn new(dashboard: Arc<Dashboard>, metrics: Metrics) -> Self {
        Self { dashboard, metrics, watchers: Arc::new(Semaphore::new(WATCHERS_MAX)) }
    }
}

type Shared = State<Arc<Routes>>;

/// The paths of a server.
pub(super) fn routes(shared: Arc<Routes>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/query/{id}", get(page))
        .route("/executors", get(page))
        .route("/history", get(page))
        .route("/compare", get(page))
        .route("/assets/{*path}", get(file))
        .route("/api/overview", get(overview))
        .route("/api/series", get(series))
        .route("/api/executors", get(executors))
        .route("/api/history", get(history))
        .route("/api/queries/{id}", get(query))
        .route("/api/queries/{id}/cancel", post(cancel))
        .route("/api/live", get(overview_stream))
        .route("/api/queries/{id}/live", get(query_stream))
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(tell_metrics))
        .fallback(nothing)
        .with_state(shared)
}

async fn page() -> Response {
    sent(shell())
}

async fn file(Path(path): Path<String>) -> Response {
    asset(&path).map_or_else(not_found, sent)
}

async fn overview(State(shared): Shared, Extension(viewer): Extension<Viewer>) -> Response {
    text(shared.dashboard.overview(&viewer).await.to_string())
}

async fn series(State(shared): Shared) -> Response {
    text(shared.dashboard.series().to_string())
}

async fn executors(State(shared): Shared) -> Response {
    text(shared.dashboard.executors().to_string())
}

async fn history(
    State(shared): Shared,
    Extension(viewer): Extension<Viewer>,
    Query(mut asked): Query<HashMap<String, String>>,
) -> Response {
    let mut value = |name: &str| asked.remove(name).unwrap_or_default();
    let filter = HistoryFilter { text: value("text"), state: value("state") };
    text(shared.dashboard.history(&filter, &viewer).to_string())
}

async fn query(State(shared): Shared, Extension(viewer): Extension<Viewer>, Path(id): Path<String>) -> Response {
    let found = shared.dashboard.query(&id, &viewer, &mut Seen::default());
    found.map_or_else(|| missing("no query has that name, or it was forgotten"), |query| text(query.to_string()))
}

async fn cancel(State(shared): Shared, Extension(viewer): Extension<Viewer>, Path(id): Path<String>) -> Response {
    match shared.dashboard.cancel(&id, &viewer) {
        Ok(()) => text(json!({ "cancelled": id }).to_string()),
        Err(error) => missing(&error.to_string()),
    }
}

async fn healthy() -> &'static str {
    "ok\n"
}

async fn ready(State(shared): Shared) -> Response {
    match shared.dashboard.is_ready() {
        true => "ready\n".into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready yet\n").into_response(),
    }
}

async fn tell_metrics(State(shared): Shared) -> Response {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], shared.metrics.render().await).into_response()
}

async fn nothing() -> Response {
    not_found()
}

fn sent(asset: Asset) -> Response {
    // Files change with the program: a browser asks again each time, and gets some tens of kilobytes.
    ([(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, "no-cache")], asset.bytes).into_response()
}

fn text(json: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], json).into_response()
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "there is no such page\n").into_response()
}

pub(super) fn missing(reason: &str) -> Response {
    let told = json!({ "error": reason }).to_string();
    (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "application/json")], told).into_response()
}
