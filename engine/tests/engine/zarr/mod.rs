//! Reading Zarr: what others wrote and read, the CF conventions, and hostile stores.

mod cf;
mod corpus;
mod hostile;
mod reading;
