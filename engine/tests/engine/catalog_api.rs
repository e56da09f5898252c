//! A STAC API with a database behind it, where `.ci/servers` started one: what we find is what pystac-client finds.

use std::process::Command;

use quarray_engine::Session;

use crate::catalogs::texts;
use crate::store_servers::server;

/// Arguments in our words and in those of pystac-client.
const SEARCHES: [(&str, &str); 9] = [
    ("", "{}"),
    ("collection => 'naip'", "{'collections': ['naip']}"),
    ("collections => ['naip', 'sentinel-2-l2a']", "{'collections': ['naip', 'sentinel-2-l2a']}"),
    ("bbox => [-125, 30, -110, 48]", "{'bbox': [-125, 30, -110, 48]}"),
    ("datetime => '2019'", "{'datetime': '2019'}"),
    (
        "collection => 'landsat-8-c2-l2', datetime => '2016-06/2017-02'",
        "{'collections': ['landsat-8-c2-l2'], 'datetime': '2016-06/2017-02'}",
    ),
    ("datetime => '../2018'", "{'datetime': '../2018'}"),
    (
        "ids => ['fl_m_2608004_nw_17_060_20191215_20200113', 'none']",
        "{'ids': ['fl_m_2608004_nw_17_060_20191215_20200113', 'none']}",
    ),
    (
        "query => '{\"eo:cloud_cover\": {\"lt\": 10}}', collection => 'sentinel-2-l2a'",
        "{'query': {'eo:cloud_cover': {'lt': 10}}, 'collections': ['sentinel-2-l2a']}",
    ),
];

const PEER: &str = "
import sys, pystac_client
client = pystac_client.Client.open(sys.argv[1])
for arguments in sys.argv[2:]:
    found = client.search(**eval(arguments), limit=20).items_as_dicts()
    print('|'.join(sorted(item['collection'] + '/' + item['id'] for item in found)))
print('|'.join(sorted(collection.id for collection in client.get_collections())))
";

#[tokio::test]
async fn searches_find_what_pystac_client_finds() {
    compare("QUARRAY_TEST_STAC", |_, _| true).await;
}

/// The same of another server, which keeps its items in memory. It does not conform to `query`, and answers 500 to a list
/// by GET where there is a second page.
#[tokio::test]
async fn searches_of_rustac_find_what_pystac_client_finds() {
    compare("QUARRAY_TEST_RUSTAC", |ours, method| {
        !ours.starts_with("query") && (method == "post" || !ours.contains('['))
    })
    .await;
}

async fn compare(variable: &str, answers: fn(&str, &str) -> bool) {
    let (Some(uri), Some(python)) = (server(variable), server("QUARRAY_TEST_STAC_PYTHON")) else { return };
    let arguments = SEARCHES.iter().map(|(_, theirs)| *theirs);
    let said = Command::new(python).args(["-c", PEER, &uri]).args(arguments).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = String::from_utf8(said.stdout).unwrap();
    let mut expected = said.lines().map(|line| line.split('|').map(str::to_string).collect::<Vec<_>>());
    let session = Session::builder().build().unwrap();
    let mut sizes = vec![];
    for (ours, theirs) in SEARCHES {
        let expected = expected.next().unwrap();
        for method in ["get", "post"].into_iter().filter(|method| answers(ours, method)) {
            let comma = if ours.is_empty() { "" } else { ", " };
            let call = format!("stac('{uri}', page_size => 20, method => '{method}'{comma}{ours})");
            let query = format!("SELECT collection || '/' || id FROM {call} ORDER BY collection || '/' || id");
            let found = texts(&session, &query).await.unwrap();
            assert_eq!(found, expected, "{theirs} by {method}");
        }
        if answers(ours, "post") {
            sizes.push(expected.len());
        }
    }
    assert!(sizes[0] == 45 && sizes.iter().all(|size| (1..=45).contains(size)), "{sizes:?}");
    let shown = texts(&session, &format!("SHOW COLLECTIONS FROM stac('{uri}')")).await.unwrap();
    let mut shown = shown;
    shown.sort();
    assert_eq!(shown, expected.next().unwrap());
}

#[tokio::test]
async fn predicates_and_limits_of_a_query_are_searches() {
    let Some(uri) = server("QUARRAY_TEST_STAC") else { return };
    let session = Session::builder().build().unwrap();
    let all = format!("stac('{uri}', page_size => 100)");
    for predicate in [
        "collection IN ('naip', 'landsat-8-c2-l2') AND bbox[3] >= -120 AND bbox[1] <= -80",
        "datetime BETWEEN '2016-01-01' AND '2019-01-02'",
        "bbox[2] > 40 AND bbox[4] <= 60",
        "id = 'S2A_13TDE_20231008_0_L2A'",
    ] {
        let pushed = format!("SELECT id FROM {all} WHERE {predicate} ORDER BY id");
        // A derived column keeps the predicate from being pushed into the search.
        let columns = "id || '' AS id, collection || '' AS collection, datetime + INTERVAL '0 seconds' AS datetime, \
                       make_array(bbox[1] + 0, bbox[2] + 0, bbox[3] + 0, bbox[4] + 0) AS bbox";
        let kept = format!("SELECT id FROM (SELECT {columns} FROM {all}) WHERE {predicate} ORDER BY id");
        let found = texts(&session, &pushed).await.unwrap();
        assert!(!found.is_empty() && found.len() < 45, "{predicate}: {found:?}");
        assert_eq!(found, texts(&session, &kept).await.unwrap(), "{predicate}");
    }
    let some = texts(&session, &format!("SELECT id FROM stac('{uri}', page_size => 4) LIMIT 10")).await.unwrap();
    assert_eq!(some.len(), 10);
}
