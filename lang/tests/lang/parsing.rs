//! Text to statements and diagnostics.

use crate::examples::EXAMPLES;
use quarray_lang::statement::{Statement, StatementKind};
use quarray_lang::{is_complete, parse, split};

fn one(text: &str) -> Statement {
    let mut statements = parse(text).unwrap_or_else(|errors| panic!("{text}\n{errors:?}"));
    assert_eq!(statements.len(), 1, "{text}");
    statements.remove(0)
}

/// The first error of a text, as it is shown.
fn rendered(text: &str) -> String {
    parse(text).map(|statements| panic!("{text} parses: {statements:?}")).unwrap_err()[0].render(text)
}

#[test]
fn every_example_parses() {
    for example in EXAMPLES {
        assert!(!parse(example).unwrap_or_else(|errors| panic!("{example}\n{errors:?}")).is_empty());
    }
}

#[test]
fn statements_of_our_own_parse() {
    let StatementKind::Attach { uri, name, options } =
        one("ATTACH 'az://c/x.zarr' AS era5 WITH (SAS = 'it''s', level = 3)").kind
    else {
        panic!("no attach")
    };
    assert_eq!((uri.as_str(), name.value.as_str()), ("az://c/x.zarr", "era5"));
    assert_eq!(options, [("sas".to_string(), "it's".to_string()), ("level".to_string(), "3".to_string())]);
    assert!(matches!(one("DETACH era5").kind, StatementKind::Detach { name } if name.value == "era5"));
    assert!(
        matches!(one("let x = FROM era5 |> MASK a").kind, StatementKind::Let { query, .. } if query.pipe_operators.len() == 1)
    );
    let external = "CREATE EXTERNAL TABLE era5 STORED AS zarr LOCATION 'u' OPTIONS ('Sas' 's', a.b 3)";
    let StatementKind::Attach { options, .. } = one(external).kind else { panic!("no attach") };
    assert_eq!(options, [("sas".to_string(), "s".to_string()), ("a.b".to_string(), "3".to_string())]);
    let stock = "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'x'";
    assert_eq!(one(stock).kind, StatementKind::Stock(stock.to_string()));
    assert!(matches!(one("COPY t TO 'x.parquet'").kind, StatementKind::Stock(_)));
    for sql in ["DESCRIBE era5", "SHOW TABLES", "SHOW COLUMNS FROM era5", "EXPLAIN VERBOSE FROM x", "SET a.b = 1"] {
        assert!(matches!(one(sql).kind, StatementKind::Sql(_)), "{sql}");
    }
}

#[test]
fn queries_nest() {
    for text in [
        "WITH a AS (FROM x |> REDUCE avg(t) ALONG y) FROM a |> MASK t > 1",
        "(FROM a[t = 1] |> MASK b) UNION ALL (FROM c |> SEL d = 1)",
        "SELECT * FROM (FROM era5[t = 1] |> REDUCE avg(v)) s JOIN x[y = 2] z ON s.a = z.a",
        "SELECT a FROM b WHERE c > (FROM d |> REDUCE avg(e)) AND f IN (FROM g |> SELECT h)",
        "SELECT (FROM x SELECT max(a))",
        "SELECT * FROM a, b[c = 1], (d[e = 2] JOIN f USING (g))",
        "FROM x |> UNION ALL (FROM y |> MASK a), (FROM z |> SEL b = 1)",
        "FROM x |> JOIN y[a = 1] ON x.b = y.b",
        "EXPLAIN (FROM x |> MASK a)",
        "EXPLAIN (FROM x) UNION ALL (FROM y)",
        "CREATE OR REPLACE VIEW v AS FROM x[a = 1] |> MASK b",
        "INSERT INTO t FROM x |> MASK b",
        "FROM /* what */ era5 -- where\n [lat = /* [ */ 1] -- end",
    ] {
        one(text);
    }
}

#[test]
fn a_statement_knows_its_place() {
    let text = "  FROM a; /* é */ FROM b -- end\n ;";
    let spans: Vec<&str> = parse(text).unwrap().iter().map(|it| &text[it.span.start..it.span.end]).collect();
    assert_eq!(spans, ["FROM a", "FROM b"]);
}

#[test]
fn text_splits_at_semicolons() {
    let pieces =
        |text: &'static str| -> Vec<&str> { split(text).into_iter().map(|span| &text[span.start..span.end]).collect() };
    assert_eq!(pieces("a; 'b;' /* ; */ [c;]; -- ;\n ; d"), ["a", "'b;' /* ; */ [c;]", "d"]);
    assert_eq!(pieces("a; 'b"), ["a", "'b"]);
    assert_eq!(pieces("a 'b;"), ["a 'b;"]);
    assert!(pieces(" ; ; ").is_empty());
    for complete in ["", "SELECT 1;", "SELECT 1; -- done", "FROM x |> MASK a ;\n"] {
        assert!(is_complete(complete), "{complete}");
    }
    for incomplete in ["SELECT 1", "SELECT ';", "/* ;", "FROM x |>", "FROM x[a = 1,", "SELECT \"a;"] {
        assert!(!is_complete(incomplete), "{incomplete}");
    }
}

#[test]
fn a_misspelt_verb_is_pointed_at() {
    let expected =
        "error: unknown step `REDUC`\n --> 2:4\n  |\n2 | |> REDUC avg(t)\n  |    ^^^^^\nhelp: did you mean `REDUCE`?\n";
    assert_eq!(rendered("FROM era5\n|> REDUC avg(t)"), expected);
}

#[test]
fn a_long_line_is_cut_around_the_place() {
    let text = format!("SELECT 1;\nFROM {} |> REDUC avg(t) |> WHERE {}", "a".repeat(5_000), "b".repeat(5_000));
    let shown = rendered(&text);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[1], " --> 2:5010");
    let place = lines[4].chars().position(|c| c == '^').unwrap();
    assert_eq!(lines[3].chars().skip(place).take(5).collect::<String>(), "REDUC");
    assert_eq!(lines[4].matches('^').count(), 5);
    assert!(
        lines[3].starts_with("2 | …a") && lines[3].ends_with("b…") && lines[3].chars().count() < 250,
        "{}",
        lines[3]
    );
}

#[test]
fn errors_say_what_was_expected() {
    let cases = [
        ("FORM era5", "expected a statement, found `FORM`", "FORM", "did you mean `FROM`?"),
        ("SELECT a FORM b", "expected the end of the statement, found `b`", "FORM", "did you mean `FROM`?"),
        ("FROM era5[lat = ]", "expected a label after `=`, found `]`", "]", ""),
        ("FROM era5[lat = 1 +]", "expected an expression, found `]`", "]", ""),
        ("FROM era5[lat = 1 2]", "expected `,` or `]`, found `2`", "2", ""),
        ("FROM era5[lat > 1]", "expected `=`, IN or `[` after the dimension `lat`, found `>`", ">", ""),
        ("FROM era5[lat = 1:2:3:4]", "expected at most two colons, as in `low:high:step`, found `:`", ":", ""),
        ("FROM x |> REDUCE ALONG y", "expected an expression after REDUCE, found `ALONG`", "ALONG", ""),
        ("FROM x |> REDUCE avg(t) ALONG", "expected a dimension, found the end of the statement", "", ""),
        ("FROM x |> REDUCE avg(t ALONG y", "`(` is never closed", "(", ""),
        ("FROM x[a = 1)] |> MASK b", "`)` closes nothing", ")", ""),
        (
            "FROM x |> COARSEN avg(t) BY y",
            "expected a number of cells after `y`, found the end of the statement",
            "",
            "",
        ),
        ("FROM x |> INTO 'a' APPEND time", "expected ALONG and one dimension after APPEND, found `time`", "time", ""),
        ("FROM x |> ", "expected a step after `|>`, found the end of the statement", "", ""),
        ("EXPLAIN FROM x |> SELECT a b c", "expected the end of the statement, found `c`", "c", ""),
        ("SELECT * FROM (SELECT a +) x", "expected an expression, found `)`", ")", ""),
        ("ATTACH era5", "expected the path or URL of a store in quotes, found `era5`", "era5", ""),
        ("LET x FROM y", "expected `=` after the name, found `FROM`", "FROM", ""),
        ("SELECT 'abc", "unterminated string literal", "'abc", ""),
    ];
    for (text, message, place, help) in cases {
        let error = parse(text).map(|_| panic!("{text} parses")).unwrap_err().remove(0);
        let span = error.span.unwrap_or_else(|| panic!("{text}: {error} has no place"));
        let actual = (error.message.as_str(), &text[span.start..span.end], error.help.as_deref().unwrap_or(""));
        assert_eq!(actual, (message, place, help), "{text}");
    }
}
