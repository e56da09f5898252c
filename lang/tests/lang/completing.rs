//! Completion and highlighting.

use quarray_lang::complete::{CandidateKind, ColumnKind, Names, complete};
use quarray_lang::highlight::{TokenClass, highlight};

pub struct Tables;

impl Names for Tables {
    fn tables(&self) -> Vec<String> {
        vec!["era5".to_string(), "stations".to_string(), "Odd".to_string()]
    }

    fn columns(&self, table: &str) -> Vec<(String, ColumnKind)> {
        let columns: &[(&str, ColumnKind)] = match table {
            "era5" | "store.zarr" => &[
                ("time", ColumnKind::Dimension),
                ("lat", ColumnKind::Dimension),
                ("lon", ColumnKind::Dimension),
                ("land", ColumnKind::Coordinate),
                ("t2m", ColumnKind::Variable),
            ],
            "stations" => &[("name", ColumnKind::Column), ("lat", ColumnKind::Column)],
            _ => &[],
        };
        columns.iter().map(|(name, kind)| (name.to_string(), *kind)).collect()
    }

    fn functions(&self) -> Vec<String> {
        vec!["avg".to_string(), "nearest".to_string(), "lag".to_string()]
    }

    fn clusters(&self) -> Vec<String> {
        ["pc", "night run", "scale"].map(str::to_string).to_vec()
    }
}

/// The candidates at the `¦` of a text.
fn candidates(text: &str) -> Vec<String> {
    let cursor = text.find('¦').unwrap();
    let completion = complete(&text.replace('¦', ""), cursor, &Tables);
    completion.candidates.into_iter().map(|candidate| candidate.text).collect()
}

#[test]
fn steps_complete_after_a_pipe() {
    assert_eq!(candidates("FROM era5 |> RE¦"), ["RECHUNK", "REDUCE", "RENAME", "RESAMPLE"]);
    assert!(candidates("FROM era5 |> ¦").contains(&"SELECT".to_string()));
}

#[test]
fn tables_complete_after_from() {
    assert_eq!(candidates("FROM e¦"), ["era5"]);
    assert_eq!(candidates("SELECT * FROM era5 JOIN s¦"), ["stations"]);
    assert_eq!(candidates("SELECT * FROM ¦"), ["era5", "stations", "\"Odd\""]);
    assert_eq!(candidates("SELECT * FROM era5, s¦"), ["stations"]);
    assert!(candidates("FROM 'er¦").is_empty());
    assert!(candidates("-- FROM er¦").is_empty());
}

#[test]
fn dimensions_complete_in_brackets_and_lists() {
    assert_eq!(candidates("FROM era5[l¦"), ["lat", "lon"]);
    assert_eq!(candidates("FROM era5[lat = 1, ¦"), ["time", "lat", "lon"]);
    assert_eq!(candidates("FROM era5[lat = ne¦"), ["nearest"]);
    assert_eq!(candidates("FROM 'store.zarr'[t¦"), ["time"]);
    assert_eq!(candidates("FROM era5 |> REDUCE avg(t2m) ALONG lat, lo¦"), ["lon"]);
    assert_eq!(candidates("FROM era5 |> REDUCE avg(t2m) KEEP ti¦"), ["time"]);
    assert_eq!(candidates("FROM era5 |> COARSEN avg(t2m) BY la¦"), ["lat"]);
    assert_eq!(candidates("FROM era5 |> SEL l¦"), ["lat", "lon"]);
    assert_eq!(candidates("FROM era5 |> INTO 'x' CHUNKS (t¦"), ["time"]);
}

#[test]
fn columns_and_functions_complete_elsewhere() {
    assert_eq!(candidates("SELECT la¦ FROM era5"), ["lat", "land", "lag", "LATERAL"]);
    assert_eq!(candidates("FROM era5 e |> SELECT e.t¦"), ["time", "t2m"]);
    assert_eq!(candidates("FROM era5 |> SELECT era5.lo¦"), ["lon"]);
    assert_eq!(
        candidates("¦"),
        [
            "SELECT", "FROM", "ALTER", "ATTACH", "CANCEL", "CREATE", "DESCRIBE", "DETACH", "DROP", "EXPLAIN", "LET",
            "SHOW", "USE", "WITH"
        ]
    );
    assert_eq!(candidates("FROM era5; LE¦"), ["LET"]);
    let completion = complete("FROM era5[é", 12, &Tables);
    assert_eq!(completion.start, 10);
    assert!(completion.candidates.is_empty());
    assert_eq!(complete("FROM x |> ", 10, &Tables).candidates[0].kind, CandidateKind::Verb);
}

#[test]
fn statements_about_clusters_complete() {
    assert_eq!(candidates("CREATE CL¦"), ["CLUSTER"]);
    assert_eq!(candidates("ALTER cl¦"), ["CLUSTER"]);
    assert!(candidates("DROP ¦").contains(&"CLUSTER".to_string()));
    assert!(candidates("SHOW ¦").starts_with(&["CLUSTERS", "EXECUTORS", "JOBS", "SCALING"].map(str::to_string)));
    assert_eq!(candidates("USE ¦"), ["CLUSTER", "LOCAL"]);
    assert_eq!(candidates("CANCEL ¦"), ["JOB", "QUERY"]);
    assert_eq!(candidates("CREATE CLUSTER ¦"), ["IF"]);
    assert_eq!(candidates("CREATE CLUSTER IF NOT ¦"), ["EXISTS"]);
    assert_eq!(candidates("CREATE CLUSTER pc ¦"), ["WITH"]);
    assert_eq!(candidates("FROM era5; ALTER CLUSTER ¦"), ["pc", "\"night run\"", "\"scale\""]);
    assert_eq!(candidates("ALTER CLUSTER \"night run\" ¦"), ["SCALE", "ADAPT"]);
    assert_eq!(candidates("ALTER CLUSTER pc SCALE ¦"), ["TO"]);
    assert_eq!(candidates("ALTER CLUSTER pc ADAPT BETWEEN 2 ¦"), ["AND"]);
    assert_eq!(candidates("DROP CLUSTER p¦"), ["pc"]);
    assert_eq!(candidates("DROP CLUSTER ¦"), ["pc", "\"night run\"", "\"scale\"", "IF"]);
    assert_eq!(candidates("USE CLUSTER n¦"), ["\"night run\""]);
    assert_eq!(candidates("USE CLUSTER pc ¦"), ["ABOVE"]);
    assert_eq!(candidates("SHOW JOBS ¦"), ["FROM"]);
    assert_eq!(candidates("SHOW JOBS FROM ¦"), ["pc", "\"night run\"", "\"scale\""]);
    for nothing in
        ["ALTER CLUSTER pc SCALE TO ¦", "USE LOCAL ¦", "CANCEL JOB ¦", "SHOW CLUSTERS ¦", "CREATE CLUSTER a.b ¦"]
    {
        assert!(candidates(nothing).is_empty(), "{nothing}");
    }
    assert_eq!(candidates("SHOW COLUMNS FROM e¦"), ["era5"]);
    assert_eq!(candidates("FROM era5 |> DROP la¦")[..2], ["lat", "land"]);
}

#[test]
fn options_of_clusters_complete() {
    assert_eq!(candidates("CREATE CLUSTER pc WITH (¦"), ["min", "max", "cores", "memory", "idle_timeout"]);
    assert_eq!(candidates("CREATE CLUSTER pc WITH (min = 1, m¦"), ["max", "memory"]);
    assert_eq!(
        candidates("CREATE CLUSTER IF NOT EXISTS pc WITH (memory = '2 GiB', Min = 1, ¦)")[..2],
        ["max", "cores"]
    );
    assert!(candidates("CREATE CLUSTER pc WITH (min = ¦").is_empty());
    assert!(candidates("CREATE CLUSTER pc WITH (min ¦").is_empty());
    assert!(candidates("CREATE CLUSTER pc WITH (min = 1) ¦").is_empty());
}

fn classes(text: &str) -> Vec<(&str, TokenClass)> {
    highlight(text).into_iter().map(|(span, class)| (&text[span.start..span.end], class)).collect()
}

#[test]
fn every_piece_has_its_class() {
    use TokenClass::{Comment, Error, Function, Identifier, Keyword, Number, Operator, String, Verb};
    assert_eq!(
        classes("FROM 'é'[a = 1] |> reduce avg(x) -- y"),
        [
            ("FROM", Keyword),
            ("'é'", String),
            ("[", Operator),
            ("a", Identifier),
            ("=", Operator),
            ("1", Number),
            ("]", Operator),
            ("|>", Verb),
            ("reduce", Verb),
            ("avg", Function),
            ("(", Operator),
            ("x", Identifier),
            (")", Operator),
            ("-- y", Comment),
        ]
    );
    assert_eq!(classes("SELECT 'abc"), [("SELECT", Keyword), ("'abc", Error)]);
}

#[test]
fn words_of_clusters_are_keywords_in_their_statements_alone() {
    let keywords = |text: &'static str| -> Vec<&str> {
        let pieces = classes(text).into_iter().filter(|(_, class)| *class == TokenClass::Keyword);
        pieces.map(|(piece, _)| piece).collect()
    };
    assert_eq!(keywords("create cluster cluster with (min = 1)"), ["create", "cluster", "with"]);
    assert_eq!(keywords("CREATE CLUSTER IF NOT EXISTS pc"), ["CREATE", "CLUSTER", "IF", "NOT", "EXISTS"]);
    assert_eq!(keywords("ALTER CLUSTER jobs SCALE TO 3"), ["ALTER", "CLUSTER", "SCALE", "TO"]);
    assert_eq!(
        keywords("FROM jobs; ALTER /* the */ CLUSTER pc ADAPT BETWEEN 1 AND 3;USE LOCAL"),
        ["FROM", "ALTER", "CLUSTER", "ADAPT", "BETWEEN", "AND", "USE", "LOCAL"]
    );
    assert_eq!(keywords("SHOW JOBS FROM local; CANCEL JOB 'a'"), ["SHOW", "JOBS", "FROM", "CANCEL", "JOB"]);
    assert_eq!(keywords("SELECT cluster, local, scale, job FROM executors"), ["SELECT", "FROM"]);
}
