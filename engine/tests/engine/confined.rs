//! What a confined session reaches of web servers: nothing that a redirect leads to beside what it may reach.

use quarray_engine::access::{AccessPolicy, AccessRules};
use quarray_engine::{Outcome, Session};

use crate::catalog_server::{Answer, serve};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data");

/// A file of the test data, as a web server has it.
fn file(path: &str) -> Answer {
    match std::fs::read(format!("{DATA}/{path}")) {
        Ok(body) => Answer { status: 200, headers: vec![], body },
        Err(_) => Answer::status(404, &[]),
    }
}

async fn counted(session: &Session, uri: &str) -> Result<usize, String> {
    let query = format!("FROM '{uri}' |> REDUCE count(*) AS n ALONG latitude, longitude");
    let rows = session.query(&query).await.and_then(Outcome::into_rows).map_err(|error| error.to_string())?;
    let batches = rows.collect().await.map_err(|error| error.to_string())?;
    Ok(batches.iter().map(|batch| batch.num_rows()).sum())
}

#[tokio::test]
async fn redirects_of_objects_lead_nowhere_but_where_the_session_may_go() {
    let (other, called) = serve(|_, asked, _| file(asked.path.trim_start_matches('/'))).await;
    let elsewhere = other.clone();
    let (address, log) = serve(move |_, asked, _| {
        let moved = |status: u16, place: &str| Answer::status(status, &[&format!("location: {place}")]);
        let Some((store, key)) = asked.path.trim_start_matches("/data/").split_once('/') else {
            return Answer::status(404, &[]);
        };
        match store {
            "rnz-bcsd.zarr" => file(&format!("{store}/{key}")),
            "moved.zarr" => moved(302, &format!("/data/rnz-bcsd.zarr/{key}")),
            "allowed.zarr" => moved(307, &format!("{elsewhere}/rnz-bcsd.zarr/{key}")),
            "refused.zarr" => moved(307, &format!("{elsewhere}/stac/{key}")),
            "beside.zarr" => moved(308, &format!("/secret/rnz-bcsd.zarr/{key}")),
            "metadata.zarr" => moved(302, "http://169.254.169.254/latest/meta-data"),
            "private.zarr" => moved(301, "http://10.0.0.1/x"),
            "localhost.zarr" => moved(301, &elsewhere.replace("127.0.0.1", "localhost")),
            "file.zarr" => moved(302, "file:///etc/hostname"),
            _ => moved(302, &format!("/data/{store}/{key}")),
        }
    })
    .await;
    let urls = vec![format!("{address}/data/"), format!("{other}/rnz-bcsd.zarr/")];
    let rules = AccessRules { urls, ..AccessRules::default() };
    let session = Session::builder().access(AccessPolicy::confined(rules).unwrap()).build().unwrap();

    for store in ["rnz-bcsd.zarr", "moved.zarr"] {
        assert_eq!(counted(&session, &format!("{address}/data/{store}")).await, Ok(12), "{store}");
    }
    assert!(called.lock().unwrap().is_empty());
    assert_eq!(counted(&session, &format!("{address}/data/allowed.zarr")).await, Ok(12));
    assert!(!called.lock().unwrap().is_empty());

    called.lock().unwrap().clear();
    for store in ["refused.zarr", "beside.zarr", "metadata.zarr", "private.zarr", "localhost.zarr"] {
        let error = counted(&session, &format!("{address}/data/{store}")).await.unwrap_err();
        assert!(error.contains("permission denied") && error.contains("redirected to http://"), "{store}: {error}");
    }
    let error = counted(&session, &format!("{address}/data/file.zarr")).await.unwrap_err();
    assert!(error.contains("redirected away"), "{error}");
    let error = counted(&session, &format!("{address}/data/circle.zarr")).await.unwrap_err();
    assert!(error.contains("redirected more than 5 times"), "{error}");
    assert!(called.lock().unwrap().is_empty(), "{:?}", called.lock().unwrap());
    let asked = log.lock().unwrap();
    assert!(asked.iter().all(|asked| asked.path.starts_with("/data/")), "{asked:?}");
}
