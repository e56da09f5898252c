//! A walk through documents that refer to each other: catalogs of files, or of a web server without a search.

use std::collections::{HashSet, VecDeque};

use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use serde_json::{Map, Value};

use super::catalog::Entry;
use super::documents::{Documents, resolved, wrong};
use super::page::{links, rel};
use super::search::Search;
use crate::source::SourceError;

/// Catalogs within catalogs, at most.
const DEPTH_MAX: usize = 24;

/// Documents of one walk, at most.
const DOCUMENTS_MAX: usize = 200_000;

/// Items that are read together.
const TOGETHER: usize = 64;

/// Documents that are read at the same time.
const READS_IN_FLIGHT_MAX: usize = 8;

/// What a walk is for.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// Items that a search takes.
    Items(Search),
    /// Collections.
    Collections,
}

/// Walks through a catalog, depth first.
pub(super) fn walk(
    documents: Documents,
    root: Entry,
    wanted: Wanted,
) -> BoxStream<'static, Result<Vec<Entry>, SourceError>> {
    let seen = HashSet::from([root.href.clone()]);
    let walk = Walk { documents, wanted, root: Some(root), catalogs: Vec::new(), items: VecDeque::new(), seen };
    stream::try_unfold(walk, Walk::step).boxed()
}

struct Walk {
    documents: Documents,
    wanted: Wanted,
    /// The document that it begins at, which is read already.
    root: Option<Entry>,
    catalogs: Vec<(String, usize)>,
    /// Items still to be read, and the collection that refers to them.
    items: VecDeque<(String, Option<String>)>,
    seen: HashSet<String>,
}

impl Walk {
    async fn step(mut self) -> Result<Option<(Vec<Entry>, Self)>, SourceError> {
        if !self.items.is_empty() {
            let together = self.items.len().min(TOGETHER);
            let found = self.read_items(together).await?;
            return Ok(Some((found, self)));
        }
        let (entry, depth) = match (self.root.take(), self.catalogs.pop()) {
            (Some(root), _) => (root, 0),
            (None, Some((href, depth))) => (Entry { document: self.documents.read(&href).await?, href }, depth),
            (None, None) => return Ok(None),
        };
        self.note_links(&entry, depth)?;
        let is_wanted = matches!(self.wanted, Wanted::Collections) && entry.text("type") == Some("Collection");
        let found = if is_wanted { vec![entry] } else { Vec::new() };
        Ok(Some((found, self)))
    }

    /// Notes what a catalog refers to.
    fn note_links(&mut self, entry: &Entry, depth: usize) -> Result<(), SourceError> {
        let collection = entry.text("id").filter(|_| entry.text("type") == Some("Collection")).map(str::to_string);
        let takes_items = match &self.wanted {
            Wanted::Collections => false,
            Wanted::Items(search) => {
                let is_named = |id: &String| search.collections.is_empty() || search.collections.contains(id);
                collection.as_ref().is_none_or(is_named)
            }
        };
        // The first child is walked through first.
        let mut children = Vec::new();
        for link in links(&entry.document) {
            let Some(href) = link.get("href").and_then(Value::as_str) else { continue };
            let is_item = rel(link) == Some("item");
            if !(is_item && takes_items || rel(link) == Some("child")) {
                continue;
            }
            let href = resolved(&entry.href, href)?;
            if !self.seen.insert(href.clone()) {
                continue;
            }
            if self.seen.len() > DOCUMENTS_MAX {
                return Err(wrong(&entry.href, format!("expected at most {DOCUMENTS_MAX} documents, found more")));
            }
            if is_item {
                self.items.push_back((href, collection.clone()));
            } else if depth < DEPTH_MAX {
                children.push((href, depth + 1));
            } else {
                return Err(wrong(&entry.href, format!("catalogs lie in each other more than {DEPTH_MAX} deep")));
            }
        }
        self.catalogs.extend(children.into_iter().rev());
        Ok(())
    }

    /// Reads the next items and keeps those that are wanted.
    async fn read_items(&mut self, together: usize) -> Result<Vec<Entry>, SourceError> {
        let next: Vec<_> = self.items.drain(..together).collect();
        let documents = &self.documents;
        let read = |(href, collection): (String, Option<String>)| async move {
            let mut document = documents.read(&href).await?;
            if document.get("type").and_then(Value::as_str) != Some("Feature") {
                return Err(wrong(&href, "expected an item, found something else"));
            }
            note_collection(&mut document, collection);
            Ok(Entry { document, href })
        };
        let found: Vec<Entry> = stream::iter(next).map(read).buffered(READS_IN_FLIGHT_MAX).try_collect().await?;
        Ok(match &self.wanted {
            Wanted::Items(search) => found.into_iter().filter(|entry| search.takes(&entry.document)).collect(),
            Wanted::Collections => Vec::new(),
        })
    }
}

/// An item that does not say which collection it is of is of the one that refers to it.
fn note_collection(document: &mut Map<String, Value>, collection: Option<String>) {
    if document.get("collection").is_none_or(|found| !found.is_string())
        && let Some(collection) = collection
    {
        document.insert("collection".to_string(), Value::String(collection));
    }
}
