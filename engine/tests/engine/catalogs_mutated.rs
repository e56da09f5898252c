//! Documents of catalogs that were damaged: an error or an answer, soon and in little memory, never a panic.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use quarray_engine::Session;
use quarray_engine::access::AccessPolicy;
use quarray_engine::source::stac::open_asset;
use serde_json::{Value, json};

use crate::catalog_server::{Answer, serve};

/// Set in the process that does the work: its memory is that of nothing else.
const CHILD: &str = "QUARRAY_TEST_MUTATED_CATALOGS";

const DOCUMENTS: usize = 600;
const GROWTH_MAX: u64 = 64 << 20;
const TIME_MAX: Duration = Duration::from_secs(1);

#[test]
fn damaged_documents_are_no_danger() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "catalogs_mutated::child", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{said}");
    let summary = said.lines().find(|line| line.contains(&format!("{DOCUMENTS} documents")));
    println!("{}", summary.unwrap_or_else(|| panic!("{said}")));
}

#[tokio::test]
async fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let session = Session::builder().build().unwrap();
    let bases = bases();
    // Everything that is made once is made before memory is looked at.
    judge(&session, &folder.path().join("first.json"), &bases[0]).await;
    let before = peak();
    let (mut random, mut answers) = (Random(7), 0);
    for number in 0..DOCUMENTS {
        let document = random.mutated(&bases[number % bases.len()]);
        let start = Instant::now();
        answers += match number % 3 {
            0 => judge_page(&session, document).await,
            _ => judge(&session, &folder.path().join(format!("{number}.json")), &document).await,
        };
        assert!(start.elapsed() < TIME_MAX, "document {number}: {:?}", start.elapsed());
    }
    let growth = peak() - before;
    println!("{DOCUMENTS} documents, {answers} answers, {growth} bytes more");
    assert!(growth <= GROWTH_MAX, "{growth} bytes");
    // Damage that is never noticed, or always fatal, would test nothing.
    assert!(answers > DOCUMENTS / 20 && answers < 3 * DOCUMENTS, "{answers}");
}

/// Reads a document in every way; how many of them gave an answer.
async fn judge(session: &Session, path: &std::path::Path, document: &[u8]) -> usize {
    std::fs::write(path, document).unwrap();
    let uri = path.display();
    let items = rows(session, &format!("FROM stac('{uri}')")).await;
    let collections = rows(session, &format!("SHOW COLLECTIONS FROM stac('{uri}')")).await;
    let given = json!({"asset": "zarr-abfs"}).as_object().unwrap().clone();
    let asset = open_asset(&uri.to_string(), &given, &AccessPolicy::everything()).await.is_ok();
    usize::from(items) + usize::from(collections) + usize::from(asset)
}

/// Reads a document as a page of a search.
async fn judge_page(session: &Session, document: Vec<u8>) -> usize {
    let (address, _) = serve(move |_, asked, number| match (asked.path.as_str(), number) {
        ("/", _) => Answer::json(&json!({"type": "Catalog", "stac_version": "1.0.0", "conformsTo": [],
            "links": [{"rel": "search", "href": "search", "method": "POST"}, {"rel": "data", "href": "search"}]})),
        (_, 2) => Answer { status: 200, headers: vec![], body: document.clone() },
        _ => Answer::json(&json!({"features": [], "collections": []})),
    })
    .await;
    usize::from(rows(session, &format!("FROM stac('{address}/')")).await)
}

async fn rows(session: &Session, query: &str) -> bool {
    match session.query(query).await {
        Ok(outcome) => match outcome.into_rows() {
            Ok(rows) => rows.collect().await.is_ok(),
            Err(_) => false,
        },
        Err(error) => {
            assert!(!error.to_string().contains("internal error"), "{error}");
            false
        }
    }
}

fn bases() -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/stac");
    let read = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap() };
    let features = read("items.json")["features"].as_array().unwrap().clone();
    let link = json!({"rel": "next", "href": "search?page=1", "method": "POST", "merge": true, "body": {"token": "a"},
        "headers": {"x-page": ["1"]}});
    let page = json!({"type": "FeatureCollection", "features": &features[..2], "links": [link]});
    let mut daymet = read("daymet-daily-hi.json");
    daymet["links"] = json!([{"rel": "item", "href": "./none.json"}]);
    let documents = [features[20].clone(), page, daymet, read("spec-examples/catalog.json")];
    documents.iter().map(|document| document.to_string().into_bytes()).collect()
}

/// The most memory that this process has held, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Numbers that look like chance and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end.max(1)
    }

    /// A document with one to four damages.
    fn mutated(&mut self, base: &[u8]) -> Vec<u8> {
        let mut bytes = base.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(7) {
                0 => bytes[at] = self.below(256) as u8,
                1 => bytes.truncate(at),
                2 => drop(bytes.splice(at..at, std::iter::repeat_n(b'[', 5000))),
                3 => self.swap_value(&mut bytes),
                4 => drop(bytes.splice(at..at, b"1e999".iter().copied())),
                5 => {
                    let end = (at + self.below(200)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    drop(bytes.splice(to..to, piece));
                }
                _ => drop(bytes.drain(at..(at + self.below(40)).min(bytes.len()))),
            }
            if bytes.is_empty() {
                break;
            }
        }
        bytes
    }

    /// Puts another value behind a colon, so that the document stays JSON more often than not.
    fn swap_value(&mut self, bytes: &mut Vec<u8>) {
        const VALUES: [&str; 8] = ["null", "{}", "[]", "-1", "\"\"", "true", "[[[]]]", "\"../../../etc/passwd\""];
        let colons: Vec<usize> = bytes.windows(2).enumerate().filter(|(_, w)| w == b":\"").map(|(at, _)| at).collect();
        if colons.is_empty() {
            return;
        }
        let start = colons[self.below(colons.len())] + 1;
        let length = bytes[start + 1..].iter().position(|byte| *byte == b'"').map_or(0, |length| length + 2);
        let value = VALUES[self.below(VALUES.len())];
        drop(bytes.splice(start..(start + length).min(bytes.len()), value.bytes()));
    }
}
