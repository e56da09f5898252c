//! Addresses, options and keys of stores.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use object_store::path::Path;

use super::address::Address;
use super::cloud::sas_pairs;
use super::environment::Environment;
use super::{Store, StoreOptions};
use crate::source::SourceError;

fn options(pairs: &[(&str, &str)]) -> StoreOptions {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn open(uri: &str, pairs: &[(&str, &str)]) -> Result<Store, SourceError> {
    Store::open_in(uri, &options(pairs), &Environment::default())
}

fn refused(uri: &str, pairs: &[(&str, &str)]) -> String {
    open(uri, pairs).unwrap_err().to_string()
}

fn azure(account: Option<&str>, container: &str, key: &str, sas: Option<&str>) -> Address {
    let [account, sas] = [account, sas].map(|text| text.map(str::to_string));
    Address::Azure { account, container: container.to_string(), key: key.to_string(), sas }
}

#[tokio::test]
async fn local_files_are_read_and_written_in_parts() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path().to_str().unwrap(), &[]).unwrap();
    assert_eq!(store.get("a/b").await.unwrap(), None);
    store.put("a/b", Bytes::from_static(b"0123456789")).await.unwrap();
    store.put("c", Bytes::from_static(b"")).await.unwrap();
    assert_eq!(store.get("a/b").await.unwrap().unwrap(), "0123456789");
    assert_eq!(store.get_range("a/b", 2..5).await.unwrap().unwrap(), "234");
    assert_eq!(store.get_suffix("a/b", 3).await.unwrap().unwrap(), "789");
    assert_eq!(store.get_suffix("a/b", 30).await.unwrap().unwrap(), "0123456789");
    let error = store.get_range("a/b", 8..12).await.unwrap_err();
    assert!(error.to_string().ends_with("a/b: expected bytes 8..12, found 2 of them"), "{error}");
    assert_eq!(store.get("a").await.unwrap(), None, "a directory is no object");
    assert_eq!(store.get("c/d").await.unwrap(), None, "a file is no directory");
    assert_eq!(store.list_children("").await.unwrap(), ["a", "c"]);
    assert_eq!(store.list_children("a/").await.unwrap(), ["b"]);
    assert!(store.list_children("x").await.unwrap().is_empty());
    assert!(store.exists("a").await.unwrap() && !store.exists("x").await.unwrap());
    store.delete_prefix("a").await.unwrap();
    assert_eq!(store.list_children("").await.unwrap(), ["c"]);
    store.delete_prefix("").await.unwrap();
    assert!(!store.exists("").await.unwrap() && !directory.path().exists());
}

#[tokio::test]
async fn a_file_url_a_relative_path_and_a_link_name_the_same_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("with space")).unwrap();
    std::fs::write(directory.path().join("with space/x"), "x").unwrap();
    std::os::unix::fs::symlink(directory.path().join("with space"), directory.path().join("link")).unwrap();
    let path = directory.path().to_str().unwrap();
    for uri in [
        format!("file://{path}/with%20space"),
        format!("file:{path}/with%20space/"),
        format!("{path}/with space"),
        format!("{path}/link/"),
        format!("{path}/link/../with space"),
    ] {
        let store = open(&uri, &[]).unwrap();
        assert_eq!(store.get("x").await.unwrap().unwrap(), "x", "{uri}");
        let object = store.root.clone().join("x");
        let bytes = object_store::ObjectStoreExt::get(&store.objects, &object).await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes, "x", "{uri}");
    }
    assert!(open("some/relative/path", &[]).unwrap().local_path().unwrap().is_absolute());
    assert!(refused("file://elsewhere/x", &[]).contains("another machine's name"));
}

#[tokio::test]
async fn a_pipe_is_no_object_and_does_not_hold_the_reader() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = std::ffi::CString::new(directory.path().join("pipe").to_str().unwrap()).unwrap();
    // SAFETY: the name is a NUL-terminated string that lives until the call returns.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    let store = open(directory.path().to_str().unwrap(), &[]).unwrap();
    assert_eq!(store.get("pipe").await.unwrap(), None);
}

#[tokio::test]
async fn keys_do_not_lead_out_of_the_store() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("store")).unwrap();
    std::fs::write(directory.path().join("secret"), "secret").unwrap();
    let local = open(directory.path().join("store").to_str().unwrap(), &[]).unwrap();
    let bucket = open("s3://bucket/store", &[]).unwrap();
    let hostile = [
        "../secret",
        "a/../../secret",
        "..",
        ".",
        "./secret",
        "/etc/hostname",
        "//etc",
        "a//b",
        "a/",
        "",
        "a\0b",
        "a\nb",
        "..\\secret",
        "%2e%2e/secret",
        "%2E%2E%2Fsecret",
        "a/%2e./b",
        "x%00",
    ];
    for store in [&local, &bucket] {
        for key in hostile {
            for error in [
                store.get(key).await.unwrap_err(),
                store.get_range(key, 0..3).await.unwrap_err(),
                store.get_suffix(key, 3).await.unwrap_err(),
                store.put(key, Bytes::new()).await.unwrap_err(),
            ] {
                assert!(matches!(error, SourceError::Address { .. }), "{key:?}: {error}");
            }
        }
        for prefix in ["..", "../", "/", "a/../..", "/etc"].iter().filter(|prefix| **prefix != "/") {
            assert!(store.list_children(prefix).await.is_err() && store.delete_prefix(prefix).await.is_err());
        }
    }
    assert_eq!(std::fs::read(directory.path().join("secret")).unwrap(), b"secret");
}

#[test]
fn addresses_are_read_as_the_stores_own_tools_read_them() {
    let parse = |uri: &str| Address::parse(uri, &StoreOptions::new()).unwrap();
    let s3 = Address::S3 { bucket: "b".to_string(), key: "x/y z.zarr".to_string() };
    assert_eq!(parse("s3://b/x/y z.zarr/"), s3);
    assert_eq!(parse("S3A://b/x/y z.zarr"), s3);
    assert_eq!(parse("gs://b"), Address::Gcs { bucket: "b".to_string(), key: String::new() });
    assert_eq!(parse("az://c/x"), azure(None, "c", "x", None));
    assert_eq!(parse("abfs://c/x?sv=1&sig=s"), azure(None, "c", "x", Some("sv=1&sig=s")));
    assert_eq!(parse("abfss://c@a.dfs.core.windows.net/x"), azure(Some("a"), "c", "x", None));
    let signed = "https://a.blob.core.windows.net/c/x%20y/?sv=1&sig=s%2B";
    assert_eq!(parse(signed), azure(Some("a"), "c", "x y", Some("sv=1&sig=s%2B")));
    assert!(matches!(parse("https://a.blob.core.windows.net/c/x"), Address::Http(_)));
    let key = options(&[("account_key", "k")]);
    let with_key = Address::parse("https://a.blob.core.windows.net/c/x", &key).unwrap();
    assert_eq!(with_key, azure(Some("a"), "c", "x", None));
    for uri in ["", "s3://", "s3:///x", "ftp://h/x", "s3://b?x/y", "abfs://@a/x", "http://u:p4ssword@h/x", "http://"] {
        let error = Address::parse(uri, &StoreOptions::new()).unwrap_err().to_string();
        assert!(!error.contains("p4ssword"), "{error}");
    }
}

#[test]
fn an_unknown_option_is_refused_with_the_one_that_was_meant() {
    assert_eq!(
        refused("s3://b/x", &[("acces_key_id", "k")]),
        "s3://b/x: unknown option `acces_key_id` of an S3 store: did you mean `access_key_id`?"
    );
    assert!(refused("s3://b/x", &[("sas", "s")]).ends_with("option `sas` is not one of an S3 store"));
    assert!(refused("http://h/x", &[("region", "r")]).ends_with("option `region` is not one of a web server"));
    assert!(refused("/tmp/x", &[("anonymous", "true")]).ends_with("is not one of a local store"));
    assert!(refused("s3://b/x", &[("qwzz", "1")]).ends_with("unknown option `qwzz` of an S3 store"));
    assert!(refused("s3://b/x", &[("anonymous", "perhaps")]).contains("expected true or false, found `perhaps`"));
    assert!(refused("s3://b/x", &[("timeout", "-1")]).contains("expected seconds, found `-1`"));
    assert!(refused("az://c/x", &[("account", "a"), ("account_name", "b")]).contains("given twice"));
    assert!(refused("az://c/x", &[]).contains("expected the name of the storage account"));
    assert!(refused("s3://b/x", &[("access_key_id", "k")]).contains("needed together, found one"));
    assert!(refused("az://c/x", &[("account", "a"), ("sas", "sv=1")]).contains("expected a SAS with a signature"));
}

#[test]
fn secrets_show_nowhere() {
    let signature = "Zm9vYmFyYmF6cXV4%2Bsecret%3D";
    let sas = format!("sv=2024-01-01&sr=c&sp=rl&sig={signature}");
    let decoded = "Zm9vYmFyYmF6cXV4+secret=";
    let key = "bm90IGEgcmVhbCBrZXkgYXQgYWxs";
    let stores = [
        open(&format!("https://a.blob.core.windows.net/c/x?{sas}"), &[]).unwrap(),
        open(&format!("https://elsewhere.example/x?{sas}"), &[]).unwrap(),
        open(&format!("az://c/x?{sas}"), &[("account", "a")]).unwrap(),
        open("az://c/x", &[("account", "a"), ("sas", &sas)]).unwrap(),
        open("az://c/x", &[("account", "a"), ("key", key)]).unwrap(),
        open("s3://b/x", &[("access_key_id", "AKIDEXAMPLE"), ("secret_access_key", key)]).unwrap(),
    ];
    for store in &stores {
        let shown = format!("{store:?} {store:#?} {}", store.uri);
        let heard = format!("no: {decoded}, {signature}, {sas}, key {key}");
        let said = store.traits.redactor.clean(&heard);
        let error = store.object_error("k", &object_store::Error::Generic { store: "x", source: heard.into() });
        for secret in [decoded, signature, key] {
            assert!(!shown.contains(secret), "{shown}");
            let is_its_own = key == secret || !store.traits.redactor.clean(decoded).contains(decoded);
            let knows = store.traits.redactor.clean(secret) != secret;
            assert!(!knows || is_its_own && !said.contains(secret) && !error.to_string().contains(secret), "{error}");
        }
    }
    assert!(!stores[0].traits.redactor.clean(&format!("{decoded} {signature}")).contains("secret="));
    assert!(!stores[4].traits.redactor.clean(key).contains(key));
}

#[test]
fn the_values_of_a_sas_are_decoded_once() {
    let pairs = sas_pairs("?sp=r&sig=a%2Bb%253D+c&se=2026-01-01T00%3A00%3A00Z").unwrap();
    assert_eq!(pairs[1], ("sig".to_string(), "a+b%3D+c".to_string()));
    assert_eq!(pairs[2].1, "2026-01-01T00:00:00Z");
}

#[test]
fn credentials_come_from_one_place_as_a_whole() {
    let environment = Environment::of(&[
        ("AZURE_STORAGE_ACCOUNT_NAME", "mine"),
        ("AZURE_STORAGE_ACCOUNT_KEY", "bm90IGEgcmVhbCBrZXk="),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "environment secret"),
    ]);
    let signed =
        |uri: &str, pairs: &[(&str, &str)]| Store::open_in(uri, &options(pairs), &environment).unwrap().traits.signed;
    assert!(signed("az://c/x", &[]) && signed("abfs://c@mine.dfs.core.windows.net/x", &[]));
    assert!(!signed("abfs://c@theirs.dfs.core.windows.net/x", &[]), "one account's key is not for another");
    assert!(!signed("az://c/x", &[("anonymous", "true")]));
    assert!(signed("s3://b/x", &[]) && !signed("s3://b/x", &[("anonymous", "true")]));
    assert!(!open("s3://b/x", &[]).unwrap().traits.signed && !open("gs://b/x", &[]).unwrap().traits.signed);
}

#[test]
fn what_leaves_the_machine_has_no_secrets() {
    let portable = |uri: &str, pairs: &[(&str, &str)]| Store::portable(uri, &options(pairs));
    let s3 = portable(
        "s3://bucket/x.zarr",
        &[("key_id", "AKIDEXAMPLE"), ("secret", "hidden away"), ("region", "eu-west-1"), ("anon", "false")],
    );
    let s3 = s3.unwrap();
    assert_eq!(s3.uri, "s3://bucket/x.zarr");
    assert_eq!(s3.options, options(&[("anonymous", "false"), ("region", "eu-west-1")]));
    assert_eq!(s3.withheld, ["access_key_id", "secret_access_key"]);
    let sas = "sp=r&sig=a%2Bb%253D";
    let azure = portable(&format!("https://mine.blob.core.windows.net/c/x.zarr?{sas}"), &[]).unwrap();
    assert_eq!(azure.uri, "abfss://c@mine.dfs.core.windows.net/x.zarr");
    assert_eq!((azure.options.len(), azure.withheld.as_slice()), (0, &["sas".to_string()][..]));
    // With the secret it is the same store again.
    let opened = open(&azure.uri, &[("sas", sas)]).unwrap();
    assert!(opened.traits.signed && opened.uri == azure.uri);
    let web = portable("https://example.org/x.zarr?token=hidden", &[]).unwrap_err().to_string();
    assert!(web.contains("not sent") && !web.contains("hidden"), "{web}");
    let local = portable("some/x.zarr", &[]).unwrap();
    assert!(local.uri.starts_with('/') && local.uri.ends_with("some/x.zarr") && local.withheld.is_empty());
}

#[test]
fn what_does_not_exist_is_where_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    for (given, place) in [("no/../such.zarr", "such.zarr"), ("./a/b/../../c/d.zarr", "c/d.zarr"), ("", "")] {
        let store = open(folder.path().join(given).to_str().unwrap(), &[]).unwrap();
        assert_eq!(store.root, Path::from_absolute_path(real.join(place)).unwrap(), "{given}");
    }
}
