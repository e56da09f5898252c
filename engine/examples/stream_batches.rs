//! The cells of a subset as a stream of Arrow batches: as much as memory holds at a time, however large the result.
//!
//! `cargo run --example stream_batches [store]`

use quarray_engine::{Error, Rows, Session};

const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/rnz-bcsd.zarr");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::env::args().nth(1).unwrap_or(STORE.to_string());
    let mut rows = warm_cells(&store).await?;
    while let Some(batch) = rows.next().await? {
        println!(
            "{} rows of {:?}",
            batch.num_rows(),
            batch.schema().fields().iter().map(|f| f.name()).collect::<Vec<_>>()
        );
    }
    Ok(())
}

/// Where and when it was warm in the first half of the year.
pub async fn warm_cells(store: &str) -> Result<Rows, Error> {
    let session = Session::builder().threads(2).build()?;
    session.attach("climate", store, &Default::default()).await?;
    session
        .query("FROM climate[time[0:6]] |> WHERE tas > 10 |> SELECT time, latitude, longitude, tas")
        .await?
        .into_rows()
}
