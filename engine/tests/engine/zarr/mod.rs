//! Reading Zarr: what others wrote and read, the CF conventions, broken chunks and hostile stores.

mod broken;
mod cf;
mod corpus;
mod hostile;
mod mutants;
pub mod reading;
pub mod scratch;
