//! The mean over space of a variable, as an ndarray.
//!
//! `cargo run --example mean_space [store]`

use quarray_engine::{Error, Labelled, Session};

const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/rnz-bcsd.zarr");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::env::args().nth(1).unwrap_or(STORE.to_string());
    let mean = mean_over_space(&store).await?;
    println!("{:?}", mean.dimension("time")?.labels);
    println!("{}", mean.values_f64("tas")?);
    Ok(())
}

/// One temperature a month, over all of the grid.
pub async fn mean_over_space(store: &str) -> Result<Labelled, Error> {
    let session = Session::builder().build()?;
    session.attach("climate", store, &Default::default()).await?;
    let rows = session.query("FROM climate |> REDUCE avg(tas) ALONG latitude, longitude").await?.into_rows()?;
    Labelled::collect(rows).await
}
