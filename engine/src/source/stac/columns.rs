//! Items and collections as rows.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Float64Builder, ListBuilder, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use serde_json::Value;

use super::catalog::Entry;
use super::interval::micros_of;
use super::search::item_bbox;

static ITEMS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        text("id"),
        text("collection"),
        time("datetime"),
        time("start_datetime"),
        time("end_datetime"),
        text("geometry"),
        bbox(),
        text("properties"),
        text("assets"),
        text("href"),
    ]))
});

static COLLECTIONS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        text("id"),
        text("title"),
        text("description"),
        time("start_datetime"),
        time("end_datetime"),
        bbox(),
        text("extent"),
        text("assets"),
        text("href"),
    ]))
});

/// The columns of items. Documents within them are JSON in a text; `bbox` is west, south, east, north.
pub(super) fn items_schema() -> SchemaRef {
    SchemaRef::clone(&ITEMS)
}

/// The columns of collections.
pub(super) fn collections_schema() -> SchemaRef {
    SchemaRef::clone(&COLLECTIONS)
}

/// Items as rows.
pub(super) fn items_batch(entries: &[Entry]) -> Result<RecordBatch, ArrowError> {
    let time = |name: &str| times(entries.iter().map(|entry| entry.document.get("properties")?.get(name)?.as_str()));
    let columns = vec![
        texts(entries, "id"),
        texts(entries, "collection"),
        time("datetime"),
        time("start_datetime"),
        time("end_datetime"),
        json(entries, "geometry"),
        bboxes(entries.iter().map(|entry| item_bbox(&entry.document))),
        json(entries, "properties"),
        json(entries, "assets"),
        hrefs(entries),
    ];
    RecordBatch::try_new(items_schema(), columns)
}

/// Collections as rows.
pub(super) fn collections_batch(entries: &[Entry]) -> Result<RecordBatch, ArrowError> {
    let extent = |entry: &'_ Entry| entry.document.get("extent").cloned().unwrap_or_default();
    let extents: Vec<Value> = entries.iter().map(extent).collect();
    let bound = |place: usize| {
        times(extents.iter().map(move |extent| extent.pointer(&format!("/temporal/interval/0/{place}"))?.as_str()))
    };
    let bbox = |extent: &Value| {
        let bbox = extent.pointer("/spatial/bbox/0")?.clone();
        item_bbox(&[("bbox".to_string(), bbox)].into_iter().collect())
    };
    let columns = vec![
        texts(entries, "id"),
        texts(entries, "title"),
        texts(entries, "description"),
        bound(0),
        bound(1),
        bboxes(extents.iter().map(bbox)),
        json(entries, "extent"),
        json(entries, "assets"),
        hrefs(entries),
    ];
    RecordBatch::try_new(collections_schema(), columns)
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn time(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), true)
}

fn bbox() -> Field {
    Field::new("bbox", DataType::List(Arc::new(Field::new("item", DataType::Float64, true))), true)
}

fn texts(entries: &[Entry], name: &str) -> ArrayRef {
    Arc::new(entries.iter().map(|entry| entry.text(name)).collect::<StringArray>())
}

fn hrefs(entries: &[Entry]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(entries.iter().map(|entry| entry.href.as_str())))
}

fn json(entries: &[Entry], name: &str) -> ArrayRef {
    let value = |entry: &Entry| entry.document.get(name).filter(|value| !value.is_null()).map(Value::to_string);
    Arc::new(entries.iter().map(value).collect::<StringArray>())
}

fn times<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(texts.map(|text| text.and_then(micros_of)).collect::<TimestampMicrosecondArray>())
}

fn bboxes(found: impl Iterator<Item = Option<[f64; 4]>>) -> ArrayRef {
    let mut builder = ListBuilder::new(Float64Builder::new());
    for bbox in found {
        builder.append_option(bbox.map(|bbox| bbox.map(Some)));
    }
    Arc::new(builder.finish())
}
