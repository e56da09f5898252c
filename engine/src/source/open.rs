//! Address → dataset: which format it is, and the options that say how it is read.

use std::fmt;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::SourceError;
use super::concatenated;
use super::file::SourceFile;
use super::netcdf;
use super::partition::PARTITION;
use super::stack::{self, STACK_OPTION};
use super::store::{Store, StoreOptions, without_secrets};
use super::tiff;
use super::warp::{WarpOptions, warp};
use super::zarr::{self, DecodeOptions};
use crate::access::AccessPolicy;
use crate::dataset::Dataset;

/// The options that say how a dataset is read, not how its store is reached.
const READ_OPTIONS: &[&str] =
    &["concat", "decode_cf", "format", "nan_as_null", "overview", PARTITION, STACK_OPTION, "warp"];

/// How the bytes of a dataset are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A Zarr group or array.
    Zarr,
    /// A TIFF file: GeoTIFF, cloud-optimised or not.
    Tiff,
    /// A NetCDF or HDF5 file, or a group of one.
    NetCdf,
}

/// The ends of the names of TIFF files.
const TIFF_NAMES: &[&str] = &["tif", "tiff", "gtiff", "cog"];

impl Format {
    /// The format of what is at an address: as the option `format` says, or else by the end of its name.
    ///
    /// # Errors
    /// [`SourceError::Address`] for a format that there is not.
    pub fn of(uri: &str, options: &StoreOptions) -> Result<Self, SourceError> {
        match options.get("format").map(|name| name.to_ascii_lowercase()).as_deref() {
            None if has_end(uri, TIFF_NAMES) => Ok(Self::Tiff),
            None if split_group(uri).is_some() => Ok(Self::NetCdf),
            None => Ok(Self::Zarr),
            Some("zarr") => Ok(Self::Zarr),
            Some("tiff" | "cog") => Ok(Self::Tiff),
            Some("netcdf") => Ok(Self::NetCdf),
            Some(other) => {
                Err(wrong(uri, format!("option `format`: expected zarr, tiff, cog or netcdf, found `{other}`")))
            }
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Zarr => "zarr",
            Self::Tiff => "tiff",
            Self::NetCdf => "netcdf",
        })
    }
}

/// The options of an address: those that say how it is read, and those of its store.
pub fn split_options(options: &StoreOptions) -> (StoreOptions, StoreOptions) {
    let is_read = |name: &str| READ_OPTIONS.contains(&name);
    options.clone().into_iter().partition(|(name, _)| is_read(name))
}

/// Describes the dataset at an address, for whoever may touch what the policy says. A pattern of addresses is one dataset
/// too, along the dimension that the option `concat` tells. Option `warp` takes it to another reference system. How it is
/// cut for work (option `partition`) is a matter of plans.
///
/// # Errors
/// Those of the format and of the store; [`SourceError::Address`] for an option that cannot be used.
pub async fn open(uri: &str, options: &StoreOptions, access: &AccessPolicy) -> Result<Dataset, SourceError> {
    let mut options = options.clone();
    let warped = options.remove("warp").map(|text| WarpOptions::parse(&text)).transpose();
    let warped = warped.map_err(|message| wrong(uri, message))?;
    let dataset = open_where_it_lies(uri, options, access).await?;
    match warped {
        None => Ok(dataset),
        Some(options) => warp(dataset, &options).await,
    }
}

async fn open_where_it_lies(
    uri: &str,
    mut options: StoreOptions,
    access: &AccessPolicy,
) -> Result<Dataset, SourceError> {
    if let Some(manifest) = options.get(STACK_OPTION) {
        return stack::open(uri, manifest, access);
    }
    let along = options.remove("concat");
    if concatenated::is_pattern(uri) {
        return open_several(uri.to_string(), along, options, access.clone()).await;
    }
    if along.is_some() {
        let message = "option `concat`: expected the address of several files (`dir/*.nc`), found that of one";
        return Err(wrong(uri, message.to_string()));
    }
    open_one(uri, &options, access).await
}

/// Describes the dataset of several files.
fn open_several(
    uri: String,
    along: Option<String>,
    options: StoreOptions,
    access: AccessPolicy,
) -> BoxFuture<'static, Result<Dataset, SourceError>> {
    async move {
        let files = concatenated::expand(&uri, &split_options(&options).1, &access).await?;
        let opened = files.into_iter().map(|file| {
            let (options, access) = (options.clone(), access.clone());
            async move { open_one(&file, &options, &access).await }.boxed()
        });
        concatenated::open(without_secrets(&uri), opened.collect(), along).await
    }
    .boxed()
}

async fn open_one(uri: &str, options: &StoreOptions, access: &AccessPolicy) -> Result<Dataset, SourceError> {
    let (read, reach) = split_options(options);
    let decode = decode_options(uri, &read)?;
    let format = Format::of(uri, &read)?;
    if format != Format::Tiff && read.contains_key("overview") {
        return Err(wrong(uri, format!("option `overview`: expected a TIFF file, found {format}")));
    }
    match format {
        Format::Zarr => zarr::open(Store::open_for(uri, &reach, access)?, &decode).await,
        Format::Tiff => tiff::open(SourceFile::open(uri, &reach, access)?, &decode, overview(uri, &read)?).await,
        Format::NetCdf => {
            let (file, group) = split_group(uri).unwrap_or_else(|| (uri.to_string(), String::new()));
            netcdf::open(SourceFile::open(&file, &reach, access)?, &group, &decode).await
        }
    }
}

/// Whether the name at an address ends in a dot and one of some words.
fn has_end(uri: &str, ends: &[&str]) -> bool {
    let name = if uri.contains("://") { uri.split(['?', '#']).next().unwrap_or(uri) } else { uri };
    name.rsplit_once('.').is_some_and(|(_, end)| ends.iter().any(|expected| end.eq_ignore_ascii_case(expected)))
}

/// Which resolution of a TIFF file is read: 0 is the full one.
fn overview(uri: &str, options: &StoreOptions) -> Result<usize, SourceError> {
    let Some(value) = options.get("overview") else { return Ok(0) };
    value.parse().map_err(|_| wrong(uri, format!("option `overview`: expected a whole number, found `{value}`")))
}

/// The address of a NetCDF file and the group in it, by the end of the file's name.
fn split_group(uri: &str) -> Option<(String, String)> {
    let (place, query) = match uri.find('?').filter(|_| uri.contains("://")) {
        Some(mark) => uri.split_at(mark),
        None => (uri, ""),
    };
    let parts: Vec<&str> = place.split('/').collect();
    let is_file = |part: &&str| netcdf::EXTENSIONS.iter().any(|end| part.to_ascii_lowercase().ends_with(end));
    let at = parts.iter().rposition(is_file)?;
    let group: Vec<&str> = parts[at + 1..].iter().copied().filter(|part| !part.is_empty()).collect();
    // A store of another kind in a folder of such a name.
    let is_other = group.last().is_some_and(|last| last.to_ascii_lowercase().ends_with(".zarr"));
    (!is_other).then(|| (format!("{}{query}", parts[..=at].join("/")), group.join("/")))
}

/// How stored values become values.
pub(super) fn decode_options(uri: &str, options: &StoreOptions) -> Result<DecodeOptions, SourceError> {
    let default = DecodeOptions::default();
    Ok(DecodeOptions {
        decode_cf: flag(uri, options, "decode_cf")?.unwrap_or(default.decode_cf),
        nan_as_null: flag(uri, options, "nan_as_null")?.unwrap_or(default.nan_as_null),
    })
}

/// An option that is true or false, if it was given.
fn flag(uri: &str, options: &StoreOptions, name: &str) -> Result<Option<bool>, SourceError> {
    let Some(value) = options.get(name) else { return Ok(None) };
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "on" => Ok(Some(true)),
        "false" | "0" | "off" => Ok(Some(false)),
        other => Err(wrong(uri, format!("{name} is true or false, found {other}"))),
    }
}

fn wrong(uri: &str, message: String) -> SourceError {
    SourceError::Address { uri: without_secrets(uri), message }
}
