//! Finds the metadata documents of a group: consolidated ones in one round trip, otherwise by listing.

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};

use super::json;
use crate::source::SourceError;
use crate::source::store::Store;

/// What stands at the root of a store.
#[derive(Debug)]
pub(super) struct Hierarchy {
    /// The attributes of the group; none for a single array.
    pub attributes: Map<String, Value>,
    /// The arrays directly in the group, in stored order, or the single array at the root.
    pub arrays: Vec<ArrayNode>,
}

/// One array's documents, not yet understood.
#[derive(Debug)]
pub(super) struct ArrayNode {
    /// Its name in the group.
    pub name: String,
    /// Its path under the root; empty for a single array at the root.
    pub path: String,
    /// Its metadata.
    pub document: Document,
}

/// The metadata document of an array.
#[derive(Debug)]
pub(super) enum Document {
    /// `.zarray` and `.zattrs`.
    V2 { array: Value, attributes: Map<String, Value> },
    /// `zarr.json`.
    V3(Value),
}

/// Requests in flight while the arrays of a listed group are opened.
const PARALLEL_REQUESTS: usize = 16;

/// Reads the documents: `zarr.json` and `.zmetadata` at once (two requests, one round trip), and only where neither
/// describes the group whole, more.
pub(super) async fn read(store: &Store) -> Result<Hierarchy, SourceError> {
    let (v3, consolidated_v2) = futures::join!(document(store, "zarr.json"), document(store, ".zmetadata"));
    if let Some(root) = v3? {
        return read_v3(store, root).await;
    }
    if let Some(consolidated) = consolidated_v2? {
        return from_consolidated_v2(store, &consolidated);
    }
    let (array, group, attributes) =
        futures::join!(document(store, ".zarray"), document(store, ".zgroup"), document(store, ".zattrs"));
    let attributes = object(attributes?);
    if let Some(array) = array? {
        return Ok(single_array(store, Document::V2 { array, attributes }));
    }
    if group?.is_some() {
        let arrays = listed(store, 2).await?;
        return Ok(Hierarchy { attributes, arrays });
    }
    let message = "no Zarr there: none of zarr.json, .zmetadata, .zarray, .zgroup was found".to_string();
    Err(SourceError::NotFound { uri: store.uri.clone(), message })
}

async fn read_v3(store: &Store, root: Value) -> Result<Hierarchy, SourceError> {
    match root.get("node_type").and_then(Value::as_str) {
        Some("array") => Ok(single_array(store, Document::V3(root))),
        Some("group") => {
            let attributes = object(root.get("attributes").cloned());
            let arrays = match root.pointer("/consolidated_metadata/metadata").and_then(Value::as_object) {
                Some(nodes) => from_consolidated_v3(store, nodes)?,
                None => listed(store, 3).await?,
            };
            Ok(Hierarchy { attributes, arrays })
        }
        found => Err(metadata_error(store, "zarr.json", format!("node_type is {found:?}, expected array or group"))),
    }
}

/// The arrays directly under the root, of v3's inline consolidated metadata.
fn from_consolidated_v3(store: &Store, nodes: &Map<String, Value>) -> Result<Vec<ArrayNode>, SourceError> {
    let mut arrays = Vec::new();
    for (path, node) in nodes {
        check_path(store, path)?;
        if !path.contains('/') && node.get("node_type").and_then(Value::as_str) == Some("array") {
            arrays.push(child(path, Document::V3(node.clone())));
        }
    }
    Ok(arrays)
}

/// The group of v2's `.zmetadata`, which maps keys (`tmin/.zarray`) to documents.
fn from_consolidated_v2(store: &Store, consolidated: &Value) -> Result<Hierarchy, SourceError> {
    let Some(documents) = consolidated.get("metadata").and_then(Value::as_object) else {
        return Err(metadata_error(store, ".zmetadata", "no object \"metadata\" in it".to_string()));
    };
    let mut arrays = Vec::new();
    for (key, document) in documents {
        check_path(store, key)?;
        if key == ".zarray" {
            let attributes = object(documents.get(".zattrs").cloned());
            return Ok(single_array(store, Document::V2 { array: document.clone(), attributes }));
        }
        let Some((name, ".zarray")) = key.split_once('/') else { continue };
        let attributes = object(documents.get(&format!("{name}/.zattrs")).cloned());
        arrays.push(child(name, Document::V2 { array: document.clone(), attributes }));
    }
    Ok(Hierarchy { attributes: object(documents.get(".zattrs").cloned()), arrays })
}

/// The arrays of a group that is not consolidated, in the order of their names.
async fn listed(store: &Store, version: u8) -> Result<Vec<ArrayNode>, SourceError> {
    let names = store.list_children("").await.map_err(|error| SourceError::Store {
        uri: store.uri.clone(),
        message: format!("the group has no consolidated metadata, so that it must be listed: {error}"),
    })?;
    let names = names.into_iter().filter(|name| !name.starts_with('.') && name != "zarr.json");
    let nodes: Vec<Option<ArrayNode>> = stream::iter(names)
        .map(|name| async move { listed_child(store, version, &name).await })
        .buffered(PARALLEL_REQUESTS)
        .try_collect()
        .await?;
    Ok(nodes.into_iter().flatten().collect())
}

/// The array of that name, or `None` where the name is a group's or no Zarr's.
async fn listed_child(store: &Store, version: u8, name: &str) -> Result<Option<ArrayNode>, SourceError> {
    check_path(store, name)?;
    if version == 3 {
        let node = document(store, &format!("{name}/zarr.json")).await?;
        let array = node.filter(|node| node.get("node_type").and_then(Value::as_str) == Some("array"));
        return Ok(array.map(|array| child(name, Document::V3(array))));
    }
    let Some(array) = document(store, &format!("{name}/.zarray")).await? else { return Ok(None) };
    let attributes = object(document(store, &format!("{name}/.zattrs")).await?);
    Ok(Some(child(name, Document::V2 { array, attributes })))
}

/// The JSON document under a key, or `None` where there is none.
async fn document(store: &Store, key: &str) -> Result<Option<Value>, SourceError> {
    let Some(text) = store.get(key).await? else { return Ok(None) };
    json::parse(&text).map(Some).map_err(|message| metadata_error(store, key, message))
}

fn child(name: &str, document: Document) -> ArrayNode {
    ArrayNode { name: name.to_string(), path: name.to_string(), document }
}

/// A dataset of one array, which takes its name from the address (`…/tmin.zarr` → `tmin`).
fn single_array(store: &Store, document: Document) -> Hierarchy {
    let last = store.uri.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').rsplit(['/', '\\']).next();
    let stem = last.map(|name| name.strip_suffix(".zarr").unwrap_or(name)).filter(|name| !name.is_empty());
    let name = stem.unwrap_or("array").to_string();
    Hierarchy { attributes: Map::new(), arrays: vec![ArrayNode { name, path: String::new(), document }] }
}

/// Refuses paths that lead out of the group.
fn check_path(store: &Store, path: &str) -> Result<(), SourceError> {
    let bad = path.is_empty()
        || path.chars().any(char::is_control)
        || path.contains('\\')
        || path.split('/').any(|segment| matches!(segment, "" | "." | ".."));
    match bad {
        true => Err(metadata_error(store, "metadata", format!("{path:?} is not a path of an array inside the group"))),
        false => Ok(()),
    }
}

fn metadata_error(store: &Store, key: &str, message: String) -> SourceError {
    SourceError::Metadata { array: format!("{}/{key}", store.uri), message }
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}
