//! The log over restarts, full files and lines that are none.

use std::fs;
use std::io::Write;

use tempfile::TempDir;

use super::{QueryLogError, QueryLogSettings};
use crate::Session;
use crate::queries::{QueryRegistry, QueryState};

type Tested = Result<(), Box<dyn std::error::Error>>;

async fn run(queries: &std::sync::Arc<QueryRegistry>, text: &str) -> Tested {
    let session = Session::builder().threads(1).queries(queries.clone()).user("ada").build()?;
    // Failures are recorded too.
    if let Ok(outcome) = session.query(text).await {
        outcome.into_rows()?.collect().await?;
    }
    Ok(())
}

#[tokio::test]
async fn records_are_there_again_after_a_restart() -> Tested {
    let directory = TempDir::new()?;
    let settings = QueryLogSettings::new(directory.path().join("log"));
    let queries = QueryRegistry::logged(&settings)?;
    run(&queries, "SELECT value FROM range(0, 3)").await?;
    run(&queries, "SELECT nothing").await?;
    run(&queries, "ATTACH 'x' AS y WITH (secret = 'hidden away')").await?;
    let before = queries.recent(10);
    assert!(matches!(QueryRegistry::logged(&settings), Err(QueryLogError::InUse { .. })));
    assert_eq!(queries.lost_records(), 0);
    drop(queries);
    let queries = QueryRegistry::logged(&settings)?;
    let after = queries.recent(10);
    assert_eq!(after.len(), 3);
    for (before, after) in before.iter().zip(&after) {
        // Seconds have their digits, times their microseconds.
        assert_eq!(before.to_json(), after.to_json());
        assert_eq!((before.plan.is_some(), &before.error), (after.plan.is_some(), &after.error));
    }
    assert_eq!((after[2].state, after[2].rows), (QueryState::Done, 3));
    let text = fs::read_to_string(settings.directory.join("queries-000001.jsonl"))?;
    assert!(text.lines().count() == 3 && !text.contains("hidden"), "{text}");
    run(&queries, "SELECT 1").await?;
    let now = queries.recent(10);
    assert!(now.len() == 4 && now[0].id > now[1].id);
    Ok(())
}

#[tokio::test]
async fn full_files_are_followed_by_others_and_the_oldest_go() -> Tested {
    let directory = TempDir::new()?;
    let settings = QueryLogSettings { file_bytes_max: 4000, files_max: 3, ..QueryLogSettings::new(directory.path()) };
    let queries = QueryRegistry::logged(&settings)?;
    for number in 0..60 {
        run(&queries, &format!("SELECT {number} AS number")).await?;
    }
    drop(queries);
    let mut files: Vec<_> = fs::read_dir(directory.path())?.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    for path in &files {
        assert!(fs::metadata(path)?.len() <= 4000, "{path:?}");
    }
    let queries = QueryRegistry::logged(&settings)?;
    let found = queries.recent(usize::MAX);
    assert!(found.len() > 3 && found.len() < 60, "{}", found.len());
    let texts: Vec<_> = found.iter().map(|record| record.text.clone()).collect();
    let expected: Vec<_> = (0..60).rev().take(found.len()).map(|number| format!("SELECT {number} AS number")).collect();
    assert_eq!(texts, expected);
    Ok(())
}

#[tokio::test]
async fn what_is_no_record_is_passed_over() -> Tested {
    let directory = TempDir::new()?;
    let settings = QueryLogSettings::new(directory.path());
    let queries = QueryRegistry::logged(&settings)?;
    run(&queries, "SELECT 1").await?;
    drop(queries);
    let path = directory.path().join("queries-000001.jsonl");
    let line = fs::read_to_string(&path)?;
    let mut file = fs::OpenOptions::new().append(true).open(&path)?;
    writeln!(file, "[]\n{{\"id\": 1}}\n\u{fffd}")?;
    writeln!(file, "{}", "x".repeat(1 << 20))?;
    // A process that ended while it wrote.
    write!(file, "{}", &line[..line.len() / 2])?;
    drop(file);
    let queries = QueryRegistry::logged(&settings)?;
    assert_eq!(queries.recent(10).len(), 1);
    run(&queries, "SELECT 2").await?;
    drop(queries);
    let queries = QueryRegistry::logged(&settings)?;
    assert_eq!(
        queries.recent(10).iter().map(|record| record.text.as_str()).collect::<Vec<_>>(),
        ["SELECT 2", "SELECT 1"]
    );
    Ok(())
}

#[test]
fn a_log_that_cannot_be_written_is_told() -> Tested {
    let directory = TempDir::new()?;
    let file = directory.path().join("file");
    fs::write(&file, "")?;
    let error = QueryRegistry::logged(&QueryLogSettings::new(file.join("log"))).err().ok_or("it can be")?;
    assert!(error.to_string().starts_with("query log: cannot make "), "{error}");
    Ok(())
}
