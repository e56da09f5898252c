//! Stores behind a network: a web server made here; Azurite and moto where `.ci/servers` started them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quarray_engine::array::Region;
use quarray_engine::sink::zarr::{Codec, ZarrWriter};
use quarray_engine::source::SourceError;
use quarray_engine::source::store::{Store, StoreOptions};

use crate::file_server::{Manners, serve};
use crate::zarr_writer::{check_small, small_schema, small_values, write_small};

pub(crate) fn options(pairs: &[(&str, &str)]) -> StoreOptions {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// The value of an environment variable; without it the test says that it is skipped.
pub(crate) fn server(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok();
    if value.is_none() {
        eprintln!("skipped: {variable} is not set (see .ci/servers)");
    }
    value
}

/// A key that no other run of the tests uses.
pub(crate) fn fresh_key(name: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{name}-{}-{}", std::process::id(), now.as_nanos())
}

#[tokio::test]
async fn a_web_server_is_read_whatever_its_manners() {
    let directory = tempfile::tempdir().unwrap();
    write_small(directory.path().join("with space.zarr").to_str().unwrap(), &StoreOptions::new(), false).await.unwrap();
    std::fs::write(directory.path().join("bytes"), b"0123456789").unwrap();
    for manners in [
        Manners::default(),
        Manners { ignores_ranges: true, ..Manners::default() },
        Manners { refuses_suffixes: true, ..Manners::default() },
    ] {
        let address = serve(directory.path(), manners).await;
        check_small(&format!("{address}/with%20space.zarr/?some=query"), &StoreOptions::new()).await;
        let store = Store::open(&address, &StoreOptions::new()).unwrap();
        assert_eq!(store.get("bytes").await.unwrap().unwrap(), "0123456789");
        assert_eq!(store.get_range("bytes", 2..5).await.unwrap().unwrap(), "234", "{manners:?}");
        assert_eq!(store.get_suffix("bytes", 3).await.unwrap().unwrap(), "789", "{manners:?}");
        assert_eq!(store.get_suffix("bytes", 30).await.unwrap().unwrap(), "0123456789", "{manners:?}");
        assert!(store.get_range("bytes", 8..12).await.is_err() && store.get_range("bytes", 20..21).await.is_err());
        assert_eq!(store.get("nothing").await.unwrap(), None);
        assert_eq!(store.get_range("nothing", 0..1).await.unwrap(), None);
        assert_eq!(store.get_suffix("nothing", 1).await.unwrap(), None);
        assert!(store.exists("bytes").await.unwrap() && !store.exists("nothing").await.unwrap());
        let error = store.list_children("").await.unwrap_err();
        assert!(matches!(error, SourceError::Unsupported { .. }), "{error}");
        assert!(store.put("x", Bytes::new()).await.is_err() && store.delete_prefix("bytes").await.is_err());
    }
}

#[tokio::test]
async fn a_missing_object_may_be_a_forbidden_one() {
    let directory = tempfile::tempdir().unwrap();
    let address = serve(directory.path(), Manners { hides_missing: true, ..Manners::default() }).await;
    let store = Store::open(&address, &StoreOptions::new()).unwrap();
    let error = store.get("x").await.unwrap_err();
    assert!(matches!(error, SourceError::PermissionDenied { .. }), "{error}");
    assert_eq!(error.to_string(), format!("{address}/x: permission denied: the server answered 403 Forbidden"));
    let store = Store::open(&address, &options(&[("missing_is_forbidden", "true")])).unwrap();
    assert_eq!(store.get("x").await.unwrap(), None);
    assert_eq!(store.get_range("x", 0..1).await.unwrap(), None);
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_an_error_and_never_part_of_the_bytes() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("x"), b"0123456789").unwrap();
    let address = serve(directory.path(), Manners { hangs_up: true, ..Manners::default() }).await;
    let store = Store::open(&format!("{address}?token=topsecret"), &StoreOptions::new()).unwrap();
    for error in [
        store.get("x").await.unwrap_err(),
        store.get_range("x", 2..8).await.unwrap_err(),
        store.get_suffix("x", 4).await.unwrap_err(),
    ] {
        assert!(matches!(error, SourceError::Store { .. }) && !error.to_string().contains("topsecret"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("x"), b"0123456789").unwrap();
    let address = serve(directory.path(), Manners { stalls: true, ..Manners::default() }).await;
    let store = Store::open(&address, &options(&[("timeout", "0.5")])).unwrap();
    let start = Instant::now();
    let error = store.get("x").await.unwrap_err().to_string();
    assert!(error.ends_with("/x: no answer within 0.5 s"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10));
    let nobody = Store::open("http://127.0.0.1:1/x", &options(&[("timeout", "5")])).unwrap();
    assert!(nobody.get("x").await.is_err());
}

/// All that a store can do, and a Zarr store written, replaced and aborted in it.
async fn check_cloud(uri: &str, options: &StoreOptions) {
    let store = Store::open(uri, options).unwrap();
    assert_eq!(store.get("a/b").await.unwrap(), None);
    assert!(!store.exists("").await.unwrap() && store.list_children("").await.unwrap().is_empty());
    store.put("a/b c", Bytes::from_static(b"0123456789")).await.unwrap();
    store.put("d", Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(store.get("a/b c").await.unwrap().unwrap(), "0123456789");
    assert_eq!(store.get_range("a/b c", 2..5).await.unwrap().unwrap(), "234");
    assert!(store.get_range("a/b c", 8..12).await.is_err());
    assert_eq!(store.get_suffix("a/b c", 3).await.unwrap().unwrap(), "789");
    assert_eq!(store.get_suffix("nothing", 3).await.unwrap(), None);
    assert_eq!(store.list_children("").await.unwrap(), ["a", "d"]);
    assert!(store.exists("a").await.unwrap() && store.exists("d").await.unwrap() && !store.exists("e").await.unwrap());

    // What is no store is not replaced.
    for overwrite in [false, true] {
        let error = write_small(uri, options, overwrite).await.unwrap_err();
        assert!(matches!(error, SourceError::AlreadyExists { .. }), "{error}");
    }
    store.delete_prefix("").await.unwrap();
    assert!(!store.exists("").await.unwrap());

    write_small(uri, options, false).await.unwrap();
    check_small(uri, options).await;
    let error = write_small(uri, options, false).await.unwrap_err();
    assert!(matches!(error, SourceError::AlreadyExists { .. }), "{error}");
    let before = store.list_children("rain").await.unwrap();
    start_writing(uri, options, true).await.abort().await.unwrap();
    check_small(uri, options).await;
    write_small(uri, options, true).await.unwrap();
    check_small(uri, options).await;
    assert_eq!(store.list_children("rain").await.unwrap(), before);
    assert!(!store.exists(".quarray-writing").await.unwrap());

    let other = format!("{uri}-other");
    let store = Store::open(&other, options).unwrap();
    let writer = start_writing(&other, options, false).await;
    let error = write_small(&other, options, false).await.unwrap_err();
    assert!(error.to_string().contains("another write is under way there"), "{error}");
    assert_eq!(store.get("zarr.json").await.unwrap(), None);
    drop(writer);
    // Nobody waits for a dropped writer; its objects go all the same.
    let start = Instant::now();
    while store.exists("").await.unwrap() {
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", store.list_children("").await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A writer that has stored a chunk or two.
async fn start_writing(uri: &str, options: &StoreOptions, overwrite: bool) -> ZarrWriter {
    let schema = small_schema(3, Codec::default());
    let mut writer = ZarrWriter::create(uri, options, schema, overwrite).await.unwrap();
    writer.write(2, &Region::whole(&[2, 3, 4]), &small_values()[2]).await.unwrap();
    writer
}

#[tokio::test]
async fn azure_with_the_account_key() {
    let (Some(endpoint), Some(key)) = (server("QUARRAY_TEST_AZURITE"), server("QUARRAY_TEST_AZURITE_KEY")) else {
        return;
    };
    let account = endpoint.rsplit('/').next().unwrap().to_string();
    let pairs = [("endpoint", endpoint.as_str()), ("allow_http", "true"), ("account", &account), ("key", &key)];
    check_cloud(&format!("az://quarray-test/{}", fresh_key("key")), &options(&pairs)).await;
    let uri = format!("abfs://quarray-test@{account}.dfs.core.windows.net/{}/deeper/x.zarr", fresh_key("abfs"));
    check_cloud(&uri, &options(&pairs[..2].iter().chain(&pairs[3..]).copied().collect::<Vec<_>>())).await;
}

#[tokio::test]
async fn azure_with_a_sas() {
    let (Some(endpoint), Some(sas)) = (server("QUARRAY_TEST_AZURITE"), server("QUARRAY_TEST_AZURITE_SAS")) else {
        return;
    };
    let account = endpoint.rsplit('/').next().unwrap().to_string();
    let base = [("endpoint", endpoint.as_str()), ("allow_http", "true")];
    let with = |more: &[(&str, &str)]| options(&base.iter().chain(more).copied().collect::<Vec<_>>());
    check_cloud(&format!("az://quarray-test/{}", fresh_key("sas")), &with(&[("account", &account), ("sas", &sas)]))
        .await;

    // In the URL, as a portal gives it.
    let key = fresh_key("url");
    write_small(&format!("az://quarray-test/{key}?{sas}"), &with(&[("account", &account)]), false).await.unwrap();
    check_small(&format!("https://{account}.blob.core.windows.net/quarray-test/{key}?{sas}"), &with(&[])).await;

    let signature = sas.split('&').find_map(|pair| pair.strip_prefix("sig=")).unwrap();
    let forged = sas.replace(signature, "Zm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2VkZm8%3D");
    let store = Store::open(&format!("az://quarray-test/{key}?{forged}"), &with(&[("account", &account)])).unwrap();
    let error = store.get("zarr.json").await.unwrap_err();
    assert!(matches!(error, SourceError::PermissionDenied { .. }), "{error}");
    assert!(!format!("{error} {error:?} {store:?}").contains("Zm9yZ2Vk"), "{error}");
    let anonymous =
        Store::open(&format!("az://quarray-test/{key}"), &with(&[("account", &account), ("anonymous", "true")]));
    assert!(!matches!(anonymous.unwrap().get("zarr.json").await, Ok(Some(_))));
}

#[tokio::test]
async fn s3_with_keys() {
    let Some(endpoint) = server("QUARRAY_TEST_MOTO") else { return };
    let pairs = [
        ("endpoint", endpoint.as_str()),
        ("allow_http", "true"),
        ("region", "us-east-1"),
        ("access_key_id", "quarray-test"),
        ("secret_access_key", "quarray-test-secret"),
    ];
    check_cloud(&format!("s3://quarray-test/{}", fresh_key("x")), &options(&pairs)).await;
    check_cloud(&format!("s3://quarray-test/{}/deeper/with space.zarr", fresh_key("x")), &options(&pairs)).await;
    let nowhere = Store::open("s3://no-such-bucket/x", &options(&pairs)).unwrap();
    let error = nowhere.get("x").await.unwrap_err();
    assert!(matches!(error, SourceError::NotFound { .. }) && error.to_string().contains("NoSuchBucket"), "{error}");
}
