//! Catalogs: servers with every way of paging, busy servers, and documents of files.

use std::path::PathBuf;

use arrow::array::{Array, AsArray};
use quarray_engine::Session;
use quarray_engine::access::{AccessPolicy, AccessRules};
use serde_json::{Value, json};

use crate::catalog_server::{Answer, Asked, Log, serve};

fn data() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data")
}

/// The texts in the first column of a query's rows.
pub async fn texts(session: &Session, query: &str) -> Result<Vec<String>, String> {
    let outcome = session.query(query).await.map_err(|error| error.to_string())?;
    let rows = outcome.into_rows().map_err(|error| error.to_string())?;
    let batches = rows.collect().await.map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for batch in &batches {
        let column = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
        let column = column.as_string::<i32>();
        found.extend((0..column.len()).map(|row| column.value(row).to_string()));
    }
    Ok(found)
}

fn session() -> Session {
    Session::builder().build().unwrap()
}

/// The root of an API at `address`, whose searches go by these methods.
fn root(address: &str, methods: &[&str]) -> Answer {
    let search = |method: &&str| json!({"rel": "search", "href": format!("{address}/search"), "method": method});
    let mut links: Vec<Value> = methods.iter().map(search).collect();
    links.push(json!({"rel": "data", "href": format!("{address}/collections")}));
    let conforms = ["https://api.stacspec.org/v1.0.0/item-search"];
    Answer::json(
        &json!({"type": "Catalog", "id": "x", "stac_version": "1.0.0", "conformsTo": conforms, "links": links}),
    )
}

fn item(number: usize) -> Value {
    json!({
        "type": "Feature", "id": format!("item-{number}"), "collection": "c", "bbox": [number, 0, number + 1, 1],
        "geometry": {"type": "Point", "coordinates": [number, 0]},
        "properties": {"datetime": format!("2020-01-{:02}T00:00:00Z", number + 1)},
        "links": [], "assets": {}
    })
}

/// A page of two items of five, and the link to the next one.
fn page(number: usize, next: impl FnOnce(usize) -> Value) -> Answer {
    let items: Vec<Value> = (2 * number..(2 * number + 2).min(5)).map(item).collect();
    let links: Vec<Value> = if number < 2 { vec![next(number + 1)] } else { vec![] };
    Answer::json(&json!({"type": "FeatureCollection", "features": items, "links": links}))
}

fn ids(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("item-{number}")).collect()
}

/// Serves five items on three pages; `next` makes the link, `number` finds the page that is asked for.
async fn paged(
    next: fn(&str, usize) -> Value,
    number: fn(&Asked) -> Option<usize>,
    methods: &'static [&'static str],
) -> (String, Log) {
    serve(move |address, asked, _| match asked.path.as_str() {
        "/" => root(address, methods),
        _ => match number(asked) {
            Some(number) => page(number, |number| next(address, number)),
            None => Answer::status(400, &[]),
        },
    })
    .await
}

fn token_of(body: &str) -> Option<usize> {
    let body: Value = serde_json::from_str(body).ok()?;
    Some(body.get("token").and_then(Value::as_u64).unwrap_or(0) as usize)
}

#[tokio::test]
async fn every_way_of_paging_gives_every_item_once() {
    let by_url = paged(
        |address, number| json!({"rel": "next", "href": format!("{address}/search?page={number}")}),
        |asked| Some(asked.path.split_once("page=").map_or(0, |(_, page)| page.parse().unwrap())),
        &["GET"],
    );
    let merged = paged(
        |address, number| {
            let href = format!("{address}/search");
            json!({"rel": "next", "href": href, "method": "POST", "merge": true, "body": {"token": number}})
        },
        |asked| token_of(&asked.body).filter(|_| asked.body.contains("collections")),
        &["GET", "POST"],
    );
    let whole = paged(
        |address, number| {
            let body = json!({"token": number, "collections": ["c"]});
            json!({"rel": "next", "href": format!("{address}/search"), "method": "POST", "body": body})
        },
        |asked| token_of(&asked.body).filter(|_| asked.body.contains("collections")),
        &["POST"],
    );
    let by_header = paged(
        |_, number| json!({"rel": "next", "href": "search", "headers": {"X-Page": [number.to_string()]}}),
        |asked| {
            let page = asked.headers.iter().find_map(|line| line.strip_prefix("x-page: ").map(str::to_string));
            Some(page.map_or(0, |page| page.parse().unwrap()))
        },
        &["GET"],
    );
    for (address, _) in [by_url.await, merged.await, whole.await, by_header.await] {
        let query = format!("SELECT id FROM stac('{address}/', collection => 'c')");
        assert_eq!(texts(&session(), &query).await.unwrap(), ids(0..5), "{query}");
    }
}

#[tokio::test]
async fn a_limit_asks_for_no_page_too_many() {
    let (address, log) = paged(
        |address, number| json!({"rel": "next", "href": format!("{address}/search?page={number}")}),
        |asked| Some(asked.path.split_once("page=").map_or(0, |(_, page)| page.parse().unwrap())),
        &["GET"],
    )
    .await;
    for query in ["SELECT id FROM stac('X', limit => 3)", "FROM stac('X') |> SELECT id |> LIMIT 3"] {
        log.lock().unwrap().clear();
        assert_eq!(texts(&session(), &query.replace('X', &address)).await.unwrap(), ids(0..3), "{query}");
        let asked: Vec<String> = log.lock().unwrap().iter().map(|asked| asked.path.clone()).collect();
        assert_eq!(asked, ["/", "/search?limit=3", "/search?page=1"], "{query}");
    }
}

#[tokio::test]
async fn predicates_are_asked_of_the_server_and_looked_at_again() {
    let (address, log) = paged(|_, _| json!({}), |asked| (asked.method == "POST").then_some(2), &["GET", "POST"]).await;
    let query = format!(
        "SELECT id FROM stac('{address}', bbox => [-10, -5.5, 20, 5]) WHERE collection = 'c' AND id IN ('item-4', \
         'item-9') AND datetime >= '2020-01-02' AND datetime < TIMESTAMP '2020-02-01 00:00:00'"
    );
    assert_eq!(texts(&session(), &query).await.unwrap(), ["item-4"]);
    let body: Value = serde_json::from_str(&log.lock().unwrap()[1].body).unwrap();
    let expected = json!({
        "collections": ["c"], "ids": ["item-4", "item-9"], "bbox": [-10.0, -5.5, 20.0, 5.0],
        "datetime": "2020-01-02T00:00:00Z/2020-02-01T00:00:00Z", "limit": 100
    });
    assert_eq!(body, expected);
    // What the server gives beyond what was asked for is left out here.
    let query = format!("SELECT id FROM stac('{address}') WHERE bbox[1] <= 3 AND bbox[3] >= 2");
    assert_eq!(texts(&session(), &query).await.unwrap(), Vec::<String>::new());
    let body: Value = serde_json::from_str(&log.lock().unwrap()[3].body).unwrap();
    assert_eq!(body["bbox"], json!([2.0, -90.0, 3.0, 90.0]));
    // Nothing can be in two collections: nobody is asked.
    log.lock().unwrap().clear();
    let query = format!("SELECT id FROM stac('{address}', collection => 'a') WHERE collection = 'b'");
    assert_eq!(texts(&session(), &query).await.unwrap(), Vec::<String>::new());
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn busy_servers_are_asked_again_for_a_while() {
    let (address, log) = serve(|address, asked, number| match (asked.path.as_str(), number) {
        ("/", 1) => Answer::status(503, &[]),
        ("/", _) => root(address, &["GET"]),
        (_, 3) => Answer::status(429, &["retry-after: 1"]),
        _ => page(2, |_| json!({})),
    })
    .await;
    let start = std::time::Instant::now();
    assert_eq!(texts(&session(), &format!("SELECT id FROM stac('{address}')")).await.unwrap(), ["item-4"]);
    assert!(start.elapsed() >= std::time::Duration::from_millis(1200), "{:?}", start.elapsed());
    assert_eq!(log.lock().unwrap().len(), 4);
    for (status, headers, tries) in
        [(500, vec![], 5), (429, vec!["retry-after: 3600"], 1), (400, vec![], 1), (404, vec![], 1)]
    {
        let headers: Vec<String> = headers.into_iter().map(str::to_string).collect();
        let (address, log) =
            serve(move |_, _, _| Answer { status, headers: headers.clone(), body: b"{\"detail\": \"why\"}".into() })
                .await;
        let error = texts(&session(), &format!("SELECT id FROM stac('{address}')")).await.unwrap_err();
        assert!(error.contains(&format!("the server answered {status}")), "{error}");
        assert_eq!(log.lock().unwrap().len(), tries, "{status}");
    }
}

#[tokio::test]
async fn pages_without_an_end_have_one() {
    let circle: fn(&str, usize) -> Value = |_, _| json!({"rel": "next", "href": "/search?page=0"});
    let (address, _) = paged(circle, |_| Some(0), &["GET"]).await;
    let error = texts(&session(), &format!("SELECT id FROM stac('{address}')")).await.unwrap_err();
    assert!(error.contains("pages go round in a circle"), "{error}");
    let (address, _) = serve(|address, asked, number| match asked.path.as_str() {
        "/" => root(address, &["GET"]),
        _ => {
            Answer::json(&json!({"features": [], "links": [{"rel": "next", "href": format!("/search?page={number}")}]}))
        }
    })
    .await;
    let error = texts(&session(), &format!("SELECT id FROM stac('{address}')")).await.unwrap_err();
    assert!(error.contains("pages in a row have nothing on them"), "{error}");
}

#[tokio::test]
async fn redirects_are_followed_and_take_no_headers_elsewhere() {
    let (target, log) = serve(|address, _, _| root(address, &["GET"])).await;
    let location = format!("location: {target}/");
    let (address, _) = serve(move |_, _, _| Answer::status(302, &[&location])).await;
    let error = texts(&session(), &format!("SELECT id FROM stac('{address}')")).await.unwrap_err();
    assert!(error.contains("expected a list of `features`"), "{error}");
    assert_eq!(log.lock().unwrap()[0].path, "/");
}

#[tokio::test]
async fn a_confined_session_asks_no_other_server() {
    let (other, log) = serve(|address, _, _| root(address, &["GET"])).await;
    let location = format!("location: {other}/");
    let (address, _) = serve(move |address, asked, _| match asked.path.as_str() {
        "/moved" => Answer::status(302, &[&location]),
        "/" => root(address, &["GET"]),
        _ => page(2, |_| json!({})),
    })
    .await;
    let rules = AccessRules { urls: vec![address.clone()], ..AccessRules::default() };
    let session = Session::builder().access(AccessPolicy::confined(rules).unwrap()).build().unwrap();
    assert_eq!(texts(&session, &format!("SELECT id FROM stac('{address}')")).await.unwrap(), ["item-4"]);
    for uri in [other.clone(), format!("{address}/moved"), "tests/data/stac/items.json".to_string()] {
        let error = texts(&session, &format!("SELECT id FROM stac('{uri}')")).await.unwrap_err();
        assert!(error.contains("permission denied"), "{uri}: {error}");
    }
    assert!(log.lock().unwrap().is_empty());
    let query = format!("FROM 'az://c/x.zarr' WITH (account = 'a', sign = '{other}')");
    let error = texts(&session, &query).await.unwrap_err();
    assert!(error.contains("permission denied"), "{error}");
}

#[tokio::test]
async fn catalogs_of_files_are_walked_through() {
    let examples = data().join("stac/spec-examples");
    let of = |file: &str| examples.join(file).display().to_string();
    let all = texts(&session(), &format!("SELECT id FROM stac('{}') ORDER BY id", of("catalog.json"))).await.unwrap();
    assert_eq!(all, ["CS3-20160503_132131_08", "proj-example"]);
    let query = format!(
        "SELECT id FROM stac('{}', datetime => '2020-12-11', collection => 'simple-collection')",
        of("collection.json")
    );
    assert_eq!(texts(&session(), &query).await.unwrap(), ["20201211_223832_CS2"; 2]);
    let shown = texts(&session(), &format!("SHOW COLLECTIONS FROM stac('{}')", of("catalog.json"))).await.unwrap();
    assert_eq!(shown.len(), 3, "{shown:?}");
    let items = data().join("stac/items.json").display().to_string();
    let query = format!("SELECT count(*) FROM stac('{items}') WHERE collection = 'naip' AND bbox[1] < -100");
    let found = texts(&session(), &query).await.unwrap();
    let document: Value = serde_json::from_slice(&std::fs::read(&items).unwrap()).unwrap();
    let west = |item: &&Value| item["collection"] == "naip" && item["bbox"][0].as_f64().unwrap() < -100.0;
    let expected = document["features"].as_array().unwrap().iter().filter(west).count();
    assert!(expected > 0 && expected < 15);
    assert_eq!(found, [expected.to_string()]);
}

/// A collection of items in a folder; each item has an asset `data`, a path relative to it.
fn store_catalog(items: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("store.zarr");
    std::os::unix::fs::symlink(data().join("rnz-bcsd.zarr").canonicalize().unwrap(), link).unwrap();
    std::fs::create_dir(folder.path().join("items")).unwrap();
    let mut links = vec![];
    for number in 0..items {
        let mut item = item(number);
        item["assets"] = json!({"data": {"href": "../store.zarr", "type": "application/vnd+zarr",
            "xarray:open_kwargs": {"consolidated": true, "backend_kwargs": {"storage_options": {}}}}});
        std::fs::write(folder.path().join(format!("items/{number}.json")), item.to_string()).unwrap();
        links.push(json!({"rel": "item", "href": format!("./items/{number}.json")}));
    }
    let collection = json!({"type": "Collection", "id": "c", "stac_version": "1.0.0", "links": links,
        "assets": {"whole": {"href": "store.zarr"}}});
    std::fs::write(folder.path().join("collection.json"), collection.to_string()).unwrap();
    folder
}

#[tokio::test]
async fn an_asset_is_a_dataset() {
    let folder = store_catalog(2);
    let uri = folder.path().join("collection.json").display().to_string();
    let session = session();
    let steps = "|> REDUCE avg(tas) AS mean ALONG time, latitude, longitude";
    let store = data().join("rnz-bcsd.zarr").display().to_string();
    let expected = texts(&session, &format!("FROM '{store}' {steps}")).await.unwrap();
    for source in [
        format!("stac('{uri}') ASSET 'whole'"),
        format!("stac('{uri}', ids => ['item-1']) ASSET 'data'"),
        format!("stac('{uri}', ids => 'item-1', asset => 'data')"),
        format!("stac('{uri}', ids => 'item-1') ASSET 'data' WITH (decode_cf = true)[time[0:400]]"),
        format!("(FROM stac('{uri}') ASSET 'whole')"),
    ] {
        assert_eq!(texts(&session, &format!("FROM {source} {steps}")).await.unwrap(), expected, "{source}");
    }
    session.query(&format!("LET whole = FROM stac('{uri}') ASSET 'whole'")).await.unwrap();
    assert_eq!(texts(&session, &format!("FROM whole {steps}")).await.unwrap(), expected);
    for (source, words) in [
        (format!("stac('{uri}') ASSET 'data'"), "stack(…)"),
        (format!("stac('{uri}') ASSET 'nothing'"), "expected an asset `nothing`, found data, whole"),
        (format!("stac('{uri}', colection => 'x') ASSET 'data'"), "unknown argument `colection`"),
        (format!("stac('{uri}')[time = 1]"), "brackets need a dataset"),
    ] {
        let error = texts(&session, &format!("FROM {source} {steps}")).await.unwrap_err();
        assert!(error.contains(words), "{source}: {error}");
    }
}
