//! Reading NetCDF: what others read, files that are broken, and files elsewhere.

mod concatenated;
mod golden;
mod hostile;
mod reading;
mod remote;
