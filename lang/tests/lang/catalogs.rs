//! Catalogs in FROM.

use quarray_lang::parse;
use quarray_lang::statement::StatementKind;
use quarray_lang::syntax::{SourceCall, replace_source_call, source_call};
use sqlparser::ast::{SetExpr, Statement, TableFactor};

use crate::formatting::round_trip;

fn factor(text: &str) -> TableFactor {
    let statements = parse(text).unwrap_or_else(|errors| panic!("{text}\n{errors:?}"));
    let StatementKind::Sql(sql) = &statements[0].kind else { panic!("no SQL: {text}") };
    let Statement::Query(query) = sql.as_ref() else { panic!("no query: {text}") };
    let SetExpr::Select(select) = query.body.as_ref() else { panic!("no select: {text}") };
    select.from[0].relation.clone()
}

fn named(call: &SourceCall) -> Vec<String> {
    call.named.iter().map(|(name, value)| format!("{name} = {value}")).collect()
}

#[test]
fn an_asset_is_an_argument_of_its_catalog() {
    let text = "FROM stac('u', bbox => [-160, 18.5, -154, 23], ids => ['a', 'b']) ASSET 'x' |> REDUCE avg(t) ALONG y";
    let call = source_call(&factor(text)).unwrap();
    assert_eq!((call.name.as_str(), call.positional[0].to_string().as_str()), ("stac", "'u'"));
    assert_eq!(named(&call), ["bbox = [-160, 18.5, -154, 23]", "ids = ['a', 'b']", "asset = 'x'"]);
    for same in [
        "FROM stac('u', asset => 'x') AS s",
        "FROM stac('u') asset 'x' AS s",
        "SELECT * FROM (t JOIN u), stac('u') ASSET 'x' s",
    ] {
        assert!(parse(same).is_ok(), "{same}");
    }
    // Without a text after it, it is a name.
    assert_eq!(source_call(&factor("SELECT asset.id FROM stac('u') asset")).unwrap().named.len(), 0);
}

#[test]
fn options_and_brackets_stand_on_an_asset() {
    let text = "FROM stac('u') ASSET 'x' WITH (sign = 'none', account = 'a')[time = '2020', y[0]] AS s";
    let mut factor = factor(text);
    let call = source_call(&factor).unwrap();
    assert_eq!(named(&call), ["asset = 'x'"]);
    let options: Vec<String> = call.options.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    assert_eq!(options, ["sign = 'none'", "account = 'a'"]);
    replace_source_call(&mut factor, "p");
    assert_eq!(factor.to_string(), "sel('p', time => '2020', y => position(0)) AS s");
}

#[test]
fn collections_are_shown() {
    assert_eq!(
        round_trip("SHOW COLLECTIONS FROM stac('u', sign => 'none')"),
        "SELECT * FROM stac_collections('u', sign => 'none')"
    );
    assert!(matches!(factor("show collections from stac('u')"), TableFactor::Table { .. }));
}

#[test]
fn what_is_printed_means_the_same() {
    for text in [
        "FROM stac('u') ASSET 'x' |> REDUCE avg(t) ALONG y",
        "FROM stac('u', bbox => [-1, 2, 3, 4]) ASSET 'x' WITH (sign = 'none')[time = 1:2] |> REDUCE avg(t) ALONG y",
        "SELECT id FROM stac('u', collection => 'c') WHERE id = 'a' LIMIT 3",
        "LET x = FROM stac('u') ASSET 'x'[y[0]]",
    ] {
        round_trip(text);
    }
}
