//! Statements about clusters.

use std::time::Duration;

use crate::formatting::round_trip;
use quarray_lang::cluster::{ClusterListing, ClusterOptions, ClusterStatement};
use quarray_lang::parse;
use quarray_lang::queries::QueriesStatement;
use quarray_lang::statement::StatementKind;

fn cluster(text: &str) -> ClusterStatement {
    let mut statements = parse(text).unwrap_or_else(|errors| panic!("{text}\n{errors:?}"));
    assert_eq!(statements.len(), 1, "{text}");
    match statements.remove(0).kind {
        StatementKind::Cluster(statement) => statement,
        other => panic!("{text} is no statement about clusters: {other:?}"),
    }
}

/// The name that a statement has, and what the text has in its place.
fn name(text: &str) -> (String, &str) {
    let statement = cluster(text);
    let name = statement.name().unwrap_or_else(|| panic!("{text} names nothing"));
    (name.value.value.clone(), &text[name.span.start..name.span.end])
}

#[test]
fn a_cluster_is_created() {
    let text = "CREATE CLUSTER pc WITH (Min = 2, max = 10, cores = 1, memory = '2 GiB', idle_timeout = '5 minutes')";
    let ClusterStatement::Create { name, if_not_exists, options } = cluster(text) else { panic!("no create") };
    assert_eq!((name.value.value.as_str(), if_not_exists), ("pc", false));
    let ClusterOptions { min, max, cores, memory, idle_timeout } = options;
    let (min, max, cores, memory) = (min.unwrap(), max.unwrap(), cores.unwrap(), memory.unwrap());
    let idle_timeout = idle_timeout.unwrap();
    assert_eq!((min.value, max.value, cores.value, memory.value), (2, 10, 1, 2 << 30));
    assert_eq!(idle_timeout.value, Duration::from_secs(300));
    let spans = [name.span, min.span, max.span, cores.span, memory.span, idle_timeout.span];
    assert_eq!(spans.map(|span| &text[span.start..span.end]), ["pc", "2", "10", "1", "'2 GiB'", "'5 minutes'"]);
    for bare in ["CREATE CLUSTER pc", "create cluster pc with ()"] {
        let ClusterStatement::Create { options, .. } = cluster(bare) else { panic!("no create") };
        assert_eq!(options, ClusterOptions::default());
    }
    let text = "CREATE CLUSTER IF NOT EXISTS \"if\" WITH (memory = 1048576, idle_timeout = 0.5, min = 0, max = 1)";
    let ClusterStatement::Create { if_not_exists: true, options, .. } = cluster(text) else { panic!("no create") };
    assert_eq!(options.memory.unwrap().value, 1 << 20);
    assert_eq!(options.idle_timeout.unwrap().value, Duration::from_millis(500));
}

#[test]
fn a_cluster_is_scaled_dropped_and_used() {
    let ClusterStatement::Scale { executors, .. } = cluster("ALTER CLUSTER pc SCALE TO 0") else { panic!("no scale") };
    assert_eq!(executors.value, 0);
    let text = "ALTER CLUSTER pc ADAPT BETWEEN 2 AND 10";
    let ClusterStatement::Adapt { min, max, .. } = cluster(text) else { panic!("no adapt") };
    assert_eq!((min.value, max.value, &text[max.span.start..max.span.end]), (2, 10, "10"));
    assert!(matches!(cluster("DROP CLUSTER pc"), ClusterStatement::Drop { if_exists: false, .. }));
    assert!(matches!(cluster("DROP CLUSTER IF EXISTS pc"), ClusterStatement::Drop { if_exists: true, .. }));
    assert!(matches!(cluster("USE CLUSTER pc"), ClusterStatement::Use { above: None, .. }));
    let text = "USE CLUSTER pc ABOVE '64 MB'";
    let ClusterStatement::Use { above: Some(above), .. } = cluster(text) else { panic!("no size") };
    assert_eq!((above.value, &text[above.span.start..above.span.end]), (64_000_000, "'64 MB'"));
    let ClusterStatement::Use { above, .. } = cluster("use cluster pc above 1000") else { panic!("no use") };
    assert_eq!(above.map(|above| above.value), Some(1000));
    assert_eq!(cluster("use local"), ClusterStatement::UseLocal);
    let ClusterStatement::CancelJob { id } = cluster("CANCEL JOB 'it''s'") else { panic!("no cancel") };
    assert_eq!((id.value.as_str(), id.span.start), ("it's", 11));
    for text in ["ALTER CLUSTER pc SCALE TO 4", "DROP CLUSTER IF EXISTS pc", "USE CLUSTER pc", "SHOW JOBS FROM pc"] {
        assert_eq!(name(text), ("pc".to_string(), "pc"), "{text}");
    }
    assert_eq!(name("USE CLUSTER \"a \"\"b\"\"\""), ("a \"b\"".to_string(), "\"a \"\"b\"\"\""));
    for unnamed in ["SHOW CLUSTERS", "SHOW JOBS", "USE LOCAL", "CANCEL JOB 'a'"] {
        assert_eq!(cluster(unnamed).name(), None, "{unnamed}");
    }
}

#[test]
fn what_a_cluster_has_is_listed() {
    assert_eq!(cluster("SHOW CLUSTERS"), ClusterStatement::ShowClusters);
    for listing in ClusterListing::ALL {
        let text = format!("SHOW {}", listing.keyword());
        assert_eq!(cluster(&text), ClusterStatement::Show { listing, from: None });
        let text = format!("show {} from pc", listing.keyword().to_lowercase());
        let ClusterStatement::Show { listing: found, from: Some(from) } = cluster(&text) else { panic!("{text}") };
        assert_eq!((found, from.value.value.as_str()), (listing, "pc"));
    }
}

#[test]
fn other_statements_stay_sql() {
    for text in [
        "SHOW TABLES",
        "SHOW ALL",
        "SHOW jobs.limit_of_rows",
        "SHOW datafusion.execution.batch_size",
        "SHOW COLUMNS FROM clusters",
        "SHOW \"jobs\"",
        "SHOW jot",
        "USE mydb",
        "USE local.a",
        "USE cluster.a",
        "USE clusters",
        "USE \"local\"",
        "DROP TABLE cluster",
        "CREATE VIEW cluster AS SELECT 1",
        "ALTER TABLE cluster RENAME TO jobs",
        "SELECT cluster, local, cancel, job, scale FROM executors",
    ] {
        let statements = parse(text).unwrap_or_else(|errors| panic!("{text}\n{errors:?}"));
        assert!(matches!(statements[0].kind, StatementKind::Sql(_)), "{text}");
    }
}

#[test]
fn statements_are_printed_as_they_are_read() {
    let cases = [
        ("create cluster if not exists pc", "CREATE CLUSTER IF NOT EXISTS pc"),
        (
            "CREATE CLUSTER \"Pc\" WITH (idle_timeout = 90, memory = '1.5 GiB', cores = 2, max = 007)",
            "CREATE CLUSTER \"Pc\" WITH (max = 7, cores = 2, memory = '1536 MiB', idle_timeout = '90 seconds')",
        ),
        ("alter cluster pc scale to 4", "ALTER CLUSTER pc SCALE TO 4"),
        ("alter /* the */ cluster pc adapt\nbetween 2 and 10", "ALTER CLUSTER pc ADAPT BETWEEN 2 AND 10"),
        ("drop cluster if exists pc", "DROP CLUSTER IF EXISTS pc"),
        ("use cluster pc", "USE CLUSTER pc"),
        ("use cluster pc above 64000000", "USE CLUSTER pc ABOVE '64 MB'"),
        ("show scaling from \"if\"", "SHOW SCALING FROM \"if\""),
        ("cancel job 'it''s'", "CANCEL JOB 'it''s'"),
    ];
    for (text, printed) in cases {
        assert_eq!(round_trip(text), printed);
    }
}

/// Message, the text at its place, and help of all that is wrong.
fn errors(text: &str) -> Vec<(String, String, String)> {
    let errors = parse(text).map(|statements| panic!("{text} parses: {statements:?}")).unwrap_err();
    let shown = errors.into_iter().map(|error| {
        let span = error.span.unwrap_or_else(|| panic!("{text}: {error} has no place"));
        (error.message, text[span.start..span.end].to_string(), error.help.unwrap_or_default())
    });
    shown.collect()
}

fn check(cases: &[(&str, &str, &str, &str)]) {
    for (text, message, place, help) in cases {
        let found = errors(text);
        let expected = (message.to_string(), place.to_string(), help.to_string());
        assert_eq!(found, [expected], "{text}");
    }
}

#[test]
fn errors_of_options_say_what_was_expected() {
    let with = |options: &str| format!("CREATE CLUSTER pc WITH ({options})");
    let options = "its options are min, max, cores, memory, idle_timeout";
    let unit = "write the unit with it, as in '2 GiB'";
    let cases = [
        ("mim = 1", "a cluster has no option `mim`", "mim", "did you mean `min`?"),
        ("colour = 'red'", "a cluster has no option `colour`", "colour", options),
        ("idle.timeout = 5", "a cluster has no option `idle.timeout`", "idle.timeout", "did you mean `idle_timeout`?"),
        ("min = 10, max = 2", "expected a `max` of at least 10, which is `min`, found 2", "2", ""),
        ("cores = 0", "expected a whole number for `cores` of at least 1, found `0`", "0", ""),
        ("max = 0", "expected a whole number for `max` of at least 1, found `0`", "0", ""),
        ("min = 1, Min = 2", "expected each option once, found `min` again", "Min", ""),
        ("min = two", "expected a whole number for `min`, found `two`", "two", ""),
        ("min = 'two'", "expected a whole number for `min`, found `'two'`", "'two'", ""),
        ("min = '2'", "expected a whole number for `min`, found `'2'`", "'2'", "write 2, without quotes"),
        ("min = -1", "expected a whole number for `min`, found `-1`", "-1", ""),
        ("min = 1.5", "expected a whole number for `min`, found `1.5`", "1.5", ""),
        ("min = 1 + 1", "expected a whole number for `min`, found `1 + 1`", "1 + 1", ""),
        (
            "min = 4294967296",
            "expected a whole number for `min` of at most 4294967295, found `4294967296`",
            "4294967296",
            "",
        ),
        ("min = , max = 2", "expected a whole number for `min`, found `,`", ",", ""),
        ("min 2", "expected `=` after the name of an option, found `2`", "2", ""),
        ("min = 2,", "expected the name of an option, found `)`", ")", ""),
        ("memory = 2", "expected at least 1 MiB for `memory`, found 2 B", "2", unit),
        ("memory = '100 KiB'", "expected at least 1 MiB for `memory`, found 100 KiB", "'100 KiB'", unit),
        (
            "memory = 2 GiB",
            "expected a size for `memory`, such as '2 GiB', found `2 GiB`",
            "2 GiB",
            "write '2 GiB', in quotes",
        ),
        ("memory = big", "expected a size for `memory`, such as '2 GiB', found `big`", "big", ""),
        ("memory = 'big'", "expected a size such as '2 GiB', found 'big'", "'big'", ""),
        (
            "memory = '2 GibB'",
            "expected a size in TiB, TB, GiB, GB, MiB, MB, KiB, kB, B, found the unit `GibB`",
            "'2 GibB'",
            "did you mean `GiB`?",
        ),
        ("idle_timeout = 'soon'", "expected a duration such as '5 minutes', found 'soon'", "'soon'", ""),
        ("idle_timeout = 0", "expected more than zero for `idle_timeout`, found 0", "0", ""),
        (
            "idle_timeout = 5 minutes",
            "expected a duration for `idle_timeout`, such as '5 minutes', found `5 minutes`",
            "5 minutes",
            "write '5 minutes', in quotes",
        ),
        ("idle_timeout = -5", "expected a duration for `idle_timeout`, such as '5 minutes', found `-5`", "-5", ""),
    ];
    for (options, message, place, help) in cases {
        check(&[(with(options).as_str(), message, place, help)]);
    }
    let several = errors(&with("mim = 1, cores = 0, memory = 'x', max = 3, min = 4"));
    let places: Vec<&str> = several.iter().map(|(_, place, _)| place.as_str()).collect();
    assert_eq!(places, ["mim", "0", "'x'", "3"]);
}

#[test]
fn errors_of_statements_say_what_was_expected() {
    let end = "the end of the statement";
    let name = |found: &str| format!("expected the name of a cluster, found {found}");
    check(&[
        ("CREATE CLUSTER", &name(end), "", ""),
        ("CREATE CLUSTER WITH (min = 1)", &name("`WITH`"), "WITH", ""),
        ("CREATE CLUSTER 'pc'", &name("`'pc'`"), "'pc'", ""),
        ("CREATE CLUSTER IF EXISTS pc", "expected NOT, found `EXISTS`", "EXISTS", ""),
        ("CREATE CLUSTER pc (min = 1)", "expected WITH or the end of the statement, found `(`", "(", ""),
        ("CREATE CLUSTER a.b", "expected WITH or the end of the statement, found `.`", ".", ""),
        ("CREATE CLUSTER pc WITH min = 1", "expected `(`, found `min`", "min", ""),
        ("CREATE CLUSTER pc WITH (min = 1", &format!("expected `)`, found {end}"), "", ""),
        ("CREATE CLUSTER pc WITH (min = 1) x", &format!("expected {end}, found `x`"), "x", ""),
        ("ALTER CLUSTER SCALE TO 4", &name("`SCALE`"), "SCALE", ""),
        ("ALTER CLUSTER pc", &format!("expected SCALE TO or ADAPT BETWEEN, found {end}"), "", ""),
        (
            "ALTER CLUSTER pc SCAEL TO 4",
            "expected SCALE TO or ADAPT BETWEEN, found `SCAEL`",
            "SCAEL",
            "did you mean `SCALE`?",
        ),
        ("ALTER CLUSTER pc SCALE 4", "expected TO, found `4`", "4", ""),
        ("ALTER CLUSTER pc SCALE TO", &format!("expected a number of executors, found {end}"), "", ""),
        ("ALTER CLUSTER pc SCALE TO -1", "expected a number of executors, found `-1`", "-1", ""),
        ("ALTER CLUSTER pc SCALE TO -", "expected a number of executors, found `-`", "-", ""),
        ("ALTER CLUSTER pc SCALE TO four", "expected a number of executors, found `four`", "four", ""),
        ("ALTER CLUSTER pc SCALE TO 4 5", &format!("expected {end}, found `5`"), "5", ""),
        ("ALTER CLUSTER pc ADAPT 1 AND 2", "expected BETWEEN, found `1`", "1", ""),
        ("ALTER CLUSTER pc ADAPT BETWEEN 1, 2", "expected AND, found `,`", ",", ""),
        (
            "ALTER CLUSTER pc ADAPT BETWEEN 10 AND 2",
            "expected at least 10 after AND, found 2",
            "2",
            "write BETWEEN 2 AND 10",
        ),
        ("ALTER CLUSTER pc ADAPT BETWEEN 0 AND 0", "expected a number of executors of at least 1, found `0`", "0", ""),
    ]);
}

#[test]
fn errors_of_short_statements_say_what_was_expected() {
    let end = "the end of the statement";
    let name = |found: &str| format!("expected the name of a cluster, found {found}");
    check(&[
        ("DROP CLUSTER", &name(end), "", ""),
        ("DROP CLUSTER IF pc", "expected EXISTS, found `pc`", "pc", ""),
        ("DROP CLUSTER a, b", &format!("expected {end}, found `,`"), ",", ""),
        ("USE CLUSTER", &name(end), "", ""),
        ("USE CLUSTER above", &name("`above`"), "above", ""),
        (
            "USE CLUSTER pc ABOV '1 GB'",
            "expected ABOVE or the end of the statement, found `ABOV`",
            "ABOV",
            "did you mean `ABOVE`?",
        ),
        ("USE CLUSTER pc ABOVE", &format!("expected a size after ABOVE, such as '64 MB', found {end}"), "", ""),
        (
            "USE CLUSTER pc ABOVE 1 GB",
            "expected a size after ABOVE, such as '64 MB', found `1 GB`",
            "1 GB",
            "write '1 GB', in quotes",
        ),
        ("USE LOCAL pc", &format!("expected {end}, found `pc`"), "pc", ""),
        ("SHOW CLUSTERS FROM pc", &format!("expected {end}, found `FROM`"), "FROM", ""),
        ("SHOW EXECUTORS pc", "expected FROM or the end of the statement, found `pc`", "pc", ""),
        ("SHOW JOBS FROM", &name(end), "", ""),
        (
            "SHOW CLUSTER",
            "expected CLUSTERS, EXECUTORS, JOBS, SCALING or QUERIES after SHOW, found `CLUSTER`",
            "CLUSTER",
            "did you mean `CLUSTERS`?",
        ),
        (
            "SHOW EXECUTERS FROM pc",
            "expected CLUSTERS, EXECUTORS, JOBS, SCALING or QUERIES after SHOW, found `EXECUTERS`",
            "EXECUTERS",
            "did you mean `EXECUTORS`?",
        ),
        (
            "SHOW JOB",
            "expected CLUSTERS, EXECUTORS, JOBS, SCALING or QUERIES after SHOW, found `JOB`",
            "JOB",
            "did you mean `JOBS`?",
        ),
        ("CANCEL 'a'", "expected JOB or QUERY after CANCEL, found `'a'`", "'a'", ""),
        ("CANCEL JOBS 'a'", "expected JOB or QUERY after CANCEL, found `JOBS`", "JOBS", "did you mean `JOB`?"),
        ("CANCEL JOB a1", "expected the id of a job in quotes, found `a1`", "a1", ""),
        ("CANCEL JOB ' '", "expected the id of a job in quotes, found `' '`", "' '", ""),
        ("CANCEL JOB 'a' 'b'", &format!("expected {end}, found `'b'`"), "'b'", ""),
        ("USE CLUSTR pc", &format!("expected {end}, found `pc`"), "CLUSTR", "did you mean `CLUSTER`?"),
    ]);
}

#[test]
fn statements_about_queries_are_read() {
    let queries = |text: &str| match parse(text).unwrap().remove(0).kind {
        StatementKind::Queries(statement) => statement,
        other => panic!("{text} is no statement about queries: {other:?}"),
    };
    assert_eq!(queries("show queries"), QueriesStatement::Show);
    let QueriesStatement::Cancel { id } = queries("cancel query 'it''s'") else { panic!("no cancel") };
    assert_eq!((id.value.as_str(), id.span.start, id.span.end), ("it's", 13, 20));
    assert_eq!(round_trip("show  queries"), "SHOW QUERIES");
    assert_eq!(round_trip("cancel query 'it''s'"), "CANCEL QUERY 'it''s'");
    for text in ["SHOW queries.limit", "SHOW \"queries\"", "SELECT queries, query, cancel FROM queries"] {
        assert!(matches!(parse(text).unwrap()[0].kind, StatementKind::Sql(_)), "{text}");
    }
    let end = "the end of the statement";
    check(&[
        ("CANCEL QUERY a1", "expected the id of a query in quotes, found `a1`", "a1", ""),
        ("CANCEL QUERRY 'a'", "expected JOB or QUERY after CANCEL, found `QUERRY`", "QUERRY", "did you mean `QUERY`?"),
        ("SHOW QUERIES 1", &format!("expected {end}, found `1`"), "1", ""),
        (
            "SHOW QUERYS",
            "expected CLUSTERS, EXECUTORS, JOBS, SCALING or QUERIES after SHOW, found `QUERYS`",
            "QUERYS",
            "did you mean `QUERIES`?",
        ),
    ]);
}

#[test]
fn misspelt_words_of_statements_are_told() {
    for (text, place, help) in [
        ("CREATE CLUSTR pc", "CLUSTR", "did you mean `CLUSTER`?"),
        ("ALTER CLUSTRE pc SCALE TO 1", "CLUSTRE", "did you mean `CLUSTER`?"),
        ("DROP CLUSTR pc", "CLUSTR", "did you mean `CLUSTER`?"),
        ("CANCLE JOB 'a'", "CANCLE", "did you mean `CANCEL`?"),
    ] {
        let found = errors(text).remove(0);
        assert_eq!((found.1.as_str(), found.2.as_str()), (place, help), "{text}: {}", found.0);
    }
}

#[test]
fn a_wrong_option_has_carets() {
    let text = "SHOW CLUSTERS;\nCREATE CLUSTER pc WITH (memory = '2 GibB');";
    let shown = parse(text).unwrap_err()[0].render(text);
    let expected = "error: expected a size in TiB, TB, GiB, GB, MiB, MB, KiB, kB, B, found the unit `GibB`\n --> 2:34\n  |\n2 | CREATE CLUSTER pc WITH (memory = '2 GibB');\n  |                                  ^^^^^^^^\nhelp: did you mean `GiB`?\n";
    assert_eq!(shown, expected);
}
