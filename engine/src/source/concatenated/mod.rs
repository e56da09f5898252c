//! Several files as one dataset, along one dimension.
//!
//! [`addresses`] makes addresses of a pattern, each is opened as a dataset of its own, [`combine`] checks that they belong
//! together and makes one of them, whose arrays ([`array`]) are read from theirs.

mod addresses;
mod array;
mod combine;
mod region;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::dataset::Dataset;
use crate::source::SourceError;

pub use addresses::{expand, is_pattern};
pub(super) use region::assembled;

/// Files that are opened at the same time.
const FILES_IN_FLIGHT: usize = 16;

/// The dataset of several files, each yet to be opened, in their order, along a dimension: the one told, or else the one
/// whose labels differ.
///
/// # Errors
/// Those of each file, and [`SourceError::Address`] where the files are no one dataset.
pub(super) async fn open(
    uri: String,
    files: Vec<BoxFuture<'static, Result<Dataset, SourceError>>>,
    along: Option<String>,
) -> Result<Dataset, SourceError> {
    // Futures that own all they look at, made before they are waited for: of others the compiler cannot tell that they may
    // be sent to other threads.
    let reads: Vec<BoxFuture<'static, Result<combine::Part, SourceError>>> =
        files.into_iter().map(|file| combine::Part::read(file).boxed()).collect();
    let parts: Vec<combine::Part> = stream::iter(reads).buffered(FILES_IN_FLIGHT).try_collect().await?;
    combine::combine(&uri, parts, along.as_deref()).await
}
