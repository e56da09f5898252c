//! A result → what to draw. Pixels are made elsewhere.

use crate::error::Error;
use crate::outcome::{PlotSpec, Rows};

/// What to draw of a result.
pub async fn plot(_rows: Rows, _to: Option<String>, _options: &[(String, String)]) -> Result<PlotSpec, Error> {
    Err(Error::Internal("not there yet".to_string()))
}
