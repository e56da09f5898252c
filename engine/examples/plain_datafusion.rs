//! A dataset inside a DataFusion context of one's own, beside any other tables.
//!
//! `cargo run --example plain_datafusion [store]`

use datafusion::prelude::{DataFrame, SessionContext};
use quarray_engine::provider::dataset_tables;

const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/rnz-bcsd.zarr");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::env::args().nth(1).unwrap_or(STORE.to_string());
    mean_by_latitude(&store).await?.show().await?;
    Ok(())
}

/// The mean of each row of the grid, in plain SQL.
pub async fn mean_by_latitude(store: &str) -> Result<DataFrame, Box<dyn std::error::Error>> {
    let context = SessionContext::new();
    for (name, table) in dataset_tables("climate", store, &Default::default()).await? {
        context.register_table(name, table)?;
    }
    let query = "SELECT latitude, avg(tas) AS tas FROM climate GROUP BY latitude ORDER BY latitude";
    Ok(context.sql(query).await?)
}
