//! How often a store is asked, and what is told when it does not answer as it should.

use std::time::{Duration, Instant};

use quarray_engine::sink::zarr::Codec;
use quarray_engine::source::SourceError;
use quarray_engine::source::store::{Store, StoreOptions};
use quarray_engine::source::zarr::{DecodeOptions, open};
use quarray_engine::{Error, Session};

use crate::file_server::{Manners, serve, serve_counted};
use crate::store_servers::{fresh_key, options, server};
use crate::zarr_writer::{small_schema, write_all};

/// Credentials that no message may show.
const SECRETS: [&str; 3] = ["c2VjcmV0LWtleQ==", "topsecretsignature", "top-secret-access-key"];

#[tokio::test]
async fn a_consolidated_store_is_opened_with_two_requests_and_no_chunk_is_asked_for_twice() {
    let directory = tempfile::tempdir().unwrap();
    for version in [2, 3] {
        let name = format!("v{version}.zarr");
        let target = directory.path().join(&name);
        write_all(target.to_str().unwrap(), &StoreOptions::new(), small_schema(version, Codec::default()), false)
            .await
            .unwrap();
        let (address, requests) = serve_counted(directory.path(), Manners::default()).await;
        let uri = format!("{address}/{name}");
        let asked = || {
            let mut asked = requests.lock().unwrap().split_off(0);
            asked.sort();
            asked
        };
        let metadata = [format!("GET /{name}/.zmetadata"), format!("GET /{name}/zarr.json")];
        open(Store::open(&uri, &StoreOptions::new()).unwrap(), &DecodeOptions::default()).await.unwrap();
        assert_eq!(asked(), metadata);

        let chunks = |variable: &str, indexes: &[&str]| -> Vec<String> {
            let key = |index: &&str| match version {
                2 => format!("GET /{name}/{variable}/{index}"),
                _ => format!("GET /{name}/{variable}/c/{}", index.replace('.', "/")),
            };
            indexes.iter().map(key).collect()
        };
        let session = Session::builder().threads(2).build().unwrap();
        session.attach("small", &uri, &StoreOptions::new()).await.unwrap();
        let mut expected = [&metadata[..], &chunks("time", &["0", "1"]), &chunks("y", &["0"])].concat();
        expected.sort();
        assert_eq!(asked(), expected);

        let rows = session.query("FROM small |> REDUCE avg(rain) ALONG y, x").await.unwrap().into_rows().unwrap();
        assert_eq!(rows.collect().await.unwrap().iter().map(|batch| batch.num_rows()).sum::<usize>(), 2);
        let every = ["0.0.0", "0.0.1", "0.1.0", "0.1.1", "1.0.0", "1.0.1", "1.1.0", "1.1.1"];
        assert_eq!(asked(), chunks("rain", &every));
    }
}

/// What attaching the store says: the kind of error and its text, free of secrets.
async fn refusal(uri: &str, options: &StoreOptions) -> (&'static str, String) {
    let session = Session::builder().threads(2).build().unwrap();
    let error = session.attach("x", uri, options).await.unwrap_err();
    let text = error.to_string();
    let everything = format!("{text} {error:?}");
    assert!(SECRETS.iter().all(|secret| !everything.contains(secret)), "{everything}");
    let kind = match error {
        Error::Source(SourceError::NotFound { .. }) => "not found",
        Error::Source(SourceError::PermissionDenied { .. }) => "denied",
        Error::Source(SourceError::Store { .. }) => "store",
        Error::Source(SourceError::Address { .. }) => "address",
        other => panic!("{other:?}"),
    };
    (kind, text)
}

#[tokio::test]
async fn web_servers_that_refuse() {
    let directory = tempfile::tempdir().unwrap();
    let none = StoreOptions::new();
    let refusing = |status| Manners { refuses_with: Some(status), ..Manners::default() };
    let sas = "?sv=2021&sig=topsecretsignature";

    let address = serve(directory.path(), Manners::default()).await;
    let text = format!("{address}/x.zarr: no Zarr there: none of zarr.json, .zmetadata, .zarray, .zgroup was found");
    assert_eq!(refusal(&format!("{address}/x.zarr{sas}"), &none).await, ("not found", text));

    for (status, kind) in
        [("401 Unauthorized", "denied"), ("403 Forbidden", "denied"), ("500 Internal Server Error", "store")]
    {
        let address = serve(directory.path(), refusing(status)).await;
        let text = format!("{address}/x.zarr/zarr.json: the server answered {status}");
        let (found, message) = refusal(&format!("{address}/x.zarr{sas}"), &none).await;
        assert_eq!((found, message.replace("permission denied: ", "")), (kind, text));
    }

    std::fs::create_dir(directory.path().join("bare.zarr")).unwrap();
    std::fs::write(directory.path().join("bare.zarr/.zgroup"), r#"{"zarr_format": 2}"#).unwrap();
    let (kind, text) = refusal(&format!("{address}/bare.zarr"), &none).await;
    let expected = "the group has no consolidated metadata, so that it must be listed: ";
    assert!(kind == "store" && text.contains(expected) && text.contains("a web server"), "{kind}: {text}");
}

/// Options of each cloud's store, with that endpoint.
fn cloud_places(endpoint: &str) -> [(&'static str, StoreOptions); 2] {
    let azure = [("account", "someone"), ("key", SECRETS[0])];
    let s3 = [("region", "us-east-1"), ("access_key_id", "someone"), ("secret_access_key", SECRETS[2])];
    let with = |pairs: &[(&str, &str)]| {
        let mut all = options(pairs);
        let common = [("endpoint", endpoint), ("allow_http", "true"), ("timeout", "0.5")];
        all.extend(options(&common));
        all
    };
    [("az://container/x.zarr", with(&azure)), ("s3://bucket/x.zarr", with(&s3))]
}

#[tokio::test]
async fn servers_that_are_not_there_or_never_answer() {
    let directory = tempfile::tempdir().unwrap();
    let silent = serve(directory.path(), Manners { is_silent: true, ..Manners::default() }).await;
    let mut places = cloud_places(&silent).to_vec();
    let web = format!("{silent}/x.zarr");
    places.push((&web, options(&[("timeout", "0.5")])));
    for (uri, options) in places {
        let start = Instant::now();
        let expected = ("store", format!("{uri}/zarr.json: no answer within 0.5 s"));
        assert_eq!(refusal(uri, &options).await, expected);
        assert!(start.elapsed() < Duration::from_secs(10), "{uri}: {:?}", start.elapsed());
    }

    let nobody = "http://127.0.0.1:1";
    let mut places = cloud_places(nobody).map(|(uri, mut options)| {
        options.insert("timeout".to_string(), "20".to_string());
        (uri, options)
    });
    places.sort_by_key(|(uri, _)| *uri);
    let web = ("http://127.0.0.1:1/x.zarr", StoreOptions::new());
    for (uri, options) in places.into_iter().chain([web]) {
        let (kind, text) = refusal(uri, &options).await;
        let is_told = text.starts_with(&format!("{uri}/zarr.json: ")) && text.contains("onnection refused");
        assert!(kind == "store" && is_told, "{kind}: {text}");
    }
}

#[tokio::test]
async fn clouds_that_refuse() {
    let directory = tempfile::tempdir().unwrap();
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let address = serve(directory.path(), Manners { refuses_with: Some(status), ..Manners::default() }).await;
        for (uri, options) in cloud_places(&address) {
            let text = format!("{uri}/zarr.json: permission denied: the server answered {status}");
            assert_eq!(refusal(uri, &options).await, ("denied", text));
        }
    }
}

#[tokio::test]
async fn azure_without_a_container_or_the_right_key() {
    let (Some(endpoint), Some(sas)) = (server("QUARRAY_TEST_AZURITE"), server("QUARRAY_TEST_AZURITE_SAS")) else {
        return;
    };
    let account = endpoint.rsplit('/').next().unwrap();
    let with = |more: &[(&str, &str)]| {
        let base = [("endpoint", endpoint.as_str()), ("allow_http", "true"), ("account", account)];
        options(&base.iter().chain(more).copied().collect::<Vec<_>>())
    };
    let (kind, text) = refusal("az://no-such-container/x.zarr", &with(&[("sas", &sas)])).await;
    assert_eq!(kind, "not found", "{text}");
    assert!(text.starts_with("az://no-such-container/x.zarr/zarr.json: ContainerNotFound: "), "{text}");
    let key = fresh_key("nothing");
    let (kind, text) = refusal(&format!("az://quarray-test/{key}"), &with(&[("sas", &sas)])).await;
    assert!(kind == "not found" && text.contains("no Zarr there"), "{kind}: {text}");
    let (kind, text) = refusal(&format!("az://quarray-test/{key}"), &with(&[("key", SECRETS[0])])).await;
    assert!(kind == "denied" && text.contains("AuthorizationFailure"), "{kind}: {text}");
    let (kind, text) =
        refusal(&format!("az://quarray-test/{key}"), &with(&[("sas", "sv=1&sig=topsecretsignature")])).await;
    assert!(kind == "denied" && text.contains("/zarr.json: permission denied: "), "{kind}: {text}");
    let (kind, text) = refusal(&format!("az://quarray-test/{key}"), &with(&[("sas", "sv=1")])).await;
    assert!(kind == "address" && text.contains("expected a SAS with a signature `sig`, found none"), "{kind}: {text}");
}

#[tokio::test]
async fn s3_without_a_bucket() {
    let Some(endpoint) = server("QUARRAY_TEST_MOTO") else { return };
    let pairs = [
        ("endpoint", endpoint.as_str()),
        ("allow_http", "true"),
        ("region", "us-east-1"),
        ("access_key_id", "quarray-test"),
        ("secret_access_key", SECRETS[2]),
    ];
    let (kind, text) = refusal("s3://no-such-bucket/x.zarr", &options(&pairs)).await;
    assert_eq!(kind, "not found", "{text}");
    assert!(text.starts_with("s3://no-such-bucket/x.zarr/zarr.json: NoSuchBucket: "), "{text}");
    let key = fresh_key("nothing");
    let (kind, text) = refusal(&format!("s3://quarray-test/{key}"), &options(&pairs)).await;
    assert!(kind == "not found" && text.contains("no Zarr there"), "{kind}: {text}");
    let (kind, text) = refusal(&format!("s3://quarray-test/{key}"), &options(&pairs[..4])).await;
    let expected = "options `access_key_id` and `secret_access_key` are needed together, found one";
    assert!(kind == "address" && text.contains(expected), "{kind}: {text}");
}
