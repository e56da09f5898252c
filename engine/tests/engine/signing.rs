//! Stores that are signed for with tokens: a token server, and a store that looks at the tokens it is shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quarray_engine::source::store::{Store, StoreOptions};
use serde_json::json;

use crate::catalog_server::{Answer, Log, serve};

/// A server of numbered tokens that live for so long.
async fn tokens(life: Duration) -> (String, Log) {
    serve(move |_, asked, number| {
        if number == 1 && asked.path.ends_with("/busy") {
            return Answer::status(429, &["retry-after: 0"]);
        }
        let expiry = chrono::Utc::now() + life;
        Answer::json(
            &json!({"msft:expiry": expiry.to_rfc3339(), "token": format!("sv=2021&sp=rl&sig=token%2B{number}%3D")}),
        )
    })
    .await
}

/// A store whose objects are there for those who show a token that it takes.
async fn store(takes: impl Fn(&str) -> bool + Send + Sync + 'static) -> (String, Log) {
    serve(move |_, asked, _| {
        let sig = asked.path.split_once("sig=").map_or("", |(_, sig)| sig.split('&').next().unwrap_or_default());
        match takes(sig) {
            true => Answer {
                status: 200,
                headers: vec!["last-modified: Wed, 21 Oct 2015 07:28:00 GMT".into(), "etag: \"1\"".into()],
                body: b"0123456789".into(),
            },
            false => Answer::status(403, &[]),
        }
    })
    .await
}

fn open(container: &str, endpoint: &str, sign: &str) -> Store {
    let pairs = [("account", "acc"), ("endpoint", endpoint), ("allow_http", "true"), ("sign", sign)];
    let options: StoreOptions = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Store::open(&format!("abfs://{container}/x.zarr"), &options).unwrap()
}

#[tokio::test]
async fn a_token_is_fetched_once_for_all() {
    let (sign, asked) = tokens(Duration::from_secs(3600)).await;
    let (endpoint, shown) = store(|sig| sig == "token%2B1%3D").await;
    let reads = (0..20).map(|number| {
        let store = open("once", &endpoint, &sign);
        async move { store.get(&format!("key-{number}")).await }
    });
    for read in futures::future::join_all(reads).await {
        assert_eq!(read.unwrap().unwrap(), "0123456789");
    }
    let asked: Vec<String> = asked.lock().unwrap().iter().map(|asked| asked.path.clone()).collect();
    assert_eq!(asked, ["/acc/once"]);
    assert!(shown.lock().unwrap()[0].path.starts_with("/once/x.zarr/key-"), "{:?}", shown.lock().unwrap()[0]);
}

#[tokio::test]
async fn a_busy_token_server_is_asked_again() {
    let (sign, asked) = tokens(Duration::from_secs(3600)).await;
    let (endpoint, _) = store(|sig| sig == "token%2B2%3D").await;
    assert!(open("busy", &endpoint, &sign).get("key").await.unwrap().is_some());
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_token_that_is_about_to_end_is_replaced() {
    let (sign, asked) = tokens(Duration::from_secs(2)).await;
    let (endpoint, _) = store(|sig| sig.starts_with("token")).await;
    let store = open("short", &endpoint, &sign);
    for (pause, fetched) in [(0, 1), (1000, 1), (800, 2)] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        assert!(store.get("key").await.unwrap().is_some());
        assert_eq!(asked.lock().unwrap().len(), fetched, "after {pause} ms more");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let (sign, asked) = tokens(Duration::from_secs(3600)).await;
    let valid = Arc::new(AtomicUsize::new(1));
    let now = Arc::clone(&valid);
    let (endpoint, _) = store(move |sig| sig == format!("token%2B{}%3D", now.load(Ordering::Relaxed))).await;
    let store = open("refused", &endpoint, &sign);
    assert!(store.get("key").await.unwrap().is_some());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // Revoked before its time.
    valid.store(2, Ordering::Relaxed);
    let reads = (0..8).map(|_| store.get("key"));
    for read in futures::future::join_all(reads).await {
        assert!(read.unwrap().is_some());
    }
    assert_eq!(asked.lock().unwrap().len(), 2);
    // A refusal that no token helps against is one, and a token is not fetched for each.
    valid.store(99, Ordering::Relaxed);
    for _ in 0..3 {
        let error = store.get("key").await.unwrap_err().to_string();
        assert!(error.contains("permission denied") && !error.contains("token%2B"), "{error}");
    }
    assert!(asked.lock().unwrap().len() <= 3);
}

#[tokio::test]
async fn what_is_no_token_is_an_error_without_secrets() {
    for body in ["", "[]", "{\"token\": 1}", "{\"token\": \"secretsecret\", \"msft:expiry\": \"2099-01-01T00:00:00Z\"}"]
    {
        let (sign, _) = serve(move |_, _, _| Answer { status: 200, headers: vec![], body: body.into() }).await;
        let error = open("broken", "http://127.0.0.1:9", &sign).get("key").await.unwrap_err().to_string();
        assert!(error.contains("expected a") && !error.contains("secretsecret"), "{body}: {error}");
    }
}
