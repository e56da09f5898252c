//! Where results are kept.

pub mod zarr;

use quarray_lang::syntax::IntoMode;

use crate::error::Error;
use crate::outcome::Rows;

/// Writes the rows of an array into a store.
pub async fn write_rows(
    _rows: Rows,
    _target: &str,
    _chunks: &[(String, u64)],
    _options: &[(String, String)],
    _mode: &IntoMode,
) -> Result<String, Error> {
    Err(Error::Internal("not there yet".to_string()))
}
