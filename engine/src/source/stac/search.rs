//! What is asked of a catalog.

use serde_json::{Map, Value, json};

use super::interval::{Interval, micros_of};
use crate::source::store::StoreOptions;

/// Items of a page, unless fewer are wanted.
const PAGE_ITEMS: u64 = 100;

/// Which items are wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Search {
    /// Those of these collections; of all where there are none.
    pub collections: Vec<String>,
    /// Those with these ids; all where there are none.
    pub ids: Vec<String>,
    /// Those that touch this rectangle: west, south, east, north in degrees.
    pub bbox: Option<[f64; 4]>,
    /// Those of this time.
    pub datetime: Option<Interval>,
    /// Those of which this is true: CQL2, as text or as JSON.
    pub filter: Option<Value>,
    /// Those whose properties are like this: the `query` extension.
    pub query: Option<Value>,
    /// As many, at most.
    pub limit: Option<u64>,
}

/// How a catalog is asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CatalogOptions {
    /// Whether searches are GET requests even where the server would take a POST.
    pub by_get: bool,
    /// Items of a page.
    pub page_items: Option<u64>,
    /// How assets are signed for: option `sign` of their stores.
    pub sign: Option<String>,
    /// The asset that is opened.
    pub asset: Option<String>,
    /// Options of the store that a catalog of files lies in.
    pub store: StoreOptions,
}

/// Reads the named arguments of a catalog; an error says which one is wrong.
pub(in crate::source) fn arguments(given: &Map<String, Value>) -> Result<(Search, CatalogOptions), String> {
    let (mut search, mut options) = (Search::default(), CatalogOptions::default());
    for (name, value) in given {
        match name.as_str() {
            "collection" | "collections" => search.collections = texts(name, value)?,
            "id" | "ids" => search.ids = texts(name, value)?,
            "bbox" => search.bbox = Some(bbox(value)?),
            "datetime" => {
                let interval = Interval::parse(&text(name, value)?).map_err(|error| format!("`{name}`: {error}"))?;
                search.datetime = Some(interval);
            }
            "filter" => search.filter = Some(json_or_text(value)),
            "query" => search.query = Some(json_or_text(value)),
            "limit" => search.limit = Some(count(name, value)?),
            "page_size" => options.page_items = Some(count(name, value)?.max(1)),
            "method" => {
                options.by_get = match text(name, value)?.to_ascii_lowercase().as_str() {
                    "get" => true,
                    "post" => false,
                    other => return Err(format!("`method`: expected get or post, found `{other}`")),
                }
            }
            "sign" => options.sign = Some(text(name, value)?),
            "asset" => options.asset = Some(text(name, value)?),
            "options" => options.store = store_options(value)?,
            other => {
                return Err(format!(
                    "unknown argument `{other}`: expected collection, ids, bbox, datetime, filter, query, limit, \
                     page_size, method or sign"
                ));
            }
        }
    }
    Ok((search, options))
}

impl Search {
    /// As the body of a POST.
    pub(super) fn body(&self, page_items: u64) -> Value {
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| drop(body.insert(name.to_string(), value));
        if !self.collections.is_empty() {
            put("collections", json!(self.collections));
        }
        if !self.ids.is_empty() {
            put("ids", json!(self.ids));
        }
        if let Some(bbox) = self.bbox {
            put("bbox", json!(bbox));
        }
        if let Some(datetime) = self.datetime {
            put("datetime", json!(datetime.text()));
        }
        if let Some(filter) = &self.filter {
            put("filter", filter.clone());
            put("filter-lang", json!(filter_language(filter)));
        }
        if let Some(query) = &self.query {
            put("query", query.clone());
        }
        put("limit", json!(page_items));
        Value::Object(body)
    }

    /// As the pairs of a GET.
    pub(super) fn pairs(&self, page_items: u64) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        if !self.collections.is_empty() {
            pairs.push(("collections", self.collections.join(",")));
        }
        if !self.ids.is_empty() {
            pairs.push(("ids", self.ids.join(",")));
        }
        if let Some(bbox) = self.bbox {
            pairs.push(("bbox", bbox.map(|bound| bound.to_string()).join(",")));
        }
        if let Some(datetime) = self.datetime {
            pairs.push(("datetime", datetime.text()));
        }
        if let Some(filter) = &self.filter {
            pairs.push(("filter", plain(filter)));
            pairs.push(("filter-lang", filter_language(filter).to_string()));
        }
        if let Some(query) = &self.query {
            pairs.push(("query", plain(query)));
        }
        pairs.push(("limit", page_items.to_string()));
        pairs
    }

    /// Items of a page.
    pub(super) fn page_items(&self, options: &CatalogOptions) -> u64 {
        let wanted = options.page_items.unwrap_or(PAGE_ITEMS);
        self.limit.map_or(wanted, |limit| limit.clamp(1, wanted))
    }

    /// Whether an item is one that is wanted: for catalogs that nobody searches for us.
    pub(super) fn takes(&self, item: &Map<String, Value>) -> bool {
        let text = |name: &str| item.get(name).and_then(Value::as_str);
        let is_among = |wanted: &[String], name: &str| {
            wanted.is_empty() || text(name).is_some_and(|found| wanted.iter().any(|wanted| wanted == found))
        };
        is_among(&self.collections, "collection")
            && is_among(&self.ids, "id")
            && self.bbox.is_none_or(|wanted| item_bbox(item).is_some_and(|found| touch(wanted, found)))
            && self
                .datetime
                .is_none_or(|wanted| item_interval(item).is_some_and(|found| wanted.intersection(found).is_some()))
    }
}

/// The rectangle of an item: west, south, east, north; heights are left out.
pub(in crate::source) fn item_bbox(item: &Map<String, Value>) -> Option<[f64; 4]> {
    let numbers: Option<Vec<f64>> = item.get("bbox")?.as_array()?.iter().map(Value::as_f64).collect();
    match numbers?.as_slice() {
        [west, south, east, north] | [west, south, _, east, north, _] => Some([*west, *south, *east, *north]),
        _ => None,
    }
}

/// The time of an item: from its start to its end, or its moment.
pub(in crate::source) fn item_interval(item: &Map<String, Value>) -> Option<Interval> {
    let properties = item.get("properties")?.as_object()?;
    let time = |name: &str| properties.get(name).and_then(Value::as_str).and_then(micros_of);
    match (time("start_datetime"), time("end_datetime")) {
        (None, None) => time("datetime").map(|moment| Interval { low: Some(moment), high: Some(moment) }),
        (low, high) => Some(Interval { low, high }),
    }
}

/// Whether two rectangles touch; one whose west is east of its east goes round the back of the world.
fn touch(a: [f64; 4], b: [f64; 4]) -> bool {
    let spans = |[west, _, east, _]: [f64; 4]| {
        if west <= east { vec![(west, east)] } else { vec![(west, 180.0), (-180.0, east)] }
    };
    let meet = |(low, high): (f64, f64), (other_low, other_high): (f64, f64)| low <= other_high && other_low <= high;
    let across = spans(a).into_iter().any(|span| spans(b).into_iter().any(|other| meet(span, other)));
    across && meet((a[1], a[3]), (b[1], b[3]))
}

fn filter_language(filter: &Value) -> &'static str {
    if filter.is_object() { "cql2-json" } else { "cql2-text" }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// JSON that is written in a text, or the text.
fn json_or_text(value: &Value) -> Value {
    match value.as_str().map(serde_json::from_str::<Value>) {
        Some(Ok(parsed @ Value::Object(_))) => parsed,
        _ => value.clone(),
    }
}

fn text(name: &str, value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_string).ok_or_else(|| format!("`{name}`: expected a text, found {value}"))
}

fn texts(name: &str, value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(values) => values.iter().map(|value| text(name, value)).collect(),
        one => Ok(vec![text(name, one)?]),
    }
}

fn count(name: &str, value: &Value) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("`{name}`: expected a number, found {value}"))
}

fn bbox(value: &Value) -> Result<[f64; 4], String> {
    let wrong = || format!("`bbox`: expected [west, south, east, north] in degrees, found {value}");
    let numbers: Option<Vec<f64>> = value.as_array().and_then(|values| values.iter().map(Value::as_f64).collect());
    match numbers.as_deref() {
        Some([west, south, east, north])
            if south <= north && [west, south, east, north].iter().all(|it| it.is_finite()) =>
        {
            Ok([*west, *south, *east, *north])
        }
        _ => Err(wrong()),
    }
}

fn store_options(value: &Value) -> Result<StoreOptions, String> {
    let wrong = || format!("`options`: expected names and texts, found {value}");
    let pairs = value.as_object().ok_or_else(wrong)?.iter();
    pairs.map(|(name, value)| Ok((name.clone(), value.as_str().ok_or_else(wrong)?.to_string()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(text: &str) -> Result<Search, String> {
        let given: Map<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        arguments(&given).map(|(search, _)| search)
    }

    #[test]
    fn arguments_become_a_search() -> Result<(), String> {
        let text = r#"{"collection": "naip", "bbox": [-81, 26, -80, 27.5], "datetime": "2020", "ids": ["a", "b"],
            "filter": "eo:cloud_cover < 10", "limit": 7}"#;
        let search = search(text)?;
        let expected = json!({
            "collections": ["naip"], "ids": ["a", "b"], "bbox": [-81.0, 26.0, -80.0, 27.5],
            "datetime": "2020-01-01T00:00:00Z/2020-12-31T23:59:59.999999Z",
            "filter": "eo:cloud_cover < 10", "filter-lang": "cql2-text", "limit": 7
        });
        assert_eq!(search.body(7), expected);
        assert_eq!(search.pairs(7)[2], ("bbox", "-81,26,-80,27.5".to_string()));
        assert_eq!(search.page_items(&CatalogOptions::default()), 7);
        Ok(())
    }

    #[test]
    fn arguments_that_mean_nothing_are_refused() {
        for text in [
            r#"{"colection": "x"}"#,
            r#"{"bbox": [1, 2, 3]}"#,
            r#"{"bbox": [1, 5, 3, 4]}"#,
            r#"{"limit": -1}"#,
            r#"{"ids": [1]}"#,
            r#"{"method": "put"}"#,
            r#"{"datetime": "soon"}"#,
        ] {
            assert!(search(text).is_err(), "{text}");
        }
    }

    #[test]
    fn items_are_taken_by_place_and_time() -> Result<(), Box<dyn std::error::Error>> {
        let item: Map<String, Value> = serde_json::from_value(json!({
            "id": "a", "collection": "c", "bbox": [179.0, -10.0, -179.0, 0.0],
            "properties": {"datetime": null, "start_datetime": "2020-01-01T00:00:00Z", "end_datetime": "2020-02-01T00:00:00Z"}
        }))?;
        for (wanted, taken) in [
            (r#"{"bbox": [-180, -5, -170, 5]}"#, true),
            (r#"{"bbox": [170, -5, 179.5, 5]}"#, true),
            (r#"{"bbox": [0, -5, 10, 5]}"#, false),
            (r#"{"bbox": [-180, 1, -170, 5]}"#, false),
            (r#"{"datetime": "2020-01-15"}"#, true),
            (r#"{"datetime": "2020-03/.."}"#, false),
            (r#"{"ids": ["b"]}"#, false),
            (r#"{"collection": "c", "ids": ["a"]}"#, true),
        ] {
            assert_eq!(search(wanted)?.takes(&item), taken, "{wanted}");
        }
        Ok(())
    }
}
