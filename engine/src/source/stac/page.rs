//! Pages of a server's answer, each of which says how the next is asked for.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use futures::stream::{self, BoxStream, StreamExt};
use serde_json::{Map, Value};
use url::Url;

use super::catalog::Entry;
use super::documents::{Documents, is_web, resolved, wrong};
use super::search::{CatalogOptions, Search};
use crate::source::SourceError;
use crate::source::store::WebRequest;

/// Pages of one answer, at most.
const PAGES_MAX: usize = 100_000;

/// Pages without anything on them that follow each other, at most.
const EMPTY_PAGES_MAX: usize = 50;

/// How a page is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PageRequest {
    pub url: String,
    pub headers: Map<String, Value>,
    /// What is posted; without it the page is got.
    pub body: Option<Value>,
}

impl PageRequest {
    /// A page that is got.
    pub(super) fn get(url: &str) -> Self {
        Self { url: url.to_string(), headers: Map::new(), body: None }
    }

    /// The first page of a search by POST.
    pub(super) fn posted(url: &str, search: &Search, options: &CatalogOptions) -> Self {
        Self { body: Some(search.body(search.page_items(options))), ..Self::get(url) }
    }

    /// The first page of a search by GET.
    pub(super) fn got(url: &str, search: &Search, options: &CatalogOptions) -> Result<Self, SourceError> {
        let mut parsed = Url::parse(url).map_err(|error| wrong(url, error.to_string()))?;
        parsed.query_pairs_mut().extend_pairs(search.pairs(search.page_items(options)));
        Ok(Self::get(parsed.as_str()))
    }

    /// The page after the one that `document` is, if it names one.
    pub(super) fn next(&self, document: &Map<String, Value>) -> Result<Option<Self>, SourceError> {
        let Some(link) = links(document).find(|link| rel(link) == Some("next")) else { return Ok(None) };
        let text = |name: &str| link.get(name).and_then(Value::as_str);
        let href = text("href").ok_or_else(|| wrong(&self.url, "the next page has no address"))?;
        let url = resolved(&self.url, href)?;
        if !is_web(&url) {
            return Err(wrong(&self.url, "the next page is not on a web server"));
        }
        let merges = link.get("merge").and_then(Value::as_bool).unwrap_or(false);
        let own_headers = link.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
        let headers = if merges { merged(&self.headers, own_headers) } else { own_headers };
        let is_post = text("method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
        let body = match (is_post, link.get("body"), &self.body) {
            (false, ..) => None,
            (true, Some(Value::Object(own)), Some(Value::Object(before))) if merges => {
                Some(Value::Object(merged(before, own.clone())))
            }
            (true, Some(own @ Value::Object(_)), _) => Some(own.clone()),
            (true, _, before) => Some(before.clone().unwrap_or_else(|| Value::Object(Map::new()))),
        };
        Ok(Some(Self { url, headers, body }))
    }

    fn request(&self) -> WebRequest {
        let values = |value: &Value| match value {
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), values(value))).collect();
        WebRequest { url: self.url.clone(), headers, body: self.body.as_ref().map(Value::to_string) }
    }

    fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let WebRequest { url, headers, body } = self.request();
        (url, headers, body).hash(&mut hasher);
        hasher.finish()
    }
}

/// The entries of all pages under a name (`features`, `collections`), a page at a time.
pub(super) fn pages(
    documents: Documents,
    first: PageRequest,
    name: &'static str,
) -> BoxStream<'static, Result<Vec<Entry>, SourceError>> {
    let pager = Pager { documents, next: Some(first), asked: HashSet::new(), empty: 0, name };
    stream::try_unfold(pager, Pager::turn).boxed()
}

struct Pager {
    documents: Documents,
    next: Option<PageRequest>,
    asked: HashSet<u64>,
    empty: usize,
    name: &'static str,
}

impl Pager {
    async fn turn(mut self) -> Result<Option<(Vec<Entry>, Self)>, SourceError> {
        let Some(request) = self.next.take() else { return Ok(None) };
        if !self.asked.insert(request.mark()) {
            return Err(wrong(&request.url, "pages go round in a circle"));
        }
        if self.asked.len() > PAGES_MAX {
            return Err(wrong(&request.url, format!("expected at most {PAGES_MAX} pages, found more")));
        }
        let mut document = self.documents.ask(&request.request()).await?;
        let next = request.next(&document)?;
        let entries = entries(&mut document, &request.url, self.name)?;
        self.empty = if entries.is_empty() { self.empty + 1 } else { 0 };
        if self.empty > EMPTY_PAGES_MAX {
            return Err(wrong(&request.url, format!("{} pages in a row have nothing on them", self.empty)));
        }
        self.next = next;
        Ok(Some((entries, self)))
    }
}

/// The entries of a document under a name; their references are relative to where each says it is.
pub(super) fn entries(document: &mut Map<String, Value>, url: &str, name: &str) -> Result<Vec<Entry>, SourceError> {
    let Some(Value::Array(found)) = document.get_mut(name).map(Value::take) else {
        return Err(wrong(url, format!("expected a list of `{name}`, found none")));
    };
    let entry = |value: Value| {
        let Value::Object(document) = value else {
            return Err(wrong(url, format!("expected objects in `{name}`, found something else")));
        };
        let own = links(&document).find(|link| rel(link) == Some("self"));
        let own = own.and_then(|link| link.get("href")).and_then(Value::as_str);
        let href = own.map_or(Ok(url.to_string()), |own| resolved(url, own))?;
        Ok(Entry { document, href })
    };
    found.into_iter().map(entry).collect()
}

/// The links of a document.
pub(super) fn links(document: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    document.get("links").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// What a link is for.
pub(super) fn rel(link: &Map<String, Value>) -> Option<&str> {
    link.get("rel").and_then(Value::as_str)
}

fn merged(before: &Map<String, Value>, own: Map<String, Value>) -> Map<String, Value> {
    let mut merged = before.clone();
    merged.extend(own);
    merged
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn next(request: &PageRequest, link: &Value) -> Result<Option<PageRequest>, Box<dyn std::error::Error>> {
        let document: Map<String, Value> = serde_json::from_value(json!({"links": [{"rel": "self"}, link]}))?;
        Ok(request.next(&document)?)
    }

    #[test]
    fn the_next_page_is_asked_for_as_the_link_says() -> Result<(), Box<dyn std::error::Error>> {
        let first = PageRequest {
            body: Some(json!({"collections": ["c"], "limit": 2})),
            ..PageRequest::get("http://h.example/search")
        };
        let link = json!({"rel": "next", "href": "/search?token=2"});
        assert_eq!(next(&first, &link)?, Some(PageRequest::get("http://h.example/search?token=2")));
        let link = json!({"rel": "next", "href": "http://h.example/search", "method": "POST", "merge": true,
            "headers": {"X-A": ["1", "2"]}, "body": {"token": "next:2"}});
        let second = next(&first, &link)?.ok_or("a page")?;
        assert_eq!(second.body, Some(json!({"collections": ["c"], "limit": 2, "token": "next:2"})));
        assert_eq!(second.request().headers, [("X-A".to_string(), "1, 2".to_string())]);
        let link = json!({"rel": "next", "href": "http://h.example/search", "method": "post", "body": {"token": "3"}});
        assert_eq!(next(&second, &link)?.ok_or("a page")?.body, Some(json!({"token": "3"})));
        let link = json!({"rel": "next", "href": "search", "method": "POST"});
        assert_eq!(next(&first, &link)?.ok_or("a page")?.body, first.body);
        assert_eq!(next(&first, &json!({"rel": "prev", "href": "x"}))?, None);
        for broken in [
            json!({"rel": "next"}),
            json!({"rel": "next", "href": "file:///x"}),
            json!({"rel": "next", "href": "s3://b/x"}),
        ] {
            assert!(next(&first, &broken).is_err(), "{broken}");
        }
        Ok(())
    }
}
