//! Texts to statements, and statements to plans.

use divan::Bencher;
use quarray_engine::{Outcome, Session};
use tokio::runtime::Runtime;

/// A store of 12 months.
const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/rnz-bcsd.zarr");

/// Queries by what they are made of.
const QUERIES: [(&str, &str); 4] = [
    ("a reduction", "FROM climate |> REDUCE avg(tas) ALONG latitude, longitude"),
    ("plain SQL", "SELECT time, avg(tas) AS tas, max(pr) FROM climate WHERE latitude > 35 GROUP BY time ORDER BY time"),
    (
        "brackets and a climatology",
        "FROM climate[time = '1999-01':'1999-06', latitude = 34:36] |> AGGREGATE avg(tas) AS tas GROUP BY latitude, longitude, month(time) AS month",
    ),
    (
        "an anomaly and a window",
        "FROM climate |> EXTEND tas - avg(tas) OVER (PARTITION BY latitude, longitude, month(time)) AS anomaly, avg(pr[time-2:time]) AS wet |> REDUCE max(anomaly), avg(wet) ALONG time",
    ),
];

const NAMES: [&str; 4] = [QUERIES[0].0, QUERIES[1].0, QUERIES[2].0, QUERIES[3].0];

fn text_of(name: &str) -> &'static str {
    QUERIES.iter().find(|(query, _)| *query == name).map_or("", |(_, text)| text)
}

/// Text to statement.
#[divan::bench(args = NAMES)]
fn parse(bencher: Bencher<'_, '_>, name: &str) {
    let text = text_of(name);
    bencher.bench_local(|| assert!(quarray_lang::parse(text).is_ok()));
}

/// Text to physical plan, by way of `EXPLAIN`.
#[divan::bench(args = NAMES)]
fn plan(bencher: Bencher<'_, '_>, name: &str) {
    let prepared = Runtime::new().map_err(|error| error.to_string()).and_then(|runtime| {
        let session = Session::builder().build().map_err(|error| error.to_string())?;
        let attached = runtime.block_on(session.attach("climate", STORE, &Default::default()));
        attached.map(|()| (runtime, session)).map_err(|error| error.to_string())
    });
    let (runtime, session) = prepared.unwrap_or_else(|error| unreachable!("{error}"));
    let explain = format!("EXPLAIN {}", text_of(name));
    bencher.bench_local(|| {
        let planned = runtime.block_on(session.query(&explain));
        assert!(matches!(planned, Ok(Outcome::Explain(_))), "{explain}: {planned:?}");
    });
}
