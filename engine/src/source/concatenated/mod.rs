//! Several files as one dataset, along one dimension.
//!
//! [`addresses`] makes addresses of a pattern, each is opened as a dataset of its own, [`combine`] checks that they belong
//! together and makes one of them, whose arrays ([`array`]) are read from theirs.

mod addresses;
mod array;
mod combine;
mod region;

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};

use crate::dataset::Dataset;
use crate::source::SourceError;

pub use addresses::{expand, is_pattern};

/// Files that are opened at the same time.
const FILES_IN_FLIGHT: usize = 16;

/// The dataset of several files, in their order, along a dimension: the one told, or else the one whose labels differ.
///
/// # Errors
/// Those of each file, and [`SourceError::Address`] where the files are no one dataset.
pub(super) async fn open<'a>(
    uri: &str,
    files: Vec<String>,
    along: Option<&str>,
    open_one: impl Fn(String) -> BoxFuture<'a, Result<Dataset, SourceError>>,
) -> Result<Dataset, SourceError> {
    let parts: Vec<combine::Part> = stream::iter(files)
        .map(|file| {
            let opened = open_one(file);
            async move { combine::Part::read(opened.await?).await }
        })
        .buffered(FILES_IN_FLIGHT)
        .try_collect()
        .await?;
    combine::combine(uri, parts, along).await
}
