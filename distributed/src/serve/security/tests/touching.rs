//! What statements may touch of the server: its directories and what was allowed of the network, and nothing else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tonic::Code;

use super::{Bench, Calls, Ended, Fallible, Manners, check, run};

/// Whatever is refused is so for one of these reasons, never by a fault.
const REFUSED: [Code; 2] = [Code::PermissionDenied, Code::InvalidArgument];

/// Runs a statement and fetches its rows.
async fn tried(calls: &mut Calls, text: &str) -> Result<(), tonic::Status> {
    let info = calls.run(text).await?;
    match info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone()) {
        Some(ticket) => calls.fetch(ticket).await.map(|_| ()),
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_outside_are_out_of_reach_of_every_statement() -> Ended {
    let bench = Bench::start(Manners::default()).await?;
    let mut bob = bench.calls_of("bob").await?;
    let secret = bench.path("secret");
    let paths = [
        "/etc/hostname".to_string(),
        "file:///etc/hostname".to_string(),
        "/proc/self/environ".to_string(),
        "../secret/table.csv".to_string(),
        "link/table.csv".to_string(),
        format!("{secret}/table.csv"),
        format!("file://{secret}/table.csv"),
    ];
    for path in &paths {
        for statement in [
            format!("FROM '{path}'"),
            format!("SELECT * FROM '{path}.csv'"),
            format!("SELECT (SELECT count(*) FROM '{path}') AS n"),
            format!("WITH x AS (SELECT * FROM '{path}') SELECT * FROM x"),
            format!("EXPLAIN SELECT * FROM '{path}'"),
            format!("EXPLAIN ANALYZE SELECT * FROM '{path}.csv'"),
            format!("ATTACH '{path}' AS x"),
            format!("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{path}'"),
            format!("CREATE EXTERNAL TABLE x (a TEXT) STORED AS PARQUET LOCATION '{path}'"),
            format!("CREATE UNBOUNDED EXTERNAL TABLE x (a TEXT) STORED AS CSV LOCATION '{path}'"),
            format!("COPY (SELECT 1 AS a) TO '{path}' STORED AS CSV"),
            format!("COPY (SELECT 1 AS a) TO '{path}.parquet'"),
            format!("EXPLAIN COPY (SELECT 1 AS a) TO '{path}' STORED AS CSV"),
            format!("FROM 'rnz-bcsd.zarr' |> REDUCE avg(tas) ALONG time |> INTO '{path}.zarr'"),
        ] {
            check(&statement, tried(&mut bob, &statement).await, &REFUSED)?;
        }
        check(path, bob.act("quarray.Describe", path).await, &REFUSED)?;
        // A view of a table may be made; it shows nothing.
        for view in [format!("CREATE OR REPLACE VIEW v AS SELECT * FROM '{path}'"), format!("LET v = FROM '{path}'")] {
            let _ = tried(&mut bob, &view).await;
            check(&view, tried(&mut bob, "SELECT * FROM v").await, &REFUSED)?;
        }
    }
    assert_eq!(std::fs::read_to_string(format!("{secret}/table.csv"))?, "a\n1\n");
    assert_eq!(std::fs::read_dir(&secret)?.count(), 1, "something was written");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_inside_are_read_and_written_by_the_same_statements() -> Ended {
    let bench = Bench::start(Manners::default()).await?;
    let mut bob = bench.calls_of("bob").await?;
    let inside = bench.path("served");
    for statement in [
        "FROM 'rnz-bcsd.zarr'".to_string(),
        format!("FROM '{}/rnz-bcsd.zarr' |> LIMIT 1", super::DATA),
        "SELECT * FROM 'table.csv'".to_string(),
        "WITH x AS (SELECT * FROM 'table.csv') SELECT * FROM x".to_string(),
        "EXPLAIN ANALYZE SELECT * FROM 'table.csv'".to_string(),
        "ATTACH 'rnz-bcsd.zarr' AS climate".to_string(),
        "FROM climate |> REDUCE avg(tas) ALONG time |> INTO 'means.zarr'".to_string(),
        "FROM 'means.zarr'".to_string(),
        format!("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION 'file://{inside}/table.csv'"),
        "SELECT * FROM x".to_string(),
        "COPY (SELECT 1 AS a) TO 'copy.csv' STORED AS CSV".to_string(),
        "COPY (SELECT 1 AS a) TO 'copy.parquet'".to_string(),
        "SELECT * FROM 'copy.parquet'".to_string(),
    ] {
        tried(&mut bob, &statement).await.map_err(|status| format!("{statement}: {status}"))?;
    }
    bob.act("quarray.Describe", "rnz-bcsd.zarr").await?;
    assert!(std::path::Path::new(&format!("{inside}/copy.csv")).exists());
    Ok(())
}

/// A web server of this machine that counts who comes, and sends them elsewhere.
fn counted(location: &str) -> Fallible<(u16, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (port, count) = (listener.local_addr()?.port(), Arc::new(AtomicUsize::new(0)));
    let (counted, answer) = (Arc::clone(&count), format!("HTTP/1.1 404 Not Found\r\nLocation: {location}\r\n"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(format!("{answer}Content-Length: 0\r\nConnection: close\r\n\r\n").as_bytes());
        }
    });
    Ok((port, count))
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_were_not_allowed_are_not_called() -> Ended {
    let (port, count) = counted("/")?;
    let urls = vec!["https://data.example/".to_string(), "s3://public/data/".to_string()];
    let bench = Bench::start(Manners { urls, ..Manners::default() }).await?;
    let mut bob = bench.calls_of("bob").await?;
    let hosts =
        ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]", "127.1", "0.0.0.0"];
    let mut places: Vec<String> = hosts.iter().map(|host| format!("http://{host}:{port}/x")).collect();
    places.extend(
        [
            "http://169.254.169.254/latest/meta-data",
            "http://[fd00:ec2::254]/latest",
            "http://metadata.google.internal/computeMetadata/v1",
            "http://10.0.0.1/x",
            "https://192.168.1.1/x",
            "https://data.example.evil.example/x",
            "https://data.example:8443/x",
            "http://data.example/x",
            "s3://private/x",
            "s3://public/database/x",
            "gs://public/data/x",
            "az://container/x",
            "abfss://container@account.dfs.core.windows.net/x",
            "ftp://data.example/x",
        ]
        .map(str::to_string),
    );
    for place in &places {
        for statement in [
            format!("FROM '{place}.zarr'"),
            format!("ATTACH '{place}' AS x"),
            format!("SELECT * FROM '{place}.parquet'"),
            format!("CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '{place}.parquet'"),
            format!("COPY (SELECT 1 AS a) TO '{place}.csv' STORED AS CSV"),
            format!("FROM 'rnz-bcsd.zarr' |> REDUCE avg(tas) ALONG time |> INTO '{place}'"),
        ] {
            // An address that is none at all is no matter of permission.
            let codes = [Code::PermissionDenied, Code::InvalidArgument, Code::FailedPrecondition];
            let codes = if place.starts_with("ftp:") { &codes[..] } else { &REFUSED[..] };
            check(&statement, tried(&mut bob, &statement).await, codes)?;
        }
    }
    for options in [
        format!("endpoint = 'http://127.0.0.1:{port}', allow_http = 'true'"),
        "endpoint = 'http://169.254.169.254', allow_http = 'true'".to_string(),
        "instance_credentials = 'true'".to_string(),
    ] {
        let statement = format!("ATTACH 's3://public/data/x' AS x WITH ({options}, region = 'eu-west-1')");
        check(&statement, tried(&mut bob, &statement).await, &[Code::PermissionDenied])?;
    }
    assert_eq!(count.load(Ordering::SeqCst), 0, "the server was called");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_was_allowed_is_called() -> Ended {
    let (port, count) = counted("/")?;
    let urls = vec![format!("http://127.0.0.1:{port}/data/")];
    let bench = Bench::start(Manners { urls, ..Manners::default() }).await?;
    let mut bob = bench.calls_of("bob").await?;
    let statement = format!("FROM 'http://127.0.0.1:{port}/data/x.zarr'");
    check(&statement, tried(&mut bob, &statement).await, &[Code::NotFound, Code::FailedPrecondition])?;
    let called = count.load(Ordering::SeqCst);
    assert!(called > 0, "nobody came");
    let beside = format!("FROM 'http://127.0.0.1:{port}/data/../other/x.zarr'");
    check(&beside, tried(&mut bob, &beside).await, &[Code::PermissionDenied])?;
    assert_eq!(count.load(Ordering::SeqCst), called);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_this_machine_is_not_called() -> Ended {
    let (port, count) = counted("/")?;
    // A name that is allowed, and that is one of this very machine.
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    let name = name.trim().to_ascii_lowercase();
    let urls = vec![format!("http://{name}:{port}/"), format!("http://ip6-localhost:{port}/")];
    let bench = Bench::start(Manners { urls, ..Manners::default() }).await?;
    let mut bob = bench.calls_of("bob").await?;
    for host in [name.as_str(), "ip6-localhost"] {
        let statement = format!("FROM 'http://{host}:{port}/x.zarr'");
        check(&statement, tried(&mut bob, &statement).await, &[Code::FailedPrecondition, Code::PermissionDenied])?;
    }
    assert_eq!(count.load(Ordering::SeqCst), 0, "the server was called");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_say_what_may_be_written_and_started() -> Ended {
    let bench = Bench::start(Manners::default()).await?;
    let writes = [
        "COPY (SELECT 1 AS a) TO 'role.csv' STORED AS CSV",
        "FROM 'rnz-bcsd.zarr' |> REDUCE avg(tas) ALONG time |> INTO 'role.zarr'",
        "INSERT INTO t VALUES (1)",
    ];
    let clusters = [
        "CREATE CLUSTER pc WITH (min = 1, max = 1)",
        "ALTER CLUSTER pc SCALE TO 3",
        "ALTER CLUSTER pc ADAPT BETWEEN 1 AND 2",
        "DROP CLUSTER pc",
        "CANCEL JOB 'x'",
    ];
    let settings = ["SET datafusion.runtime.memory_limit = '1T'", "RESET datafusion.runtime.memory_limit"];
    let create = "CREATE EXTERNAL TABLE t (a INT) STORED AS CSV LOCATION 'rows/'";
    let mut eve = bench.calls_of("eve").await?;
    tried(&mut eve, create).await?;
    tried(&mut eve, "FROM 'rnz-bcsd.zarr' |> LIMIT 1").await?;
    tried(&mut eve, "SHOW CLUSTERS").await?;
    for statement in writes.iter().chain(&clusters).chain(&settings) {
        let codes = [Code::PermissionDenied, Code::InvalidArgument, Code::FailedPrecondition];
        check(statement, tried(&mut eve, statement).await, &codes)?;
    }
    let mut bob = bench.calls_of("bob").await?;
    for statement in clusters.iter().chain(&settings) {
        // Sessions have no RESET, whoever's they are.
        let codes: &[Code] = if statement.starts_with("RESET") { &[Code::FailedPrecondition] } else { &REFUSED };
        check(statement, tried(&mut bob, statement).await, codes)?;
    }
    tried(&mut bob, create).await?;
    for statement in &writes {
        tried(&mut bob, statement).await.map_err(|status| format!("{statement}: {status}"))?;
    }
    let ada = bench.session("ada").await?;
    for statement in &clusters {
        run(&ada, statement).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_servers_environment_is_told() -> Ended {
    let bench = Bench::start(Manners::default()).await?;
    let mut ada = bench.calls_of("ada").await?;
    for statement in [
        "SELECT @@PATH AS p",
        "SELECT @home AS p",
        "SELECT getenv('PATH') AS p",
        "SELECT pg_read_file('/etc/hostname') AS p",
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM read_parquet('/etc/hostname')",
        "SELECT * FROM parquet_metadata('/etc/hostname')",
        "SELECT load_file('/etc/hostname') AS p",
        "CREATE FUNCTION f() RETURNS INT LANGUAGE sh AS 'cat /etc/hostname'",
        "LOAD DATA INPATH '/etc/hostname' INTO TABLE t",
    ] {
        let codes = [Code::InvalidArgument, Code::FailedPrecondition];
        check(statement, tried(&mut ada, statement).await, &codes)?;
    }
    Ok(())
}
