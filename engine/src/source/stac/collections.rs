//! The collections of a catalog.

use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use serde_json::Value;

use super::catalog::{Catalog, Entry};
use super::documents::is_web;
use super::page::{PageRequest, links, pages, rel};
use super::walk::{Wanted, walk};
use crate::source::SourceError;

impl Catalog {
    /// The collections, some at a time.
    pub fn collections(&self) -> BoxStream<'static, Result<Vec<Entry>, SourceError>> {
        match self.collections_link() {
            Ok(Some(url)) => pages(self.documents.clone(), PageRequest::get(&url), "collections"),
            Ok(None) => walk(self.documents.clone(), self.root.clone(), Wanted::Collections),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    /// The collection of this name, if there is one.
    pub async fn collection(&self, id: &str) -> Result<Option<Entry>, SourceError> {
        if self.is_collection(id) {
            return Ok(Some(self.root.clone()));
        }
        if let Some(url) = self.collections_link()? {
            let name = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).to_string();
            let name = name.replace("%2D", "-").replace("%5F", "_").replace("%2E", ".");
            let href = format!("{}/{name}", url.trim_end_matches('/'));
            return match self.documents.read(&href).await {
                Ok(document) => Ok(Some(Entry { document, href })),
                Err(SourceError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            };
        }
        let mut found = self.collections();
        while let Some(entries) = found.try_next().await? {
            if let Some(entry) = entries.into_iter().find(|entry| entry.text("id") == Some(id)) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn is_collection(&self, id: &str) -> bool {
        self.root.text("type") == Some("Collection") && self.root.text("id") == Some(id)
    }

    /// Where an API has its collections.
    fn collections_link(&self) -> Result<Option<String>, SourceError> {
        let is_api = is_web(&self.root.href)
            && self.root.document.get("conformsTo").is_some_and(Value::is_array)
            && self.root.text("type") != Some("Collection");
        self.address_of(links(&self.root.document).find(|link| is_api && rel(link) == Some("data")))
    }
}
