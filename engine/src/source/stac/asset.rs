//! An asset of an item or a collection, as an address and options that a dataset is opened with.

use std::collections::BTreeSet;

use futures::stream::TryStreamExt;
use serde_json::{Map, Value};

use super::catalog::{Catalog, Entry};
use super::documents::{is_web, resolved, wrong};
use super::search::{CatalogOptions, Search, arguments};
use crate::access::AccessPolicy;
use crate::source::SourceError;
use crate::source::store::{StoreOptions, usual_signing};

/// Items that are looked at for an asset, at most.
const ITEMS_LOOKED_AT_MAX: usize = 1000;

/// An account whose containers are open to all, and which its owner's tokens are not for.
const OPEN_ACCOUNT: &str = "ai4edatasetspublicassets.";

/// What a dataset is opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetAddress {
    /// Its path or URL.
    pub uri: String,
    /// How it is opened.
    pub options: StoreOptions,
}

/// Finds the asset that the arguments of a catalog name: of the one item that they find, or of the collection.
pub async fn open_asset(
    uri: &str,
    given: &Map<String, Value>,
    access: &AccessPolicy,
) -> Result<AssetAddress, SourceError> {
    let refused = |message: String| SourceError::Address { uri: crate::source::store::without_secrets(uri), message };
    let (search, options) = arguments(given).map_err(refused)?;
    let name = options.asset.clone().ok_or_else(|| refused("expected the name of an asset".to_string()))?;
    let catalog = Catalog::open(uri, &options, access).await?;
    let sign = options.sign.as_deref().or_else(|| usual_signing(uri));
    let mut names = BTreeSet::new();
    if let Some(collection) = own_entry(&catalog, &search).await? {
        names.extend(asset_names(&collection));
        if let Some(address) = asset_of(&collection, &name, sign)? {
            return Ok(address);
        }
    }
    let found = one_of_items(&catalog, &search, &options, &mut names).await?;
    let Some(entry) = found else {
        let names: Vec<String> = names.into_iter().collect();
        let found = if names.is_empty() { "none".to_string() } else { names.join(", ") };
        return Err(wrong(uri, format!("expected an asset `{name}`, found {found}")));
    };
    asset_of(&entry, &name, sign)?.ok_or_else(|| wrong(uri, format!("the asset `{name}` is gone")))
}

/// The collection (or the item) that the arguments name and whose own assets are asked for first.
async fn own_entry(catalog: &Catalog, search: &Search) -> Result<Option<Entry>, SourceError> {
    let is_narrowed = !search.ids.is_empty() || search.bbox.is_some() || search.datetime.is_some();
    match search.collections.as_slice() {
        [] if !is_narrowed && catalog.root.document.contains_key("assets") => Ok(Some(catalog.root.clone())),
        [collection] if !is_narrowed => catalog.collection(collection).await,
        _ => Ok(None),
    }
}

/// The one item that has the asset.
async fn one_of_items(
    catalog: &Catalog,
    search: &Search,
    options: &CatalogOptions,
    names: &mut BTreeSet<String>,
) -> Result<Option<Entry>, SourceError> {
    let name = options.asset.as_deref().unwrap_or_default();
    let mut pages = catalog.items(search);
    let (mut found, mut looked_at): (Option<Entry>, usize) = (None, 0);
    while let Some(entries) = pages.try_next().await? {
        looked_at += entries.len();
        for entry in entries {
            names.extend(asset_names(&entry));
            if asset(&entry, name).is_none() {
                continue;
            }
            if let Some(first) = &found {
                let ids = [first, &entry].map(|entry| entry.text("id").unwrap_or_default().to_string());
                let message = format!(
                    "expected one item with an asset `{name}`, found several ({}, {}, …): name one by `ids`, or make \
                     a cube of them with stack(…)",
                    ids[0], ids[1]
                );
                return Err(wrong(&catalog.root.href, message));
            }
            found = Some(entry);
        }
        if found.is_none() && looked_at >= ITEMS_LOOKED_AT_MAX {
            break;
        }
    }
    Ok(found)
}

/// The asset of this name, signed for as told.
///
/// # Errors
/// [`SourceError::Metadata`] where it has no address, or is read in a way that is not known.
pub fn asset_of(entry: &Entry, name: &str, sign: Option<&str>) -> Result<Option<AssetAddress>, SourceError> {
    let Some(asset) = asset(entry, name) else { return Ok(None) };
    let href = asset.get("href").and_then(Value::as_str);
    let href = href.ok_or_else(|| wrong(&entry.href, format!("the asset `{name}` has no address")))?;
    let mut uri = resolved(&entry.href, href)?;
    let mut options = StoreOptions::new();
    for kwargs in open_kwargs(asset) {
        read_as(kwargs, entry, name, &mut uri, &mut options)?;
    }
    if asset.get("type").and_then(Value::as_str).is_some_and(|kind| kind.contains("zarr")) {
        options.insert("format".to_string(), "zarr".to_string());
    }
    let place = Place::of(&uri);
    for storage in storage_options(asset) {
        reach(storage, place, &mut options);
    }
    if let (Place::Azure, Some(sign), false) = (place, sign, options.contains_key("sas")) {
        options.insert("sign".to_string(), sign.to_string());
    }
    Ok(Some(AssetAddress { uri, options }))
}

fn asset<'a>(entry: &'a Entry, name: &str) -> Option<&'a Map<String, Value>> {
    entry.document.get("assets")?.get(name)?.as_object()
}

/// The names of an entry's assets, some of them where there are many.
pub(in crate::source) fn asset_names(entry: &Entry) -> Vec<String> {
    let assets = entry.document.get("assets").and_then(Value::as_object);
    assets.map(|assets| assets.keys().take(64).cloned().collect()).unwrap_or_default()
}

/// `xarray:open_kwargs`, and what is nested in it.
fn open_kwargs(asset: &Map<String, Value>) -> Vec<&Map<String, Value>> {
    let own = asset.get("xarray:open_kwargs").and_then(Value::as_object);
    let nested = own.and_then(|own| own.get("backend_kwargs")).and_then(Value::as_object);
    own.into_iter().chain(nested).collect()
}

/// `xarray:storage_options`, wherever they are nested; what is outermost comes last.
fn storage_options(asset: &Map<String, Value>) -> Vec<&Map<String, Value>> {
    let nested = open_kwargs(asset).into_iter().rev();
    let nested = nested.filter_map(|kwargs| kwargs.get("storage_options").and_then(Value::as_object));
    nested.chain(asset.get("xarray:storage_options").and_then(Value::as_object)).collect()
}

/// How the data are read.
fn read_as(
    kwargs: &Map<String, Value>,
    entry: &Entry,
    name: &str,
    uri: &mut String,
    options: &mut StoreOptions,
) -> Result<(), SourceError> {
    match kwargs.get("engine").and_then(Value::as_str) {
        Some("zarr") => drop(options.insert("format".to_string(), "zarr".to_string())),
        Some(engine @ ("kerchunk" | "virtualizarr" | "icechunk")) => {
            return Err(SourceError::Unsupported {
                array: format!("{}: {name}", entry.href),
                what: "engine",
                found: engine.to_string(),
            });
        }
        _ => {}
    }
    let is_false = |name: &str| kwargs.get(name).and_then(Value::as_bool) == Some(false);
    if is_false("decode_cf") || is_false("mask_and_scale") {
        options.insert("decode_cf".to_string(), "false".to_string());
    }
    if let Some(group) = kwargs.get("group").and_then(Value::as_str) {
        let group = group.trim_matches('/');
        crate::source::store::check_key(group).map_err(|message| wrong(&entry.href, message))?;
        *uri = format!("{}/{group}", uri.trim_end_matches('/'));
    }
    Ok(())
}

/// What kind of store an address is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Azure,
    S3,
    Other,
}

impl Place {
    fn of(uri: &str) -> Self {
        let scheme = uri.split_once("://").map_or("", |(scheme, _)| scheme);
        let host = uri.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
        match scheme {
            "az" | "azure" | "abfs" | "abfss" | "adl" => Self::Azure,
            "s3" | "s3a" => Self::S3,
            "https" if is_web(uri) && !host.starts_with(OPEN_ACCOUNT) => {
                let is_azure =
                    [".blob.core.windows.net", ".dfs.core.windows.net"].iter().any(|end| host.ends_with(end));
                if is_azure { Self::Azure } else { Self::Other }
            }
            _ => Self::Other,
        }
    }
}

/// How the store is reached. What a document says is a stranger's word: of its options those are taken that name a place
/// or open what it holds itself, and requests to an endpoint that it names are not signed with keys of this process.
fn reach(storage: &Map<String, Value>, place: Place, options: &mut StoreOptions) {
    let text = |name: &str| storage.get(name).and_then(Value::as_str).map(str::to_string);
    let flag = |names: [&str; 2]| names.iter().any(|name| storage.get(*name).and_then(Value::as_bool) == Some(true));
    let client = storage.get("client_kwargs").and_then(Value::as_object);
    let of_client = |name: &str| client.and_then(|client| client.get(name)).and_then(Value::as_str).map(str::to_string);
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            options.insert(name.to_string(), value);
        }
    };
    let anonymous = flag(["anon", "anonymous"]).then(|| "true".to_string());
    match place {
        Place::Azure => {
            put("account", text("account_name"));
            put("anonymous", anonymous);
            let sas = text("sas_token").or_else(|| text("credential"));
            put("sas", sas.filter(|sas| sas.contains("sig=")));
        }
        Place::S3 => {
            let endpoint = text("endpoint_url").or_else(|| of_client("endpoint_url"));
            put("anonymous", anonymous.or_else(|| endpoint.as_ref().map(|_| "true".to_string())));
            put("endpoint", endpoint);
            put("region", text("region_name").or_else(|| of_client("region_name")));
            put("request_payer", flag(["requester_pays", "request_payer"]).then(|| "true".to_string()));
        }
        Place::Other => {}
    }
}
