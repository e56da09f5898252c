//! Metrics as they are told.

use std::sync::Arc;

use async_trait::async_trait;
use quarray_engine::Session;
use quarray_engine::queries::QueryRegistry;

use super::{Families, MetricSource, Metrics, QueriesSource};

type Tested = Result<(), Box<dyn std::error::Error>>;

/// The number of a line that begins with this.
fn value(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn statements_are_counted_by_their_outcome() -> Tested {
    let queries = QueryRegistry::new();
    let session = Session::builder().threads(1).queries(queries.clone()).build()?;
    let metrics = Metrics::new().with(QueriesSource::new(queries));
    session.query("SELECT 1").await?.into_rows()?.collect().await?;
    session.query("SELECT 2").await?.into_rows()?.collect().await?;
    assert!(session.query("SELECT nothing").await.is_err());
    drop(session.query("SELECT 3").await?);
    let waiting = session.query("SELECT 4").await?;
    let text = metrics.render().await;
    let found = |name: &str| value(&text, name).unwrap_or(f64::NAN);
    assert_eq!(found("quarray_queries_total{outcome=\"done\"}"), 2.0);
    assert_eq!(found("quarray_queries_total{outcome=\"failed\"}"), 1.0);
    assert_eq!(found("quarray_queries_total{outcome=\"cancelled\"}"), 1.0);
    assert_eq!((found("quarray_queries_running"), found("quarray_sessions_open")), (1.0, 1.0));
    assert_eq!(found("quarray_query_seconds_count"), 4.0);
    assert_eq!(found("quarray_query_seconds_bucket{le=\"+Inf\"}"), 4.0);
    assert!(found("quarray_query_seconds_sum") > 0.0 && found("quarray_process_cpu_seconds_total") > 0.0);
    assert!(found("quarray_process_resident_bytes") > 1e6 && found("quarray_memory_limit_bytes") > 1e6);
    drop((waiting, session));
    assert_eq!(value(&metrics.render().await, "quarray_sessions_open"), Some(0.0));
    Ok(())
}

struct Two;

#[async_trait]
impl MetricSource for Two {
    async fn read(&self, into: &mut Families) {
        into.gauge("b", "A \"b\".", &[("of", "x\"y\\\n")], 1.5);
        into.gauge("b", "A \"b\".", &[("of", "z")], 2.0);
        into.counter("a_total", "All a.", &[], 3.0);
        into.histogram("c_seconds", "Some c.", &[1.0, 2.0], &[4, 5, 6], 7.5);
    }
}

#[tokio::test]
async fn the_format_is_that_of_prometheus() {
    let two: Arc<dyn MetricSource> = Arc::new(Two);
    let text = Metrics { sources: Arc::from([two]) }.render().await;
    let expected = r#"# HELP a_total All a.
# TYPE a_total counter
a_total 3
# HELP b A "b".
# TYPE b gauge
b{of="x\"y\\\n"} 1.5
b{of="z"} 2
# HELP c_seconds Some c.
# TYPE c_seconds histogram
c_seconds_bucket{le="1"} 4
c_seconds_bucket{le="2"} 9
c_seconds_bucket{le="+Inf"} 15
c_seconds_sum 7.5
c_seconds_count 15
"#;
    assert_eq!(text, expected);
}

#[tokio::test]
async fn every_metric_is_in_the_list() {
    let list = include_str!("../../METRICS.md");
    let queries = QueriesSource::new(QueryRegistry::new());
    let text = Metrics::new().with(queries).with(super::TasksSource).render().await;
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let missing: Vec<&str> = names.filter(|name| !list.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
