//! A catalog: an API that is searched, or documents that refer to each other.

use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use serde_json::{Map, Value};

use super::documents::{Documents, is_web, resolved, wrong};
use super::page::{PageRequest, entries, links, pages, rel};
use super::search::{CatalogOptions, Search};
use super::walk::{Wanted, walk};
use crate::access::AccessPolicy;
use crate::source::SourceError;
use crate::source::store::without_secrets;

/// An item or a collection, and the address that its references are relative to.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The document.
    pub document: Map<String, Value>,
    /// Where it is.
    pub href: String,
}

impl Entry {
    /// A text of the document.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.document.get(name).and_then(Value::as_str)
    }
}

/// A catalog.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub(super) documents: Documents,
    /// The document at its address.
    pub(super) root: Entry,
    pub(super) options: CatalogOptions,
}

impl Catalog {
    /// Opens the catalog, collection or item at an address, for whoever may touch what the policy says.
    pub async fn open(uri: &str, options: &CatalogOptions, access: &AccessPolicy) -> Result<Self, SourceError> {
        let documents = Documents::new(&options.store, access)?;
        let document = documents.read(uri).await?;
        let is_of_a_catalog = document.contains_key("stac_version")
            || ["links", "features", "conformsTo"].iter().any(|name| document.contains_key(*name));
        if !is_of_a_catalog {
            return Err(wrong(uri, "expected a catalog, a collection or an item, found something else"));
        }
        // An address of an API usually stands without the slash that its relative references would want.
        let href = if is_web(uri) && document.contains_key("conformsTo") && !uri.ends_with('/') {
            format!("{uri}/")
        } else {
            uri.to_string()
        };
        Ok(Self { documents, root: Entry { document, href }, options: options.clone() })
    }

    /// Its address, secrets taken out.
    pub fn address(&self) -> String {
        without_secrets(&self.root.href)
    }

    /// The items that a search finds, some at a time.
    pub fn items(&self, search: &Search) -> BoxStream<'static, Result<Vec<Entry>, SourceError>> {
        match self.found(search) {
            Ok(found) => limited(found, search.limit),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    fn found(&self, search: &Search) -> Result<BoxStream<'static, Result<Vec<Entry>, SourceError>>, SourceError> {
        let (documents, root) = (self.documents.clone(), &self.root);
        match root.text("type") {
            Some("Feature") => return Ok(taken(vec![root.clone()], search)),
            Some("FeatureCollection") => {
                let mut document = root.document.clone();
                return Ok(taken(entries(&mut document, &root.href, "features")?, search));
            }
            _ => {}
        }
        if let Some(url) = self.search_link("get")? {
            // A filter as text is for a GET: few servers read it out of a POST.
            let is_text = search.filter.as_ref().is_some_and(Value::is_string);
            let request = match self.search_link("post")? {
                Some(url) if !self.options.by_get && !is_text => PageRequest::posted(&url, search, &self.options),
                _ => PageRequest::got(&url, search, &self.options)?,
            };
            return Ok(pages(documents, request, "features"));
        }
        if let Some(url) = self.items_link()? {
            let search = Search { collections: Vec::new(), ..search.clone() };
            return Ok(pages(documents, PageRequest::got(&url, &search, &self.options)?, "features"));
        }
        if search.filter.is_some() || search.query.is_some() {
            let message = "`filter` and `query` are for an API: documents are searched by collection, ids, bbox and \
                           datetime";
            return Err(wrong(&root.href, message));
        }
        Ok(walk(documents, root.clone(), Wanted::Items(search.clone())))
    }

    /// Where searches go by that method, if they go anywhere. The link of GET may leave its method out.
    fn search_link(&self, method: &str) -> Result<Option<String>, SourceError> {
        let is_method = |link: &&Map<String, Value>| {
            let found = link.get("method").and_then(Value::as_str);
            found.map_or(method == "get", |found| found.eq_ignore_ascii_case(method))
        };
        let mut searches = links(&self.root.document).filter(|link| rel(link) == Some("search"));
        let link = searches.find(is_method).or_else(|| {
            // Every API answers a GET.
            links(&self.root.document).find(|link| method == "get" && rel(link) == Some("search"))
        });
        self.address_of(link)
    }

    /// Where the items of a collection of an API are.
    fn items_link(&self) -> Result<Option<String>, SourceError> {
        let is_collection = is_web(&self.root.href) && self.root.text("type") == Some("Collection");
        self.address_of(links(&self.root.document).find(|link| is_collection && rel(link) == Some("items")))
    }

    /// The address that a link of the root has.
    pub(super) fn address_of(&self, link: Option<&Map<String, Value>>) -> Result<Option<String>, SourceError> {
        let href = link.and_then(|link| link.get("href")).and_then(Value::as_str);
        href.map(|href| resolved(&self.root.href, href)).transpose()
    }
}

/// Those of the entries that a search takes.
fn taken(entries: Vec<Entry>, search: &Search) -> BoxStream<'static, Result<Vec<Entry>, SourceError>> {
    let taken: Vec<Entry> = entries.into_iter().filter(|entry| search.takes(&entry.document)).collect();
    stream::once(async { Ok(taken) }).boxed()
}

/// No more entries than so many; nothing is asked for that would not be shown.
fn limited(
    found: BoxStream<'static, Result<Vec<Entry>, SourceError>>,
    limit: Option<u64>,
) -> BoxStream<'static, Result<Vec<Entry>, SourceError>> {
    let Some(limit) = limit else { return found };
    let state = (found, usize::try_from(limit).unwrap_or(usize::MAX));
    let next = |(mut found, left): (BoxStream<'static, Result<Vec<Entry>, SourceError>>, usize)| async move {
        if left == 0 {
            return Ok(None);
        }
        let Some(mut entries) = found.try_next().await? else { return Ok(None) };
        entries.truncate(left);
        let left = left - entries.len();
        Ok(Some((entries, (found, left))))
    };
    stream::try_unfold(state, next).boxed()
}
