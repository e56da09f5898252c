//! What a confined session may touch, and what it may not: every refusal beside what is allowed in the same way.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::{AccessPolicy, AccessRules};
use crate::session::Session;
use crate::source::file::SourceFile;
use crate::source::store::{Store, StoreOptions};
use crate::{Error, Outcome};

type Ended = Result<(), Box<dyn std::error::Error>>;

/// A served directory with a table and a store in it, beside one that is not served.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let place = Self { directory };
        for folder in ["served/deep", "secret"] {
            std::fs::create_dir_all(place.path(folder))?;
        }
        for folder in ["served", "secret"] {
            std::fs::write(place.path(folder).join("table.csv"), "a,b\n1,2\n")?;
        }
        symlink(place.path("secret"), place.path("served/link"))?;
        symlink(place.path("secret/table.csv"), place.path("served/linked.csv"))?;
        symlink("deep", place.path("served/near"))?;
        symlink(place.path("served/deep"), place.path("served/back"))?;
        symlink(place.path("secret/new"), place.path("served/dangling.zarr"))?;
        Ok(place)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn access(&self, may_write: bool) -> Result<AccessPolicy, Box<dyn std::error::Error>> {
        let rules = AccessRules { roots: vec![self.path("served")], may_write, ..AccessRules::default() };
        Ok(AccessPolicy::confined(rules)?)
    }

    fn session(&self, may_write: bool) -> Result<Session, Box<dyn std::error::Error>> {
        Ok(Session::builder().threads(2).memory_limit(64 << 20).access(self.access(may_write)?).build()?)
    }
}

/// The number of rows, or the error, of a statement.
async fn run(session: &Session, text: &str) -> Result<usize, Error> {
    match session.query(text).await? {
        Outcome::Rows(mut rows) => {
            let mut count = 0;
            while let Some(batch) = rows.next().await? {
                count += batch.num_rows();
            }
            Ok(count)
        }
        _ => Ok(0),
    }
}

/// The words of a refusal, which must tell nothing of what is outside.
async fn refused(session: &Session, text: &str) -> Result<String, Box<dyn std::error::Error>> {
    let Err(error) = run(session, text).await else { return Err(format!("it is allowed: {text}").into()) };
    assert!(!matches!(error, Error::Internal(_)), "{text}: {error}");
    let words = error.to_string();
    for hint in ["os error", "No such file", "panicked", "stack backtrace", "RUST_BACKTRACE", " at /"] {
        assert!(!words.contains(hint), "{text}: {words}");
    }
    Ok(words)
}

const OUTSIDE: &str = "not in a directory that the server gives access to";

#[tokio::test]
async fn tables_in_files_are_those_of_the_directories() -> Ended {
    let place = Place::new()?;
    let session = place.session(true)?;
    let served = place.path("served").display().to_string();
    for allowed in [
        "SELECT * FROM 'table.csv'".to_string(),
        "SELECT * FROM './deep/../table.csv'".to_string(),
        format!("SELECT * FROM '{served}/table.csv'"),
        format!("SELECT * FROM 'file://{served}/table.csv'"),
        format!("SELECT * FROM '{served}/tab*.csv'"),
    ] {
        assert_eq!(run(&session, &allowed).await?, 1, "{allowed}");
    }
    let secret = place.path("secret").display().to_string();
    for path in [
        format!("{secret}/table.csv"),
        format!("file://{secret}/table.csv"),
        format!("FILE://{secret}/table.csv"),
        "../secret/table.csv".to_string(),
        "deep/../../secret/table.csv".to_string(),
        "missing/../../secret/table.csv".to_string(),
        "link/table.csv".to_string(),
        "linked.csv".to_string(),
        format!("{secret}/*.csv"),
        "../*/table.csv".to_string(),
        format!("{served}/../secret/table.csv"),
        format!("file://{served}/../secret/table.csv"),
        format!("file://{served}/%2e%2e/secret/table.csv"),
        "/proc/self/environ.csv".to_string(),
        format!("{secret}/absent.csv"),
        "file://elsewhere/table.csv".to_string(),
    ] {
        for statement in [
            format!("SELECT * FROM '{path}'"),
            format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{path}'"),
            format!("COPY (SELECT 1 AS a) TO '{path}' STORED AS CSV"),
        ] {
            let words = refused(&session, &statement).await?;
            assert!(words.contains(OUTSIDE), "{statement}: {words}");
        }
    }
    assert_eq!(std::fs::read_to_string(place.path("secret/table.csv"))?, "a,b\n1,2\n");
    assert_eq!(std::fs::read_dir(place.path("secret"))?.count(), 1, "something was written");
    Ok(())
}

#[tokio::test]
async fn a_table_that_is_not_there_tells_of_no_directory() -> Ended {
    let place = Place::new()?;
    let session = place.session(true)?;
    std::fs::write(place.path("served/broken.parquet"), "this is no table")?;
    let served = place.path("served").canonicalize()?.display().to_string();
    for (text, named) in [
        ("SELECT * FROM 'absent.csv'", "absent.csv"),
        ("SELECT * FROM 'deep/*.parquet'", "deep"),
        ("SELECT * FROM 'broken.parquet'", ""),
        ("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'deep/absent.parquet'", "deep/absent.parquet"),
    ] {
        let words = refused(&session, text).await?;
        assert!(!words.contains(&served) && words.contains(named), "{text}: {words}");
    }
    Ok(())
}

#[tokio::test]
async fn a_link_in_a_folder_of_tables_leads_nowhere() -> Ended {
    let place = Place::new()?;
    let session = place.session(true)?;
    // `table.csv` alone: `linked.csv` and those below `link/` are outside.
    run(&session, "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION './' OPTIONS ('format.has_header' 'true')").await?;
    assert_eq!(run(&session, "SELECT * FROM t").await?, 1);
    assert_eq!(run(&session, "SELECT * FROM '*.csv'").await?, 1);
    Ok(())
}

#[tokio::test]
async fn external_tables_are_written_where_writing_is_allowed() -> Ended {
    let place = Place::new()?;
    let create = "CREATE EXTERNAL TABLE written (a INT) STORED AS CSV LOCATION 'written/'";
    for may_write in [false, true] {
        let session = place.session(may_write)?;
        run(&session, create).await?;
        let insert = "INSERT INTO written VALUES (1)";
        let copy = "COPY (SELECT 1 AS a) TO 'copied.csv'";
        match may_write {
            true => {
                run(&session, insert).await?;
                run(&session, copy).await?;
                assert_eq!(run(&session, "SELECT * FROM 'copied.csv'").await?, 1);
            }
            false => {
                for statement in [insert, copy] {
                    let words = refused(&session, statement).await?;
                    assert!(words.contains("this session may read only"), "{statement}: {words}");
                }
            }
        }
    }
    assert_eq!(std::fs::read_dir(place.path("served/written"))?.count(), 1);
    Ok(())
}

#[tokio::test]
async fn tables_without_end_do_not_open_files_themselves() -> Ended {
    let place = Place::new()?;
    let session = place.session(true)?;
    let file = place.path("secret/table.csv").display().to_string();
    for statement in [
        format!("CREATE UNBOUNDED EXTERNAL TABLE t (a INT) STORED AS CSV LOCATION '{file}'"),
        format!("CREATE EXTERNAL TABLE t (a INT) STORED AS CSV LOCATION '{file}' OPTIONS ('unbounded' 'true')"),
        format!("CREATE EXTERNAL TABLE t (a INT) STORED AS CSV LOCATION '{file}' OPTIONS ('format.unbounded' 'TRUE')"),
        "CREATE UNBOUNDED EXTERNAL TABLE t (a INT) STORED AS CSV LOCATION 'table.csv'".to_string(),
    ] {
        refused(&session, &statement).await?;
    }
    Ok(())
}

#[tokio::test]
async fn settings_of_the_server_stay() -> Ended {
    let place = Place::new()?;
    let session = place.session(true)?;
    for statement in [
        "SET datafusion.execution.batch_size = 1000",
        "SET datafusion.execution.target_partitions = 8",
        "SET datafusion.execution.time_zone = '+01:00'",
        "SET datafusion.optimizer.repartition_joins = false",
    ] {
        run(&session, statement).await?;
    }
    // Room that no pool is asked for, tasks that nobody counts.
    for statement in [
        "SET datafusion.execution.batch_size = 1000000000000",
        "SET datafusion.execution.batch_size = '+99999999999999999999'",
        "SET DATAFUSION.execution.target_partitions = 1000000000",
    ] {
        let words = refused(&session, statement).await?;
        assert!(words.contains("is at most"), "{statement}: {words}");
    }
    for statement in [
        "SET datafusion.runtime.memory_limit = '100G'",
        "SET DATAFUSION.RUNTIME.memory_limit = '100G'",
        "SET datafusion.runtime.temp_directory = '/tmp/elsewhere'",
        "SET datafusion.catalog.location = '/'",
        "SET datafusion.execution.planning_concurrency = 1000000000",
        "SET datafusion.execution.perfect_hash_join_small_build_threshold = 1000000000000",
        "SET datafusion.sql_parser.recursion_limit = 1000000",
    ] {
        let words = refused(&session, statement).await?;
        assert!(words.contains("a setting of the server"), "{statement}: {words}");
    }
    for statement in ["RESET datafusion.runtime.memory_limit", "SELECT @@PATH", "SELECT @home"] {
        refused(&session, statement).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_file_is_found_in_the_second_directory() -> Ended {
    let place = Place::new()?;
    std::fs::create_dir_all(place.path("also/deep"))?;
    std::fs::write(place.path("also/deep/file"), "there")?;
    std::fs::write(place.path("also/top"), "above")?;
    let roots = vec![place.path("served"), place.path("also")];
    let access = AccessPolicy::confined(AccessRules { roots, ..AccessRules::default() })?;
    for (name, content) in [("deep/file", "there"), ("top", "above")] {
        let file = SourceFile::open(name, &StoreOptions::new(), &access)?;
        assert_eq!(file.read_start(100).await?, content, "{name}");
    }
    assert!(SourceFile::open("../secret/table.csv", &StoreOptions::new(), &access).is_err());
    Ok(())
}

#[tokio::test]
async fn stores_are_those_of_the_directories() -> Ended {
    let place = Place::new()?;
    let access = place.access(true)?;
    let open = |uri: &str| Store::open_for(uri, &StoreOptions::new(), &access);
    std::fs::create_dir_all(place.path("served/store"))?;
    std::fs::write(place.path("served/store/key"), "own")?;
    symlink(place.path("secret/table.csv"), place.path("served/store/leak"))?;
    symlink("key", place.path("served/store/near"))?;
    symlink(place.path("served/store/key"), place.path("served/store/back"))?;
    let store = open("store")?;
    for key in ["key", "near", "back"] {
        assert_eq!(store.get(key).await?.ok_or("nothing")?, "own", "{key}");
    }
    assert_eq!(store.get("absent").await?, None);
    let Err(error) = store.get("leak").await else { return Err("a link leads out".into()) };
    assert_eq!(error.to_string(), format!("store/leak: permission denied: {OUTSIDE}"));
    assert!(store.open_object("leak").await.is_err() && store.get_range("leak", 0..3).await.is_err());
    store.put("made/new", "x".into()).await?;
    assert_eq!(std::fs::read(place.path("served/store/made/new"))?, b"x");
    for uri in ["link", "link/", "../secret", "dangling.zarr", "dangling.zarr/x", "/etc", "/", "file:///etc"] {
        let Err(error) = open(uri) else { return Err(format!("{uri} is opened").into()) };
        assert!(error.to_string().contains(OUTSIDE), "{error}");
    }
    for uri in ["near", "back", "deep/new.zarr", "not/there/yet"] {
        assert!(open(uri).is_ok(), "{uri}");
    }
    Ok(())
}

#[tokio::test]
async fn links_that_come_later_lead_nowhere_either() -> Ended {
    let place = Place::new()?;
    let store = Store::open_for("deep", &StoreOptions::new(), &place.access(true)?)?;
    store.put("key", "x".into()).await?;
    std::fs::rename(place.path("served/deep"), place.path("served/moved"))?;
    symlink(place.path("secret"), place.path("served/deep"))?;
    assert!(store.get("table.csv").await.is_err() && store.list_children("").await.is_err());
    assert!(store.put("planted", "x".into()).await.is_err() && store.delete_prefix("table.csv").await.is_err());
    assert!(Path::new(&place.path("secret/table.csv")).exists() && !place.path("secret/planted").exists());
    Ok(())
}

#[tokio::test]
async fn urls_are_those_that_were_named() -> Ended {
    let urls = vec!["s3://bucket/public/".to_string(), "https://data.example/".to_string()];
    let access = AccessPolicy::confined(AccessRules { urls, ..AccessRules::default() })?;
    let open = |uri: &str, options: &[(&str, &str)]| {
        let options: StoreOptions = options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Store::open_for(uri, &options, &access).map(|_| ()).map_err(|error| error.to_string())
    };
    let region = ("region", "eu-west-1");
    open("s3://bucket/public/x.zarr", &[region])?;
    open("https://data.example/x.zarr", &[])?;
    open("s3://bucket/public/x", &[region, ("endpoint", "https://data.example/minio")])?;
    for uri in
        ["s3://bucket/private/x", "http://data.example/x", "http://169.254.169.254/latest", "http://127.0.0.1:1/x"]
    {
        let Err(words) = open(uri, &[]) else { return Err(format!("{uri} is opened").into()) };
        assert!(words.contains("not below a URL"), "{words}");
    }
    for option in [
        ("endpoint", "http://169.254.169.254"),
        ("endpoint", "https://evil.example"),
        ("instance_credentials", "true"),
        ("region", "x.evil.example/#"),
    ] {
        let options: &[(&str, &str)] = if option.0 == "region" { &[option] } else { &[region, option] };
        let Err(words) = open("s3://bucket/public/x", options) else {
            return Err(format!("{option:?} is taken").into());
        };
        assert!(words.contains("permission denied"), "{words}");
    }
    Ok(())
}

#[test]
fn rules_that_cannot_be_kept_are_refused() {
    let roots = AccessRules { roots: vec!["/no/such/directory".into()], ..AccessRules::default() };
    assert!(AccessPolicy::confined(roots).is_err());
    let urls = AccessRules { urls: vec!["/a/path".to_string()], ..AccessRules::default() };
    assert!(AccessPolicy::confined(urls).is_err());
    assert!(!AccessPolicy::everything().is_confined());
}
